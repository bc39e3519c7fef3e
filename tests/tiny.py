"""Models small enough to integrate over, and the same densities written again in numpy.

The numpy side shares no code with the product: it reads a model's parameters by name and writes
each density out, so that a bound can be compared with quadrature over z and a gradient with finite
differences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from types import ModuleType
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from ccvae.labels import LabelSpace, MultiClass, MultiLabel
from ccvae.networks import Architecture

Array = np.ndarray
Parameters = dict[str, Array]


class Tiny(Architecture):
    """2x2 grey images; a trunk of five tanh units and a linear decoder."""

    features = 5
    image_shape = (1, 2, 2)

    def trunk(self) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.Tanh())

    def decoder(self, latents: int) -> nn.Module:
        return nn.Sequential(nn.Linear(latents, 4), nn.Unflatten(1, self.image_shape))


def binary_labels(n: int) -> MultiLabel:
    """Labels with prevalences that differ from each other and from a half."""
    labels = MultiLabel([f"label {i}" for i in range(n)])
    on = torch.linspace(0.25, 0.7, n)
    labels.prior.copy_(torch.stack([1 - on, on], -1))
    return labels


def classes(n: int) -> MultiClass:
    return MultiClass([f"class {i}" for i in range(n)])


def scramble(model: nn.Module, seed: int, size: float = 0.4) -> None:
    """Move every parameter off its initial value, so that no symmetry hides a mistake."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_((size * noise).to(parameter.dtype))


def parameters_of(model: nn.Module) -> Parameters:
    return {name: value.double().numpy().copy() for name, value in model.state_dict().items()}


@contextmanager
def recorded(name: str, module: ModuleType = torch) -> Iterator[list[Array]]:
    """Record what a module's function returns, as float64 arrays."""
    draws: list[Array] = []
    original = getattr(module, name)

    def record(*args: object, **kwargs: object) -> Tensor:
        value = original(*args, **kwargs)
        draws.append(value.double().numpy())
        return value

    with mock.patch.object(module, name, record):
        yield draws


def finite_difference(
    function: Callable[[Parameters], float], at: Parameters, name: str, step: float = 1e-6
) -> Array:
    """Central differences of `function` with respect to every entry of one parameter."""
    gradient = np.zeros(at[name].shape)
    for index in np.ndindex(gradient.shape):
        values = []
        for sign in (1, -1):
            moved = at[name].copy()
            moved[index] += sign * step
            values.append(function({**at, name: moved}))
        gradient[index] = (values[0] - values[1]) / (2 * step)
    return gradient


def gauss_hermite(loc: Array, scale: Array, n: int) -> tuple[Array, Array]:
    """Nodes (n**m, m) and weights (n**m,) of E under a diagonal Gaussian with (m,) parameters."""
    t, w = np.polynomial.hermite.hermgauss(n)
    nodes = np.stack(np.meshgrid(*[t] * len(loc), indexing="ij"), -1).reshape(-1, len(loc))
    weights = np.array([1.0])
    for _ in loc:
        weights = np.multiply.outer(weights, w / np.sqrt(np.pi)).reshape(-1)
    return loc + np.sqrt(2) * scale * nodes, weights


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def softplus(a: Array) -> Array:
    return np.log1p(np.exp(-np.abs(a))) + np.maximum(a, 0)


def log_normal(z: Array, loc: Array | float, scale: Array | float) -> Array:
    return -((z - loc) ** 2) / (2 * np.square(scale)) - np.log(scale * np.sqrt(2 * np.pi))


def log_sum_exp(a: Array, axis: int = 0) -> Array:
    top = a.max(axis, keepdims=True)
    return np.log(np.exp(a - top).sum(axis)) + top.squeeze(axis)


def log_image(x: Array, pixel_logits: Array, likelihood: str) -> Array:
    """log p(x|z) for pixels (4,) and logits (..., 4)."""
    mean = sigmoid(pixel_logits)
    if likelihood == "bernoulli":
        return (x * np.log(mean) + (1 - x) * np.log(1 - mean)).sum(-1)
    return (-np.abs(x - mean) - np.log(2)).sum(-1)


def label_log_prob(logits: Array, y: Array, labels: LabelSpace) -> Array:
    """log q(y | logits): logits (..., n_outputs), one y (F,)."""
    if isinstance(labels, MultiLabel):
        return sum(-softplus(-(2 * y[i] - 1) * logits[..., i]) for i in range(len(y)))
    return logits[..., y[0]] - log_sum_exp(logits, -1)


def all_labels(labels: LabelSpace) -> list[Array]:
    return [np.array(y) for y in product(range(labels.n_values), repeat=labels.n_factors)]


def log_prior(p: Parameters, y: Array) -> float:
    return float(sum(np.log(p["labels.prior"][i, value]) for i, value in enumerate(y)))


class CharacteristicReference:
    r"""The densities of a CCVAE on `Tiny` images, for one image at a time.

    Every method takes z as (..., m), z_c first, and one label vector y (F,).
    """

    def __init__(self, p: Parameters, labels: LabelSpace, likelihood: str) -> None:
        self.p, self.labels, self.likelihood = p, labels, likelihood
        self.factors, _, self.width = p["conditional_prior.loc"].shape
        self.m_c = self.factors * self.width

    def posterior(self, x: Array) -> tuple[Array, Array]:
        p = self.p
        h = np.tanh(p["trunk.1.weight"] @ x + p["trunk.1.bias"])
        out = p["head.linear.weight"] @ h + p["head.linear.bias"]
        m = len(out) // 2
        return out[:m], np.maximum(softplus(out[m:]), 1e-3)

    def log_q_z(self, z: Array, loc: Array, scale: Array) -> Array:
        return log_normal(z, loc, scale).sum(-1)

    def log_p_x(self, x: Array, z: Array) -> Array:
        logits = z @ self.p["decoder.0.weight"].T + self.p["decoder.0.bias"]
        return log_image(x, logits, self.likelihood)

    def log_q_y_each(self, z: Array, y: Array) -> list[Array]:
        """One term for every factor of q(y|z_c)."""
        weight, bias = self.p["classifier.weight"], self.p["classifier.bias"]
        terms = []
        for f in range(self.factors):
            own = z[..., f * self.width : (f + 1) * self.width]
            logits = own @ weight[f] + bias[f]
            terms.append(label_log_prob(logits, y[f : f + 1], self.labels))
        return terms

    def log_q_y(self, z: Array, y: Array) -> Array:
        return sum(self.log_q_y_each(z, y))

    def prior_of_z(self, y: Array, m: int) -> tuple[Array, Array]:
        r"""Mean and standard deviation of p(z|y) = p(z_c|y) N(z_\c; 0, I), (m,) each."""
        loc, scale = np.zeros(m), np.ones(m)
        for f, value in enumerate(y):
            own = slice(f * self.width, (f + 1) * self.width)
            loc[own] = self.p["conditional_prior.loc"][f, value]
            raw = self.p["conditional_prior.raw_scale"][f, value]
            scale[own] = np.maximum(softplus(raw), 1e-3)
        return loc, scale

    def log_p_z(self, z: Array, y: Array) -> Array:
        return log_normal(z, *self.prior_of_z(y, z.shape[-1])).sum(-1)

    def log_p_y(self, y: Array) -> float:
        return log_prior(self.p, y)

    def q_y_given_x(self, x: Array, y: Array, n: int = 40) -> float:
        """q(y|x) by quadrature over z_c."""
        loc, scale = self.posterior(x)
        z, w = gauss_hermite(loc[: self.m_c], scale[: self.m_c], n)
        return float(w @ np.exp(self.log_q_y(z, y)))

    def log_evidence(self, x: Array, y: Array, n: int) -> float:
        """log p(x, y), exact."""
        loc, scale = self.prior_of_z(y, len(self.posterior(x)[0]))
        z, w = gauss_hermite(loc, scale, n)
        return float(np.log(w @ np.exp(self.log_p_x(x, z)))) + self.log_p_y(y)
