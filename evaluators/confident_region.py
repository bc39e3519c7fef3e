"""What equation (2) offers in place of p(z_c | y): the interventions of Appendix A.

The prior is conditioned on a classifier that says y with a probability above lambda. How often a
draw of the prior is accepted says what rejection costs; the three interventions that Appendix A
names are scored by the same judge as everybody's (deviation: eq2-confidence):

* `redraw`, "resample the z_c^i": the conventional one, label by label;
* `closest`, "the closest z_c^i to the original that leads to the class label changing";
* `within`, "manipulate the z_c^i without actually changing the class itself".
"""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ccvae.feeding import as_floats
from ccvae.interface import Inferred
from ccvae.labels import LabelSpace
from ccvae.shapes import Images, Labels, LabelTable
from evaluators.images import BATCH, ImageSet
from evaluators.intervention import changed_labels
from evaluators.measuring import JudgeLike, measurement, most_probable, seeded

CONFIDENCES = (0.5, 0.9, 0.99)
"""Values of lambda whose price is measured; the interventions have the model's own."""


@runtime_checkable
class Region(Protocol):
    """Where a classifier on z_c is confident."""

    def at(self, confidence: float) -> Region:
        """The same for another lambda."""

    def acceptance(self) -> Float[Tensor, "F V"]:
        """Probability that the prior's draw lies there, by label and value: (F, V)."""


@runtime_checkable
class Confident(Protocol):
    """A model that intervenes where its classifier is confident."""

    @property
    def region(self) -> Region:
        """The region for the model's own lambda."""

    @property
    def labels(self) -> LabelSpace:
        """The label space."""

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""

    def intervene(self, x: Images, y_new: Labels) -> Images:
        """Draw anew the characteristics of the labels that change."""

    def closest_flip(self, x: Images, label: int) -> Images:
        """Change one binary label, or to one class, by the smallest move."""

    def within_class(self, x: Images) -> Images:
        """Draw all characteristics anew while the predicted labels stay."""


@measurement
def confident_region(
    model: Confident,
    judge: JudgeLike,
    images: ImageSet,
    inferred: Inferred,
    *,
    n_images: int,
    seed: int,
) -> dict[str, float]:
    """Score the interventions of Appendix A on the first `n_images` images.

    Parameters
    ----------
    model
        The model.
    judge
        The independent classifier, on the model's device.
    images
        Test images.
    inferred
        What the model infers from them.
    n_images
        How many of them to change, or all if there are fewer.
    seed
        Of what is drawn.

    Returns
    -------
    dict
        `region_acceptance_<lambda>`
            Probability that a draw of one label's z_c is accepted, mean over labels and values.
        `region_acceptance_all`
            That a draw of all labels at once is, for the model's lambda: mean over the images'
            predicted labels.
        `region_redraw_success`, `region_closest_success`
            Share of images and labels in which the judge sees the changed label, among those in
            which it does not see it in the reconstruction.
        `region_within_success`
            In which it sees the same label as in the reconstruction.
        `region_redraw_change`, `region_closest_change`, `region_within_change`
            Mean absolute difference of pixels from the reconstruction.
    """
    space = images.space
    chosen = torch.arange(min(n_images, len(images)))
    predicted = space.predict(inferred.probabilities[chosen])
    found: dict[str, list[Tensor]] = defaultdict(list)

    def note(kind: str, image: Images, base: Images, as_wanted: Bool[Tensor, " ..."]) -> None:
        found[f"region_{kind}_success"].append(as_wanted.double().flatten().cpu())
        change = (image - base).abs().flatten(1).mean(1)
        found[f"region_{kind}_change"].append(change.double().cpu())

    def read(image: Images) -> Labels:
        return most_probable(judge.log_probs(image), space)

    with seeded(seed, model.device):
        metrics = _acceptance(model.region, space.one_hot(predicted))
        for rows in chosen.split(BATCH):
            x = as_floats(images.images[rows], model.device)
            before = predicted[rows].to(model.device)
            base = inferred.reconstruction[rows].to(model.device)
            was = read(base)
            varied = model.within_class(x)
            note("within", varied, base, read(varied) == was)
            for output in range(space.n_outputs):
                factor = output if space.kind == "multi_label" else 0
                wanted = changed_labels(before, output, space)
                differs = before[:, factor] != wanted[:, factor]
                if differs.any():
                    one, value = x[differs], wanted[differs]
                    for kind, image in (
                        ("redraw", model.intervene(one, value)),
                        ("closest", model.closest_flip(one, output)),
                    ):
                        new = value[:, factor]
                        as_wanted = (read(image)[:, factor] == new)[was[differs, factor] != new]
                        note(kind, image, base[differs], as_wanted)
    measured = {name: torch.cat(values) for name, values in found.items()}
    return metrics | {name: x.mean().item() for name, x in measured.items() if len(x)}


def _acceptance(region: Region, one_hot: LabelTable) -> dict[str, float]:
    """Probabilities that draws are accepted; `one_hot` (N, F, V) are labels of images."""
    prices = {f"region_acceptance_{c}": region.at(c).acceptance().mean() for c in CONFIDENCES}
    each = (one_hot * region.acceptance().to(one_hot.device)).sum(-1)
    return {name: value.item() for name, value in prices.items()} | {
        "region_acceptance_all": each.prod(-1).mean().item()
    }
