"""Measure what was tried on the slow layers and write docs/layers.md.

    python -m benchmarks.layer_page --out docs/layers.md

Attempts alternate with the present path in one process. The present path is there twice: how far
the second is from the first says what a difference has to exceed.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import Step, machine, milliseconds, table
from benchmarks.layer_attempts import (
    ATTEMPTS,
    Attempt,
    Convolution,
    Forward,
    bias_added,
    in_rows,
    present,
    rewrite,
    slow,
    strided,
)
from benchmarks.layers import Layer, both_ways, convolution_peak, layers
from benchmarks.step_cost import CONTESTANTS, N_LABELS, build, one_step
from ccvae.allocator import keep_freed_memory
from ccvae.convolutions import PADDING, STRIDE
from ccvae.files import write_text

LABELLED = UNLABELLED = 16
BATCH = LABELLED + UNLABELLED
PAYS = 0.05
"""Share of a whole step that an attempt has to save to be worth its code."""

PRESENT, AGAIN, STEP = "present", "present, once more", "whole step"
Times = dict[str, dict[str, float]]
"""Processor time in ms by layer, or `STEP`, and by attempt."""


def where_slow(attempt: Attempt) -> Attempt:
    """Restrict an attempt to the slow layers."""
    return lambda layer, relu: attempt(layer, relu) if slow(layer) else None


def bias_and_rows(layer: Convolution, relu: bool) -> Forward | None:
    """The last layer in rows, and the bias of the others added by torch."""
    return (layer.out_channels == 3 and in_rows(layer, relu)) or bias_added(layer, relu)


IN_STEPS: dict[str, Attempt] = {
    PRESENT: present,
    AGAIN: present,
    **{name: where_slow(attempt) for name, attempt in ATTEMPTS.items()},
    "bias added by torch, in all eight convolutions": bias_added,
    "bias added by torch in seven, rows of pixels in the last": bias_and_rows,
}


def slow_layers() -> list[Layer]:
    """The three, in the order of the networks."""
    return [each for each in layers() if strided(first := each.module[0]) and slow(first)]  # type: ignore[index, arg-type]


def times_of_layer(layer: Layer, rounds: int) -> dict[str, float]:
    """Forward and backward of one layer by every attempt that is for it."""
    module, *follows = layer.module.children()
    # The images need no gradient.
    ways = partial(both_ways, layer, BATCH, layer.shape[0] == 3)
    steps = {PRESENT: ways(), AGAIN: ways()}
    for name, attempt in ATTEMPTS.items():
        forward = attempt(module, bool(follows))  # type: ignore[arg-type]
        if forward is not None:
            steps[name] = ways(forward)
    return milliseconds(steps, rounds)


def times_of_step(rounds: int) -> dict[str, float]:
    """A training step of CCVAE with every attempt in its networks."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(BATCH, 3, 64, 64, generator=generator)
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.randint(2, (LABELLED, N_LABELS), generator=generator)
    steps: dict[str, Step] = {}
    for name, attempt in IN_STEPS.items():
        model: Any = build(CONTESTANTS[0])
        rewrite(model.trunk, attempt)
        rewrite(model.decoder, attempt)
        optimizer = torch.optim.Adam(model.parameter_groups(1e-4), fused=True)
        steps[name] = partial(one_step, model, optimizer, x, y, LABELLED)
    return milliseconds(steps, rounds)


def bias_gradient(rounds: int) -> dict[str, float]:
    """What the gradients of the transposed convolution of 32 channels take, in ms."""
    layer = slow_layers()[1]
    module, _ = layer.module.to(memory_format=torch.channels_last).children()
    x, result = torch.rand(BATCH, *layer.shape), torch.rand(BATCH, 32, 32, 32)
    x, result = (t.contiguous(memory_format=torch.channels_last) for t in (x, result))
    weight = module.weight.detach()  # type: ignore[union-attr, operator]
    backward = partial(
        torch.ops.aten.convolution_backward,
        *(result, x, weight, [32], [STRIDE] * 2, [PADDING] * 2, [1, 1], True, [0, 0], 1),
    )
    steps: dict[str, Step] = {
        "weight": lambda: backward([False, True, False]),
        "both": lambda: backward([False, True, True]),
        "sum": lambda: result.sum((0, 2, 3)),
    }
    return milliseconds(steps, rounds)


def ratio(times: dict[str, float], name: str) -> float:
    """Of an attempt's time to the present one."""
    return times[name] / times[PRESENT]


def conclusion(times: Times, bias: dict[str, float]) -> str:
    """What the table says, in words."""
    fastest = []
    for title, found in times.items():
        if title != STEP:
            name = min(found.keys() - {PRESENT, AGAIN}, key=found.__getitem__)
            fastest.append(f"{title}: {name} ({ratio(found, name):.2f})")
    step = times[STEP]
    saved = {name: 1 - ratio(step, name) for name in step if name not in (PRESENT, AGAIN)}
    paying = [f"{name} ({100 * s:.1f} %)" for name, s in saved.items() if s >= PAYS]
    best = max(saved, key=saved.__getitem__)
    answer = f"what pays: {'; '.join(paying)}" if paying else f"{best} saves most, and nothing pays"
    return (
        f"Fastest alone: {'; '.join(fastest)}. An attempt pays if it saves {100 * PAYS:.0f} % of "
        f"the whole step; {answer}. The gradient of the bias is a pass of its own: in the "
        f"transposed convolution of 32 channels oneDNN takes {bias['weight']:.2g} ms for the "
        f"weight's gradient and {bias['both']:.2g} ms for weight's and bias's, and torch's sum "
        f"takes {bias['sum']:.2g} ms."
    )


def document(times: Times, bias: dict[str, float], peak: float, rounds: int) -> str:
    """Markdown page."""
    gflop = {layer.title: BATCH * layer.mflop / 1000 for layer in slow_layers()}
    first = next(iter(gflop))
    present_row: list[object] = [f"{PRESENT}, ms (of peak)"]
    for title, found in times.items():
        cell = f"{found[PRESENT]:.3g}"
        if title in gflop:
            both = gflop[title] * (2 if title == first else 3)
            cell += f" ({100 * both / found[PRESENT] * 1000 / peak:.0f} %)"
        present_row.append(cell)
    rows = [present_row]
    for name in list(IN_STEPS)[1:]:
        cells = [f"{ratio(found, name):.2f}" if name in found else None for found in times.values()]
        rows.append([name, *cells])
    lines = [
        "# Attempts at the slow layers",
        "",
        "Generated by `make benchmark`. Three layers of Table 3 stay furthest from the convolution "
        "peak (see [benchmarks.md](benchmarks.md)). What `benchmarks/layer_attempts.py` tries on "
        "them gives the same results and gradients to 1e-5 "
        "(`tests/benchmarks/test_layer_attempts.py`). Processor time of forward and backward on "
        f"one thread, ReLU included, batch {BATCH}, median of {rounds} alternating rounds in one "
        "process; ratios are to the present path. `whole step` is CCVAE's on "
        f"{LABELLED} labelled and {UNLABELLED} unlabelled images, with the attempt in those of the "
        "three layers that it is for unless the line says otherwise. The last line is what the "
        "option `fast` of table3 turns on.",
        "",
        machine(),
        "",
        *table(["", *times], rows),
        "",
        conclusion(times, bias),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25, help="steps of each kind, median taken")
    parser.add_argument("--out", required=True, type=Path, help="the page, as .md")
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    times = {layer.title: times_of_layer(layer, given.rounds) for layer in slow_layers()}
    times[STEP] = times_of_step(given.rounds)
    page = document(times, bias_gradient(given.rounds), convolution_peak(), given.rounds)
    write_text(given.out, page)


if __name__ == "__main__":
    main()
