"""The Slurm profile on a real cluster of one node, see local_slurm.sh."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ccvae.files import read_json

pytestmark = pytest.mark.slurm

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "local_slurm.sh"
STEPS = 600
"""Of the training that is preempted."""
GPU_RULES = {
    *("train", "train_judge", "assess_judge", "fit_gp", "evaluate", "evaluate_references"),
}


class Accounted(NamedTuple):
    """A job as Slurm's accounting knows it."""

    rule: str
    about: str
    state: str
    allocated: set[str]


def output_of(*command: object, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, command)),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A running cluster with two GPUs: the environment in which its commands find it."""
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.skip("snakemake-executor-plugin-slurm is not installed: pip install -e .[slurm]")
    folder = tmp_path_factory.mktemp("slurm")
    settings = {"SLURM_LOCAL": str(folder), "SLURM_LOCAL_GPUS": "2"}
    if lacking := output_of(SCRIPT, "missing", **settings):
        pytest.skip(f"a local Slurm lacks {lacking}; `make test-slurm` as root installs packages")
    try:
        output_of(SCRIPT, "start", **settings)
        yield {"SLURM_CONF": str(folder / "slurm.conf")}
    finally:
        output_of(SCRIPT, "stop", **settings)


@pytest.fixture
def preset() -> Iterator[Path]:
    """Folder of a preset that belongs to a test."""
    folder = ROOT / "results" / f"slurm_{os.getpid()}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def start(preset: Path, target: str, cluster: dict[str, str], log: Path) -> subprocess.Popen:
    """Start Snakemake with the profile as it is, but more eager to look at its jobs."""
    command = [
        *(sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm"),
        *("--slurm-init-seconds-before-status-checks", "2"),
        *("--seconds-between-status-checks", "3", "--cores", "1"),
        *("--configfile", "config/smoke.yaml", "--config", f"preset={preset.name}"),
        "datasets=[synthetic_xrays]",
        "models=[ccvae, m2]",
        "supervision_rates=[1.0]",
        "data={synthetic_xrays: {options: {sizes: {train: 128, validation: 32, test: 64}}}}",
        f"model_settings={{m2: {{attributes: {{training: {{steps: {STEPS}}}}}}}}}",
        *("--", str(preset.relative_to(ROOT) / target)),
    ]
    with log.open("w") as file:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **cluster, "CCVAE_SAVE_EVERY_S": "0"},
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def preempt(training: str, preset: Path, snakemake: subprocess.Popen, cluster) -> None:
    """Put a training back into the queue once it has saved its state."""
    while snakemake.poll() is None:
        running = output_of("squeue", "-h", "-t", "R", "-O", "JobID:30,Comment:300", **cluster)
        jobs = dict(line.split(maxsplit=1) for line in running.splitlines())
        found = [job for job, about in jobs.items() if training in about]
        # A state does not say whose it is: wait until other trainings are over, which take theirs
        # with them.
        trainings = [about for about in jobs.values() if "train_wildcards" in about]
        if found and len(trainings) == 1 and list((preset / "state").glob("[!.]*.pt")):
            output_of("scontrol", "requeue", found[0], **cluster)
            return
        time.sleep(0.2)


def accounted(cluster: dict[str, str]) -> list[Accounted]:
    columns = "Comment,State,AllocTRES"
    table = output_of("sacct", "-X", "-n", "-P", "--duplicates", "-o", columns, **cluster)
    jobs = []
    for row in table.splitlines():
        about, state, allocated = row.split("|")
        rule = about.removeprefix("rule_").split("_wildcards")[0]
        jobs.append(Accounted(rule, about, state, set(allocated.split(","))))
    return jobs


def test_a_small_grid_with_a_preempted_training_runs_through_slurm(cluster, preset, tmp_path):
    log = tmp_path / "snakemake.log"
    snakemake = start(preset, "records.csv", cluster, log)
    try:
        preempt("train_wildcards_synthetic_xrays_m2", preset, snakemake, cluster)
        assert snakemake.wait() == 0, log.read_text()
    finally:
        snakemake.kill()
    assert (preset / "records.csv").exists()

    jobs = accounted(cluster)
    assert {job.rule for job in jobs} == GPU_RULES | {"store", "draw_answers"}, (
        "local rules are not submitted"
    )
    for job in jobs:
        assert ("gres/gpu=1" in job.allocated) == (job.rule in GPU_RULES), job
        assert "cpu=1" in job.allocated
        assert job.allocated & {"mem=3000M", "mem=2000M"}, job

    record = read_json(preset / "runs/synthetic_xrays/m2/f=1.0/seed=0/run.json")
    assert 0 < record["resumed_at_step"] < record["steps"] == STEPS
    assert not list((preset / "state").glob("*.pt"))
    preempted = [job for job in jobs if "synthetic_xrays_m2" in job.about and job.rule == "train"]
    assert sorted(job.state for job in preempted) == ["COMPLETED", "REQUEUED"]
