from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ccvae import allocator

ROOT = Path(__file__).resolve().parents[2]
PROBE = """
import resource
import torch
from ccvae.allocator import keep_freed_memory
print(keep_freed_memory())
for _ in range(10):
    torch.rand(1 << 24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.rand(1 << 24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc")
def test_tensors_of_one_size_touch_no_new_pages_after_a_while() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    answer, faults = done.stdout.split()
    if answer == "False":
        pytest.skip("not glibc")
    # 64 MB are 16384 pages.
    assert int(faults) < 1000


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: Any) -> Any:
        raise OSError("no such library")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert not allocator.keep_freed_memory()
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert not allocator.keep_freed_memory()
