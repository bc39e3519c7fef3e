"""What it costs to start each kind of job: processor time of its imports, in a fresh process."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from benchmarks.common import ROOT, table

STEPS = (
    "plan",
    "data.label_subset",
    "data.prepare_data",
    "training.train",
    "training.train_judge",
    "training.fit_gp",
    "measuring.evaluate",
    "studies.study_train",
    "reporting.make_figure",
    "reporting.make_table",
    "reporting.check_claims",
)
PROBE = (
    "import resource, sys; import {module}; "
    "used = resource.getrusage(resource.RUSAGE_SELF); "
    "print(used.ru_utime + used.ru_stime, *[m for m in {heavy!r} if m in sys.modules])"
)
HEAVY = ("torch", "torchvision", "sklearn", "gpytorch", "pandas", "matplotlib")


def cost(module: str) -> tuple[float, list[str]]:
    """CPU seconds of importing a module, and which heavy packages came with it."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROBE.format(module=module, heavy=HEAVY)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, *packages = done.stdout.split()
    return float(seconds), packages


def measure(repeats: int = 3) -> dict[str, tuple[float, list[str]]]:
    """Median CPU seconds by step, and the heavy packages it imports."""
    found = {}
    for step in STEPS:
        runs = [cost(f"workflow.steps.{step}") for _ in range(repeats)]
        name = step.rpartition(".")[2]
        found[name] = (statistics.median(seconds for seconds, _ in runs), runs[0][1])
    return found


def section(found: dict[str, tuple[float, list[str]]]) -> list[str]:
    """Markdown of the imports."""
    rows = [[f"`{step}`", seconds, ", ".join(also)] for step, (seconds, also) in found.items()]
    return [
        "## Starting a job",
        "",
        "Processor time of a step's imports in a fresh process, and the heavy packages among them.",
        "",
        *table(["step", "CPU s", "imports"], rows),
    ]
