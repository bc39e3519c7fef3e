from __future__ import annotations

import pytest
import torch

from tests.noise import switches_kept
from workflow.provenance import Stopwatch, provenance
from workflow.steps.command import start_computing

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
    monkeypatch.setattr("workflow.steps.command.use_one_card", lambda: None)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    threads = torch.get_num_threads()
    with switches_kept():
        assert start_computing("auto", threads, deterministic) == CUDA
        cudnn = torch.backends.cudnn
        assert (cudnn.deterministic, cudnn.benchmark) == (deterministic, not deterministic)
        assert torch.are_deterministic_algorithms_enabled() == deterministic
        assert not cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
