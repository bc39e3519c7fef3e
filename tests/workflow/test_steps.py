from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from ccvae.files import read_json
from tests.workflow.running import ROOT, SETTINGS, assert_one_sentence, step, train_arguments
from workflow.reporting.judges import rests_on_judge


@pytest.fixture(scope="module")
def trained(store, labelled, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run")
    done = step("train", *train_arguments(store, labelled, out, SETTINGS))
    assert done.returncode == 0, done.stderr
    return out


def test_labelled_rows_belong_to_the_train_split_and_are_balanced(labelled, store):
    rows = np.load(labelled)
    assert len(rows) == 60
    assert rows.max() < 120
    assert np.bincount(np.load(store / "labels.npy")[rows, 0]).tolist() == [20, 20, 20]


def test_training_writes_model_history_and_a_record_and_no_state(trained):
    record = read_json(trained / "run.json")
    assert record["settings"] == SETTINGS
    assert record["labelled_images"] == 60
    assert record["resumed_at_step"] == 0
    assert {"commit", "dirty"} <= set(record["code"])
    assert record["peak_mb"] > 0
    assert (trained / "history.csv").read_text().startswith("step,labelled_objective")
    assert not any((trained / "state").glob("*"))


def test_a_record_says_how_the_training_computed(trained, store, labelled, tmp_path):
    plain = {"precision": "fp32", "compile": "none", "images_on": "cpu"}
    assert read_json(trained / "run.json")["computing"] == plain
    settings = {**SETTINGS, "training": {**SETTINGS["training"], "precision": "bf16"}}
    arguments = train_arguments(store, labelled, tmp_path, settings)
    done = step("train", *arguments, "--no-deterministic")
    assert done.returncode == 0, done.stderr
    record = read_json(tmp_path / "run.json")
    assert record["computing"] == {**plain, "precision": "bf16"}
    assert record["gpu"] is None
    assert record["final"] != read_json(trained / "run.json")["final"]


def test_the_same_settings_train_the_same_model(trained, store, labelled, tmp_path):
    done = step("train", *train_arguments(store, labelled, tmp_path, SETTINGS))
    assert done.returncode == 0, done.stderr
    first, second = (
        torch.load(folder / "model.pt", weights_only=True) for folder in (trained, tmp_path)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


LONG = {**SETTINGS, "training": {**SETTINGS["training"], "steps": 600}}


@pytest.fixture(scope="module")
def trained_at_one_go(store, labelled, tmp_path_factory) -> Path:
    """Folder of a training long enough to be killed, that was not."""
    out = tmp_path_factory.mktemp("whole")
    assert step("train", *train_arguments(store, labelled, out, LONG)).returncode == 0
    return out


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_training_continues_and_equals_one_that_never_stopped(
    how, trained_at_one_go, store, labelled, tmp_path
):
    whole, cut = trained_at_one_go, tmp_path

    command = [sys.executable, "-m", "workflow.steps.training.train"]
    command += map(str, train_arguments(store, labelled, cut, LONG))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CCVAE_SAVE_EVERY_S": "0"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    while not list((cut / "state").glob("[!.]*.pt")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(how)
    assert process.wait(60) != 0
    assert not (cut / "model.pt").exists()

    again = step("train", *train_arguments(store, labelled, cut, LONG))
    assert again.returncode == 0, again.stderr
    assert 0 < read_json(cut / "run.json")["resumed_at_step"] < 600
    assert (whole / "history.csv").read_text() == (cut / "history.csv").read_text()
    first, second = (torch.load(f / "model.pt", weights_only=True) for f in (whole, cut))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_a_damaged_state_is_set_aside_and_training_starts_anew(trained, store, labelled, tmp_path):
    arguments = train_arguments(store, labelled, tmp_path, SETTINGS)
    assert step("train", *arguments).returncode == 0
    key = read_json(tmp_path / "run.json")["state_key"]
    state = tmp_path / "state" / f"{key}.pt"
    state.parent.mkdir(exist_ok=True)
    state.write_bytes(b"not a state")
    done = step("train", *arguments)
    assert done.returncode == 0
    assert "cannot be read" in done.stderr
    assert state.with_suffix(".damaged").exists()
    assert read_json(tmp_path / "run.json")["resumed_at_step"] == 0


NETWORK = {
    "network": "small_cnn",
    "steps": 4,
    "check_steps": 2,
    "batch_size": 32,
    "learning_rate": 0.003,
}


@pytest.fixture(scope="module")
def judge(store, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("judge")
    common = {"recipe": 1, "dataset": "tiny", "seed": 3}
    process = {"inducing": 5, "steps": 3, "batch_size": 32, "learning_rate": 0.01}
    settings = {
        "train_judge": {**common, **NETWORK},
        "fit_gp": {**common, "gaussian_process": process, "information_draws": 4},
    }
    for name, given in settings.items():
        arguments = ["--settings", json.dumps(given), "--store", store, "--out", out]
        done = step(name, *arguments, *(["--judge", out] if name == "fit_gp" else []))
        assert done.returncode == 0, done.stderr
    return out


def evaluation(trained: Path, store: Path, judge: Path, out: Path) -> list[object]:
    amounts = {
        "swap_pairs": 20,
        "generated_images": 20,
        "sampled_images": 20,
        "intervention_images": 10,
        "probe_images": 16,
        "counterfactual_images": 0,
        "information_draws": 4,
    }
    settings = json.dumps({"seed": 1, "amounts": amounts})
    return [
        *("--settings", settings, "--run", trained, "--store", store, "--judge", judge),
        *("--out", out, "--device", "cpu"),
    ]


@pytest.mark.slow
def test_evaluation_measures_and_repeats(trained, store, judge, tmp_path):
    outs = [tmp_path / "one.json", tmp_path / "two.json"]
    for out in outs:
        done = step("evaluate", *evaluation(trained, store, judge, out))
        assert done.returncode == 0, done.stderr
    first, second = (read_json(out)["metrics"] for out in outs)
    assert first == second
    assert 0 <= first["accuracy"] <= 1


@pytest.mark.slow
def test_another_judge_is_asked_the_same_questions_and_no_others(trained, store, judge, tmp_path):
    """The same judge, asked as another would be, says the same to the last bit."""
    whole, part = tmp_path / "whole.json", tmp_path / "part.json"
    for out, more in ((whole, ()), (part, ("--judged-only",))):
        done = step("evaluate", *evaluation(trained, store, judge, out), *more)
        assert done.returncode == 0, done.stderr
    every, judged = (read_json(out)["metrics"] for out in (whole, part))
    assert judged == {name: every[name] for name in judged}
    assert {"generation_accuracy", "mutual_information", "intervention_success"} <= set(judged)
    assert all(rests_on_judge(name) for name in judged)
    missing = {name for name in every if rests_on_judge(name)} - set(judged)
    assert all(name.startswith("frechet_distance_judge") for name in missing)


@pytest.mark.slow
def test_a_judge_says_how_it_learnt_and_where_it_fails(store, judge, tmp_path):
    gate = {"minimum": {"accuracy": 1.01}, "label_minimum": {"auroc": 1.01}}
    out = tmp_path / "judge.json"
    arguments = ["--settings", json.dumps(gate), "--store", store, "--judge", judge, "--out", out]
    done = step("assess_judge", *arguments)
    assert done.returncode == 0, done.stderr
    record = read_json(out)
    learning = record["training"]["learning"]
    assert [check["step"] for check in learning["checks"]] == [2, 4]
    assert (learning["steps"], learning["restarts"]) == (4, 0)
    assert "budget of steps" in learning["stopped"]
    assert {"accuracy", "balanced_accuracy", "negative_log_likelihood"} <= set(record["majority"])
    assert "below the 1.01 asked of it" in record["warnings"][0]
    assert record["warnings"][0] in done.stderr
    assert set(record["unreadable_labels"]) <= {key.partition("/")[2] for key in record["metrics"]}
    assert record["unreadable_labels"]
    assert f"cannot be relied on for {record['unreadable_labels'][0]}" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"options": {**SETTINGS["options"], "beta": 1}}, ("no option 'beta'",)),
        ({"options": {"likelihood": "bernoulli"}}, ("needs the option",)),
        ({"architecture": {"name": "table3"}}, ("(3, 64, 64)", "(1, 28, 28)")),
        (
            {"training": {**SETTINGS["training"], "learning_rate": 1e30, "one_cycle": False}},
            ("not finite at step", "learning rate"),
        ),
    ],
)
def test_bad_settings_end_in_one_sentence_and_leave_nothing(
    change, words, store, labelled, tmp_path
):
    arguments = train_arguments(store, labelled, tmp_path / "out", {**SETTINGS, **change})
    assert_one_sentence(step("train", *arguments), *words)
    assert not (tmp_path / "out" / "model.pt").exists()


def test_a_missing_store_is_named(labelled, tmp_path):
    arguments = train_arguments(tmp_path / "nowhere", labelled, tmp_path, SETTINGS)
    assert_one_sentence(step("train", *arguments), "nowhere")


@pytest.mark.slow
def test_a_model_of_other_data_is_refused(trained, store, judge, tmp_path):
    other = tmp_path / "store"
    shutil.copytree(store, other)
    description = read_json(other / "store.json")
    description["sha256"]["labels.npy"] = "0" * 64
    (other / "store.json").write_text(json.dumps(description))
    done = step("evaluate", *evaluation(trained, other, judge, tmp_path / "metrics.json"))
    assert_one_sentence(done, "checksum")


def test_cuda_is_refused_where_there_is_none(store, labelled, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    arguments = train_arguments(store, labelled, tmp_path, SETTINGS)[:-1]
    assert_one_sentence(step("train", *arguments, "cuda"), "no GPU")


@pytest.mark.parametrize(
    "name",
    [
        "prepare_data",
        "label_subset",
        "train",
        "train_judge",
        "assess_judge",
        "evaluate",
        "make_table",
        "check_claims",
        "plan",
        "doctor",
    ],
)
def test_help_says_what_a_step_does(name):
    done = step(name, "--help")
    assert done.returncode == 0
    assert "usage" in done.stdout
