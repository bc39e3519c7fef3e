"""Interventions beside the truth, known for drawings only.

An intervention should move the characteristics of its label and nothing else (section 6.1). Where
images are drawn, the same picture can be drawn again with one label changed, and an intervention
compared with it: inside the region that truly changes, and outside of it. The paper has no such
figure (deviation: truth-measures).
"""

from __future__ import annotations

from collections import defaultdict

import torch
from jaxtyping import UInt8
from torch import Tensor

from ccvae.feeding import as_floats
from ccvae.interface import Inferred, LabelledVAE
from ccvae.shapes import Images, Labels
from evaluators.images import BATCH, ImageSet
from evaluators.measuring import measurement, ratios, seeded
from evaluators.regions import changed

PARTS = ("inside", "inside_nothing", "inside_best", "outside", "outside_nothing")
PER_LABEL = ("inside", "inside_normalised", "outside")


@measurement
def counterfactual(
    model: LabelledVAE,
    images: ImageSet,
    inferred: Inferred,
    redrawn: UInt8[Tensor, "L n C H W"],
    *,
    seed: int,
) -> dict[str, float]:
    """Compare single interventions with true redrawings, for binary labels.

    Label i of an image is set to the value that it truly lacks, every other label to the model's
    own prediction, so that a wrong prediction elsewhere is not held against the intervention.
    There are many ways to smile: the characteristics that a model draws are not those of the
    redrawing, and even a perfect model does not reach 0 inside the region.

    Parameters
    ----------
    model
        The model.
    images
        Drawings.
    inferred
        What the model infers from them.
    redrawn
        The first n of them with one label changed and nothing else, uint8 (L, n, C, H, W).
    seed
        Of the characteristics that the model draws.

    Returns
    -------
    dict
        Mean absolute pixel differences from the redrawing over the pixels that it changes
        (`inside`) and over those that it does not (`outside`), averaged over labels:

        `counterfactual_inside`
            Of the intervention; also per label.
        `counterfactual_inside_nothing`
            Of the reconstruction of the unchanged image: nothing done.
        `counterfactual_inside_best`
            Of the reconstruction of the redrawing: the best that the model could draw.
        `counterfactual_inside_normalised`
            (inside - best) / (nothing - best): 0 is perfect, 1 as good as nothing done; also per
            label.
        `counterfactual_outside`
            Of the intervention; also per label.
        `counterfactual_outside_nothing`
            Of the reconstruction of the unchanged image.

        Labels that change no pixel or all of them, and quotients with denominator 0, are left out.
    """
    predicted = images.space.predict(inferred.probabilities)
    by_label: dict[str, dict[str, float]] = {}
    with seeded(seed, model.device):
        for label, name in enumerate(images.space.names):
            sums: dict[str, float] = defaultdict(float)
            for rows in torch.arange(redrawn.shape[1]).split(BATCH):
                wanted = predicted[rows]
                wanted[:, label] = 1 - images.labels[rows, label]
                found = _sums(
                    model,
                    as_floats(images.images[rows], model.device),
                    wanted.to(model.device),
                    inferred.reconstruction[rows].to(model.device),
                    as_floats(redrawn[label, rows], model.device),
                )
                for part, value in found.items():
                    sums[part] += value
            if sums["pixels_inside"] and sums["pixels_outside"]:
                by_label[name] = {
                    part: sums[part] / sums[f"pixels_{part.split('_')[0]}"] for part in PARTS
                }
    if not by_label:
        return {}
    mean = {
        part: sum(values[part] for values in by_label.values()) / len(by_label) for part in PARTS
    }
    metrics = {f"counterfactual_{part}": value for part, value in _normalised(mean).items()}
    for name, values in by_label.items():
        kept = _normalised(values)
        metrics |= {f"counterfactual_{p}/{name}": kept[p] for p in PER_LABEL if p in kept}
    return metrics


def _sums(
    model: LabelledVAE, x: Images, wanted: Labels, unchanged: Images, truth: Images
) -> dict[str, float]:
    """Absolute differences summed over pixels, and how many pixels there are on either side.

    `x`, `unchanged` (the reconstructions) and `truth` are (n, C, H, W), `wanted` are the labels to
    set, (n, F).
    """
    inside = changed(truth, x)
    drawn = {
        "": model.intervene(x, wanted),
        "_nothing": unchanged,
        "_best": model.reconstruct(truth),
    }
    sums = {"pixels_inside": inside.sum().item(), "pixels_outside": (~inside).sum().item()}
    for suffix, image in drawn.items():
        difference = (image - truth).abs().mean(1).double()
        sums[f"inside{suffix}"] = difference[inside].sum().item()
        sums[f"outside{suffix}"] = difference[~inside].sum().item()
    return sums


def _normalised(parts: dict[str, float]) -> dict[str, float]:
    best = parts["inside_best"]
    return parts | ratios(
        inside_normalised=(parts["inside"] - best, parts["inside_nothing"] - best)
    )
