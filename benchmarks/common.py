"""What all benchmarks share: clocks, the machine's description, worker processes and tables."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Step = Callable[[], None]

ROOT = Path(__file__).resolve().parent.parent
WARM_UP_ROUNDS = 2
VECTOR_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "neon", "asimd")


def milliseconds(
    steps: dict[str, Step],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Median time of every step over `rounds`, in ms; the steps alternate.

    Parameters
    ----------
    steps
        What to time, by name.
    rounds
        How often; two more rounds before them warm up.
    clock
        Seconds: processor time of the process unless told otherwise.
    """
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(WARM_UP_ROUNDS + rounds):
        for name, step in steps.items():
            start = clock()
            step()
            if turn >= WARM_UP_ROUNDS:
                times[name].append(1000 * (clock() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def worker(module: str, task: dict[str, Any]) -> subprocess.Popen[str]:
    """Start `python -m module --worker TASK`, a fresh process that prints one JSON object."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(task.get("threads", 1))}
    command = [sys.executable, "-m", module, "--worker", json.dumps(task)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a worker and read what it printed.

    Raises
    ------
    RuntimeError
        If the worker failed; its own message is on standard error.
    """
    text, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(process.args[:3])} ended with {process.returncode}")  # type: ignore[index]
    return json.loads(text.strip().splitlines()[-1])


def ask(module: str, task: dict[str, Any]) -> dict[str, Any]:
    """Run one worker to its end."""
    return answer(worker(module, task))


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB."""
    # On Linux, the figure that every system has begins at the memory of the process that started
    # this one.
    return _status_mb("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def own_mb() -> float:
    """Resident memory of this process that no file backs, in MB; the peak where unknown."""
    return _status_mb("RssAnon") or peak_mb()


def _status_mb(name: str) -> float | None:
    """Read one amount of memory of this process, in MB, where the system tells it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    values = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(values[name].split()[0]) / 1024 if name in values else None


def machine() -> str:
    """One sentence about processor, cores, vector units and versions."""
    # Imported here because workers that only decode images start without them.
    import torch

    from workflow import provenance

    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    facts = dict(
        (part.strip() for part in line.split(":", 1)) for line in text.splitlines() if ":" in line
    )
    present = set(facts.get("flags", facts.get("Features", "")).split())
    vectors = [flag for flag in VECTOR_FLAGS if flag in present]
    processor = provenance.machine()["processor"]
    return (
        f"{processor}, {os.cpu_count()} cores, {', '.join(vectors) or 'vector units unknown'}; "
        f"{platform.system()}, Python {platform.python_version()}, torch {torch.__version__}."
    )


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table; floats are written with three digits that count."""
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return lines + ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return "" if value is None else str(value)
