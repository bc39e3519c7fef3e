"""What a job leaves for people: its settings, its log, and the command that repeats it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ccvae.errors import InputError
from ccvae.files import read_json
from tests.workflow.running import (
    ROOT,
    SETTINGS,
    assert_one_sentence,
    snakemake,
    step,
    train_arguments,
)
from workflow.settings import read_settings, settings_file

FULL = Path("/dev/full")
NEEDS_FULL = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
OTHER_STEP = """
from argparse import ArgumentParser, Namespace
from workflow.steps.command import LOG, run

def work(_given: Namespace) -> None:
    LOG.info("Fr\\u00e9chet")
    print("Fr\\u00e9chet")
    {does}

if __name__ == "__main__":
    run("A step.", lambda parser: None, work)
"""


def other_step(folder: Path, does: str, *arguments: object, **environment: str):
    """Run a step that is not one of the suite's."""
    (folder / "other.py").write_text(OTHER_STEP.format(does=does))
    return subprocess.run(
        [sys.executable, "-m", "other", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_training_is_repeated_by_the_first_line_of_its_log(store, labelled, tmp_path):
    log = tmp_path / "train.log"
    done = step("train", *train_arguments(store, labelled, tmp_path, SETTINGS), "--log", log)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert read_json(tmp_path / "settings.json") == SETTINGS
    command, *messages = log.read_text().splitlines()
    assert f" -m workflow.steps.training.train --settings {tmp_path}/settings.json " in command
    assert "--log" not in command
    assert "trained 40 steps" in messages[-1]

    first = read_json(tmp_path / "run.json")
    (tmp_path / "model.pt").unlink()
    subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, check=True)
    second = read_json(tmp_path / "run.json")
    assert (tmp_path / "model.pt").exists()
    assert first["final"] == second["final"]
    assert first["settings_hash"] == second["settings_hash"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nowhere.json", "nowhere.json cannot be read .No such file"),
        ('{"a": ', "on the command line are not JSON"),
        ("[1]", "cannot be read"),
        ("list.json", "no JSON object but .1, 2."),
        ("broken.json", "broken.json are not JSON"),
    ],
)
def test_settings_that_cannot_be_used_are_named(given, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("list.json").write_text("[1, 2]")
    Path("broken.json").write_text("{")
    with pytest.raises(InputError, match=words) as caught:
        read_settings(given)
    assert "\n" not in str(caught.value)
    assert_one_sentence(step("make_records", "--settings", given, "--results", ".", "--out", "a"))


def test_settings_are_given_as_json_or_as_a_file_of_it(tmp_path):
    path = settings_file(tmp_path / "settings", "train", SETTINGS, write=True)
    assert read_settings(str(path)) == read_settings(json.dumps(SETTINGS)) == SETTINGS
    assert path == settings_file(tmp_path / "settings", "train", {**SETTINGS}, write=False)


def test_other_settings_are_another_file_and_looking_writes_none(tmp_path):
    one, two = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    paths = {settings_file(tmp_path, "plan", given, write=False) for given in (one, two, {})}
    assert len(paths) == 3
    assert not list(tmp_path.iterdir())


def test_settings_that_cannot_be_written_are_one_sentence(tmp_path):
    (tmp_path / "results" / "default").mkdir(parents=True)
    (tmp_path / "results" / "default" / "settings").touch()
    done = snakemake("--cores", "1", "--directory", str(tmp_path), "table6")
    assert done.returncode == 1
    assert "results/default/settings" in done.stderr
    assert "cannot be written" in done.stderr
    assert "Traceback (most recent call last)" not in done.stderr


def test_a_mistake_is_said_in_the_log_and_on_stderr(labelled, tmp_path):
    log, out = tmp_path / "a.log", tmp_path / "out"
    arguments = train_arguments(tmp_path / "nowhere", labelled, out, SETTINGS)
    done = step("train", *arguments, "--log", log)
    assert_one_sentence(done, "nowhere")
    assert done.stderr.count("\n") == 1
    assert log.read_text().endswith(done.stderr)
    # For whoever repeats it by hand.
    assert (out / "settings.json").exists()


@NEEDS_FULL
def test_a_log_on_a_full_disk_leaves_the_reason_on_stderr(tmp_path):
    failing = 'from ccvae.errors import InputError; raise InputError("too few")'
    done = other_step(tmp_path, failing, "--log", FULL)
    assert (done.returncode, done.stderr) == (1, "error: too few\n")
    broken = other_step(tmp_path, 'raise KeyError("name")', "--log", FULL)
    assert broken.returncode == 1
    assert "Traceback (most recent call last)" in broken.stderr
    assert other_step(tmp_path, "pass", "--log", FULL).returncode == 0


def test_a_log_that_cannot_be_opened_leaves_everything_on_stderr(tmp_path):
    done = other_step(tmp_path, "pass", "--log", tmp_path / "no" / "folder.log")
    assert done.returncode == 0
    assert "Fréchet" in done.stderr


def test_what_nobody_foresaw_has_its_traceback_in_the_log(tmp_path):
    log = tmp_path / "a.log"
    done = other_step(tmp_path, 'raise KeyError("name")', "--log", log)
    assert done.returncode == 1
    assert done.stderr == f"KeyError: 'name' (the traceback is in {log})\n"
    assert "Traceback (most recent call last)" in log.read_text()
    assert "Traceback" in other_step(tmp_path, 'raise KeyError("name")').stderr


def test_a_terminal_that_knows_ascii_only_is_no_reason_to_stop(tmp_path):
    done = other_step(tmp_path, "pass", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Fr\\xe9chet\n"


def test_child_processes_write_into_the_log_too(tmp_path):
    does = 'import subprocess; subprocess.run("echo from a child >&2", shell=True)'
    log = tmp_path / "a.log"
    done = other_step(tmp_path, does, "--log", log)
    assert (done.returncode, done.stderr) == (0, "")
    command, _, said = log.read_text().splitlines()
    assert shlex.split(command)[-2:] == ["-m", "other"]
    assert said == "from a child"
