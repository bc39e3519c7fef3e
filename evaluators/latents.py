r"""What a model's latents are, read off the model by what it offers.

A model with `posterior`, `characteristics` and `style` has characteristic latents z_c and
unlabelled latents z_\c. Any other model can offer `latent_mean`, all the continuous latents that
it has beside the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from ccvae.distributions import Gaussian
from ccvae.errors import InputError
from ccvae.interface import LabelledVAE
from evaluators.images import ImageSet
from evaluators.measuring import measurement


@runtime_checkable
class HasCharacteristics(Protocol):
    """A model with latents of its own for every label."""

    def posterior(self, x: Tensor) -> Gaussian:
        """q(z | x) of images (B, C, H, W), parameters (B, m)."""

    def characteristics(self, z: Tensor) -> Tensor:
        """z_c by label factor: (B, m) -> (B, F, d)."""

    def style(self, z: Tensor) -> Tensor:
        r"""z_\c: (B, m) -> (B, m_s)."""


@runtime_checkable
class HasLatentMean(Protocol):
    """A model whose continuous latents belong to no label."""

    def latent_mean(self, x: Tensor) -> Tensor:
        """Posterior mean of the latents: (B, C, H, W) -> (B, m)."""


@dataclass(frozen=True)
class Latents:
    r"""Posterior means of N images.

    Attributes
    ----------
    characteristics
        z_c by label factor, float64 (N, F, d), or None for a model without.
    rest
        z_\c, or all latents of a model without characteristics, float64 (N, m); m may be 0.
    """

    characteristics: np.ndarray | None
    rest: np.ndarray

    def halves(self) -> tuple[Latents, Latents]:
        """Latents of the first and of the second half of the images."""
        middle = len(self.rest) // 2
        parts = (slice(None, middle), slice(middle, None))
        first, second = (
            Latents(
                None if self.characteristics is None else self.characteristics[part],
                self.rest[part],
            )
            for part in parts
        )
        return first, second


@measurement
def encode(model: LabelledVAE, images: ImageSet) -> Latents:
    """Return the posterior means of all images.

    Raises
    ------
    InputError
        If the model offers neither set of methods.
    """
    if isinstance(model, HasCharacteristics):
        means = [model.posterior(x).loc for x, _ in images.batches(model.device)]
        z = torch.cat(means)
        return Latents(_array(model.characteristics(z)), _array(model.style(z)))
    if isinstance(model, HasLatentMean):
        return Latents(
            None, _array(torch.cat([model.latent_mean(x) for x, _ in images.batches(model.device)]))
        )
    raise InputError(
        f"the latents of {type(model).__name__} cannot be read; give it 'latent_mean', or "
        "'posterior', 'characteristics' and 'style'"
    )


def _array(values: Tensor) -> np.ndarray:
    return values.double().cpu().numpy()
