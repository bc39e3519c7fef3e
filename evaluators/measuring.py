"""What all evaluators share: the judge they ask, and how they run a model and draw at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ccvae.labels import LabelSpace
from ccvae.shapes import Images, Labels, LabelTable, Probabilities

P = ParamSpec("P")
R = TypeVar("R")

Features = Float[Tensor, "B *features"]
"""What a judge reads labels off: of `Judge`, its last hidden layer."""

NEGLIGIBLE = 1e-6
"""Mean differences (nats, pixel values) below this are rounding errors of single precision."""


@runtime_checkable
class JudgeLike(Protocol):
    """An independent classifier, "pre-trained" in the paper, that says what an image shows.

    `evaluators.classifier.Judge` is one.

    Attributes
    ----------
    labels
        The label space; its buffers lie on the judge's device.
    """

    labels: LabelSpace

    def features(self, x: Images) -> Features:
        """What the judge needs to know of images in [0, 1], (B, C, H, W): (B, ...)."""

    def read(self, features: Features) -> LabelTable:
        """Calibrated log p(y_f = v | x) in nats, from features: (B, ...) -> (B, F, V)."""

    def log_probs(self, x: Images) -> LabelTable:
        """`read` of the `features` of x: images (B, C, H, W) -> (B, F, V)."""


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module and its parts in evaluation mode, and each back in its own afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def measurement(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function without gradients and with its `nn.Module` arguments in evaluation mode."""

    @wraps(function)
    def measured(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch.no_grad(), ExitStack() as stack:
            for argument in (*args, *kwargs.values()):
                if isinstance(argument, nn.Module):
                    stack.enter_context(evaluating(argument))
            return function(*args, **kwargs)

    return measured


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators inside the block and leave them untouched outside of it."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def device_of(judge: JudgeLike) -> torch.device:
    """Where a judge wants its images."""
    return judge.labels.prior.device


def output_log_probs(log_probs: LabelTable, space: LabelSpace) -> Probabilities:
    """log p(y_i = 1) of binary labels or log p(class): (B, F, V) -> (B, n_outputs)."""
    return log_probs[..., 1] if space.kind == "multi_label" else log_probs.squeeze(-2)


def most_probable(log_probs: LabelTable, space: LabelSpace) -> Labels:
    """Labels a judge reads off an image: log-probabilities (B, F, V) -> (B, F)."""
    return space.predict(space.probabilities(log_probs))


def ratios(**parts: tuple[float, float]) -> dict[str, float]:
    """Quotients by name, from (numerator, denominator).

    Those with a denominator below `NEGLIGIBLE` are undefined and left out, so that they are
    missing in a table instead of a quotient of rounding errors.
    """
    return {
        name: above / below for name, (above, below) in parts.items() if abs(below) > NEGLIGIBLE
    }
