"""The semi-supervised training loop of every model.

Equation (6) sums the bounds over all images, so its mean is f mean_S + (1 - f) mean_U, with f the
share of images that have labels, and mean_S, mean_U the mean bounds of images with and without.
The schedule `interleaved` sees every image once an epoch and maximises that, up to the last,
smaller batch of each kind, whose images count for more. The schedule `mixed` maximises
rho mean_S + (1 - rho) mean_U, with rho the share of labelled images in a step, whatever f is: a
labelled image counts rho (1 - f) / (f (1 - rho)) times as much as an unlabelled one (deviation:
objective-weights). Its weights `equation6`, f / rho and (1 - f) / (1 - rho), undo that.

One step is a pure function of the settings, the seed, and how many steps went before, so a
training that was cut off and resumed equals one that never stopped, bit for bit on a CPU.

Within an interval the host never waits for the device: it sends the positions of all its images at
once, and reads what the steps have recorded when the interval is over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from ccvae.batches import Batches, Schedule, Step
from ccvae.capture import GRAPHS, Captured, Update
from ccvae.errors import InputError
from ccvae.feeding import feed
from ccvae.interface import Bound, LabelledVAE
from ccvae.numerics import Numerics


def read_training(training: dict[str, Any]) -> tuple[Schedule, Numerics]:
    """Read the settings of a training: what its steps see, and how they are computed."""
    names = {field.name for field in fields(Numerics)}
    schedule = {key: value for key, value in training.items() if key not in names}
    numerics = {key: value for key, value in training.items() if key in names}
    return Schedule(**schedule), Numerics(**numerics)


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


@dataclass(frozen=True)
class Record:
    """What one step leaves to be read later.

    Attributes
    ----------
    terms
        Subset and name of every term, in the order in which they were computed.
    counts
        Images by subset.
    values
        The loss, and the sum of every term over the images of its subset, (1 + terms,).
    """

    terms: tuple[tuple[str, str], ...]
    counts: dict[str, int]
    values: Tensor


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
    capture
        Whether a GPU is given every step as one graph, see `ccvae.capture`; a CPU has none.

    Attributes
    ----------
    images
        How the images reach the device.
    after_backward
        Called with the step's number when its gradients are there, before they are clipped and
        used; for studies that look at them. Steps are not captured then.
    """

    def __init__(
        self,
        model: LabelledVAE,
        images: Tensor,
        labels: Tensor,
        batches: Batches,
        schedule: Schedule,
        intervals: int = 100,
        capture: bool = False,
    ) -> None:
        self.model = model
        self.images = feed(images, model.device)
        self._labels = labels.to(model.device)
        self._batches, self._schedule = batches, schedule
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.after_backward: Callable[[int], None] | None = None
        self._interval = max(1, math.ceil(batches.total / intervals))
        self._capture = capture and model.device.type in GRAPHS
        self._terms: dict[tuple[int, int], tuple[tuple[str, str], ...]] = {}
        groups = model.parameter_groups(schedule.learning_rate)
        rates = [float(group["lr"]) for group in groups]  # type: ignore[arg-type]
        if self._capture:
            # A graph would repeat a rate that is a number of the host.
            for group, rate in zip(groups, rates, strict=True):
                group["lr"] = torch.tensor(rate, device=model.device)
        self._optimizer = torch.optim.Adam(groups, fused=True, capturable=self._capture)
        self._scheduler: torch.optim.lr_scheduler.LRScheduler | None = None
        if schedule.one_cycle:
            self._scheduler = torch.optim.lr_scheduler.OneCycleLR(
                self._optimizer, rates, total_steps=batches.total, cycle_momentum=False
            )
        self._make_step = self._stepper()

    def _stepper(self) -> Update:
        return Captured(self._update, self.model.device) if self._capture else self._update

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
            If a loss was not finite; says at which step and in which term. The model has gone on
            from there to the end of the interval, and is of no use.
        """
        self.model.train()
        first, stop = self.step, min(self.total, self.step + self._interval)
        steps = [self._batches[number] for number in range(first, stop)]
        records = [self._one_step(*step) for step in self._placed(steps)]
        self.history.append(self._read(records, first))
        return stop - first

    def _placed(self, steps: Sequence[Step]) -> Iterator[tuple[Tensor, Tensor]]:
        """Send the positions of an interval's images to the device, all at once.

        Yields, for each step, positions of its images where the images are, and of its labels where
        the labels are.
        """
        sizes = [len(step.labelled) + len(step.unlabelled) for step in steps]
        here = torch.cat([part for step in steps for part in (step.labelled, step.unlabelled)])
        there = here.to(self.model.device)
        of_images = there if self.images.lies_on == self.model.device.type else here
        for step, own, own_there in zip(
            steps, of_images.split(sizes), there.split(sizes), strict=True
        ):
            yield own, own_there[: len(step.labelled)]

    def _one_step(self, images: Tensor, labelled: Tensor) -> Record:
        x, y = self.images.take(images), self._labels[labelled].long()
        self.model.set_progress(self.step / self.total)
        values = (self._make_step if self.after_backward is None else self._update)(x, y)
        if self._scheduler is not None:
            self._scheduler.step()
        self.step += 1
        counts = {"labelled": len(y), "unlabelled": len(x) - len(y)}
        return Record(self._terms[len(x), len(y)], counts, values)

    def _update(self, x: Tensor, y: Tensor) -> Tensor:
        """One optimiser step; the `values` of its record."""
        loss, bounds = step_loss(self.model, x, y, len(y), self._batches.weights)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.after_backward is not None:
            self.after_backward(self.step)
        if self._schedule.gradient_clip > 0:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._schedule.gradient_clip)
        self._optimizer.step()
        named = {
            (subset, name): term
            for subset, bound in bounds.items()
            for name, term in bound.terms.items()
        }
        self._terms[len(x), len(y)] = tuple(named)
        return torch.stack([loss.detach(), *(term.sum() for term in named.values())])

    def _read(self, records: Sequence[Record], first: int) -> dict[str, float]:
        """Mean of every term over the images of an interval, a row of the history."""
        values = torch.cat([record.values for record in records]).cpu()
        each = values.split([len(record.values) for record in records])
        sums: dict[tuple[str, str], Tensor] = {}
        counts: dict[str, int] = {}
        for number, (record, (loss, *terms)) in enumerate(zip(records, each, strict=True), first):
            if not torch.isfinite(loss):
                raise InputError(self._blame(number, dict(zip(record.terms, terms, strict=True))))
            for key, term in zip(record.terms, terms, strict=True):
                sums[key] = sums.get(key, torch.zeros_like(term)) + term
            for subset, count in record.counts.items():
                counts[subset] = counts.get(subset, 0) + count
        row: dict[str, float] = {"step": self.step}
        for (subset, name), value in sums.items():
            row[f"{subset}_{name}"] = value.item() / counts[subset]
        return row

    def _blame(self, number: int, terms: dict[tuple[str, str], Tensor]) -> str:
        # A bound lists its terms in the order it computes them; the objective is their sum.
        subsets = list(dict.fromkeys(subset for subset, _ in terms))
        ordered = sorted(terms, key=lambda key: (subsets.index(key[0]), key[1] == "objective"))
        broken = [
            f"{name} of the {subset} images"
            for subset, name in ordered
            if not torch.isfinite(terms[subset, name])
        ]
        return (
            f"the loss is not finite at step {number + 1} of {self.total}, first in "
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
        # What was recorded works on an optimiser state that is no longer in use.
        self._make_step = self._stepper()
