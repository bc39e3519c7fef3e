"""Diagonal Gaussians and image likelihoods, as the bounds need them.

Written out because they are on the hot path: `torch.distributions` validates and broadcasts on
every call.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor

from ccvae.shapes import Images, Latents, PerImage

LOG_2PI = math.log(2 * math.pi)
Broadcast = Float[Tensor, "*#shape"]


def normal_log_prob(z: Broadcast, loc: Broadcast, scale: Broadcast) -> Float[Tensor, " ..."]:
    """Elementwise log N(z; loc, scale^2), broadcast over the three shapes."""
    return -0.5 * (((z - loc) / scale) ** 2 + LOG_2PI) - scale.log()


def standard_normal_log_prob(z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Elementwise log N(z; 0, 1)."""
    return -0.5 * (z**2 + LOG_2PI)


@dataclass(frozen=True)
class Gaussian:
    """Diagonal Gaussian q(z | .).

    Attributes
    ----------
    loc, scale
        Mean and standard deviation, both (B, m).
    """

    loc: Latents
    scale: Latents

    def rsample(self) -> Latents:
        """One reparameterised draw per row, (B, m)."""
        return self.loc + self.scale * torch.randn_like(self.loc)

    def log_prob(self, z: Latents) -> PerImage:
        """log q(z), (B, m) -> (B,)."""
        return normal_log_prob(z, self.loc, self.scale).sum(-1)

    def kl(self, loc: Broadcast | float = 0.0, scale: Broadcast | float = 1.0) -> Latents:
        """KL(q || N(loc, scale^2)) per dimension, (B, m)."""
        ratio = (self.scale / scale) ** 2
        return 0.5 * (ratio + ((self.loc - loc) / scale) ** 2 - 1 - ratio.log())

    def slice(self, start: int | None, stop: int | None) -> Gaussian:
        """Marginal of the dimensions start:stop."""
        return Gaussian(self.loc[:, start:stop], self.scale[:, start:stop])


def draw_category(probabilities: Float[Tensor, "B V"]) -> Integer[Tensor, " B"]:
    """One draw per row, (B, V) -> (B,): the same as `torch.multinomial` of one draw makes.

    That checks its argument, for which a GPU would have to be waited for.
    """
    return (probabilities / torch.empty_like(probabilities).exponential_()).argmax(-1)


def laplace_log_prob(x: Images, logits: Images) -> PerImage:
    """log p(x | z) of a Laplace with mean sigmoid(logits) and scale 1: (B, C, H, W) -> (B,).

    The normaliser -D log 2 is kept: equation (8) weighs the classifier's gradient with the
    magnitude of this term (deviation: eq8-implicit-weight).
    """
    dimensions = x[0].numel()
    return -(x - logits.sigmoid()).abs().flatten(1).sum(1) - dimensions * math.log(2)


def bernoulli_log_prob(x: Images, logits: Images) -> PerImage:
    """log p(x | z) of Bernoulli pixels at grey values in [0, 1]: (B, C, H, W) -> (B,)."""
    loss = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return -loss.flatten(1).sum(1)


LIKELIHOODS = {"laplace": laplace_log_prob, "bernoulli": bernoulli_log_prob}
