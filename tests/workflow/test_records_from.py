"""Runs that are recorded elsewhere count as if they had been run here, and are not run again."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ccvae.errors import InputError
from ccvae.files import read_json, write_json, write_text
from tests.workflow import fabricated
from workflow.config import Config
from workflow.figures.gallery import Gallery
from workflow.identity import judge_folder, metrics_file
from workflow.planning.checks import check
from workflow.planning.finished import finished
from workflow.planning.inputs import Inputs
from workflow.planning.jobs import jobs_of, recorded_benchmarks
from workflow.reporting.record_files import read_all_records, write_parts
from workflow.reporting.records import Plan, collect, judge_records
from workflow.steps.reporting import make_judge_seeds, make_reference

MOVED = 0.03
"""What the second judge of MNIST says more than the first."""


def value(run: Any, metric: str) -> float:
    """Another number of every run and metric."""
    return sum(map(ord, run.folder + metric)) % 97 / 97 + 0.01 * run.seed


def configuration(**changes: Any) -> dict[str, Any]:
    values = fabricated.configuration(**changes)
    values["data"]["mnist"]["judges"] = 2
    return values


def judges(folder: Path) -> None:
    for name in ("mnist", "synthetic_faces"):
        fabricated.judge(folder, name, 0.99, 0.9)
        write_json(folder / judge_folder(name) / "references.json", {"metrics": {}})
    record = read_json(folder / judge_folder("mnist") / "judge.json")
    record["metrics"]["balanced_accuracy"] = 0.91
    write_json(folder / judge_folder("mnist", 1) / "judge.json", record)
    write_json(folder / judge_folder("mnist", 1) / "gp.json", {"metrics": {}, "warnings": []})


def results(folder: Path, values: dict[str, Any]) -> list[str]:
    """Fabricated results of a configuration, and of its second judge; files that are gathered."""
    judges(folder)
    files, config = fabricated.results(folder, values, value), Config(values)
    for run, judge in config.judged_again():
        record = read_json(folder / run.folder / metrics_file())
        metrics = {name: said + MOVED for name, said in record["metrics"].items()}
        write_json(folder / run.folder / metrics_file(judge), {**record, "metrics": metrics})
    counts = {name: config.judges_of(name) for name in config.datasets}
    settings = {"plan": config.plan(), "judges": counts}
    make_judge_seeds.work(Namespace(settings=settings, results=folder, out=folder / "tables"))
    return files


def fewer(values: dict[str, Any], seeds: int) -> dict[str, Any]:
    """The same configuration with so many seeds of MNIST."""
    mnist = {**values["data"]["mnist"], "seeds": seeds}
    return {**values, "data": {**values["data"], "mnist": mnist}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reference of three seeds of MNIST and one of the faces, gathered in one piece."""
    home, values = tmp_path_factory.mktemp("whole"), configuration()
    files = results(home / "made_up", values)
    files += [f"tables/judge_seeds.{form}" for form in ("md", "csv", "wide.csv", "tex")]
    return fabricated.reference(home / "made_up", home / "reference", values, files)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was gathered of it before its last seed of MNIST."""
    home, values = tmp_path_factory.mktemp("before"), fewer(configuration(), 2)
    files = results(home / "made_up", values)
    files += [f"tables/judge_seeds.{form}" for form in ("md", "csv", "wide.csv", "tex")]
    return fabricated.reference(home / "made_up", home / "reference", values, files)


@pytest.fixture
def after(before: Path, whole: Path, tmp_path: Path) -> tuple[Config, Path, list[str]]:
    """Only the last seed of MNIST is here; the configuration, its folder, and files of it."""
    values = configuration(records_from=str(before))
    folder, config = tmp_path / "made_up", Config(values)
    judges(folder)
    shutil.rmtree(folder / judge_folder("synthetic_faces"))
    shutil.rmtree(folder / judge_folder("mnist", 1))
    here = {run.folder for run in config.runs_here()}
    made = whole.parent / "made_up"
    for run in config.runs():
        if run.folder in here:
            shutil.copytree(made / run.folder, folder / run.folder)
    shutil.copytree(made / "benchmarks", folder / "benchmarks")
    return config, folder, fabricated.reporting(folder, config)


def test_what_is_recorded_is_not_run_again(before: Path) -> None:
    config = Config(configuration(records_from=str(before)))
    here = list(config.runs_here())
    assert {(run.dataset, run.seed) for run in here} == {("mnist", 2)}
    assert len(here) == 6
    assert config.datasets_here == ["mnist"]
    assert len(set(config.runs())) == 24
    assert list(config.judged_again()) == [], "the first seed, which others judge, is recorded"
    assert {job.run for job in jobs_of(config) if job.run} == set(here)
    inputs = Inputs(config)
    assert inputs.metrics() == [f"<results>/{run.folder}/metrics.json" for run in here]
    assert all("/mnist/" in path for path in inputs.judges())
    assert inputs.earlier == [f"{before}/runs.csv"]
    check(config, Path("nowhere"))


def test_other_settings_are_run(before: Path) -> None:
    values = configuration(records_from=str(before))
    values["settings"]["attributes"]["training"]["steps"] += 1
    here = {(run.dataset, run.seed) for run in Config(values).runs_here()}
    assert here == {("mnist", 2), ("synthetic_faces", 0)}


def test_pictures_of_models_that_are_not_here_are_not_drawn(before: Path) -> None:
    gallery = Gallery(Config(configuration(records_from=str(before))))
    drawn = gallery.drawings("mnist", "model", "metrics", "history")
    assert drawn == []
    shown = gallery.drawings("mnist", "records")
    assert [figure.name for figures, _ in shown for figure in figures] == ["against_f", "style"]


def test_two_gatherings_are_as_one(
    after: tuple[Config, Path, list[str]], whole: Path, tmp_path: Path
) -> None:
    config, folder, files = after
    out = tmp_path / "reference"
    fabricated.reference(folder, out, config.values, files, pictures=[])
    names = {p.relative_to(whole).as_posix() for p in whole.rglob("*") if p.is_file()}
    assert names == {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    for name in sorted(names - {"README.md", "provenance.json"}):
        if ".csv" in name:
            frames = [pd.read_csv(place / name) for place in (whole, out)]
            if "records" in name or name == "runs.csv":
                # Those of before come first.
                keys = [key for key in ("run", "model", "metric") if key in frames[0]]
                frames = [frame.sort_values(keys, ignore_index=True) for frame in frames]
            pd.testing.assert_frame_equal(*frames, obj=name)
        else:
            assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    jobs = {job["kind"]: job["jobs"] for job in read_json(out / "provenance.json")["jobs"]}
    assert jobs == {"train": 1, "evaluate": 1}, "those of here are of runs that are recorded"
    assert read_json(out / "provenance.json")["runs"] == 24


def test_what_was_parted_is_read_whole(whole: Path, tmp_path: Path) -> None:
    records = read_all_records(whole)
    write_parts(records, tmp_path)
    pd.testing.assert_frame_equal(read_all_records(tmp_path), records)
    assert records["metric"].str.contains("/").any()


def test_what_is_here_counts_first(after: tuple[Config, Path, list[str]]) -> None:
    config, folder, _ = after
    path = folder / judge_folder("mnist") / "judge.json"
    record = read_json(path)
    record["metrics"]["accuracy"] = 0.123
    write_json(path, record)
    found = judge_records(folder, config.datasets, records_from=config.records_from)
    own = found[(found["model"] == "judge") & (found["metric"] == "accuracy")]
    assert own.set_index("dataset")["value"].to_dict() == {"mnist": 0.123, "synthetic_faces": 0.9}


@pytest.mark.parametrize(
    ("key", "words"),
    [("data_checksum", "images"), ("settings_hash", "settings of its judge")],
)
def test_what_cannot_stand_beside_it_is_refused(
    after: tuple[Config, Path, list[str]], key: str, words: str
) -> None:
    config, folder, _ = after
    path = folder / judge_folder("mnist") / "judge.json"
    record = read_json(path)
    record["training"][key] = "another"
    write_json(path, record)
    with pytest.raises(InputError, match=f"records of MNIST with other {words}: .*another"):
        collect(folder, Plan(**config.plan()))


def test_what_is_finished_counts_what_is_recorded(
    after: tuple[Config, Path, list[str]], before: Path
) -> None:
    config, folder, _ = after
    overlay = finished(config, folder)
    assert overlay["reference"]["not_run"] == []
    assert overlay["data"] == {
        "mnist": {"seeds": 3, "judges": 2},
        "synthetic_faces": {"seeds": 1, "judges": 1},
    }
    shutil.rmtree(folder / "runs")
    shutil.rmtree(folder / "judges")
    left = finished(config, folder)
    assert left["data"]["mnist"]["seeds"] == 2
    assert left["reference"]["not_run"] == [
        "on MNIST 1 of 3 seeds of CCVAE, eq. (8) and CCVAE, eq. (8) with its weight detached and M2"
    ]


def test_another_folder_is_refused(tmp_path: Path) -> None:
    config = Config(configuration(records_from=str(tmp_path)))
    with pytest.raises(InputError, match=r"records_from is .* name a folder that"):
        check(config, tmp_path)


def test_the_folder_itself_is_not_replaced(
    after: tuple[Config, Path, list[str]], before: Path
) -> None:
    config, folder, files = after
    there = sorted(before.rglob("*"))
    with pytest.raises(InputError, match=r"records_from and reference\.folder are both"):
        fabricated.reference(folder, before, config.values, files, pictures=[])
    assert sorted(before.rglob("*")) == there


def test_time_of_what_is_recorded_counts_once(before: Path) -> None:
    config = Config(configuration(records_from=str(before)))
    left_out = set(recorded_benchmarks(config))
    for path in ("train/mnist/m2/f=1.0.seed=1", "evaluate_judge/mnist/m2/f=1.0.seed=0.judge=1"):
        assert f"benchmarks/{path}.jsonl" in left_out
    assert left_out.isdisjoint(job.benchmark for job in jobs_of(config))
    assert list(recorded_benchmarks(Config(configuration()))) == []


def test_time_of_what_belongs_to_no_training_counts_once(before: Path, tmp_path: Path) -> None:
    earlier, benchmarks = tmp_path / "earlier", tmp_path / "benchmarks"
    shutil.copytree(before, earlier)
    config = Config(configuration(records_from=str(earlier)))

    def ran(job: str, seconds: float) -> None:
        write_text(benchmarks / f"{job}.jsonl", json.dumps({"s": seconds}) + "\n")

    def gathered() -> tuple[int, float]:
        records = read_all_records(before)
        found = make_reference.where_from(config, records, benchmarks)
        write_json(earlier / "provenance.json", {**read_json(earlier / "provenance.json"), **found})
        return sum(job["jobs"] for job in found["jobs"]), found["elapsed_s"]

    first = read_json(earlier / "provenance.json")
    jobs, seconds = sum(job["jobs"] for job in first["jobs"]), first["elapsed_s"]
    ran("train_judge/mnist", 5.0)
    ran("train/mnist/m2/f=1.0.seed=1", 90.0)
    assert gathered() == (jobs + 1, pytest.approx(seconds + 5))
    assert gathered() == (jobs + 1, pytest.approx(seconds + 5))
    ran("train_judge/mnist", 7.0)
    assert gathered() == (jobs + 2, pytest.approx(seconds + 12))
