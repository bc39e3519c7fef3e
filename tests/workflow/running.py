"""Run steps of the workflow as their rules do, on a data set that trains in a second."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "recipe": 1,
    "dataset": "tiny",
    "model": "ccvae",
    "system": "ccvae",
    "supervision_rate": "0.5",
    "seed": 0,
    "torch_seed": 5,
    "architecture": {"name": "mlp28"},
    "options": {"likelihood": "bernoulli", "latents": 6, "latents_per_label": 4},
    "training": {
        "kind": "mixed",
        "steps": 40,
        "labelled_batch": 8,
        "unlabelled_batch": 8,
        "learning_rate": 0.001,
        "one_cycle": True,
    },
}


def module(step: str) -> str:
    """Dotted name of a step, in whatever group it is."""
    (path,) = (ROOT / "workflow" / "steps").rglob(f"{step}.py")
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def step(name: str, *arguments: object, **kwargs) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", module(name), *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        **kwargs,
    )


def snakemake(
    *arguments: str, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def jobs(output: str) -> dict[str, int]:
    """Number of jobs by rule, from the table that Snakemake prints."""
    found = re.findall(r"^(\w+) +(\d+)$", output, flags=re.M)
    return {name: int(count) for name, count in found}


def assert_one_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    for word in words:
        assert word in last


def train_arguments(store: Path, labelled: Path, out: Path, settings: dict) -> list[object]:
    return [
        *("--settings", json.dumps(settings), "--store", store, "--labelled", labelled),
        *("--state", out / "state", "--out", out, "--device", "cpu"),
    ]
