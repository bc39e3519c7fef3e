"""What a model infers from test images: asked for once, and shared by every measure of it."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ccvae.interface import Inferred, LabelledVAE
from evaluators.images import ImageSet
from evaluators.measuring import measurement


@measurement
def infer_all(model: LabelledVAE, images: ImageSet) -> Inferred:
    """What the model infers from all images, on the CPU."""
    batches = [
        {name: values.cpu() for name, values in _given(model.infer(x)).items()}
        for x, _ in images.batches(model.device)
    ]
    return Inferred(**{name: torch.cat([part[name] for part in batches]) for name in batches[0]})


def part_of(inferred: Inferred, start: int, stop: int) -> Inferred:
    """What was inferred from images `start` to `stop`."""
    return Inferred(**{name: values[start:stop] for name, values in _given(inferred).items()})


def as_features(means: Float[Tensor, "B ..."]) -> np.ndarray:
    """Posterior means on the CPU as a linear probe takes them, float64 (N, D)."""
    return means.double().flatten(1).numpy()


def _given(inferred: Inferred) -> dict[str, Float[Tensor, "_ ..."]]:
    return {name: values for name, values in vars(inferred).items() if values is not None}
