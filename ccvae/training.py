"""The semi-supervised training loop of every model.

Equation (6) sums the bounds over all images, so its mean is f mean_S + (1 - f) mean_U, with f the
share of images that have labels, and mean_S, mean_U the mean bounds of images with and without.
The schedule `interleaved` sees every image once an epoch and maximises that. The schedule `mixed`
maximises rho mean_S + (1 - rho) mean_U, with rho the share of labelled images in a step, whatever
f is: a labelled image counts rho (1 - f) / (f (1 - rho)) times as much as an unlabelled one
(deviation: objective-weights). Its weights `equation6`, f / rho and (1 - f) / (1 - rho), undo that.

One step is a pure function of the settings, the seed, and how many steps went before, so a
training that was cut off and resumed equals one that never stopped, bit for bit on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from ccvae.errors import InputError
from ccvae.feeding import feed
from ccvae.interface import Bound, LabelledVAE
from ccvae.numerics import Numerics

WEIGHTS = ("batch", "equation6")


@dataclass(frozen=True)
class Schedule:
    """How long to train, and what each step sees.

    Attributes
    ----------
    kind
        `mixed`: every step takes `labelled_batch` labelled images (cycled) and
        `unlabelled_batch` unlabelled ones, or their sum in labelled images when there is no
        unlabelled image; `steps` of them. `interleaved`: the released code's epochs, in which
        every step is either labelled or unlabelled and every image is seen once
        (deviation: mixed-batches).
    learning_rate
        Adam's; the peak of the one-cycle policy when `one_cycle` is set.
    one_cycle
        Warm up and decay (arXiv:1708.07120) instead of a constant rate.
    steps, labelled_batch, unlabelled_batch
        For `mixed`.
    epochs, batch_size
        For `interleaved`.
    gradient_clip
        Largest norm of a step's gradient; 0 for none.
    weights
        For `mixed`, what the bounds of a step are weighed with: `batch`, all alike, or
        `equation6`, so that labelled and unlabelled images count as often as they are there.
    """

    kind: str
    learning_rate: float
    one_cycle: bool = False
    steps: int = 0
    labelled_batch: int = 0
    unlabelled_batch: int = 0
    epochs: int = 0
    batch_size: int = 0
    gradient_clip: float = 0.0
    weights: str = "batch"


def read_training(training: dict[str, Any]) -> tuple[Schedule, Numerics]:
    """Read the settings of a training: what its steps see, and how they are computed."""
    names = {field.name for field in fields(Numerics)}
    schedule = {key: value for key, value in training.items() if key not in names}
    numerics = {key: value for key, value in training.items() if key in names}
    return Schedule(**schedule), Numerics(**numerics)


@dataclass(frozen=True)
class Step:
    """Images of one optimiser step: positions in the training arrays, either may be empty."""

    labelled: Tensor
    unlabelled: Tensor


class Batches:
    """The sequence of steps that a schedule and a seed define.

    Parameters
    ----------
    schedule
        The schedule.
    labelled, unlabelled
        Positions of the two subsets in the training arrays, (N_s,) and (N_u,).
    seed
        Seed of the order of images.

    Attributes
    ----------
    total
        Number of steps.
    weights
        Of the bounds of labelled, and of unlabelled images.

    Raises
    ------
    InputError
        If the kind or the weights are unknown, or images are missing that they need.
    """

    def __init__(self, schedule: Schedule, labelled: Tensor, unlabelled: Tensor, seed: int) -> None:
        if len(labelled) == 0:
            raise InputError("there is no labelled image to train on; raise the supervision rate")
        self._schedule, self._seed = schedule, seed
        self._labelled, self._unlabelled = labelled, unlabelled
        self._orders: dict[int, tuple[int, Tensor]] = {}
        if schedule.kind == "mixed":
            self.total = schedule.steps
        elif schedule.kind == "interleaved":
            self._per_epoch = [
                math.ceil(len(subset) / schedule.batch_size) for subset in (labelled, unlabelled)
            ]
            self.total = schedule.epochs * sum(self._per_epoch)
        else:
            raise InputError(
                f"unknown training schedule '{schedule.kind}'; use 'mixed' or 'interleaved'"
            )
        if schedule.weights not in WEIGHTS:
            raise InputError(
                f"training.weights is '{schedule.weights}', which is not known; use one of "
                f"{list(WEIGHTS)}"
            )
        self.weights = self._equation6() if schedule.weights == "equation6" else (1.0, 1.0)

    def _equation6(self) -> tuple[float, float]:
        if self._schedule.kind == "interleaved" or len(self._unlabelled) == 0:
            return 1.0, 1.0
        n_labelled, n_unlabelled = self._mixed_sizes()
        if 0 in (n_labelled, n_unlabelled):
            raise InputError(
                "training.weights is 'equation6', which weighs labelled against unlabelled images, "
                "but a step has none of one kind; raise labelled_batch or unlabelled_batch"
            )
        f = len(self._labelled) / (len(self._labelled) + len(self._unlabelled))
        rho = n_labelled / (n_labelled + n_unlabelled)
        return f / rho, (1 - f) / (1 - rho)

    def __getitem__(self, step: int) -> Step:
        """Images of step number `step`."""
        if self._schedule.kind == "mixed":
            n_labelled, n_unlabelled = self._mixed_sizes()
            return Step(
                self._cycle(self._labelled, step, n_labelled, stream=0),
                self._cycle(self._unlabelled, step, n_unlabelled, stream=1),
            )
        return self._interleaved(step)

    def _mixed_sizes(self) -> tuple[int, int]:
        schedule = self._schedule
        if len(self._unlabelled) == 0:
            return schedule.labelled_batch + schedule.unlabelled_batch, 0
        return schedule.labelled_batch, schedule.unlabelled_batch

    def _interleaved(self, step: int) -> Step:
        n_labelled, n_unlabelled = self._per_epoch
        epoch, position = divmod(step, n_labelled + n_unlabelled)
        # The released code spreads the labelled batches evenly: every `period`-th step, until
        # they are used up.
        period = (n_labelled + n_unlabelled) // n_labelled
        supervised_before = min(n_labelled, math.ceil(position / period))
        is_labelled = position % period == 0 and supervised_before < n_labelled
        subset = self._labelled if is_labelled else self._unlabelled
        index = supervised_before if is_labelled else position - supervised_before
        order = self._permutation(len(subset), epoch, stream=int(not is_labelled))
        size = self._schedule.batch_size
        chosen = subset[order[index * size : (index + 1) * size]]
        nothing = chosen[:0]
        return Step(chosen, nothing) if is_labelled else Step(nothing, chosen)

    def _cycle(self, subset: Tensor, step: int, size: int, stream: int) -> Tensor:
        """`size` images of an endless sequence of shuffled passes over `subset`."""
        if size == 0 or len(subset) == 0:
            return subset[:0]
        parts, start, stop = [], step * size, (step + 1) * size
        while start < stop:
            epoch, offset = divmod(start, len(subset))
            part = self._permutation(len(subset), epoch, stream)[offset : offset + stop - start]
            parts.append(part)
            start += len(part)
        return subset[torch.cat(parts)]

    def _permutation(self, n: int, epoch: int, stream: int) -> Tensor:
        """Order of the images in one pass; the last one of each stream is kept."""
        cached_epoch, order = self._orders.get(stream, (None, None))
        if order is None or cached_epoch != epoch:
            # Distinct for every (seed, epoch, stream) that a training can meet.
            seed = (self._seed * 2_000_003 + epoch * 2 + stream) % 2**63
            order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
            self._orders[stream] = (epoch, order)
        return order


def step_loss(
    model: LabelledVAE,
    x: Tensor,
    y: Tensor,
    n_labelled: int,
    weights: tuple[float, float] = (1.0, 1.0),
) -> tuple[Tensor, dict[str, Bound]]:
    """Loss of one step: minus the weighted mean objective over all its images.

    Parameters
    ----------
    model
        The model.
    x
        Images of the step, labelled ones first, (B, C, H, W).
    y
        Labels of the first `n_labelled` images, (n_labelled, F).
    n_labelled
        How many of the images are labelled.
    weights
        Of the objective of labelled, and of unlabelled images.

    Returns
    -------
    tuple
        The loss, a scalar, and the bounds by subset (`labelled`, `unlabelled`).
    """
    bounds = {}
    if n_labelled:
        bounds["labelled"] = model.bound(x[:n_labelled], y)
    if n_labelled < len(x):
        bounds["unlabelled"] = model.bound(x[n_labelled:])
    weight_of = dict(zip(("labelled", "unlabelled"), weights, strict=True))
    sums = [weight_of[subset] * bound.objective.sum() for subset, bound in bounds.items()]
    return -torch.stack(sums).sum() / len(x), bounds


class Trainer:
    """A model, its optimiser, and how far they have come.

    Parameters
    ----------
    model
        The model, already on its device.
    images, labels
        Training arrays: uint8 (N, C, H, W) and integers (N, F), on any device.
    batches
        Which images each step sees.
    schedule
        Learning rate and clipping.
    intervals
        The training is recorded, and can be saved, this many times.

    Attributes
    ----------
    images
        How the images reach the device.
    after_backward
        Called with the step's number when its gradients are there, before they are clipped and
        used; for studies that look at them.
    """

    def __init__(
        self,
        model: LabelledVAE,
        images: Tensor,
        labels: Tensor,
        batches: Batches,
        schedule: Schedule,
        intervals: int = 100,
    ) -> None:
        self.model = model
        self.images = feed(images, model.device)
        self._labels = labels.to(model.device)
        self._batches, self._schedule = batches, schedule
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.after_backward: Callable[[int], None] | None = None
        self._interval = max(1, math.ceil(batches.total / intervals))
        groups = model.parameter_groups(schedule.learning_rate)
        rates = [float(group["lr"]) for group in groups]  # type: ignore[arg-type]
        self._optimizer = torch.optim.Adam(groups, fused=True)
        self._scheduler: torch.optim.lr_scheduler.LRScheduler | None = None
        if schedule.one_cycle:
            self._scheduler = torch.optim.lr_scheduler.OneCycleLR(
                self._optimizer, rates, total_steps=batches.total, cycle_momentum=False
            )

    @property
    def total(self) -> int:
        """Number of steps of the whole training."""
        return self._batches.total

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.step >= self.total

    def run_interval(self) -> int:
        """Train to the next record; returns the number of steps made.

        Raises
        ------
        InputError
            If a loss is not finite; says at which step and in which term.
        """
        self.model.train()
        stop = min(self.total, self.step + self._interval)
        first = self.step
        sums: dict[str, Tensor] = {}
        counts: dict[str, int] = {}
        while self.step < stop:
            bounds = self._one_step()
            for subset, bound in bounds.items():
                counts[subset] = counts.get(subset, 0) + len(bound.objective)
                for name, term in bound.terms.items():
                    key = f"{subset}_{name}"
                    sums[key] = sums.get(key, torch.zeros((), device=term.device)) + term.sum()
        row: dict[str, float] = {"step": self.step}
        for key, value in sums.items():
            row[key] = value.item() / counts[key.split("_")[0]]
        self.history.append(row)
        return stop - first

    def _one_step(self) -> dict[str, Bound]:
        step = self._batches[self.step]
        chosen = torch.cat([step.labelled, step.unlabelled])
        x = self.images.take(chosen)
        y = self._labels[step.labelled].long()
        self.model.set_progress(self.step / self.total)
        loss, bounds = step_loss(self.model, x, y, len(step.labelled), self._batches.weights)
        if not torch.isfinite(loss):
            raise InputError(self._blame(bounds))
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.after_backward is not None:
            self.after_backward(self.step)
        if self._schedule.gradient_clip > 0:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._schedule.gradient_clip)
        self._optimizer.step()
        if self._scheduler is not None:
            self._scheduler.step()
        self.step += 1
        return bounds

    def _blame(self, bounds: dict[str, Bound]) -> str:
        # A bound lists its terms in the order it computes them; the objective is their sum.
        broken = [
            f"{name} of the {subset} images"
            for subset, bound in bounds.items()
            for name, term in sorted(bound.terms.items(), key=lambda item: item[0] == "objective")
            if not torch.isfinite(term).all()
        ]
        return (
            f"the loss is not finite at step {self.step + 1} of {self.total}, first in "
            f"{broken[0] if broken else 'the sum over the images'}; the last saved state is "
            "kept: lower the learning rate or set gradient_clip"
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed training needs, as tensors and plain values."""
        return {
            "step": self.step,
            "history": self.history,
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scheduler": None if self._scheduler is None else self._scheduler.state_dict(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`, the random number generators included."""
        self.step = state["step"]
        self.history = list(state["history"])
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._scheduler is not None:
            self._scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["rng"].cpu())
        if state["cuda_rng"]:
            torch.cuda.set_rng_state_all([rng.cpu() for rng in state["cuda_rng"]])
