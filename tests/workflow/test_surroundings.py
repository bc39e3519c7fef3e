"""What `doctor` says of a home that is missing or cannot be written, and of the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.running import ROOT
from workflow.planning import surroundings
from workflow.planning.surroundings import closed_state, missing_cache


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home like /: nothing can be made in it, not even by root, because it is no folder."""
    (tmp_path / "file").touch()
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    return tmp_path / "file"


def test_a_home_that_cannot_be_written_is_a_problem_and_the_variables_are_named(home, tmp_path):
    (found, *_) = surroundings.surroundings()
    topic, sentence, is_problem = found
    assert (topic, is_problem) == ("caches", True)
    assert f"{home}/.cache/snakemake cannot be written" in sentence
    assert "HOME, or in XDG_CACHE_HOME" in sentence


def test_another_place_for_the_cache_is_enough(home, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert missing_cache() == ""
    assert not (tmp_path / "cache").exists(), "looking leaves no trace"


def test_no_home_at_all_is_a_problem(home, monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert "could not determine the home directory" in missing_cache()


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"commit": "0123456789abcdef", "dirty": False}, "commit 0123456789"),
        ({"commit": "0123456789abcdef", "dirty": True}, "commit 0123456789 with changes on top"),
        (
            {"commit": None, "dirty": None, "unknown": "git is not installed"},
            "records will not say which commit made them: git is not installed",
        ),
    ],
)
def test_what_records_will_say_of_the_code(state, sentence, monkeypatch):
    monkeypatch.setattr(surroundings, "missing_cache", lambda: "")
    monkeypatch.setattr(surroundings, "git_state", lambda: state)
    assert list(surroundings.surroundings()) == [("code", sentence, False)]


@pytest.mark.parametrize("closed", [".", ".snakemake", ".snakemake/metadata"])
def test_a_working_directory_of_somebody_else_is_one_sentence(closed, monkeypatch, tmp_path):
    if closed != ".":
        (tmp_path / ".snakemake" / "metadata").mkdir(parents=True)
    assert closed_state(tmp_path) == ""
    monkeypatch.setattr(os, "access", lambda place, _: Path(place) != tmp_path / closed)
    sentence = closed_state(tmp_path)
    assert sentence.startswith(f"{tmp_path / closed} cannot be written")
    assert "--directory" in sentence


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs to be root, and setpriv"
)
def test_a_colleague_is_told_at_planning(tmp_path):
    (tmp_path / ".snakemake" / "log").mkdir(parents=True)
    os.chown(tmp_path / ".snakemake" / "log", 65534, 65534)
    powers = "-dac_override,-dac_read_search"
    done = subprocess.run(
        [
            *("setpriv", f"--bounding-set={powers}", "--inh-caps=-all"),
            *(sys.executable, "-m", "snakemake", "-n", "--snakefile", str(ROOT / "Snakefile")),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "log cannot be written, and Snakemake writes there even for a dry run" in said
    assert "Traceback" not in said
