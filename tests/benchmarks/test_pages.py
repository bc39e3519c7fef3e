"""The pure parts of the benchmarks: what is computed from what was measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import growth, imports, inputs, layers, pipeline, training_step
from benchmarks.common import ROOT, machine, milliseconds, table
from benchmarks.pipeline import PAGES, START, WAITING, Job, elapsed, lanes, overhead
from datasets import image_files
from datasets.decode import decode_image
from datasets.readers import inspect
from datasets.store import Store


def step_times(**ms: float) -> dict[str, Any]:
    times = {f"{name}/{kind}": 100.0 for name in training_step.LADDER for kind in ms}
    times |= {f"{training_step.REFERENCE}/{kind}": value for kind, value in ms.items()}
    return {
        "ms": times,
        "peak_mb": dict.fromkeys(training_step.LADDER[-2:], 900.0),
        "gflop": dict.fromkeys(training_step.KINDS, 10.0),
        "convolution_gflops": 200.0,
    }


def test_table_rounds_floats_and_leaves_missing_cells_empty() -> None:
    assert table(["a", "b"], [["x", 1234.5], [None, 0.12345]]) == [
        "| a | b |",
        "|---|---|",
        "| x | 1234 |",
        "|  | 0.123 |",
    ]


def test_median_is_taken_and_two_rounds_warm_up() -> None:
    # A round that warms up looks at the clock only once.
    ticks = iter([0.0, 0.0, 0.0, 1.0, 0.0, 5.0, 0.0, 2.0])
    assert milliseconds({"": lambda: None}, 3, lambda: next(ticks)) == {"": 2000.0}


def test_steps_alternate_and_warm_up_is_not_counted() -> None:
    seen: list[str] = []
    found = milliseconds({name: lambda n=name: seen.append(n) for name in "ab"}, rounds=1)
    assert seen == ["a", "b"] * 3
    assert set(found) == {"a", "b"}


def test_machine_is_described() -> None:
    assert "torch" in machine()


def test_step_page_states_speed_up_and_share_of_the_peak() -> None:
    found = step_times(supervised=190.0, unsupervised=120.0)
    assert training_step.speed_up(found, "supervised") == pytest.approx(1.9)
    page = "\n".join(training_step.section(found, {"one training, one thread": 500.0}, 3))
    assert "supervised 1.90 (goal 1.8), unsupervised 1.20 (goal 1.3)" in page
    # 10 GFLOP in 100 ms are 100 GFLOP/s, half of 200.
    assert "| 100 | 1.90 | 50 % |" in page


def test_operations_of_table_3() -> None:
    titles = [layer.title for layer in layers.layers()]
    assert titles[0] == "encoder (3, 64, 64) -> (32, 32, 32)"
    assert titles[-1] == "decoder (32, 32, 32) -> (3, 64, 64)"
    # First layer: 32 x 32 positions of 3 * 4 * 4 * 32 multiplications and additions.
    assert layers.layers()[0].mflop == pytest.approx(2 * 32 * 32 * 3 * 16 * 32 / 1e6)
    assert layers.layers()[-1].mflop == layers.layers()[0].mflop
    assert 0.1 < layers.step_gflop(1) < 0.15


def test_generated_celeba_is_in_the_official_format(tmp_path: Path) -> None:
    inputs.make_celeba(tmp_path, 12, distinct=2)
    options = {"folder": str(tmp_path), "official_validation": True}
    source = inspect("celeba", options, raw=tmp_path)
    assert source.labels.shape == (12, 18)
    images = sorted((tmp_path / "img_align_celeba").iterdir())
    assert sorted(source.paths) == list(map(str, images))


def test_timed_rows_are_those_of_the_store_and_note_the_decoder_of_every_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "CHUNK", 8)
    inputs.make_celeba(tmp_path / "celeba", 20, distinct=2)
    turn = inputs.time_turn(tmp_path, tmp_path / "timed", 20, workers=1)
    assert len(list((tmp_path / ".timed.seconds").iterdir())) == 3
    assert turn.starting > 0
    assert 0 < turn.share(cores=1) <= 1
    first = tmp_path / "celeba" / "img_align_celeba" / "000001.jpg"
    store = Store.open(tmp_path / "timed")
    store.verify()
    np.testing.assert_array_equal(store.images[0], decode_image(first, 64))


def test_input_page_compares_with_decoding() -> None:
    found = {
        "cores": 2.0,
        "images": 100.0,
        "repeats": 5.0,
        "decode_one_core": 1000.0,
        "decode": 2000.0,
        "prepare": 1500.0,
        "prepare_without_start": 1850.0,
        "share": 0.95,
        "start_s": 0.5,
        "feed": 21_000.0,
    }
    page = "\n".join(inputs.section(found))
    assert "95.0 % of the decoder" in page
    assert "those counted, at 75.0 %" in page
    assert "21.0 times" in page


def test_memory_that_grows_with_the_images_is_called_by_its_name() -> None:
    def point(mb: float) -> dict[str, float]:
        return {"ms": 40.0, "own_mb": mb, "peak_mb": 900.0}

    flat = {"images": [(2000, point(500)), (32_000, point(505))]}
    steep = {"images": [(2000, point(500)), (32_000, point(900))]}
    assert "Memory is constant" in "\n".join(growth.section(flat))
    assert "Memory is NOT constant" in "\n".join(growth.section(steep))


def test_times_and_memory_of_several_seeds_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(module: str, task: dict[str, Any]) -> int:
        assert (module, task["labels"]) == ("benchmarks.growth", 18)
        return task["seed"]

    monkeypatch.setattr(growth, "worker", start)
    monkeypatch.setattr(growth, "answer", lambda seed: {"ms": 10.0 + seed, "own_mb": 100.0})
    found = growth.together({"labels": 18, "seeds": 3})
    assert found == {"ms": 33.0, "own_mb": 300.0}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak")
def test_peak_is_that_of_the_process_and_not_of_the_one_that_started_it() -> None:
    held = np.ones(50_000_000)
    code = "from benchmarks.common import own_mb, peak_mb; print(own_mb(), peak_mb())"
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    own, peak = map(float, child.stdout.split())
    assert 0 < own <= peak < held.nbytes / 2**20


def test_imports_page_names_the_heavy_packages() -> None:
    assert "| `plan` | 0.2 | torch, pandas |" in imports.section(
        {"plan": (0.2, ["torch", "pandas"])}
    )


def test_lanes_add_up_to_cores_times_elapsed() -> None:
    jobs = [
        Job("train", wall_s=100, cpu_s=90, work_s=95, end=100),
        Job("evaluate", wall_s=40, cpu_s=40, work_s=30, end=140),
        Job("table", wall_s=10, cpu_s=5, work_s=None, end=150),
    ]
    spent = lanes(jobs, cores=2)
    assert elapsed(job.span for job in jobs) == 150
    assert sum(spent.values()) == pytest.approx(300)
    assert spent["training"] == 95
    assert spent["measuring"] == 30
    assert (spent[START], spent[PAGES], spent[WAITING]) == (15, 10, 150)
    assert overhead(spent) == pytest.approx((15 + 150) / 300)


def test_a_job_on_two_cores_holds_two() -> None:
    spent = lanes([Job("store", wall_s=10, cpu_s=18, work_s=None, end=10)], cores=2)
    assert spent["data"] == 18
    assert spent[WAITING] == 2


def test_an_interrupted_run_is_not_waiting() -> None:
    jobs = [Job("train", 100, 100, 100, end=100), Job("train", 100, 100, 100, end=5000)]
    assert elapsed(job.span for job in jobs) == 200


def test_jobs_and_measures_are_read_from_what_a_run_leaves(tmp_path: Path) -> None:
    name = "f=0.2.seed=0"
    for rule, job, seconds in (
        ("train", f"m2/{name}", 50.0),
        ("evaluate", f"m2/{name}", 20.0),
        ("evaluate_judge", f"m2/{name}.judge=1", 9.0),
        ("fit_gp", "seed=1", 8.0),
    ):
        path = tmp_path / "benchmarks" / rule / "faces" / f"{job}.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"s": seconds, "cpu_time": seconds, "max_rss": 1.0}) + "\n")
        os.utime(path, (1000, 1000))
    run = tmp_path / "runs" / "faces" / "m2" / "f=0.2" / "seed=0"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"wall_s": 45.0}))
    (run / "judge=1.json").write_text(json.dumps({"wall_s": 7.0}))
    other = tmp_path / "judges" / "faces" / "seed=1"
    other.mkdir(parents=True)
    (other / "gp.json").write_text(json.dumps({"wall_s": 6.0}))
    log = tmp_path / "logs" / "evaluate" / "faces" / "m2" / f"{name}.log"
    log.parent.mkdir(parents=True)
    log.write_text(
        "2026-01-01 00:00:00,000 accuracy\n"
        "a warning\n"
        "2026-01-01 00:00:02,500 swap\n"
        "2026-01-01 00:00:12,500 results: accuracy 0.9\n"
    )
    jobs = {job.rule: job for job in pipeline.read_jobs(tmp_path)}
    assert jobs["train"].work_s == 45
    assert (jobs["evaluate_judge"].work_s, jobs["fit_gp"].work_s) == (7, 6)
    assert jobs["evaluate"].work_s is None
    assert pipeline.measures(tmp_path) == {"swap": 10.0, "accuracy": 2.5}
    page = "\n".join(pipeline.section(tmp_path, 2))
    assert "| `train` | 1 | 50 | 50 | 5 |" in page


@pytest.mark.parametrize(
    ("job", "record"),
    [
        ("study_alpha_train/mnist/m2.alpha=1/f=0.06.seed=0", "alpha/mnist/m2.alpha=1"),
        ("study_variants_train/choices/mnist/wide/f=0.06.seed=0", "choices/mnist/wide"),
    ],
)
def test_trainings_of_studies_say_how_long_they_worked(tmp_path: Path, job: str, record: str):
    benchmark = tmp_path / f"benchmarks/{job}.jsonl"
    run = tmp_path / f"studies/{record}/f=0.06/seed=0/run.json"
    for path, content in ((benchmark, {"s": 50.0, "cpu_time": 50.0}), (run, {"wall_s": 45.0})):
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content) + "\n")
    assert [job.work_s for job in pipeline.read_jobs(tmp_path)] == [45]


def test_a_folder_without_records_is_named(tmp_path: Path) -> None:
    assert "no benchmark records" in "\n".join(pipeline.section(tmp_path, 2))
