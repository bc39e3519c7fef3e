"""Where two pictures visibly differ."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from ccvae.shapes import Images

VISIBLE = 4 / 255
"""A pixel truly changes if one of its channels moves by more than this."""


def changed(first: Images, second: Images) -> Bool[Tensor, "B H W"]:
    """Pixels in which two images in [0, 1], (B, C, H, W) each, visibly differ: (B, H, W)."""
    return (first - second).abs().amax(1) > VISIBLE


def split(
    difference: Images, inside: Bool[Tensor, "B H W"]
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    """Sums of a difference of images over a region and over the rest, a mean over channels.

    Parameters
    ----------
    difference
        (B, C, H, W); its absolute values count.
    inside
        The region, (B, H, W).

    Returns
    -------
    tuple of Tensor
        float64, (B,) each.
    """
    size = difference.abs().mean(1).double()
    within = (size * inside).sum((1, 2))
    return within, size.sum((1, 2)) - within
