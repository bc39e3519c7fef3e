"""A trained model's parts as functions of plain tensors, for runtimes without this suite.

Labels go in as the network's input: binary labels as 0 and 1, (B, L), one class as an indicator,
(B, K). What is not made here needs no network: p(z) of every model is N(0, I).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from baselines.m2 import M2
from baselines.mvae import MVAE, product_of_experts
from ccvae.characteristic import CharacteristicVAE, ConditionalPriorVAE
from ccvae.distributions import Gaussian
from ccvae.errors import InputError
from ccvae.interface import LabelledVAE
from ccvae.labels import LabelSpace, MultiLabel

Outputs = Callable[..., Tensor | tuple[Tensor, ...]]


@dataclass(frozen=True)
class Exported:
    """One function of a model.

    Attributes
    ----------
    name
        Of its file: encoder, decoder, classifier or prior.
    says
        What it computes, in one line.
    inputs, outputs
        Names, in order; the first axis of each is the batch.
    examples
        Two rows of each input.
    function
        From inputs to outputs.
    """

    name: str
    says: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    examples: tuple[Tensor, ...]
    function: Outputs


class Function(nn.Module):
    """A function of a model as a module, which is what exporters take."""

    def __init__(self, model: LabelledVAE, part: Exported) -> None:
        super().__init__()
        self.model = model
        self.part = part

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Call it."""
        return self.part.function(*inputs)


def parts(model: LabelledVAE, x: Tensor) -> Iterator[Exported]:
    """Encoder, decoder, classifier and prior of a model, as far as it has them.

    Parameters
    ----------
    model
        The model, in evaluation mode.
    x
        Two images, (2, C, H, W) in [0, 1].

    Raises
    ------
    InputError
        If nothing is known of what its parts are.
    """
    space = model.labels
    y = torch.rand(2, space.n_outputs).round()
    if isinstance(model, CharacteristicVAE):
        z = torch.randn(2, model.latents)
        z_c = model.characteristics(z)
        yield _encoder("q(z | x), z_c first", (x,), lambda x: _moments(model.posterior(x)))
        yield _decoder("p(x | z), its mean", ("z",), (z,), model.decode)
        yield _classifier("q(y | z_c)", "z_c", z_c, model.label_probabilities)
        if isinstance(model, ConditionalPriorVAE):
            prior = model.conditional_prior
            yield _prior("p(z_c | y)", y, lambda y: prior.parameters_given(_indicators(space, y)))
    elif isinstance(model, M2):
        z = torch.randn(2, model.latents)
        yield _encoder(
            "q(z | x, y)", (x, y), lambda x, y: _moments(model.posterior(model.features(x)[1], y))
        )
        yield _decoder("p(x | y, z), its mean", ("z", "y"), (z, y), model.decode)
        yield _classifier("q(y | x)", "x", x, model.classify)
    elif isinstance(model, MVAE):
        z = torch.randn(2, model.latents)
        yield _encoder("q(z | x)", (x,), lambda x: _moments(model.posterior(x)))
        yield _decoder("p(x | z), its mean", ("z",), (z,), model.decode)
        yield _classifier("p(y | z)", "z", z, model.label_probabilities)
        expert = nn.Sequential(model.label_trunk, model.label_head)
        yield _prior("q(z | y)", y, lambda y: _moments(product_of_experts(expert(y))))
    else:
        raise InputError(
            f"nothing says what the parts of {type(model).__name__} are; say it in "
            "workflow/export.py"
        )


def _encoder(says: str, examples: tuple[Tensor, ...], function: Outputs) -> Exported:
    inputs = ("x", "y")[: len(examples)]
    return Exported("encoder", says, inputs, ("mean", "deviation"), examples, function)


def _decoder(
    says: str, inputs: tuple[str, ...], examples: tuple[Tensor, ...], function: Outputs
) -> Exported:
    return Exported("decoder", says, inputs, ("x_mean",), examples, function)


def _classifier(says: str, name: str, example: Tensor, function: Outputs) -> Exported:
    return Exported("classifier", says, (name,), ("probabilities",), (example,), function)


def _prior(says: str, y: Tensor, function: Outputs) -> Exported:
    return Exported("prior", says, ("y",), ("mean", "deviation"), (y,), function)


def _moments(gaussian: Gaussian) -> tuple[Tensor, Tensor]:
    return gaussian.loc, gaussian.scale


def _indicators(space: LabelSpace, y: Tensor) -> Tensor:
    """Labels as the input of a network (B, n_outputs) -> indicators (B, F, V)."""
    if isinstance(space, MultiLabel):
        return torch.stack([1 - y, y], dim=-1)
    return y.unsqueeze(1)
