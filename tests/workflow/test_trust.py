from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ccvae.files import read_json
from tests.workflow.running import ROOT

pytestmark = pytest.mark.slow

SMALL = [
    "datasets=[synthetic_xrays]",
    "models=[m2]",
    "data={synthetic_xrays: {options: {sizes: {train: 128, validation: 32, test: 64}}}}",
    "device=cpu",
]


@contextmanager
def presets(*names: str) -> Iterator[list[Path]]:
    """Folders of presets that belong to a test."""
    folders = [ROOT / "results" / f"{name}_{os.getpid()}" for name in names]
    try:
        yield folders
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def start(preset: Path, target: str, cores: int, *settings: str, **environment: str):
    command = [
        *(sys.executable, "-m", "snakemake", "--cores", str(cores)),
        str(preset.relative_to(ROOT) / target),
        *("--configfile", "config/smoke.yaml"),
        *("--config", f"preset={preset.name}", *SMALL, *settings),
    ]
    # In a session of its own, so that a signal reaches Snakemake and its jobs and nothing else.
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_two_presets_side_by_side_give_the_same_numbers_on_one_and_two_cores():
    with presets("trust_one", "trust_two") as (one, two):
        rates = "supervision_rates=[0.06, 1.0]"
        running = [start(p, "records.csv", cores, rates) for cores, p in ((1, one), (2, two))]
        for process in running:
            _, errors = process.communicate()
            assert process.returncode == 0, errors
        runs = sorted(path.relative_to(one) for path in one.glob("runs/*/*/*/*/metrics.json"))
        assert len(runs) == 2
        for run in runs:
            first, second = read_json(one / run), read_json(two / run)
            assert first["metrics"] == second["metrics"]
            assert first["matrices"] == second["matrices"]
            history = run.with_name("history.csv")
            assert (one / history).read_text() == (two / history).read_text()


def test_a_training_that_snakemake_was_made_to_stop_continues():
    steps = "settings={attributes: {training: {steps: 400}}}"
    arguments = ("runs/synthetic_xrays/m2/f=0.06/seed=0/run.json", 1, steps)
    with presets("trust_stopped") as (preset,):
        process = start(preset, *arguments, CCVAE_SAVE_EVERY_S="0")
        while not list((preset / "state").glob("[!.]*.pt")) and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate()
        assert process.returncode != 0
        assert not (preset / arguments[0]).exists()
        assert list((preset / "state").glob("*.pt"))

        again = start(preset, *arguments)
        _, errors = again.communicate()
        assert again.returncode == 0, errors
        assert 0 < read_json(preset / arguments[0])["resumed_at_step"] < 400
        assert not list((preset / "state").glob("*.pt"))
