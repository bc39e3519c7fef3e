"""The reference of the training benchmarks: a step as the released code makes it.

Convolutions are plain ones on NCHW images, q(y|x) encodes the images a second time and draws all
of z k times, densities come from `torch.distributions`, and Adam is torch's default. The bound is
equation (8), the same number that `ccvae.model.CCVAE` computes, on the same parameters.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Laplace, Normal

from ccvae.labels import MultiLabel
from ccvae.model import CCVAE
from ccvae.networks import SCALE_FLOOR, ConvToVector, VectorToConv
from ccvae.training import Trainer


def plain(network: nn.Sequential) -> nn.Sequential:
    """Give the same network out of torch's own layers, on the same parameters."""
    layers: list[nn.Module] = []
    for layer in network:
        if isinstance(layer, ConvToVector):
            same = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size)
            layers += [share(same, layer), nn.Flatten()]
        elif isinstance(layer, VectorToConv):
            upwards = nn.ConvTranspose2d(layer.in_channels, layer.out_channels, layer.kernel_size)
            layers += [nn.Unflatten(1, (layer.in_channels, 1, 1)), share(upwards, layer)]
        else:
            layers.append(layer)
    return nn.Sequential(*layers)


def share(layer: nn.Module, source: nn.Module) -> nn.Module:
    """Give a layer the parameters of another."""
    layer.weight, layer.bias = source.weight, source.bias
    return layer


class ReleasedRecipe(nn.Module):
    """CCVAE, computed as the released code does.

    That code is for binary labels with one latent each; one label of several classes is treated
    alike, with a softmax in place of the sigmoids.

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
        self.shape = (model.labels.n_factors, model.width)
        self.n_latents = model.characteristic_latents

    def encode(self, x: Tensor) -> Normal:
        """q(z | x)."""
        loc, raw = self.head.linear(self.encoder(x)).chunk(2, dim=-1)
        return Normal(loc, F.softplus(raw).clamp(min=SCALE_FLOOR))

    def logits(self, z: Tensor) -> Tensor:
        """Classifier on the characteristic part of z: (..., m) -> (..., outputs)."""
        return self.classifier(z[..., : self.n_latents].unflatten(-1, self.shape))

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
        style = z[:, self.n_latents :]
        log_p_style = Normal(torch.zeros_like(style), torch.ones_like(style)).log_prob(style)
        log_p_style = log_p_style.sum(-1)
        if y is None:
            return -(log_p_x - log_q_z + log_p_style + self._labels_summed_out(z)).mean()
        log_q_y_z = self._log_q(self.logits(z.detach()), y)
        log_q_y_x = self._log_q_y_x(x, y, noise)
        factors = torch.arange(len(self.prior.loc), device=y.device)
        own = Normal(self.prior.loc[factors, y], self.prior.scale[factors, y])
        z_c = z[:, : self.n_latents].unflatten(-1, self.shape)
        log_p_z = own.log_prob(z_c).sum((-1, -2)) + log_p_style
        weight = (log_q_y_z - log_q_y_x).exp()
        bound = weight * (log_p_x + log_p_z - log_q_z - log_q_y_z) + log_q_y_x
        return -(bound + self.labels.log_prior_of(y)).mean()

    def _labels_summed_out(self, z: Tensor) -> Tensor:
        """E_q(y|z) log p(z_c|y) p(y) / q(y|z), (B,)."""
        log_q = self._log_probs(self.logits(z))
        z_c = z[:, : self.n_latents].unflatten(-1, self.shape).unsqueeze(-2)
        values = Normal(self.prior.loc, self.prior.scale)
        log_joint = values.log_prob(z_c).sum(-1) + self.labels.log_prior
        return (log_q.exp() * (log_joint - log_q)).sum((-1, -2))

    def _log_q_y_x(self, x: Tensor, y: Tensor, noise: Tensor | None) -> Tensor:
        """log q(y|x) from k draws of z, after encoding the images again: (B,)."""
        again = self.encode(x)
        shape = torch.Size([self.samples])
        draws = again.rsample(shape) if noise is None else again.loc + again.scale * noise
        joint = self._log_q(self.logits(draws), y.expand(len(draws), -1, -1))
        return joint.logsumexp(0) - math.log(len(draws))

    def _log_probs(self, logits: Tensor) -> Tensor:
        """log q of every value: (..., outputs) -> (..., F, V)."""
        if isinstance(self.labels, MultiLabel):
            return torch.stack([F.logsigmoid(-logits), F.logsigmoid(logits)], -1)
        return logits.log_softmax(-1).unsqueeze(-2)

    def _log_q(self, logits: Tensor, y: Tensor) -> Tensor:
        """log q(y) summed over labels: logits (..., outputs) and y (..., F) -> (...)."""
        if isinstance(self.labels, MultiLabel):
            loss = F.binary_cross_entropy_with_logits(logits, y.to(logits.dtype), reduction="none")
            return -loss.sum(-1)
        return logits.log_softmax(-1).gather(-1, y).squeeze(-1)


class ReleasedTrainer(Trainer):
    """A training whose steps are computed by `ReleasedRecipe`, with torch's default Adam.

    Parameters
    ----------
    model
        What is trained.
    given, options
        The other parameters of `ccvae.training.Trainer`.
    """

    def __init__(self, model: CCVAE, *given: Any, **options: Any) -> None:
        super().__init__(model, *given, **options)
        self._recipe = ReleasedRecipe(model, model.label_samples)
        self._optimizer = torch.optim.Adam(model.parameter_groups(self._schedule.learning_rate))

    def _update(self, x: Tensor, y: Tensor) -> Tensor:
        loss = self._recipe.loss(x, y if len(y) else None)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self._terms[len(x), len(y)] = ()
        return loss.detach().view(1)
