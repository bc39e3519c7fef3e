"""Encoder trunks and decoders, the classifier on z_c, and the conditional prior.

An `Architecture` makes the two halves that every model shares: a trunk from an image to a
feature vector, and a decoder from latents to pixel logits (the sigmoid is in the likelihood).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ccvae.convolutions import ConvPlusBias, UpConvPlusBias, UpConvToPixels
from ccvae.distributions import Gaussian, normal_log_prob
from ccvae.labels import LabelSpace, MultiLabel
from ccvae.shapes import Characteristics, LabelTable

SCALE_FLOOR = 1e-3


def positive(raw: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Standard deviation from a free parameter: softplus, at least 1e-3."""
    return F.softplus(raw).clamp_min(SCALE_FLOOR)


class ConvToVector(nn.Conv2d):
    """A convolution whose kernel covers the whole input, as one matrix product.

    Same parameters, initialisation and result as `nn.Conv2d`; (B, C, k, k) -> (B, out).
    """

    def forward(self, input: Float[Tensor, "B C k k"]) -> Float[Tensor, "B out"]:
        """Apply the layer."""
        return F.linear(input.flatten(1), self.weight.flatten(1), self.bias)


class VectorToConv(nn.ConvTranspose2d):
    """A transposed convolution of a 1x1 input, as one matrix product.

    Same parameters, initialisation and result as `nn.ConvTranspose2d`; (B, C) -> (B, out, k, k).
    """

    def forward(
        self, input: Float[Tensor, "B C"], output_size: list[int] | None = None
    ) -> Float[Tensor, "B out k k"]:
        """Apply the layer."""
        shape = self.weight.shape[1:]
        image = (input @ self.weight.flatten(1)).unflatten(1, shape)
        return image if self.bias is None else image + self.bias[:, None, None]


def channels_last(network: nn.Sequential) -> nn.Sequential:
    """Lay out the weights of convolutions as processors and GPUs are fastest with in colour.

    Those that are computed as matrix products stay as they are: they would have to be copied into
    rows at every use.
    """
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and not isinstance(
            layer, ConvToVector | VectorToConv
        ):
            layer.to(memory_format=torch.channels_last)
    return network


class Architecture:
    """The networks for one image shape.

    Parameters
    ----------
    posterior_scale
        About what the standard deviations of q(z|x) are before training; softplus(0) = 0.69 by
        torch's initialisation if None. A decoder learns sooner from latents that are not mostly
        noise (deviation: posterior-scale).

    Attributes
    ----------
    features
        Width of the trunk's output.
    image_shape
        (C, H, W) that the networks expect.
    """

    features: int
    image_shape: tuple[int, int, int]

    def __init__(self, posterior_scale: float | None = None) -> None:
        self.posterior_scale = posterior_scale

    def trunk(self) -> nn.Module:
        """Image (B, C, H, W) in [0, 1] -> features (B, `features`)."""
        raise NotImplementedError

    def decoder(self, latents: int) -> nn.Module:
        """Latents (B, `latents`) -> pixel logits (B, C, H, W)."""
        raise NotImplementedError

    def posterior(self, features: int, latents: int) -> GaussianHead:
        """Head of a posterior that sees the image, (B, `features`) -> Gaussian (B, `latents`)."""
        return GaussianHead(features, latents, self.posterior_scale)


class Table3(Architecture):
    """Convolutional networks of the paper's Table 3 for 64x64x3 images.

    The table's "32 x 32 x 3" input is a misprint: five layers down from 64 give the 1x1 it needs
    (deviation: table3-input). No normalisation layers, torch's default initialisation unless
    `kaiming` asks for He et al.'s (doi:10.1109/ICCV.2015.123), which leaves the grey plateau
    at the start of training in half the steps (deviation: kaiming-init).

    Parameters
    ----------
    kaiming
        Initialise convolutions and linear layers for ReLU.
    posterior_scale
        See `Architecture`.
    fast
        Compute the convolutions by `ccvae.convolutions`: the same networks, rounded otherwise.
    """

    features = 256
    image_shape = (3, 64, 64)

    def __init__(
        self, kaiming: bool = False, posterior_scale: float | None = None, fast: bool = False
    ) -> None:
        super().__init__(posterior_scale)
        self.kaiming, self.fast = kaiming, fast

    def trunk(self) -> nn.Module:
        """See `Architecture.trunk`."""
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, 32), (32, 32), (32, 64), (64, 128)):
            layers += [self._down(inputs, outputs), nn.ReLU(inplace=True)]
        layers += [ConvToVector(128, self.features, 4), nn.ReLU(inplace=True)]
        return channels_last(self._initialise(nn.Sequential(*layers)))

    def decoder(self, latents: int) -> nn.Module:
        """See `Architecture.decoder`."""
        layers: list[nn.Module] = [nn.Linear(latents, 256), nn.ReLU(inplace=True)]
        layers += [VectorToConv(256, 128, 4), nn.ReLU(inplace=True)]
        for inputs, outputs in ((128, 64), (64, 32), (32, 32)):
            layers += [self._up(inputs, outputs), nn.ReLU(inplace=True)]
        layers += [UpConvToPixels(32, 3) if self.fast else self._up(32, 3)]
        return channels_last(self._initialise(nn.Sequential(*layers)))

    def _down(self, inputs: int, outputs: int) -> nn.Module:
        if self.fast:
            return ConvPlusBias(inputs, outputs)
        return nn.Conv2d(inputs, outputs, 4, 2, 1)

    def _up(self, inputs: int, outputs: int) -> nn.Module:
        if self.fast:
            return UpConvPlusBias(inputs, outputs)
        return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)

    def _initialise(self, network: nn.Sequential) -> nn.Sequential:
        if not self.kaiming:
            return network
        for layer in network:
            if isinstance(layer, nn.ConvTranspose2d):
                # Each output pixel of a stride-s kernel sums inputs * (k / s)^2 products.
                kernel, stride = layer.kernel_size[0], layer.stride[0]
                reach = 1 if isinstance(layer, VectorToConv) else (kernel // stride) ** 2
                std = (2 / (layer.in_channels * reach)) ** 0.5
                nn.init.normal_(layer.weight, std=std)
            elif isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            else:
                continue
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        return network


class Conv28(Architecture):
    """Small convolutional encoder and multi-layer decoder for 28x28 grey images.

    The paper gives no networks for MNIST and FashionMNIST (deviation: networks-28).
    """

    features = 256
    image_shape = (1, 28, 28)

    def trunk(self) -> nn.Module:
        """See `Architecture.trunk`."""
        return nn.Sequential(
            nn.Conv2d(1, 16, 5, 2, 2, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 32, 5, 2, 2, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, self.features, bias=False),
            nn.BatchNorm1d(self.features),
            nn.ReLU(inplace=True),
        )

    def decoder(self, latents: int) -> nn.Module:
        """See `Architecture.decoder`."""
        return nn.Sequential(
            nn.Linear(latents, 256),
            nn.ReLU(inplace=True),
            nn.Linear(256, 256),
            nn.ReLU(inplace=True),
            nn.Linear(256, 784),
            nn.Unflatten(1, self.image_shape),
        )


class Mlp28(Architecture):
    """One hidden layer of 500 softplus units each way for 28x28 grey images.

    The networks of Kingma et al.'s M2 on MNIST (arXiv:1406.5298).
    """

    features = 500
    image_shape = (1, 28, 28)

    def trunk(self) -> nn.Module:
        """See `Architecture.trunk`."""
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 500), nn.Softplus())

    def decoder(self, latents: int) -> nn.Module:
        """See `Architecture.decoder`."""
        return nn.Sequential(
            nn.Linear(latents, 500),
            nn.Softplus(),
            nn.Linear(500, 784),
            nn.Unflatten(1, self.image_shape),
        )


ARCHITECTURES = {"table3": Table3, "conv28": Conv28, "mlp28": Mlp28}


class GaussianHead(nn.Module):
    """Features -> diagonal Gaussian over m latents.

    Parameters
    ----------
    features, latents
        Sizes of the input and of z.
    first_scale
        About what the standard deviations are at first; as torch initialises if None.
    """

    def __init__(self, features: int, latents: int, first_scale: float | None = None) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 2 * latents)
        if first_scale is not None:
            # The inverse of softplus.
            nn.init.constant_(self.linear.bias[latents:], math.log(math.expm1(first_scale)))

    def forward(self, h: Float[Tensor, "B features"]) -> Gaussian:
        """(B, features) -> `Gaussian` with (B, latents) parameters."""
        loc, raw = self.linear(h).chunk(2, dim=-1)
        return Gaussian(loc, positive(raw))


class Diagonal(nn.Module):
    """Classifier q(y | z_c) = prod_f q(y_f | z_c^f): each label sees its own latents only.

    For binary labels with one latent each this is the paper's diagonal layer, a_i z_i + b_i,
    started at the identity as in the released code. For classes it is a linear map from all of
    z_c, which App. D.6 allows.

    Parameters
    ----------
    labels
        The label space; gives F and the number of logits per factor.
    width
        Latents per label factor, d = m_c / F.
    """

    def __init__(self, labels: LabelSpace, width: int) -> None:
        super().__init__()
        per_factor = labels.n_outputs // labels.n_factors
        self.weight = nn.Parameter(torch.empty(labels.n_factors, width, per_factor))
        self.bias = nn.Parameter(torch.zeros(labels.n_factors, per_factor))
        if isinstance(labels, MultiLabel):
            nn.init.constant_(self.weight, 1 / width)
        else:
            nn.init.uniform_(self.weight, -(width**-0.5), width**-0.5)

    def forward(self, z_c: Float[Tensor, "*batch F d"]) -> Float[Tensor, "*batch outputs"]:
        """(..., F, d) -> logits (..., n_outputs)."""
        # A sum of products beats einsum for the usual d = 1, where it is elementwise.
        if self.weight.shape[1:] == (1, 1):
            logits = z_c * self.weight[:, :, 0] + self.bias
        else:
            logits = torch.einsum("...fd,fdo->...fo", z_c, self.weight) + self.bias
        return logits.flatten(-2)


class ConditionalPrior(nn.Module):
    """p(z_c | y) = prod_f N(z_c^f; mu_f(y_f), sigma_f(y_f)^2), one table per label factor.

    Parameters
    ----------
    labels
        The label space.
    width
        Latents per label factor, d.
    spread
        Initial distance of the means from zero: -spread and +spread for the two values of a
        binary label (the released Pyro code uses 2). For classes the means start at random with
        this standard deviation (deviation: prior-spread).
    """

    def __init__(self, labels: LabelSpace, width: int, spread: float = 2.0) -> None:
        super().__init__()
        shape = (labels.n_factors, labels.n_values, width)
        if isinstance(labels, MultiLabel):
            signs = torch.tensor([-1.0, 1.0])[None, :, None].expand(shape)
            self.loc = nn.Parameter(spread * signs.clone())
        else:
            self.loc = nn.Parameter(spread * torch.randn(shape))
        self.raw_scale = nn.Parameter(torch.ones(shape))

    @property
    def scale(self) -> Float[Tensor, "F V d"]:
        """Standard deviations, (F, V, d)."""
        return positive(self.raw_scale)

    def log_density(self, z_c: Characteristics) -> LabelTable:
        """log p(z_c^f | y_f = v) for every value v: (B, F, d) -> (B, F, V)."""
        return normal_log_prob(z_c.unsqueeze(-2), self.loc, self.scale).sum(-1)

    def parameters_given(self, one_hot: LabelTable) -> tuple[Characteristics, Characteristics]:
        """Mean and standard deviation given y: (B, F, V) indicators -> two (B, F, d)."""
        pick = "bfv,fvd->bfd"
        return torch.einsum(pick, one_hot, self.loc), torch.einsum(pick, one_hot, self.scale)
