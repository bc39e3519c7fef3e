"""How a training's time and memory grow: one process per point, one thing changed at a time."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import answer, milliseconds, own_mb, peak_mb, table, worker
from ccvae.allocator import keep_freed_memory
from ccvae.batches import Batches, Schedule
from ccvae.labels import MultiLabel
from ccvae.training import Trainer
from workflow.models import build_model

USUAL: dict[str, Any] = {"images": 8000, "labels": 18, "latents": 45, "rate": 0.2, "seeds": 1}
POINTS: dict[str, Sequence[float]] = {
    "images": (2000, 8000, 32_000),
    "labels": (1, 18, 40),
    "latents": (45, 90, 180),
    "rate": (0.004, 0.2, 1.0),
    "seeds": (1, 2, 4),
}
TITLES = {
    "images": "images",
    "labels": "labels",
    "latents": "latents m",
    "rate": "f",
    "seeds": "seeds at once",
}
LABELLED, UNLABELLED = 16, 16
TALLEST_GROWTH_MB = 60.0
"""Growth of own memory from the fewest to the most images that still counts as none: labels and
the order of images are a few bytes each."""


def work(task: dict[str, Any]) -> dict[str, float]:
    """Train `task["steps"]` steps and report processor time of one, and memory."""
    torch.set_num_threads(1)
    keep_freed_memory()
    n, n_labels = int(task["images"]), int(task["labels"])
    generator = torch.Generator().manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "images.npy"
        stored = np.lib.format.open_memmap(path, "w+", np.uint8, (n, 3, 64, 64))
        block = torch.randint(256, (500, 3, 64, 64), dtype=torch.uint8, generator=generator)
        for start in range(0, n, len(block)):
            stored[start : start + len(block)] = block[: n - start].numpy()
        stored.flush()
        del stored
        images = torch.from_numpy(np.load(path, mmap_mode="c"))
        labels = torch.randint(2, (n, n_labels), generator=generator)
        settings = {
            "system": "ccvae",
            "model": "ccvae",
            "dataset": "random images",
            "architecture": {"name": "table3", "kaiming": True},
            "options": {
                "likelihood": "laplace",
                "latents": int(task["latents"]),
                "latents_per_label": 1,
                "label_samples": 32,
            },
        }
        space = MultiLabel([f"label {i}" for i in range(n_labels)])
        model = build_model(settings, space, (3, 64, 64))
        schedule = Schedule("mixed", 1e-3, True, task["steps"] + 2, LABELLED, UNLABELLED)
        order = torch.randperm(n, generator=generator)
        count = max(1, round(task["rate"] * n))
        batches = Batches(schedule, order[:count], order[count:], task["seed"])
        trainer = Trainer(model, images, labels, batches, schedule, intervals=10_000)
        found = milliseconds({"": lambda: trainer.run_interval()}, task["steps"])
        return {"ms": found[""], "own_mb": own_mb(), "peak_mb": peak_mb()}


def together(task: dict[str, Any]) -> dict[str, float]:
    """Train with `task["seeds"]` seeds at once, a process each: times and memory added up."""
    started = [worker("benchmarks.growth", {**task, "seed": seed}) for seed in range(task["seeds"])]
    answers = [answer(process) for process in started]
    return {name: sum(found[name] for found in answers) for name in answers[0]}


def measure(steps: int = 25) -> dict[str, list[tuple[float, dict[str, float]]]]:
    """Measure every point: by what changes, the value and what was found there."""
    found: dict[str, list[tuple[float, dict[str, float]]]] = {}
    usual = together({**USUAL, "steps": steps})
    for what, values in POINTS.items():
        found[what] = [
            (
                value,
                usual if value == USUAL[what] else together({**USUAL, what: value, "steps": steps}),
            )
            for value in values
        ]
    return found


def memory_growth(found: dict[str, list[tuple[float, dict[str, float]]]]) -> float:
    """MB that the most images need beyond what the fewest do, without what a file backs."""
    own = [point["own_mb"] for _, point in found["images"]]
    return own[-1] - own[0]


def section(found: dict[str, list[tuple[float, dict[str, float]]]]) -> list[str]:
    """Markdown of how cost grows."""
    rows = [
        [TITLES[what], f"{value:g}", point["ms"], point["own_mb"], point["peak_mb"]]
        for what, points in found.items()
        for value, point in points
    ]
    growth = memory_growth(found)
    verdict = "constant" if growth < TALLEST_GROWTH_MB else "NOT constant"
    usual = ", ".join(f"{TITLES[what]} {value:g}" for what, value in USUAL.items())
    few, many = (f"{found['images'][end][0]:.0f}" for end in (0, -1))
    return [
        "## How cost grows",
        "",
        f"CCVAE, steps of {LABELLED} labelled and {UNLABELLED} unlabelled images (of labelled "
        f"ones alone at f = 1), one thread. Unless the line says otherwise: {usual}. Every seed "
        "is a process; those of several at once are added up. `own` is memory that no file backs; "
        "the store's pages are the system's to take back and count in `peak` only.",
        "",
        *table(["what", "value", "CPU ms per step", "own MB", "peak MB"], rows),
        "",
        f"Memory is {verdict} in the number of images: {growth:+.0f} MB from {few} to {many}. The "
        "number of steps is the schedule's, so time is linear in it and free of the number of "
        "images and of f (`mixed`), or linear in epochs times images (`interleaved`). Seeds are "
        "runs that share nothing but the store.",
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", type=json.loads, required=True)
    print(json.dumps(work(parser.parse_args().worker)))
