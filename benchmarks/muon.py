"""Trainings whose kernels are moved by Muon, and everything else by Adam.

Muon moves a matrix by the orthogonal factor of its momentum, a few Newton-Schulz iterations; a
kernel of a convolution is a matrix with a row per channel. Rates are Adam's, with the factor that
gives both the same root mean square (arXiv:2502.16982, torch's `match_rms_adamw`), so that the
one-cycle schedule serves all. `torch.optim.Muon` iterates in bfloat16, which a processor without
instructions for it emulates; here the same is done in float32.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ccvae.model import CCVAE
from ccvae.training import Trainer

LARGE = 100_000
"""Fewest entries of a matrix that is large."""
MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
EPSILON = 1e-7


@dataclass(frozen=True)
class Form:
    """A way to use Muon.

    Attributes
    ----------
    title
        In the page's words.
    rate
        Peak of the kernels' learning rate over Adam's.
    every
        Momenta are orthogonalised every so many steps. Steps in between move a kernel as the last
        one did, and their gradients are added to the next one's.
    least
        Fewest entries of a kernel that it moves.
    torchs
        Whether torch's own does it, in bfloat16.
    """

    title: str
    rate: float = 1.0
    every: int = 1
    least: int = 0
    torchs: bool = False


def orthogonal(matrix: Tensor) -> Tensor:
    """Nearly the orthogonal factor of a matrix, by torch's iterations and coefficients."""
    if len(matrix) > matrix.shape[1]:
        return orthogonal(matrix.T).T
    a, b, c = COEFFICIENTS
    found = matrix / matrix.norm().clamp(min=EPSILON)
    for _ in range(ITERATIONS):
        gram = found @ found.T
        found = torch.addmm(found, torch.addmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found


class Muon(torch.optim.Optimizer):
    """`torch.optim.Muon` without weight decay, in float32.

    Parameters
    ----------
    matrices
        What is moved.
    lr
        Learning rate; a move has .2 times that as its root mean square, as Adam's mostly have.
    momentum
        Of Nesterov's kind.
    """

    def __init__(self, matrices: Iterable[Tensor], lr: float, momentum: float) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every matrix."""
        for group in self.param_groups:
            for matrix in group["params"]:
                average = self.state[matrix].setdefault("average", torch.zeros_like(matrix))
                average.lerp_(matrix.grad, 1 - group["momentum"])
                move = orthogonal(matrix.grad.lerp(average, group["momentum"]))
                matrix.add_(move, alpha=-group["lr"] * 0.2 * max(matrix.shape) ** 0.5)


def as_matrix(kernel: Tensor) -> Tensor:
    """View a kernel as a matrix with a row per first channel, in the order of its memory."""
    if kernel.ndim == 4 and not kernel.is_contiguous():
        kernel = kernel.permute(0, 2, 3, 1)
    return kernel.view(len(kernel), -1)


def kernels(model: CCVAE, least: int = 0) -> list[nn.Parameter]:
    """Weights of the convolutions and linear layers of trunk and decoder."""
    networks = (model.trunk, model.decoder)
    weights = [p for network in networks for p in network.parameters() if p.ndim > 1]
    return [weight for weight in weights if weight.numel() >= least]


def muon_of(form: Form, matrices: list[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    """What moves the kernels, at `rate` for Adam."""
    options: dict[str, float] = {"lr": rate * form.rate, "momentum": MOMENTUM**form.every}
    if form.torchs:
        return torch.optim.Muon(
            matrices, **options, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
        )
    return Muon(matrices, **options)


class MuonTrainer(Trainer):
    """A training on a CPU with Muon for kernels.

    Parameters
    ----------
    form
        How Muon is used.
    model
        What is trained.
    given, options
        The other parameters of `ccvae.training.Trainer`.
    """

    def __init__(self, form: Form, model: CCVAE, *given: Any, **options: Any) -> None:
        super().__init__(model, *given, **options)
        self._form, self._kernels = form, kernels(model, form.least)
        own = {id(kernel) for kernel in self._kernels}
        rate = self._schedule.learning_rate
        groups = model.parameter_groups(rate)
        for group in groups:
            group["params"] = [p for p in group["params"] if id(p) not in own]  # type: ignore[attr-defined]
        self._optimizer = torch.optim.Adam(groups, fused=True)
        self._scheduler = self._one_cycle(self._optimizer)
        # They share their memory with the kernels.
        self._matrices = [nn.Parameter(as_matrix(kernel.detach())) for kernel in self._kernels]
        self._muon = muon_of(form, self._matrices, rate)
        self._muon_scheduler = self._one_cycle(self._muon)
        self._moved: list[Tensor] = []

    def _one_cycle(self, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.OneCycleLR:
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, rates, total_steps=self.total, cycle_momentum=False
        )

    def _update(self, x: Tensor, y: Tensor) -> Tensor:
        values = super()._update(x, y)
        self._move_kernels()
        self._muon_scheduler.step()
        return values

    def _move_kernels(self) -> None:
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            assert kernel.grad is not None
            gradient = kernel.grad.to(memory_format=_format(kernel))
            matrix.grad = as_matrix(gradient) + (0 if matrix.grad is None else matrix.grad)
            kernel.grad = None
        with torch.no_grad():
            if self.step % self._form.every == 0:
                before = [matrix.clone() for matrix in self._matrices if self._form.every > 1]
                self._muon.step()
                self._muon.zero_grad()
                self._moved = [
                    matrix - old for matrix, old in zip(self._matrices, before, strict=False)
                ]
            else:
                for matrix, moved in zip(self._matrices, self._moved, strict=True):
                    matrix.add_(moved)


def _format(kernel: Tensor) -> torch.memory_format:
    return torch.contiguous_format if kernel.is_contiguous() else torch.channels_last
