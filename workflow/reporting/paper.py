"""Which tables there are, and what is in them; cheap to import, Snakemake plans with it."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One block of a table.

    Attributes
    ----------
    name
        In the records.
    heading
        For readers.
    paper
        Its name in workflow/resources/paper_tables.csv, where the paper reports it.
    lower_is_better
        True, False, or None where neither end is better.
    optional
        Left out when no run has it, instead of being shown as missing.
    own_scale
        Whether its size depends on something that was fitted here, so that it compares models but
        not with the paper.
    """

    name: str
    heading: str
    paper: str | None = None
    lower_is_better: bool | None = False
    optional: bool = False
    own_scale: bool = False

    @property
    def better(self) -> str:
        """The good end in a word; empty where neither is."""
        if self.lower_is_better is None:
            return ""
        return "lower" if self.lower_is_better else "higher"


@dataclass(frozen=True)
class Table:
    """A table of the paper, or one that the paper should have had.

    Attributes
    ----------
    name
        As a target and a file name.
    number
        In the paper; None for additional ones.
    title
        Caption.
    kind
        Settings of its data sets: `attributes` or `classes`.
    metrics
        Its blocks.
    references
        Rows of `workflow.reporting.records.REFERENCES` that belong in it.
    note
        What a reader must know to read it.
    drawn_only
        Whether it can be filled for drawn stand-ins only.
    systems
        Which systems it is about; all when empty.
    task
        What a model must be able to do to have a row in it.
    """

    name: str
    number: int | None
    title: str
    kind: str
    metrics: tuple[Metric, ...]
    references: tuple[str, ...] = ()
    note: str = ""
    drawn_only: bool = False
    systems: tuple[str, ...] = ()
    task: str = "reconstruct"

    def shows(self, system: str, lacks: Container[str] = ()) -> bool:
        """Whether a model of this system, which lacks these tasks, has a row in it."""
        return self.task not in lacks and (not self.systems or system in self.systems)

    @property
    def heading(self) -> str:
        """Name for readers."""
        name = self.name.replace("_", " ").capitalize()
        return name if self.number is None else f"Table {self.number}"


_ACCURACY = Metric("accuracy", "accuracy", "accuracy")
_BALANCED = Metric("balanced_accuracy", "balanced accuracy")

TABLES = {
    table.name: table
    for table in (
        Table(
            "table1",
            1,
            "Classification accuracy, several binary labels",
            "attributes",
            (_ACCURACY, _BALANCED),
            references=("majority", "judge"),
            task="classify",
        ),
        Table(
            "table2",
            2,
            "Difference in log-probabilities of the judge under characteristic swaps",
            "attributes",
            (
                Metric("swap", "difference, in nats", "swap_log_prob_difference", True),
                Metric("swap_normalised", "normalised: 0 own reconstruction, 1 none", None, True),
                Metric(
                    "swap_truth_normalised",
                    "pixels from the true swap: 0 own reconstruction of it, 1 no transfer",
                    None,
                    True,
                    True,
                ),
                Metric(
                    "swap_truth_inside_normalised",
                    "the same where the picture truly changes",
                    None,
                    True,
                    True,
                ),
                Metric("swap_background_change", "share of the background lost", None, None),
                Metric(
                    "swap_background_distance",
                    "share of the background lost, distance from the true swap's",
                    None,
                    True,
                    True,
                ),
                Metric(
                    "swap_outside_change",
                    "share of the background lost where the picture truly stays",
                    None,
                    True,
                    True,
                ),
                Metric("swap_self", "floor: own reconstruction", None, None),
                Metric("swap_no_transfer", "ceiling: the background's reconstruction", None, None),
                Metric("swap_positives", "difference, labels that are on", None, True),
                Metric("swap_true_label", "difference, the image's own labels", None, True),
            ),
            references=("true_redrawing", "copy_characteristics", "copy_background", "constant"),
            note="A model whose z_c carries the whole picture wins the first block and loses the "
            "background, and one that transfers nothing keeps it. A true swap loses the part of "
            "it that the labels drive, and does not score 0 in the first block, because the judge "
            "sees characteristics in another picture.",
            task="swap",
        ),
        Table(
            "table4",
            4,
            "Distance of prior samples from test images",
            "attributes",
            (
                Metric("fid", "FID, InceptionV3", "fid", True, True),
                Metric("fid_reconstruction", "FID of reconstructions", None, True, True),
                Metric("frechet_distance_judge", "Fréchet distance, judge's features", None, None),
                Metric(
                    "frechet_distance_judge_reconstruction",
                    "Fréchet distance of reconstructions, judge's features",
                    None,
                    None,
                ),
            ),
            references=("copy_characteristics", "constant"),
            note="The Fréchet distance in the judge's features is not FID, and nothing rests on "
            "it. The row of real images compares training images with test images.",
            task="sample",
        ),
        Table(
            "table5",
            5,
            "Conditional generation: agreement of the judge with the wanted labels",
            "attributes",
            (
                Metric("generation_accuracy", "accuracy, even labels", "generation_accuracy"),
                Metric("generation_balanced_accuracy", "balanced accuracy, even labels"),
                Metric("generation_data_accuracy", "accuracy, labels from the data"),
                Metric("generation_data_balanced_accuracy", "balanced, labels from the data"),
                Metric(
                    "generation_ceiling_accuracy",
                    "perfect drawings, even labels",
                    lower_is_better=None,
                    optional=True,
                ),
                Metric("generation_real_accuracy", "real images", lower_is_better=None),
            ),
            references=("copy_characteristics", "constant"),
            note="With even labels guessing scores 0.5 whatever the judge; many such label sets "
            "are impossible to draw, which perfect drawings show.",
            task="generate",
        ),
        Table(
            "table6",
            6,
            "Classification accuracy, one label of ten classes",
            "classes",
            (_ACCURACY,),
            references=("majority", "judge"),
            task="classify",
        ),
        Table(
            "table7",
            7,
            "Conditional generation: accuracy and mutual information of the judge",
            "classes",
            (
                Metric("generation_accuracy", "accuracy", "generation_accuracy"),
                Metric(
                    "mutual_information",
                    "mutual information, nats",
                    "mutual_information",
                    True,
                    own_scale=True,
                ),
            ),
            references=("test_images", "other_data", "copy_characteristics", "constant"),
            note="Mutual information says how unsure the judge's Gaussian process is of the "
            "images, and its size depends on how long that was trained; generated images of "
            "which it is lower than of test images are more typical than real ones, and not nearer "
            "to the data.",
            task="generate",
        ),
        Table(
            "style",
            None,
            "What is kept of an image's style when its class changes (Figures 22 to 24)",
            "classes",
            (
                Metric("style_kept_interventions", "kept by interventions", optional=True),
                Metric(
                    "style_kept_interventions_slant",
                    "slant, kept by interventions",
                    optional=True,
                ),
                Metric(
                    "style_kept_interventions_thickness",
                    "thickness of strokes, kept by interventions",
                    optional=True,
                ),
                Metric("style_kept_diversity", "kept when z_c is drawn anew", optional=True),
                Metric(
                    "style_diversity",
                    "share of the pixels' variance that new z_c make",
                    lower_is_better=None,
                    optional=True,
                ),
                Metric("style_kept_swaps", "kept of the background by swaps", optional=True),
                Metric("style_taken_swaps", "taken from the donor by swaps", None, True, True),
                Metric("style_kept_reconstruction", "kept by reconstruction", None, None, True),
            ),
            note="Digits: slant and thickness of strokes; clothes: slant, width, height and area. "
            "0 is nothing, 1 all of it. When z_c is drawn anew, nothing can be kept where z_\\c is "
            "empty, and in M2, which then draws all of z; an empty z_\\c is no background to swap, "
            "either.",
        ),
        Table(
            "interventions",
            None,
            "Single interventions (Appendix D.1)",
            "attributes",
            (
                Metric("intervention_log_condition", "condition number, log10", None, True),
                Metric("intervention_dominance", "share of the diagonal in the matrix"),
                Metric("intervention_diagonal", "mean change of the flipped label, nats"),
                Metric(
                    "intervention_off_diagonal", "mean change of other labels, nats", None, True
                ),
                Metric("intervention_success", "share of flips that the judge sees"),
                Metric(
                    "intervention_switch_on_log_condition",
                    "condition number, switching on, log10",
                    None,
                    True,
                    True,
                ),
                Metric(
                    "intervention_switch_on_dominance",
                    "share of the diagonal, switching on",
                    optional=True,
                ),
            ),
            references=("true_redrawing",),
            task="intervene",
        ),
        Table(
            "leakage",
            None,
            "How well latents predict labels: balanced accuracy above chance",
            "attributes",
            (
                Metric("leakage_own", "a label's own z_c", optional=True),
                Metric("leakage_other", "another label's z_c", None, True, True),
                Metric("leakage_other_reference", "another label's true value", None, None, True),
                Metric("leakage_rest", "z without z_c", None, True),
            ),
            note="The paper claims that characteristics are isolated and reports no figure.",
        ),
        Table(
            "truth",
            None,
            "Against the drawn truth: how much of the true characteristics latents hold (R2), and "
            "how close interventions come to the image drawn anew",
            "attributes",
            (
                Metric("truth_r2_own", "a label's characteristics, from its z_c", optional=True),
                Metric("truth_r2_other", "from the other labels' z_c", None, True, True),
                Metric(
                    "truth_r2_within_own",
                    "within the classes, from its z_c: diversity",
                    optional=True,
                ),
                Metric(
                    "truth_r2_within_ceiling",
                    "within the classes, from as many numbers as z_c has, at most",
                    None,
                    None,
                    True,
                ),
                Metric(
                    "truth_r2_within_other",
                    "within the classes, from the other labels' z_c: leakage",
                    None,
                    True,
                    True,
                ),
                Metric(
                    "variance_locality",
                    "share of the variance of pixels where the label truly shows",
                    optional=True,
                ),
                Metric(
                    "variance_locality_chance",
                    "the same if the variance were even over the picture",
                    None,
                    None,
                    True,
                ),
                Metric(
                    "variance_locality_other",
                    "share of the variance where another label shows",
                    None,
                    None,
                    True,
                ),
                Metric("truth_r2_rest", "from z without z_c", None, True),
                Metric("truth_r2_label", "from the label itself", None, None),
                Metric("truth_r2_pixels", "from pixels", None, None),
                Metric("truth_nuisance_r2_rest", "nuisances, from z without z_c"),
                Metric(
                    "counterfactual_inside_normalised",
                    "intervention, changing region: 0 perfect, 1 nothing done",
                    None,
                    True,
                ),
                Metric("counterfactual_outside", "intervention, rest of the image", None, True),
                Metric(
                    "counterfactual_outside_nothing",
                    "reconstruction, rest of the image",
                    None,
                    None,
                ),
            ),
            drawn_only=True,
        ),
        Table(
            "confident_region",
            None,
            "Interventions of equation (2), which has no p(z_c | y) (Appendix A)",
            "attributes",
            (
                Metric("region_acceptance_0.5", "draws of a label's z_c accepted, λ = 0.5"),
                Metric("region_acceptance_0.9", "draws of a label's z_c accepted, λ = 0.9"),
                Metric("region_acceptance_0.99", "draws of a label's z_c accepted, λ = 0.99"),
                Metric("region_acceptance_all", "draws of all labels at once, the model's λ"),
                Metric("region_redraw_success", "z_c drawn anew: flips that the judge sees"),
                Metric("region_closest_success", "closest z_c: flips that the judge sees"),
                Metric("region_within_success", "within the class: labels that stay as they were"),
                Metric("region_redraw_change", "z_c drawn anew: change of pixels", None, None),
                Metric("region_closest_change", "closest z_c: change of pixels", None, None),
                Metric("region_within_change", "within the class: change of pixels", None, None),
            ),
            note="Draws of the prior are accepted where the classifier gives the labels a "
            "probability above λ. Changes are from the reconstruction.",
            systems=("vae_classifier",),
        ),
    )
}
