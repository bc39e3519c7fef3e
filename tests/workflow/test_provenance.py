from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import torch

from tests.noise import switches_kept
from workflow.provenance import Stopwatch, git_state, provenance
from workflow.steps.computing import start_computing

CUDA = torch.device("cuda")


def test_a_record_of_a_cpu_has_no_gpu():
    stopwatch = Stopwatch()
    stopwatch.sample(torch.device("cpu"))
    record = provenance("cpu", stopwatch)
    assert record["gpu"] is None
    assert record["peak_mb"] > 0


@pytest.fixture
def pretended_gpu(monkeypatch):
    """What torch says about a GPU, without one."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "Card 1")
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _device: 3 * 2**20)
    return monkeypatch


def test_a_record_of_a_gpu_has_its_memory_and_mean_utilisation(pretended_gpu):
    readings = iter([20, 61])
    pretended_gpu.setattr(torch.cuda, "utilization", lambda _device: next(readings))
    stopwatch = Stopwatch()
    for _ in range(2):
        stopwatch.sample(CUDA)
    assert stopwatch.gpu("cuda") == {
        "name": "Card 1",
        "peak_mb": 3.0,
        "utilisation": 40.5,
        "deterministic": False,
    }


def test_utilisation_is_none_where_it_cannot_be_known(pretended_gpu):
    def utilization(_device):
        raise ModuleNotFoundError("pynvml is not installed")

    pretended_gpu.setattr(torch.cuda, "utilization", utilization)
    stopwatch = Stopwatch()
    stopwatch.sample(CUDA)
    assert stopwatch.gpu("cuda")["utilisation"] is None


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_gpu_is_exact_and_repeatable_unless_speed_is_asked_for(monkeypatch, deterministic):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("workflow.steps.computing.use_one_card", lambda: None)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    threads = torch.get_num_threads()
    with switches_kept():
        assert start_computing("auto", threads, deterministic) == CUDA
        cudnn = torch.backends.cudnn
        assert (cudnn.deterministic, cudnn.benchmark) == (deterministic, not deterministic)
        assert torch.are_deterministic_algorithms_enabled() == deterministic
        assert not cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@b.c")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit, and a folder in it."""
    folder = tmp_path.resolve() / "repository"
    (folder / "suite").mkdir(parents=True)
    (folder / "file").write_text("1")
    git(folder, "init", "--quiet")
    git(folder, "add", "file")
    git(folder, "commit", "--quiet", "--message", "One")
    return folder


def test_the_commit_and_changes_on_top_are_known(checkout):
    commit = git(checkout, "rev-parse", "HEAD")
    assert git_state(checkout) == {"commit": commit, "dirty": False}
    (checkout / "file").write_text("2")
    assert git_state(checkout) == {"commit": commit, "dirty": True}


def test_the_commit_of_a_repository_around_the_suite_is_not_its_own(checkout):
    state = git_state(checkout / "suite")
    assert (state["commit"], state["dirty"]) == (None, None)
    assert f"lies in the git repository {checkout}" in state["unknown"]


def test_why_there_is_no_commit_is_said(tmp_path, monkeypatch):
    assert "not a git repository" in git_state(tmp_path)["unknown"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path)["unknown"] == "git is not installed"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_checkout_of_another_user_is_read(checkout):
    commit = git(checkout, "rev-parse", "HEAD")
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, 54321, 54321)
    with pytest.raises(subprocess.CalledProcessError):
        git(checkout, "rev-parse", "HEAD")
    assert git_state(checkout)["commit"] == commit
