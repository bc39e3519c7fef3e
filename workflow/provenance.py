"""Where a record comes from: code, versions, machine, time and memory."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    import torch

PACKAGES = ("torch", "torchvision", "torch-fidelity", "gpytorch", "scikit-learn", "pandas", "numpy")
ROOT = Path(__file__).resolve().parent.parent


def git_state(root: Path = ROOT) -> dict[str, Any]:
    """Commit of the code, and whether tracked files differ from it.

    Both are None where the suite is not a git repository of its own, or git refuses to look at it;
    `unknown` then says why.
    """
    try:
        top = _git(root, "rev-parse", "--show-toplevel")
        if Path(top) != root:
            return _unknown(f"{root} lies in the git repository {top}, which is another one")
        commit = _git(root, "rev-parse", "HEAD")
        changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    except FileNotFoundError:
        return _unknown("git is not installed")
    except subprocess.CalledProcessError as error:
        return _unknown(error.stderr.strip().splitlines()[0] if error.stderr else str(error))
    return {"commit": commit, "dirty": bool(changes)}


def _unknown(reason: str) -> dict[str, Any]:
    return {"commit": None, "dirty": None, "unknown": reason}


def _git(root: Path, *arguments: str) -> str:
    # A checkout that another user owns, as in a container, may make git run its programs, which is
    # why git asks first; its Python runs already.
    command = ["git", "-C", str(root), "-c", f"safe.directory={root}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def machine() -> dict[str, Any]:
    """Processor, cores that this process may use, and memory, for readers of wall times."""
    return {
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        # Names of a cloud's processors hide which instructions they have, and with them rounding.
        "processor_type": f"family {_cpuinfo('cpu family')}, model {_cpuinfo('model')}",
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _cpuinfo(field: str) -> str:
    """What Linux says of the first processor; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    parts = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in parts if name.strip() == field), "")


class Stopwatch:
    """Wall time, processor time and peak memory from its making on, and how busy a GPU was."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        self._utilisation: list[int] = []

    def sample(self, device: torch.device) -> None:
        """Note how busy a GPU is; does nothing on a CPU or where that cannot be known.

        NVML knows, if the package nvidia-ml-py is there: the share of its last sampling period,
        up to a second, in which any process had a kernel running.
        """
        if device.type != "cuda":
            return
        import torch

        # Without the package, without permission, or in a virtual machine that hides it; a
        # training does not fail for want of this figure.
        with contextlib.suppress(Exception):
            self._utilisation.append(torch.cuda.utilization(device))

    def gpu(self, device: str) -> dict[str, Any] | None:
        """Describe a GPU and its use; None for a CPU.

        Its name, the most memory that torch's tensors took in MB, the mean utilisation in % (None
        where it was never sampled), and whether its kernels were asked to be deterministic.
        """
        if not device.startswith("cuda"):
            return None
        import torch

        seen = self._utilisation
        return {
            "name": torch.cuda.get_device_name(device),
            "peak_mb": round(torch.cuda.max_memory_allocated(device) / 2**20, 1),
            "utilisation": round(sum(seen) / len(seen), 1) if seen else None,
            "deterministic": torch.are_deterministic_algorithms_enabled(),
        }

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
        "gpu": stopwatch.gpu(device),
        **stopwatch.read(),
    }
