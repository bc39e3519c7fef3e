"""In which order jobs run, when that answers, and what is seen before all of it is there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ccvae.files import write_json
from workflow.config import Config
from workflow.planning.costs import RECORDED, Estimator
from workflow.planning.jobs import jobs_of
from workflow.planning.order import AHEAD, answered, priority
from workflow.planning.overlay import merged_config
from workflow.planning.recorded import reference_jobs

ROOT = Path(__file__).parents[2]
DATASETS = ["mnist", "fashion_mnist"]
SECONDS = {"store": 10, "train_judge": 20, "fit_gp": 20, "evaluate_references": 5}
SECONDS |= {"train": 60, "evaluate": 10, "evaluate_judge": 8}


def config(*settings: str) -> Config:
    few = [f"datasets={DATASETS}", "models=[ccvae, m2]", "supervision_rates=['0.06', '1.0']"]
    return Config(merged_config([], [*few, *settings]))


def test_the_first_data_set_comes_before_every_job_of_the_second() -> None:
    least = min(priority(rule, "mnist", DATASETS) for rule in AHEAD)
    assert least > max(priority(rule, "fashion_mnist", DATASETS) for rule in AHEAD)
    assert priority("evaluate", "mnist", DATASETS) > priority("train", "mnist", DATASETS)
    assert priority("train", "celeba", DATASETS) < priority("train", "fashion_mnist", DATASETS)


@pytest.mark.parametrize("cores", [1, 2])
def test_a_data_set_answers_as_soon_as_its_own_jobs_allow(cores: int) -> None:
    jobs = {job: float(SECONDS[job.rule]) for job in jobs_of(config())}
    ends = answered(jobs, cores, DATASETS)
    own = sum(seconds for job, seconds in jobs.items() if job.dataset == "mnist")
    whole = sum(jobs.values())
    # All but the last training fill both cores.
    assert own / cores <= ends["mnist"] <= own / cores + SECONDS["train"]
    assert whole / cores <= ends["fashion_mnist"] <= whole / cores + SECONDS["train"]
    assert ends["mnist"] < 0.6 * ends["fashion_mnist"]


def test_what_is_done_costs_nothing() -> None:
    jobs = {job: 1.0 for job in jobs_of(config()) if job.dataset == "fashion_mnist"}
    ends = answered(jobs, 2, DATASETS)
    assert ends["mnist"] == 0
    assert ends["fashion_mnist"] > 0


def test_snakemake_is_told_the_same_order() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "-n", "--cores", "2", "--config"),
            *(f"datasets={json.dumps(DATASETS)}", "models=[ccvae]", "supervision_rates=['0.06']"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[tuple[str, str], float] = {}
    rule, dataset = "", ""
    for line in (line.strip() for line in done.stdout.splitlines()):
        if line.removeprefix("local").startswith("rule "):
            rule = line.partition("rule ")[2].rstrip(":")
        elif line.startswith("wildcards:"):
            dataset = line.partition("dataset=")[2].partition(",")[0]
        elif line.startswith("priority:"):
            found[rule, dataset] = float(line.partition(":")[2])
    assert {(r, d) for r, d in found if r in AHEAD and d} >= {
        (rule, dataset) for rule in ("train", "evaluate", "store") for dataset in DATASETS
    }
    for (rule, dataset), value in found.items():
        if rule in AHEAD and dataset in DATASETS:
            assert value == pytest.approx(priority(rule, dataset, DATASETS)), (rule, dataset)


def test_a_clone_that_has_run_nothing_is_estimated_by_the_reference(tmp_path: Path) -> None:
    write_json(tmp_path / "config.yaml", config("judges=2").values)
    kinds = [
        {"kind": rule, "jobs": 4, "wall_s": 4.0 * seconds, "peak_mb": 900.0}
        for rule, seconds in SECONDS.items()
    ]
    write_json(tmp_path / "provenance.json", {"devices": ["cpu"], "jobs": kinds})
    columns = ["train_wall_s", "train_peak_mb", "evaluate_wall_s", "evaluate_peak_mb"]
    lines = [",".join(["run", "device", *columns])]
    lines += [f"{run.folder},cpu,50,800,8,900" for run in config().runs() if run.dataset == "mnist"]
    (tmp_path / "runs.csv").write_text("\n".join(lines) + "\n")
    estimator = Estimator([], "cpu", None, reference_jobs(tmp_path))
    for job in jobs_of(config("preset=new", "judges=2")):
        estimate = estimator.estimate(job)
        assert estimate.source == RECORDED
        if job.rule == "train" and job.dataset == "mnist":
            # What it worked, and what its rule's jobs took beyond that.
            assert estimate.seconds == pytest.approx(50 + (4 * 60 - 4 * 50) / 4)
        elif job.rule not in ("train", "evaluate"):
            assert estimate.seconds == pytest.approx(SECONDS[job.rule])
    other = config("settings={classes: {evaluation: {swap_pairs: 7}}}")
    evaluations = [job for job in jobs_of(other) if job.rule == "evaluate"]
    assert estimator.estimate(evaluations[0]).seconds is None
    write_json(tmp_path / "provenance.json", {"devices": ["cpu", "cuda"], "jobs": kinds})
    (tmp_path / "runs.csv").write_text("\n".join(lines).replace(",cpu,", ",cuda,", 1) + "\n")
    used = Counter((past.rule, past.device) for past in reference_jobs(tmp_path))
    assert used["train", "cuda"] == used["evaluate", "cuda"] == 1
    assert {device for rule, device in used if rule not in ("train", "evaluate")} == {"cpu"}
    (tmp_path / "runs.csv").unlink()
    assert reference_jobs(tmp_path) == []


def test_the_default_runs_no_model_that_the_reference_leaves_out() -> None:
    default = Config(merged_config([], []))
    reference = Config(merged_config([ROOT / "config" / "reference.yaml"], []))
    assert set(default.models) <= set(reference.models)
    assert set(default.runs()) <= set(reference.runs())
