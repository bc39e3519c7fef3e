"""The ladder for the GPU where there is none: its processes, its arithmetic and its page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import gpu_ladder, gpu_page
from benchmarks.common import ROOT
from benchmarks.gpu_ladder import BATCHES, LADDER, Climb, Found, Rung, UnavailableError, training
from benchmarks.gpu_page import Card, Grid, known_card, paper_grid, share_of_peak
from benchmarks.step_cost import build
from tests.card import CARD, card, to_card
from tests.recording import Waits, listening

CPU = torch.device("cpu")
ONE = Found(10.0, 500.0)
MADE_UP = Card("X", fp32=10.0, tf32=100.0, source="nowhere")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_ladder, "IMAGES", 16)
    monkeypatch.setattr(gpu_ladder, "INTERVAL", 3)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations of an image: MVAE's labelled ones take twice as many as all others."""
    monkeypatch.setattr(
        gpu_page, "gflop_per_image", lambda m, y: 2.0 if (m, y) == ("mvae", True) else 1.0
    )


def test_every_rung_trains(tiny: None) -> None:
    for rung in {(r.precision, r.compile, r.waits): r for r in LADDER}.values():
        made = training(rung, 4, CPU)
        assert made.run_interval() == 3
        assert made.history[-1].keys() >= {"labelled_objective", "unlabelled_objective"}
        assert not made.finished


def test_the_waiting_rung_looks_at_every_step(tiny: None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.device] = []
    monkeypatch.setattr(gpu_ladder, "_wait", seen.append)
    training(LADDER[0], 4, CPU).run_interval()
    assert seen == [CPU] * 3
    training(LADDER[1], 4, CPU).run_interval()
    assert len(seen) == 3


def test_the_next_rung_waits_twice_an_interval(
    tiny: None, plain_adam: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def movable(contestant: object) -> object:
        model = build(contestant)
        model.to = lambda device: to_card(model)
        return model

    monkeypatch.setattr(gpu_ladder, "build", movable)
    with card():
        made = training(LADDER[1], 4, CARD)
        with listening(Waits()) as waits:
            made.run_interval()
    assert len(waits.seen) == 2


@pytest.mark.slow
def test_trainings_begin_together_and_are_added_up() -> None:
    found = gpu_ladder.measure(Rung("two", trainings=2), 2, "cpu", seconds=0.01)
    assert found.steps_per_s > 0
    # Two processes with torch in each.
    assert found.peak_mb > 300


@pytest.mark.slow
def test_a_training_that_fails_is_no_number() -> None:
    with pytest.raises(UnavailableError, match="ended with an error"):
        gpu_ladder.measure(Rung("none", precision="fp7"), 2, "cpu", seconds=0.01)


def test_mps_is_started_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    program = tmp_path / gpu_ladder.CONTROL
    text = f'#!/bin/sh\necho "$CUDA_MPS_PIPE_DIRECTORY:$CUDA_VISIBLE_DEVICES:$1" >> {log}\n'
    program.write_text(text + f'[ -n "$1" ] || cat >> {log}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    with gpu_ladder.shared():
        place = os.environ["CUDA_MPS_PIPE_DIRECTORY"]
    assert log.read_text().splitlines() == [f"{place}::-d", f"{place}::", "quit"]
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ


def test_without_mps_its_rungs_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnavailableError, match="nvidia-cuda-mps-control is not installed"):
        gpu_ladder.measure(LADDER[-1], 2, "cpu")


def test_shares_are_of_the_peak_at_the_rung_s_precision(counted: None) -> None:
    # 10 steps of 200 images of 1 GFLOP are 2 TFLOP/s.
    assert share_of_peak(ONE, Rung(""), 200, MADE_UP) == pytest.approx(0.2)
    assert share_of_peak(ONE, Rung("", "tf32"), 200, MADE_UP) == pytest.approx(0.02)
    assert share_of_peak(ONE, Rung(""), 200, None) is None


@pytest.mark.parametrize(
    ("name", "tf32"),
    [
        ("NVIDIA H100 80GB HBM3", 494.5),
        ("NVIDIA H100 PCIe", 378),
        ("NVIDIA A100-SXM4-80GB", 156),
        ("NVIDIA A10", 62.5),
        ("NVIDIA A10G", None),
        ("NVIDIA GeForce RTX 4090", 82.6),
        ("NVIDIA GeForce RTX 3090 Ti", None),
        ("", None),
    ],
)
def test_cards_are_known_by_their_names(name: str, tf32: float | None) -> None:
    found = known_card(name)
    assert (found and found.tf32) == tf32


def test_the_grid_takes_as_long_as_its_operations(counted: None) -> None:
    grid = Grid(("ccvae", "mvae"), ("0.25", "1.0"), seeds=3, epochs=10, images=600)
    assert grid.runs == 12
    # CCVAE: 1 and 1; MVAE: 1.25 and 2.
    assert grid.gflop() == pytest.approx(3 * 10 * 600 * 5.25)
    assert grid.hours(ONE, 200) == pytest.approx(3 * 10 * 600 * 5.25 / 2000 / 3600)


def test_the_grid_is_the_paper_s() -> None:
    grid = paper_grid()
    assert (len(grid.models), len(grid.rates), grid.seeds, grid.epochs) == (6, 4, 5, 100)
    assert grid.images > 150_000


def test_a_page_without_a_card_says_so() -> None:
    text = gpu_page.page(None)
    assert "There was no GPU: not measured." in text
    assert text.count("| not measured |") == len(LADDER) * len(BATCHES)


def test_a_page_has_what_was_measured_and_why_the_rest_was_not(counted: None) -> None:
    found = {
        (LADDER[0].title, 200): ONE,
        (LADDER[2].title, 200): Found(25.0, 600.0),
        (LADDER[9].title, 32): "why",
    }
    text = gpu_page.page(Climb("NVIDIA A100-SXM4-80GB", "A machine.", found))
    assert "The card: NVIDIA A100-SXM4-80GB, 19.5 TFLOP/s in float32 and 156 in TF32" in text
    assert "| + TF32 | 25 | 2.50 | 3.2 % | 600 |" in text
    assert "| + 8 at once, with MPS | why |" in text
    assert "A machine. The card: " in text
    assert "is not in the table" in gpu_page.page(Climb("GeForce GTX 1080", "", found))


def test_a_climb_goes_on_where_it_was_cut_off(
    counted: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def measure(rung: Rung, batch: int, *_: object) -> Found:
        asked.append((rung.title, batch))
        if len(asked) == 3:
            raise KeyboardInterrupt
        if rung.mps:
            raise UnavailableError("no MPS")
        return ONE

    monkeypatch.setattr(gpu_ladder, "measure", measure)
    kept = tmp_path / "kept.jsonl"
    assert gpu_ladder.read(kept) is None
    kept.write_text('{"card": "NVIDIA A10", "machine": "A machine."}\n')
    with pytest.raises(KeyboardInterrupt):
        gpu_ladder.climb(kept)
    gpu_ladder.climb(kept)
    every = [(rung.title, batch) for batch in BATCHES for rung in LADDER]
    assert asked == [*every[:3], *every[2:]]
    climb = gpu_ladder.read(kept)
    assert climb.found == {
        (rung.title, batch): "no MPS" if rung.mps else ONE for batch in BATCHES for rung in LADDER
    }
    text = gpu_page.page(climb)
    assert "not measured" not in text
    assert "| + TF32 | 10 | 1.00 |" in text


@pytest.mark.slow
def test_a_page_is_made_of_what_was_measured_before(counted: None, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    line = {"batch": 32, "rung": LADDER[0].title, "found": vars(ONE)}
    about = {"card": "NVIDIA A10", "machine": "A machine."}
    kept.write_text(f"{json.dumps(about)}\n{json.dumps(line)}\n")
    command = [sys.executable, "-m", "benchmarks.gpu_ladder", "--kept", str(kept)]
    nowhere = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([*command, "--out", str(tmp_path / "gpu.md")], cwd=ROOT, env=nowhere, check=True)
    assert "A machine. The card: NVIDIA A10," in (tmp_path / "gpu.md").read_text()


def test_operations_are_counted_of_a_step_on_the_processor() -> None:
    labelled, bare = (gpu_page.gflop_per_image("mvae", y) for y in (True, False))
    assert labelled > 1.2 * bare > 0
