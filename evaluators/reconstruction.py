"""Reconstructions of the test images: made once, and shared by every measure that looks at them."""

from __future__ import annotations

import torch
from torch import Tensor

from ccvae.interface import LabelledVAE
from evaluators.images import ImageSet
from evaluators.measuring import measurement


@measurement
def reconstruct_all(model: LabelledVAE, images: ImageSet) -> Tensor:
    """Reconstructions of all images, floats (N, C, H, W) in [0, 1], on the CPU."""
    return torch.cat([model.reconstruct(x).cpu() for x, _ in images.batches(model.device)])


@measurement
def reconstruction(
    model: LabelledVAE, images: ImageSet, reconstructions: Tensor | None = None
) -> dict[str, float]:
    """Mean absolute pixel difference of reconstructions, `reconstruction_l1`, in [0, 1].

    Parameters
    ----------
    model, images
        The model, and what it reconstructs.
    reconstructions
        From `reconstruct_all`; made here when None.
    """
    if reconstructions is None:
        reconstructions = reconstruct_all(model, images)
    total, start = 0.0, 0
    for x, _ in images.batches():
        difference = reconstructions[start : start + len(x)] - x
        total += difference.abs().flatten(1).mean(1).sum().item()
        start += len(x)
    return {"reconstruction_l1": total / len(images)}
