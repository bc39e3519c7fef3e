"""Optimiser steps that a GPU is given whole: a CUDA graph each, instead of hundreds of launches.

A graph repeats what was launched while it was recorded, on the same memory. So a step may be
recorded if nothing of it waits for the GPU or is decided by the host: whatever changes from step to
step (images, labels, learning rates, annealed weights, random numbers) lies in the GPU's memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

WARM_UP = 3
"""Steps of each size that run as usual before one is recorded: libraries choose their kernels, and
the optimiser makes its state."""

Update = Callable[[Tensor, Tensor], Tensor]
"""One optimiser step on images, those with labels first, and their labels; returns its record."""


class CudaGraphs:
    """Recording on the current CUDA device, as torch.cuda.graph wants it."""

    def aside(self, compute: Callable[[], Tensor]) -> Tensor:
        """Compute on a stream of its own, so that nothing of it stays with the usual one."""
        stream, usual = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(usual)
        with torch.cuda.stream(stream):
            result = compute()
        usual.wait_stream(stream)
        return result

    def record(self, compute: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """Record without computing; returns where the result will lie, and what computes it."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = compute()
        return result, graph.replay


GRAPHS = {"cuda": CudaGraphs}
"""Who records, by type of device."""


@dataclass(frozen=True)
class Recorded:
    """A recorded step: where its images and labels are expected, and its record will lie."""

    x: Tensor
    y: Tensor
    record: Tensor
    replay: Callable[[], None]

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Make the step on these images and labels."""
        self.x.copy_(x)
        self.y.copy_(y)
        self.replay()
        # The next replay overwrites it.
        return self.record.clone()


class Captured:
    """An update that is recorded once for every size of a step, and replayed from then on.

    Parameters
    ----------
    update
        What to record.
    device
        Of a type in `GRAPHS`.
    """

    def __init__(self, update: Update, device: torch.device) -> None:
        self._update, self._graphs = update, GRAPHS[device.type]()
        self._seen: Counter[tuple[int, int]] = Counter()
        self._recorded: dict[tuple[int, int], Recorded] = {}

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Make one step; the same as the update itself, but for rounding."""
        size = (len(x), len(y))
        if size not in self._recorded:
            if self._seen[size] < WARM_UP:
                self._seen[size] += 1
                return self._graphs.aside(lambda: self._update(x, y))
            inputs = x.clone(), y.clone()
            found = self._graphs.record(lambda: self._update(*inputs))
            self._recorded[size] = Recorded(*inputs, *found)
        return self._recorded[size](x, y)
