"""Reconstructions beside the images themselves."""

from __future__ import annotations

from ccvae.interface import Inferred
from evaluators.images import ImageSet


def reconstruction(inferred: Inferred, images: ImageSet) -> dict[str, float]:
    """Mean absolute pixel difference of reconstructions, `reconstruction_l1`, in [0, 1].

    Parameters
    ----------
    inferred
        What the model infers from `images`.
    images
        Test images.
    """
    total, start = 0.0, 0
    for x, _ in images.batches():
        difference = inferred.reconstruction[start : start + len(x)] - x
        total += difference.abs().flatten(1).mean(1).sum().item()
        start += len(x)
    return {"reconstruction_l1": total / len(images)}
