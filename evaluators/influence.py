r"""How far a measure would move had other images been looked at: the influence of each image.

A measure is a smooth function of means over images. The influence of image i is N times what its
share of those means adds to the measure, to first order (Hampel 1974,
doi:10.1080/01621459.1974.10482962): influences have the mean 0, and the measure the standard error

    se = sqrt(sum_i influence_i^2) / N.

Two models that were asked about the same images have their influences subtracted image by image
first, so that what is hard for both counts for neither. Only the images are drawn anew in thought:
what another seed of the training would change is not in it. Pairs of images that are swapped count
as drawn one by one, though two of them may share an image.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ccvae.feeding import as_floats
from ccvae.interface import Inferred, LabelledVAE
from ccvae.labels import LabelSpace
from ccvae.shapes import Labels, PerImage
from evaluators.images import BATCH, ImageSet
from evaluators.measuring import measurement, most_probable, seeded
from evaluators.seen import Seen
from evaluators.swap import random_pairs
from evaluators.true_swap import TrueSwaps, pixel_distances


def standard_error(influence: PerImage) -> float:
    """Standard error of a measure, or of a difference, from the influence of each image (N,)."""
    return influence.square().sum().sqrt().item() / len(influence)


def of_mean(values: PerImage) -> PerImage:
    """Influence of each image on the mean of `values` (N,)."""
    return values - values.mean()


def of_ratio(above: PerImage, below: PerImage) -> PerImage:
    """Influence of each image on mean(above) / mean(below), both (N,)."""
    return (above - below * (above.mean() / below.mean())) / below.mean()


def of_balanced_accuracy(right: Bool[Tensor, "B F"], labels: Labels, space: LabelSpace) -> PerImage:
    """Influence of each image on `evaluators.accuracy.label_scores`' balanced accuracy.

    The numbers of images with each value are taken as given.

    Parameters
    ----------
    right
        Whether each label is found, (N, F).
    labels
        True labels, (N, F).
    space
        Their label space.
    """
    occurs = torch.nn.functional.one_hot(labels, space.n_values).double()
    count = occurs.sum(0)
    recall = (occurs * right.unsqueeze(-1)).sum(0) / count
    # An image bears on the one value that it has.
    off = (occurs * (right.unsqueeze(-1).double() - recall.nan_to_num())).sum(-1)
    share = (occurs / count.clamp_min(1)).sum(-1)
    return len(labels) * (off * share / (count > 0).sum(-1)).mean(-1)


@measurement
def influences(
    model: LabelledVAE,
    images: ImageSet,
    inferred: Inferred,
    *,
    generated: tuple[ImageSet, Seen] | None,
    truth: TrueSwaps | None,
    seed: int,
) -> dict[str, PerImage]:
    """Influences on what the orders of models are told by, as far as the model has them.

    Parameters
    ----------
    model
        The model.
    images, inferred
        The images, and what it infers from them.
    generated
        Images, and what the judge sees in them, from `evaluators.generation.generation`; None where
        the model does not generate.
    truth
        Where images are drawings and the model swaps: what the `random_pairs` should become.
    seed
        Of the pairs, as in `evaluators.swap.swap`.

    Returns
    -------
    dict
        `balanced_accuracy`, per image; `swap_truth_normalised`, per pair; `generation_accuracy`,
        per generated image.
    """
    right = images.space.predict(inferred.probabilities) == images.labels
    found = {"balanced_accuracy": of_balanced_accuracy(right, images.labels, images.space)}
    if truth is not None:
        found["swap_truth_normalised"] = _of_swaps(model, images, inferred, truth, seed)
    if generated is not None:
        asked, seen = generated
        agrees = most_probable(seen.log_probs(), asked.space) == asked.labels
        found["generation_accuracy"] = of_mean(agrees.double().mean(-1))
    return found


def _of_swaps(
    model: LabelledVAE, images: ImageSet, inferred: Inferred, truth: TrueSwaps, seed: int
) -> Float[Tensor, " P"]:
    """Influence of each pair on (own - best) / (nothing - best), see `evaluators.true_swap`."""
    parts: list[dict[str, Tensor]] = []
    pairs = random_pairs(len(images), len(truth.images), seed)
    with seeded(seed, model.device):
        for rows in torch.arange(len(pairs)).split(BATCH):
            a, b = pairs[rows].unbind(1)
            x_a, x_b = (as_floats(images.images[i], model.device) for i in (a, b))
            true = as_floats(truth.images[rows], model.device)
            found = pixel_distances(
                true,
                truth.regions[rows].to(model.device),
                swapped=model.swap(characteristics=x_a, background=x_b),
                background=inferred.reconstruction[b].to(model.device),
                donor=inferred.reconstruction[a].to(model.device),
                best=model.reconstruct(true),
            )
            parts.append(found)
    own, nothing, best = (
        torch.cat([part[f"swap_truth_l1{end}"] for part in parts])
        for end in ("", "_no_transfer", "_reconstruction")
    )
    return of_ratio(own - best, nothing - best)
