"""What the tests of several baselines do alike."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ccvae.interface import LabelledVAE

STEP = 1e-6


def average(model: LabelledVAE, x: Tensor, y: Tensor | None, n: int) -> tuple[float, float]:
    """Mean of the objective of one image (1, C, H, W) over n draws, and its standard error."""
    torch.manual_seed(11)
    with torch.no_grad():
        y = None if y is None else y.expand(n, -1)
        draws = model.bound(x.expand(n, -1, -1, -1), y).objective.double()
    return draws.mean().item(), draws.std().item() / math.sqrt(n)


def check_gradients(model: LabelledVAE, x: Tensor, y: Tensor | None) -> None:
    """Compare every parameter's gradient, along a random direction, with central differences.

    Both sides see the same draws; the model has to be in double precision.
    """

    def objective() -> Tensor:
        torch.manual_seed(2)
        return model.bound(x, y).objective.sum()

    named = dict(model.named_parameters())
    gradients = torch.autograd.grad(objective(), list(named.values()), allow_unused=True)
    generator = torch.Generator().manual_seed(3)
    for (name, parameter), gradient in zip(named.items(), gradients, strict=True):
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            parameter.add_(STEP * direction)
            above = objective()
            parameter.sub_(2 * STEP * direction)
            below = objective()
            parameter.add_(STEP * direction)
        expected = ((above - below) / (2 * STEP)).item()
        got = 0.0 if gradient is None else (gradient * direction).sum().item()
        assert got == pytest.approx(expected, rel=1e-5, abs=1e-6), name
