"""One training step, from the released recipe to ours: 64x64x3, batch 200, m = 45, 18 labels.

Each rung of the ladder adds one thing to the one before. The allocator is a setting of the whole
process, so its rung is measured in processes of its own, which take turns with the others.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.common import Step, answer, ask, milliseconds, peak_mb, table, worker
from benchmarks.layers import convolution_peak, step_gflop
from benchmarks.released_recipe import ReleasedRecipe, plain
from ccvae.allocator import keep_freed_memory
from ccvae.labels import MultiLabel
from ccvae.model import CCVAE
from ccvae.networks import Table3
from ccvae.training import step_loss

BATCH, LATENTS, N_LABELS, SAMPLES = 200, 45, 18, 100
KINDS = ("supervised", "unsupervised")
GOALS = {"supervised": 1.8, "unsupervised": 1.3}
LADDER = (
    "released recipe: two encoder passes, NCHW, default Adam",
    "one encoder pass, draws of z_c only",
    "+ fused Adam",
    "+ channels-last",
    "+ 4x4 to and from 1x1 as matrix products",
    "+ freed memory is kept",
)
REFERENCE, OURS = LADDER[0], LADDER[-1]
IN_ONE_PROCESS, KEPT = LADDER[:-1], LADDER[-1:]

Loss = Callable[[Tensor, Tensor | None], Tensor]


def build() -> CCVAE:
    """CCVAE as the released code has it: Table 3, m = 45, 18 labels, k = 100."""
    torch.manual_seed(0)
    labels = MultiLabel([f"label {i}" for i in range(N_LABELS)])
    return CCVAE(
        labels,
        Table3(),
        latents=LATENTS,
        latents_per_label=1,
        likelihood="laplace",
        label_samples=SAMPLES,
    ).train()


def our_loss(model: CCVAE) -> Loss:
    """The loss of a step, as `ccvae.training.Trainer` takes it."""

    def loss(x: Tensor, y: Tensor | None) -> Tensor:
        labels = torch.empty(0, N_LABELS) if y is None else y
        return step_loss(model, x, labels, len(labels))[0]

    return loss


def with_plain_layers(model: CCVAE) -> CCVAE:
    """Put torch's own convolutions in place of the matrix products."""
    model.trunk, model.decoder = plain(model.trunk), plain(model.decoder)
    return model


def rung(name: str) -> tuple[nn.Module, Loss, bool, bool]:
    """Model, loss, whether Adam is fused, and whether images are channels-last."""
    height = LADDER.index(name)
    model = build()
    if height < 4:
        layout = torch.contiguous_format if height < 3 else torch.channels_last
        model = model.to(memory_format=layout)
    if height == 0:
        recipe = ReleasedRecipe(model, SAMPLES)
        return recipe, recipe.loss, False, False
    if height < 4:
        with_plain_layers(model)
    return model, our_loss(model), height >= 2, height >= 3


def steps_of(name: str) -> dict[str, Step]:
    """Both kinds of step of one rung, under `name/kind`."""
    model, loss, fused, last = rung(name)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, fused=True if fused else None)
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(BATCH, 3, 64, 64, generator=generator)
    x = x.contiguous(memory_format=torch.channels_last) if last else x
    y = torch.randint(2, (BATCH, N_LABELS), generator=generator)

    def step(labels: Tensor | None) -> None:
        value = loss(x, labels)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()

    return {f"{name}/{kind}": lambda k=kind: step(y if k == KINDS[0] else None) for kind in KINDS}


def work(task: dict[str, Any]) -> dict[str, Any]:
    """Time rungs in this process: `names`, `threads`, `rounds`, and `wall` for wall time."""
    torch.set_num_threads(task["threads"])
    if task["names"] == list(KEPT):
        keep_freed_memory()
    steps: dict[str, Step] = {}
    for name in task["names"]:
        steps |= steps_of(name)
    clock = time.perf_counter if task.get("wall") else time.process_time
    return {"ms": milliseconds(steps, task["rounds"], clock), "peak_mb": peak_mb()}


def measure(rounds: int) -> dict[str, Any]:
    """Processor time of every rung on one thread, with the machine's convolution peak."""
    found: dict[str, list[float]] = {}
    memory: dict[str, float] = {}
    for _ in range(2):
        for names in (IN_ONE_PROCESS, KEPT):
            task = {"names": list(names), "threads": 1, "rounds": rounds}
            got = ask("benchmarks.training_step", task)
            for key, value in got["ms"].items():
                found.setdefault(key, []).append(value)
            memory[names[-1]] = got["peak_mb"]
    # The rung below the last once more alone: what keeping memory costs in memory.
    alone = {"names": [LADDER[-2]], "threads": 1, "rounds": 3}
    memory[LADDER[-2]] = ask("benchmarks.training_step", alone)["peak_mb"]
    return {
        "ms": {key: statistics.median(values) for key, values in found.items()},
        "peak_mb": {name: memory[name] for name in LADDER[-2:]},
        "gflop": {kind: step_gflop(BATCH) for kind in KINDS},
        "convolution_gflops": convolution_peak(),
    }


def measure_threads(rounds: int) -> dict[str, float]:
    """Images per second of wall time: one thread, two threads, and two processes of one each."""
    task = {"names": [OURS], "rounds": rounds, "wall": True}

    def rate(got: dict[str, Any]) -> float:
        return BATCH * len(KINDS) / sum(got["ms"].values()) * 1000

    one = rate(ask("benchmarks.training_step", {**task, "threads": 1}))
    two = rate(ask("benchmarks.training_step", {**task, "threads": 2}))
    pair = [worker("benchmarks.training_step", {**task, "threads": 1}) for _ in range(2)]
    return {
        "one training, one thread": one,
        "one training, two threads": two,
        "two trainings, one thread each": sum(rate(answer(process)) for process in pair),
    }


def speed_up(found: dict[str, Any], kind: str) -> float:
    """How many times the released recipe's processor time ours is less."""
    return found["ms"][f"{REFERENCE}/{kind}"] / found["ms"][f"{OURS}/{kind}"]


def section(found: dict[str, Any], threads: dict[str, float], rounds: int) -> list[str]:
    """Markdown of the training step."""
    rows: list[list[object]] = []
    peak = found["convolution_gflops"]
    for name in LADDER:
        row: list[object] = [name]
        for kind in KINDS:
            ms = found["ms"][f"{name}/{kind}"]
            row += [
                ms,
                f"{found['ms'][f'{REFERENCE}/{kind}'] / ms:.2f}",
                f"{100 * found['gflop'][kind] / ms * 1000 / peak:.0f} %",
            ]
        rows.append(row)
    header = ["processor time of a step"]
    for kind in KINDS:
        header += [f"{kind}, ms", "times faster", "of peak"]
    reached = [f"{kind} {speed_up(found, kind):.2f} (goal {goal})" for kind, goal in GOALS.items()]
    kept, given_back = (found["peak_mb"][name] for name in (LADDER[-1], LADDER[-2]))
    return [
        "## The training step",
        "",
        f"64x64 in colour, batch {BATCH}, m = {LATENTS}, {N_LABELS} labels, k = {SAMPLES}, one "
        f"thread; median of 2 x {rounds} alternating rounds. Every rung adds one thing. The "
        "released recipe is written anew in `benchmarks/released_recipe.py` and gives the same "
        "loss (`tests/benchmarks/test_plain_and_fast.py`). `of peak`: floating-point operations "
        f"of the convolutions and linear layers ({found['gflop'][KINDS[0]]:.1f} GFLOP a step, "
        "once forward and twice backward; the second encoder pass of the released recipe is not "
        f"counted as useful) over what a large convolution reaches here, {peak:.0f} GFLOP/s on "
        "one thread.",
        "",
        *table(header, rows),
        "",
        f"Reached: {', '.join(reached)}. Keeping freed memory: {given_back:.0f} -> {kept:.0f} MB "
        "at the peak.",
        "",
        "Wall time, both kinds of step in turn:",
        "",
        *table(["", "images/s"], [[name, value] for name, value in threads.items()]),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", type=json.loads, required=True)
    print(json.dumps(work(parser.parse_args().worker)))
