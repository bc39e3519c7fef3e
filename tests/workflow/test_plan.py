from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from ccvae.files import read_json, write_json
from workflow.config import Config
from workflow.planning.costs import (
    PAST,
    PROBE,
    UNKNOWN,
    Estimator,
    PastJob,
    disk_bytes,
    duration,
    measured_since,
    past_jobs,
)
from workflow.planning.jobs import Job, jobs_of, training_steps
from workflow.planning.overlay import merged_config
from workflow.planning.probe import TrainingProbe
from workflow.steps.plan import work

SETTINGS = ["datasets=[synthetic_xrays]", "models=[ccvae, m2]", "supervision_rates=['0.06']"]


def config(*settings: str) -> Config:
    return Config(merged_config([], [*SETTINGS, *settings]))


def job(config: Config, rule: str, model: str | None = None) -> Job:
    (found,) = [
        j for j in jobs_of(config) if j.rule == rule and model in (None, j.run and j.run.model)
    ]
    return found


def finish(root: Path, config: Config, done: Job, seconds: float, wall: float, **record) -> None:
    """Leave what a finished job leaves."""
    preset = root / config.preset
    write_json(preset / "data" / done.dataset / "store.json", {"counts": done.effort.get("counts")})
    if done.rule != "store":
        settings = {"amounts": config.evaluation_settings(done.dataset)["amounts"]}
        if done.rule == "train":
            assert done.run is not None
            settings = config.run_settings(done.run)
        elif done.rule == "train_judge":
            settings = config.judge_settings(done.dataset)
        content = {"settings": settings, "wall_s": wall, "device": "cpu"}
        write_json(preset / done.result, {**content, **record})
    benchmark = preset / done.benchmark
    benchmark.parent.mkdir(parents=True, exist_ok=True)
    benchmark.write_text(json.dumps({"s": seconds, "max_rss": 700.5}) + "\n")


def trained(root: Path, chosen: Config, seconds: float, wall: float, **record) -> None:
    steps = chosen.values["settings"]["attributes"]["training"]["steps"]
    record = {"steps": steps, "resumed_at_step": 0, **record}
    finish(root, chosen, job(chosen, "train", "ccvae"), seconds, wall, **record)


def test_every_run_is_a_training_and_an_evaluation_and_every_data_set_has_a_judge():
    jobs = list(jobs_of(config("seeds=3")))
    count = {rule: sum(j.rule == rule for j in jobs) for rule in {j.rule for j in jobs}}
    assert count == {
        "store": 1,
        "train_judge": 1,
        "fit_gp": 1,
        "evaluate_references": 1,
        "train": 6,
        "evaluate": 6,
    }
    assert len({j.result for j in jobs}) == len({j.benchmark for j in jobs}) == len(jobs)


def test_a_training_is_estimated_by_the_images_it_sees(tmp_path):
    old = config("preset=old", "settings={attributes: {training: {steps: 1000}}}")
    trained(tmp_path, old, seconds=26, wall=20)
    new = config("settings={attributes: {training: {steps: 3000}}}")
    estimate = Estimator(past_jobs(tmp_path), "cpu", None).estimate(job(new, "train", "ccvae"))
    assert estimate.source == PAST
    assert estimate.seconds == pytest.approx(6 + 3 * 20)


def test_a_resumed_training_counts_only_the_steps_it_made(tmp_path):
    old = config("preset=old", "settings={attributes: {training: {steps: 1000}}}")
    trained(tmp_path, old, seconds=16, wall=10, resumed_at_step=500)
    same = config("settings={attributes: {training: {steps: 1000}}}")
    estimate = Estimator(past_jobs(tmp_path), "cpu", None).estimate(job(same, "train", "ccvae"))
    assert estimate.seconds == pytest.approx(6 + 20)


@pytest.mark.parametrize(
    ("old", "device"),
    [
        (["settings={attributes: {training: {steps: 10}}}"], "cpu"),
        (["settings={attributes: {training: {labelled_batch: 999}}}"], "cpu"),
        (["model_settings={ccvae: {attributes: {label_samples: 99}}}"], "cpu"),
        ([], "cuda"),
    ],
)
def test_what_is_not_comparable_is_probed(old, device, tmp_path):
    trained(tmp_path, config("preset=old", *old), seconds=26, wall=20)
    probed = []

    def probe(asked: Job) -> float:
        probed.append(asked)
        return 0.001

    new = config("seeds=2")
    estimator = Estimator(past_jobs(tmp_path), device, probe)
    jobs = [j for j in jobs_of(new) if j.rule == "train" and j.run and j.run.model == "ccvae"]
    found = [estimator.estimate(j) for j in jobs]
    assert [e.source for e in found] == [PROBE, PROBE]
    assert found[0].seconds == pytest.approx(6 + 0.001 * jobs[0].work)
    assert len(probed) == 1, "seeds take equally long"


def test_other_jobs_need_the_same_settings_and_data(tmp_path):
    old = config("preset=old")
    finish(tmp_path, old, job(old, "train_judge"), 50, 45)
    finish(tmp_path, old, job(old, "evaluate", "m2"), 30, 25)
    finish(tmp_path, old, job(old, "store"), 9, 9)
    estimator = Estimator(past_jobs(tmp_path), "cpu", None)
    assert estimator.estimate(job(config("seeds=1"), "train_judge")).seconds == pytest.approx(50)
    longer = config("settings={attributes: {judge: {steps: 99}}}")
    assert estimator.estimate(job(longer, "train_judge")).source == UNKNOWN
    fewer = config("data={synthetic_xrays: {options: {sizes: {train: 10}}}}")
    assert estimator.estimate(job(fewer, "evaluate", "m2")).source == UNKNOWN
    # Another model on the same data is the next best thing.
    assert estimator.estimate(job(old, "evaluate", "ccvae")).seconds == pytest.approx(30)
    assert estimator.estimate(job(old, "store")).seconds == pytest.approx(9)
    assert estimator.peak_mb("evaluate") == 700.5
    assert estimator.peak_mb("fit_gp") is None


def test_a_record_that_cannot_be_read_is_passed_over(tmp_path):
    old = config("preset=old")
    trained(tmp_path, old, seconds=26, wall=20)
    benchmark = tmp_path / "old" / job(old, "train", "ccvae").benchmark
    (benchmark.parent / "f=0.2.seed=0.jsonl").write_text("{}")
    (benchmark.parent / "other.jsonl").write_text("")
    assert len(past_jobs(tmp_path)) == 1


def test_interleaved_steps_are_counted_as_the_training_makes_them():
    training = {"kind": "interleaved", "epochs": 2, "batch_size": 200}
    settings = {"training": training, "supervision_rate": "0.06"}
    # 3000 labelled images in 15 batches, 47000 others in 235.
    assert training_steps(settings, 50_000) == 2 * 250


def test_disk_is_images_and_models(tmp_path):
    chosen = config(
        "data={synthetic_xrays: {options: {sizes: {train: 800, validation: 100, test: 100}}}}"
    )
    jobs = list(jobs_of(chosen))
    total, missing = disk_bytes(chosen, jobs, tmp_path, cores=1)
    assert 1000 * 12288 < total < missing
    write_json(tmp_path / job(chosen, "store").result, {})
    assert missing - disk_bytes(chosen, jobs, tmp_path, cores=1)[1] == 1000 * 12288


def test_estimates_are_compared_with_what_has_run_since(tmp_path):
    chosen = config("preset=p")
    done = job(chosen, "train", "ccvae")
    trained(tmp_path, chosen, seconds=30, wall=20)
    estimates = {done.result: 20.0, job(chosen, "train", "m2").result: 99.0}
    assert measured_since(estimates, list(jobs_of(chosen)), tmp_path / "p") == (1, 20.0, 30.0)


def plan(tmp_path: Path, capsys, values: dict) -> str:
    given = {"settings": values, "configfile": [], "config": [], "results": tmp_path, "cores": 2}
    work(Namespace(**given, no_probe=True))
    return capsys.readouterr().out


def test_the_command_prints_costs_and_later_how_far_off_it_was(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("workflow.steps.plan.reference_jobs", lambda: [])
    old = config("preset=old")
    trained(tmp_path, old, seconds=26, wall=20)
    chosen = config("preset=new")
    first = plan(tmp_path, capsys, chosen.values)
    assert "1 data sets, 2 models, 1 supervision rates, 1 seed(s): 2 runs" in first
    assert "at least 26 seconds one job at a time, about 13 seconds on 2 cores; 7 jobs" in first
    assert "so far" not in first
    assert read_json(tmp_path / "new" / "plan.json") == {
        job(chosen, "train", "ccvae").result: pytest.approx(26)
    }
    trained(tmp_path, chosen, seconds=39, wall=33)
    second = plan(tmp_path, capsys, chosen.values)
    assert "1 planned jobs have run; estimated 26 seconds, took 39 seconds (+50%)" in second


def test_the_command_says_when_each_data_set_answers(tmp_path, capsys, monkeypatch):
    chosen = config()
    jobs = [PastJob(j.rule, j.effort, j.work, "cpu", 0, 60, 1) for j in jobs_of(chosen)]
    monkeypatch.setattr("workflow.steps.plan.reference_jobs", lambda: jobs)
    text = plan(tmp_path, capsys, chosen.values)
    # A store, a judge beside one training, the Gaussian process beside the other, then the rest.
    assert "8.0 minutes one job at a time, about 4.0 minutes on 2 cores" in text
    assert "tables of synthetic_xrays after 5.0 minutes" in text


@pytest.mark.parametrize("training", ["mixed", "interleaved"])
def test_the_probe_times_a_real_training_and_leaves_the_generator_alone(training):
    schedule = "{kind: interleaved, epochs: 1, batch_size: 8}"
    if training == "mixed":
        schedule = "{labelled_batch: 4, unlabelled_batch: 4}"
    chosen = config(
        "datasets=[mnist]",
        f"settings={{classes: {{architecture: {{name: mlp28}}, training: {schedule}}}}}",
    )
    before = torch.get_rng_state()
    seconds = TrainingProbe(chosen, torch.device("cpu"))(job(chosen, "train", "ccvae"))
    assert seconds > 0
    assert torch.equal(before, torch.get_rng_state())


def test_durations_have_a_unit_that_fits():
    assert [duration(s) for s in (3, 80, 600, 7200)] == [
        "3 seconds",
        "80 seconds",
        "10.0 minutes",
        "2.0 hours",
    ]


def test_other_judges_are_planned_and_their_jobs_are_found_again(tmp_path):
    chosen = config("judges=2", "seeds=2")
    jobs = list(jobs_of(chosen))
    count = {rule: sum(j.rule == rule for j in jobs) for rule in {j.rule for j in jobs}}
    assert (count["train_judge"], count["fit_gp"], count["evaluate_references"]) == (2, 2, 1)
    assert (count["evaluate"], count["evaluate_judge"]) == (4, 2)
    assert len({j.result for j in jobs}) == len({j.benchmark for j in jobs}) == len(jobs)
    other = {j.rule: j for j in jobs if j.judge and (j.run is None or j.run.model == "m2")}
    assert other["train_judge"].result == "judges/synthetic_xrays/seed=1/training.json"
    assert other["evaluate_judge"].result.endswith("/m2/f=0.06/seed=0/judge=1.json")
    for seconds, each in enumerate(other.values(), start=40):
        finish(tmp_path, chosen, each, seconds, seconds - 5)
    estimator = Estimator(past_jobs(tmp_path), "cpu", None)
    for seconds, rule in enumerate(other, start=40):
        if rule != "fit_gp":
            assert estimator.estimate(other[rule]).seconds == pytest.approx(seconds)
