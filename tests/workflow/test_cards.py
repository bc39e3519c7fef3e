from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ccvae.errors import InputError
from workflow import cards
from workflow.cards import VISIBLE, take_card, use_one_card, visible_cards
from workflow.steps.computing import start_computing

ROOT = Path(__file__).parents[2]
HOLDER = """
import logging, signal, sys
from pathlib import Path
from workflow.cards import take_card
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
print(take_card(sys.argv[2:], Path(sys.argv[1])), flush=True)
signal.pause()
"""


class Jobs:
    """Processes that hold a card each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []

    def start(self, *names: str) -> tuple[subprocess.Popen[str], str]:
        job = subprocess.Popen(
            [sys.executable, "-c", HOLDER, self.folder, *names],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(job)
        assert job.stdout is not None
        return job, job.stdout.readline().strip()

    def end(self) -> None:
        for job in self.running:
            job.kill()
            job.communicate()


@pytest.fixture
def jobs(tmp_path: Path):
    found = Jobs(tmp_path / "locks")
    yield found
    found.end()


@pytest.fixture
def own_locks(tmp_path, monkeypatch):
    """Locks of this process that end with the test, in a folder of the test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    held: list = []
    monkeypatch.setattr(cards, "_held", held)
    yield held
    for lock in held:
        lock.close()


def test_jobs_side_by_side_get_different_cards(jobs):
    assert {jobs.start("0", "1", "2")[1] for _ in range(3)} == {"0", "1", "2"}


def test_a_killed_job_leaves_its_card(jobs):
    first, card = jobs.start("0", "1")
    assert (card, jobs.start("0", "1")[1]) == ("0", "1")
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert jobs.start("0", "1")[1] == "0"


def test_more_jobs_than_cards_are_spread_evenly_and_say_so(jobs):
    given = [jobs.start("0", "1") for _ in range(4)]
    assert [card for _, card in given] == ["0", "1", "0", "1"]
    given[3][0].kill()
    assert "all cards are taken; card 1 now has 2 jobs" in given[3][0].communicate()[1]
    assert jobs.start("0", "1")[1] == "1", "the one with fewer jobs"


def test_a_folder_of_somebody_else_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: os.stat(tmp_path).st_uid + 1)
    with pytest.raises(InputError, match="belongs to another user; name one of your own in TMPDIR"):
        take_card(["0"], tmp_path)


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ("0", ["0"]),
        ("2, 3", ["2", "3"]),
        ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", ["GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"]),
        ("1,-1,0", ["1"]),
        ("", []),
        ("NoDevFiles", []),
    ],
)
def test_the_environment_says_which_cards_are_visible(monkeypatch, chosen, names):
    monkeypatch.setenv(VISIBLE, chosen)
    assert visible_cards() == names


def test_without_a_choice_every_device_of_the_driver_is_visible(monkeypatch, tmp_path):
    monkeypatch.delenv(VISIBLE, raising=False)
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert visible_cards(tmp_path) == ["0", "1"]


def test_without_device_files_the_driver_is_asked(monkeypatch, tmp_path):
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_cards(tmp_path) == []
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\necho "GPU 0: Some card (UUID: GPU-1)"\n')
    program.chmod(0o755)
    assert visible_cards(tmp_path) == ["0"]


def test_a_job_with_several_cards_shows_cuda_the_one_it_took(monkeypatch, own_locks):
    monkeypatch.setenv(VISIBLE, "4,7")
    use_one_card()
    assert os.environ[VISIBLE] == "4"
    monkeypatch.setenv(VISIBLE, "4,7")
    use_one_card()
    assert os.environ[VISIBLE] == "7"
    assert len(own_locks) == 2


def test_a_job_that_was_given_one_card_keeps_it(monkeypatch, own_locks):
    """Slurm gives a job its card, whatever jobs outside of Slurm hold."""
    monkeypatch.setenv(VISIBLE, "3")
    use_one_card()
    assert os.environ[VISIBLE] == "3"
    assert own_locks == []


def test_a_step_chooses_its_card_before_cuda_starts(monkeypatch, own_locks):
    seen: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen.append(os.environ[VISIBLE]))
    for device in ("auto", "cpu"):
        monkeypatch.setenv(VISIBLE, "4,7")
        start_computing(device, torch.get_num_threads())
    assert seen == ["4", "4,7"], "a step on the processor takes no card"
    assert len(own_locks) == 1
