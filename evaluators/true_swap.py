"""Swaps beside the truth, known for drawings only: the true swap, and distances of pixels from it.

Where images are drawn, the background of B can be drawn again with the characteristics of A. A
distance from that picture can be won by a sharp decoder that transfers nothing, so it stands
between its two ends: the model's own reconstruction of the true swap, the best that it could draw,
and the reconstruction of B, no transfer at all. Most pixels stay as they are, so the region that
truly changes is looked at by itself too, and so is the rest, where every change is damage. The
paper has no such figure (deviation: truth-measures).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from ccvae.shapes import Bytes, Images
from evaluators.measuring import ratios
from evaluators.regions import split

ENDS = ("", "_no_transfer", "_reconstruction")
"""What is compared with the true swap: the model's swap, and the two ends of its scale."""


@dataclass(frozen=True)
class TrueSwaps:
    """What pairs of drawings (A, B) should become.

    Attributes
    ----------
    images
        B of each pair drawn again with all characteristics of A, uint8 (P, C, H, W).
    regions
        Pixels in which that differs from B, but for the noise of the camera, (P, H, W).
    """

    images: Bytes
    regions: Bool[Tensor, "P H W"]


def pixel_distances(
    truth: Images,
    inside: Bool[Tensor, "B H W"],
    *,
    swapped: Images,
    background: Images,
    donor: Images,
    best: Images,
) -> dict[str, Float[Tensor, " B"]]:
    """Absolute differences of pixels, for each of B pairs; sums have `sum_` before their names.

    Parameters
    ----------
    truth, inside
        The true swaps and the regions that change, (B, C, H, W) and (B, H, W).
    swapped, background, donor, best
        The model's swaps, and its reconstructions of B, of A and of the true swaps, (B, C, H, W).
    """
    found = {"sum_pixels": inside.double().sum((1, 2))}
    for end, drawn in zip(ENDS, (swapped, background, best), strict=True):
        found[f"swap_truth_l1{end}"] = (drawn - truth).abs().flatten(1).mean(1).double()
        found[f"sum_inside{end}"], _ = split(drawn - truth, inside)
    _, found["sum_moved"] = split(swapped - background, inside)
    _, found["sum_apart"] = split(donor - background, inside)
    return {name: value.cpu() for name, value in found.items()}


def truth_scores(found: Mapping[str, Float[Tensor, " P"]]) -> dict[str, float]:
    """Turn the `pixel_distances` of all pairs into the figures that `evaluators.swap` describes."""
    metrics = {name: value.mean().item() for name, value in found.items() if "truth_l1" in name}
    sums = {name: value.sum().item() for name, value in found.items()}
    if sums["sum_pixels"]:
        for end in ENDS:
            inside = sums[f"sum_inside{end}"] / sums["sum_pixels"]
            metrics[f"swap_truth_inside{end}"] = inside
    quotients = {"swap_outside_change": (sums["sum_moved"], sums["sum_apart"])}
    for where in ("l1", "inside"):
        own, nothing, best = (metrics.get(f"swap_truth_{where}{end}", 0.0) for end in ENDS)
        name = "swap_truth_normalised" if where == "l1" else "swap_truth_inside_normalised"
        quotients[name] = (own - best, nothing - best)
    return metrics | ratios(**quotients)
