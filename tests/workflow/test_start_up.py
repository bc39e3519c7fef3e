"""Steps start without the garbage collector, compute with it, and leave other processes alone."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

STEP = """
import gc
from argparse import ArgumentParser, Namespace

IMPORTING = gc.isenabled()

from workflow.steps.command import run

def work(_given: Namespace) -> None:
    print(IMPORTING, gc.isenabled(), gc.get_freeze_count() > 10_000)

if __name__ == "__main__":
    run("A step.", lambda parser: None, work)
"""


def test_a_step_imports_without_the_collector_and_computes_with_it(tmp_path: Path):
    (tmp_path / "step.py").write_text(STEP)
    # The step is put beside the real ones for this process only.
    start = (
        "import runpy, sys; sys.argv = ['-m']; import workflow.steps; "
        f"workflow.steps.__path__.append({str(tmp_path)!r}); sys.argv = ['step']; "
        "runpy.run_module('workflow.steps.step', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", start], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True", "True"]


def test_importing_a_step_elsewhere_leaves_the_collector_alone():
    import workflow.steps.command  # noqa: F401

    assert gc.isenabled()
