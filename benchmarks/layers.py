"""How close every layer of Table 3 comes to what this machine can do with a convolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import Step, milliseconds, table
from ccvae.networks import Table3

LATENTS = 45
PROBES = ((64, 128, 32), (16, 256, 28), (8, 256, 56))
"""Batch, channels and side of the convolutions that set the peak."""


@dataclass(frozen=True)
class Layer:
    """A layer where it stands in the network.

    Attributes
    ----------
    title
        Its place and shape.
    module
        The layer, with the ReLU behind it if there is one.
    shape
        Of one input.
    mflop
        Floating-point operations per image, forward.
    """

    title: str
    module: nn.Module
    shape: tuple[int, ...]
    mflop: float


def operations(step: Step) -> float:
    """Count the operations of a step, in GFLOP, without those that are elementwise."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / 1e9


def layers() -> list[Layer]:
    """Convolutions and linear layers of encoder and decoder, in order."""
    architecture = Table3()
    found = []
    for part, network, x in (
        ("encoder", architecture.trunk(), torch.zeros(1, 3, 64, 64)),
        ("decoder", architecture.decoder(LATENTS), torch.zeros(1, LATENTS)),
    ):
        modules = list(network)
        for place, module in enumerate(modules):
            if isinstance(module, nn.ReLU):
                continue
            follows = modules[place + 1 : place + 2]
            result = module(x)
            title = f"{part} {tuple(x.shape[1:])} -> {tuple(result.shape[1:])}"
            block = nn.Sequential(module, *follows)
            mflop = 1000 * operations(partial(module, x))
            found.append(Layer(title, block, tuple(x.shape[1:]), mflop))
            x = result
    return found


def step_gflop(batch: int) -> float:
    """Operations of a step: once forward, twice backward but for the first layer's input."""
    forward = [layer.mflop for layer in layers()]
    return batch * (3 * sum(forward) - forward[0]) / 1000


def convolution_peak(rounds: int = 5) -> float:
    """Best rate of a few large 3x3 convolutions, channels-last: GFLOP/s on the threads set."""
    best = 0.0
    for batch, channels, side in PROBES:
        module = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        module = module.to(memory_format=torch.channels_last)
        x = torch.rand(batch, channels, side, side).contiguous(memory_format=torch.channels_last)
        gflop = 2e-9 * module.weight.numel() * batch * side * side
        with torch.no_grad():
            found = milliseconds({"": lambda m=module, v=x: m(v)}, rounds)
        best = max(best, gflop / found[""] * 1000)
    return best


def both_ways(
    layer: Layer, batch: int, first: bool, forward: Callable[[Tensor], Tensor] | None = None
) -> Step:
    """Forward and backward of one layer on random input; the first needs no input gradient.

    `forward` is another way to compute it on the module's parameters.
    """
    module = layer.module.to(memory_format=torch.channels_last)
    compute = forward or module
    x = torch.rand(batch, *layer.shape)
    if x.ndim == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    x.requires_grad_(not first)
    with torch.no_grad():
        gradient = torch.rand_like(module(x))

    def step() -> None:
        module.zero_grad(set_to_none=True)
        x.grad = None
        compute(x).backward(gradient)

    return step


def section(batch: int, rounds: int, peak: float) -> list[str]:
    """Markdown table of every layer, forward and backward with its ReLU."""
    found = layers()
    steps = {
        layer.title: both_ways(layer, batch, first=place == 0) for place, layer in enumerate(found)
    }
    times = milliseconds(steps, rounds)
    rows = []
    for place, layer in enumerate(found):
        gflop = batch * layer.mflop * (2 if place == 0 else 3) / 1000
        ms = times[layer.title]
        share = 100 * gflop / ms * 1000 / peak
        rows.append([layer.title, gflop, ms, f"{share:.0f} %"])
    return [
        "## Layer by layer",
        "",
        f"Forward and backward of each layer with the ReLU behind it, alone, batch {batch}, one "
        "thread, channels-last, freed memory kept; share of the convolution peak.",
        "",
        *table(["layer", "GFLOP", "ms", "of peak"], rows),
    ]
