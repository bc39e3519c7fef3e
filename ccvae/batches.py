"""Which images each step of a training sees: a pure function of the settings and the seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Integer
from torch import Tensor

from ccvae.errors import InputError

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


@dataclass(frozen=True)
class Step:
    """Images of one optimiser step: positions in the training arrays, either may be empty."""

    labelled: Integer[Tensor, " S"]
    unlabelled: Integer[Tensor, " U"]


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

    def __init__(
        self,
        schedule: Schedule,
        labelled: Integer[Tensor, " S"],
        unlabelled: Integer[Tensor, " U"],
        seed: int,
    ) -> None:
        if len(labelled) == 0:
            raise InputError("there is no labelled image to train on; raise the supervision rate")
        self._schedule, self._seed = schedule, seed
        self._labelled, self._unlabelled = labelled, unlabelled
        self._generator = torch.Generator()
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

    def _cycle(
        self, subset: Integer[Tensor, " N"], step: int, size: int, stream: int
    ) -> Integer[Tensor, " B"]:
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

    def _permutation(self, n: int, epoch: int, stream: int) -> Integer[Tensor, " n"]:
        """Order of the images in one pass; the last one of each stream is kept."""
        cached_epoch, order = self._orders.get(stream, (None, None))
        if order is None or cached_epoch != epoch:
            # Distinct for every (seed, epoch, stream) that a training can meet.
            seed = (self._seed * 2_000_003 + epoch * 2 + stream) % 2**63
            order = torch.randperm(n, generator=self._generator.manual_seed(seed))
            self._orders[stream] = (epoch, order)
        return order
