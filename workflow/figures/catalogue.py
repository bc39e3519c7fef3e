"""Which figures there are; cheap to import, Snakemake plans with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from baselines.registry import SYSTEMS

PAPER_SYSTEMS = ("ccvae", "m2", "diva", "mvae")
OTHER_SYSTEMS = tuple(system for system in SYSTEMS if system not in PAPER_SYSTEMS)


@dataclass(frozen=True)
class Figure:
    """A figure of the paper, or one that the paper should have had.

    Attributes
    ----------
    name
        As a target and as a folder.
    number
        In the paper; None for additional ones.
    title
        What it shows, in a few words.
    scope
        What one file is about: `model`, one trained model; `rates`, one model at all supervision
        rates; `models`, all models of a data set at one rate; `dataset`, all of its runs;
        `study`, a study.
    needs
        What it is drawn from: `model`, `metrics` or `history` of runs, all `records`, a `study`.
    drawn_by
        Module of workflow/figures and function that draws it.
    kinds
        Settings of its data sets.
    caption
        Its caption in workflow/report/figures, shared by figures that show the same of different
        models.
    systems
        Which systems it is about; all when empty.
    task
        What a model must be able to do.
    judged
        Whether it shows what a judge says.
    """

    name: str
    number: int | None
    title: str
    scope: str
    needs: str
    drawn_by: str
    kinds: tuple[str, ...]
    caption: str
    systems: tuple[str, ...] = ()
    task: str = "reconstruct"
    judged: bool = False

    @property
    def heading(self) -> str:
        """Name for readers."""
        return f"Figure {self.number}" if self.number is not None else "Additional figure"

    def shows(self, system: str) -> bool:
        """Whether a model of this system belongs in it, if it can do the task."""
        return not self.systems or system in self.systems


def _of_models(number: int, title: str, drawn_by: str, task: str, **more: Any) -> Figure:
    """Make a figure of the paper that shows one trained model per file."""
    return Figure(f"figure{number}", number, title, "model", "model", drawn_by, task=task, **more)


def _by_system(
    numbers: dict[str, int],
    extra: str,
    title: str,
    scope: str,
    needs: str,
    drawn_by: str,
    **more: Any,
) -> Iterator[Figure]:
    """Make a figure per system that the paper draws, and one more for systems it does not."""
    for system, number in numbers.items():
        name = f"figure{number}"
        yield Figure(name, number, title, scope, needs, drawn_by, systems=(system,), **more)
    yield Figure(extra, None, title, scope, needs, drawn_by, systems=OTHER_SYSTEMS, **more)


def _figures() -> Iterator[Figure]:
    attributes, classes = ("attributes",), ("classes",)
    either = attributes + classes
    drawn_anew = tuple(name for name, system in SYSTEMS.items() if "diversify" in system.lacks)
    yield _of_models(
        3,
        "traversals of label pairs",
        "traversals:draw_few",
        "traverse",
        kinds=attributes,
        caption="traversals",
    )
    yield _of_models(
        4,
        "diverse conditional generations",
        "diversity:draw_generations",
        "diversify",
        kinds=attributes,
        caption="generations",
    )
    yield _of_models(
        5,
        "variance when one label is switched on",
        "diversity:draw_some_variance",
        "diversify",
        kinds=attributes,
        caption="variance",
    )
    for number, title, function in (
        (6, "characteristic swaps, pair by pair", "draw_pairs"),
        (7, "characteristic swaps", "draw_matrices"),
    ):
        yield Figure(
            f"figure{number}",
            number,
            title,
            "models",
            "model",
            f"swaps:{function}",
            kinds=either,
            caption=f"figure{number}",
            task="swap",
        )
    yield Figure(
        "figure8",
        8,
        "gradient norms of the classifier",
        "study",
        "study",
        "gradients:draw_gradients",
        kinds=(),
        caption="gradients",
    )
    yield from _by_system(
        {"ccvae": 10, "m2": 12, "diva": 14, "mvae": 16},
        "confusion",
        "confusion matrices of single interventions",
        "rates",
        "metrics",
        "matrices:draw_confusion",
        kinds=attributes,
        caption="confusion",
        task="intervene",
        judged=True,
    )
    yield from _by_system(
        {"ccvae": 11, "m2": 13, "diva": 15, "mvae": 17},
        "interventions",
        "single interventions",
        "model",
        "model",
        "interventions:draw_interventions",
        kinds=attributes,
        caption="interventions",
        task="intervene",
    )
    yield from _by_system(
        {"ccvae": 18, "diva": 19},
        "traversals",
        "more traversals of label pairs",
        "model",
        "model",
        "traversals:draw_many",
        kinds=attributes,
        caption="traversals",
        task="traverse",
    )
    yield _of_models(
        20,
        "variance when any label is switched on",
        "diversity:draw_all_variance",
        "diversify",
        kinds=attributes,
        caption="variance",
    )
    yield _of_models(
        21,
        "between four classes",
        "digits:draw_polytope",
        "traverse",
        kinds=classes,
        caption="polytope",
    )
    for number, task, systems in ((22, "diversify", ()), (23, "generate", drawn_anew)):
        yield _of_models(
            number,
            "conditional generations",
            "digits:draw_generations",
            task,
            kinds=classes,
            caption=f"figure{number}",
            systems=systems,
        )
    yield Figure(
        "figure24",
        24,
        "interventions on every class",
        "models",
        "model",
        "digits:draw_interventions",
        kinds=classes,
        caption="class_interventions",
        task="intervene",
    )
    yield Figure(
        "confident_region",
        None,
        "interventions of equation (2), by confidence",
        "model",
        "model",
        "confidence:draw_confident_region",
        kinds=attributes,
        caption="confident_region",
        systems=("vae_classifier",),
        task="intervene",
    )
    yield Figure(
        "against_f",
        None,
        "measures against the supervision rate",
        "dataset",
        "records",
        "curves:against_f",
        kinds=either,
        caption="against_f",
        task="classify",
        judged=True,
    )
    yield Figure(
        "style",
        None,
        "what is kept of an image's style",
        "dataset",
        "records",
        "curves:style_kept",
        kinds=classes,
        caption="style",
        judged=True,
    )
    yield Figure(
        "training_curves",
        None,
        "terms of the bound during training",
        "rates",
        "history",
        "curves:training",
        kinds=either,
        caption="training_curves",
    )


FIGURES = {figure.name: figure for figure in _figures()}
