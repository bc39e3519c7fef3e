"""Where a record comes from: code, versions, machine, time and memory."""

from __future__ import annotations

import platform
import resource
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchvision", "torch-fidelity", "gpytorch", "scikit-learn", "pandas", "numpy")
ROOT = Path(__file__).resolve().parent.parent


def git_state() -> dict[str, Any]:
    """Commit of the code, and whether tracked files differ from it; None outside a checkout."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


class Stopwatch:
    """Wall time, processor time and peak memory from its making on."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """Seconds so far, and the largest resident memory of the process, in MB."""
        return {
            "wall_s": round(time.perf_counter() - self._wall, 3),
            "cpu_s": round(time.process_time() - self._cpu, 3),
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        }


def provenance(device: str, stopwatch: Stopwatch) -> dict[str, Any]:
    """Everything a record says about how it came to be."""
    return {
        "code": git_state(),
        "versions": versions(),
        "device": device,
        "machine": platform.machine(),
        **stopwatch.read(),
    }
