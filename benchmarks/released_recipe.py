"""The reference of the training benchmark: a step as the released code makes it.

Convolutions are plain ones on NCHW images, q(y|x) encodes the images a second time and draws all
of z k times, densities come from `torch.distributions`, and Adam is torch's default. The bound is
equation (8), the same number that `ccvae.model.CCVAE` computes, on the same parameters.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Laplace, Normal

from ccvae.model import CCVAE
from ccvae.networks import SCALE_FLOOR, ConvToVector, VectorToConv


def plain(network: nn.Sequential) -> nn.Sequential:
    """Give the same network out of torch's own layers, on the same parameters."""
    layers: list[nn.Module] = []
    for layer in network:
        if isinstance(layer, ConvToVector):
            same = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size)
            layers += [_share(same, layer), nn.Flatten()]
        elif isinstance(layer, VectorToConv):
            upwards = nn.ConvTranspose2d(layer.in_channels, layer.out_channels, layer.kernel_size)
            layers += [nn.Unflatten(1, (layer.in_channels, 1, 1)), _share(upwards, layer)]
        else:
            layers.append(layer)
    return nn.Sequential(*layers)


def _share(layer: nn.Module, source: nn.Module) -> nn.Module:
    layer.weight, layer.bias = source.weight, source.bias
    return layer


class ReleasedRecipe(nn.Module):
    """CCVAE on binary labels with one latent each, computed as the released code does.

    Parameters
    ----------
    model
        Gives the parameters and the label space.
    samples
        k, draws of z for q(y|x).
    """

    def __init__(self, model: CCVAE, samples: int = 100) -> None:
        super().__init__()
        self.encoder, self.decoder = plain(model.trunk), plain(model.decoder)
        self.head, self.classifier = model.head, model.classifier
        self.prior, self.labels = model.conditional_prior, model.labels
        self.samples = samples
        self.n_labels = model.characteristic_latents

    def encode(self, x: Tensor) -> Normal:
        """q(z | x)."""
        loc, raw = self.head.linear(self.encoder(x)).chunk(2, dim=-1)
        return Normal(loc, F.softplus(raw).clamp(min=SCALE_FLOOR))

    def logits(self, z: Tensor) -> Tensor:
        """Classifier on the characteristic part of z: (..., m) -> (..., L)."""
        return self.classifier(z[..., : self.n_labels].unsqueeze(-1))

    def loss(self, x: Tensor, y: Tensor | None, noise: Tensor | None = None) -> Tensor:
        """Minus the mean bound.

        Parameters
        ----------
        x, y
            Images, and their labels or None.
        noise
            Standard normal draws for q(y|x), (k, B, m); drawn here when None.
        """
        posterior = self.encode(x)
        z = posterior.rsample()
        image = self.decoder(z).sigmoid()
        log_p_x = Laplace(image, torch.ones_like(image)).log_prob(x).sum((1, 2, 3))
        log_q_z = posterior.log_prob(z).sum(-1)
        style = z[:, self.n_labels :]
        log_p_style = Normal(torch.zeros_like(style), torch.ones_like(style)).log_prob(style)
        log_p_style = log_p_style.sum(-1)
        if y is None:
            return -(log_p_x - log_q_z + log_p_style + self._labels_summed_out(z)).mean()
        target = y.to(x.dtype)
        log_q_y_z = self._log_bernoulli(self.logits(z.detach()), target)
        log_q_y_x = self._log_q_y_x(x, target, noise)
        loc = torch.where(y.bool(), self.prior.loc[:, 1, 0], self.prior.loc[:, 0, 0])
        scale = torch.where(y.bool(), self.prior.scale[:, 1, 0], self.prior.scale[:, 0, 0])
        log_p_z = Normal(loc, scale).log_prob(z[:, : self.n_labels]).sum(-1) + log_p_style
        weight = (log_q_y_z - log_q_y_x).exp()
        bound = weight * (log_p_x + log_p_z - log_q_z - log_q_y_z) + log_q_y_x
        return -(bound + self.labels.log_prior_of(y)).mean()

    def _labels_summed_out(self, z: Tensor) -> Tensor:
        """E_q(y|z) log p(z_c|y) p(y) / q(y|z), (B,)."""
        logits = self.logits(z)
        log_q = torch.stack([F.logsigmoid(-logits), F.logsigmoid(logits)], -1)
        values = Normal(self.prior.loc[..., 0], self.prior.scale[..., 0])
        log_joint = values.log_prob(z[:, : self.n_labels, None]) + self.labels.log_prior
        return (log_q.exp() * (log_joint - log_q)).sum((-1, -2))

    def _log_q_y_x(self, x: Tensor, target: Tensor, noise: Tensor | None) -> Tensor:
        """log q(y|x) from k draws of z, after encoding the images again: (B,)."""
        again = self.encode(x)
        shape = torch.Size([self.samples])
        draws = again.rsample(shape) if noise is None else again.loc + again.scale * noise
        joint = self._log_bernoulli(self.logits(draws), target.expand(len(draws), -1, -1))
        return joint.logsumexp(0) - math.log(len(draws))

    @staticmethod
    def _log_bernoulli(logits: Tensor, target: Tensor) -> Tensor:
        """log q(y) summed over labels: (..., L) twice -> (...)."""
        return -F.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(-1)
