"""A reference that is made again: what is the same, what may differ, and what is said of it."""

from __future__ import annotations

import gzip
import os
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from ccvae.errors import InputError
from ccvae.files import write_json
from tests.workflow.running import ROOT, assert_one_sentence, step
from workflow.config import Config
from workflow.identity import Run, settings_hash
from workflow.planning.overlay import merged_config
from workflow.provenance import machine
from workflow.reporting.record_files import COLUMNS, file_of, write_parts
from workflow.reporting.records import Plan, collect
from workflow.reporting.verification import (
    CLOSE,
    DIFFERENT,
    GONE,
    LABEL,
    NEW,
    SAME,
    Gathered,
    check,
    conclusion,
    load_tolerances,
    report,
)
from workflow.steps import verify

RUN = Run("mnist", "m2", "1.0", 0)
CONFIG = Config(merged_config([], []))
METRICS = {"accuracy": 2 / 3, "swap": 3.25, "unstated": 7.0, "accuracy/8": 0.5}
MACHINE = {"system": "Linux", "processor": "EPYC", "processor_type": "family 25, model 1"}


def records(metrics: dict[str, float] = METRICS, **origin: Any) -> pd.DataFrame:
    """What `collect` finds of one run and the judge of its data."""
    common = {
        **dict.fromkeys(COLUMNS),
        **{"dataset": "mnist", "stand_in": False, "data_checksum": "of the data"},
        **{"versions": "python 3.11.7, torch 2.14.1", "device": "cpu", "dirty": False},
        **{key: value for key, value in origin.items() if key in COLUMNS},
    }
    hashes = {
        "judge": settings_hash({**CONFIG.judge_settings("mnist"), **origin.get("judge", {})}),
        "run": settings_hash({**CONFIG.run_settings(RUN), **origin.get("run_settings", {})}),
    }
    rows = [
        {"run": "judges/mnist", "model": model, "metric": "accuracy", "value": value}
        | {"settings_hash": hashes["judge"]}
        for model, value in (("majority", 0.1135), ("judge", 0.99))
    ]
    rows += [
        {"run": RUN.folder, "model": "m2", "supervision_rate": "1.0", "seed": 0}
        | {"metric": metric, "value": value, "settings_hash": hashes["run"]}
        for metric, value in metrics.items()
    ]
    return pd.DataFrame([{**common, **row} for row in rows], columns=COLUMNS)


def gathered(folder: Path, found: pd.DataFrame, computer: Any, values: dict[str, Any]) -> Path:
    """Write what verifying reads of a gathered folder."""
    folder.mkdir(parents=True)
    write_parts(found, folder)
    write_json(folder / "provenance.json", {"machine": computer})
    (folder / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    return folder


def compared(metrics: dict[str, float] = METRICS, there: Any = MACHINE, **origin: Any):
    """The reference against records with other metrics, or of another origin."""
    committed = Gathered.of(records(**origin), there)
    obtained = Gathered.of(records(metrics), MACHINE)
    return list(check(committed, obtained, [RUN], CONFIG, load_tolerances()))


def statuses(found: list[Any]) -> dict[str, str]:
    return {value.metric: value.status for value in found[-1].values}


def test_the_same_numbers_are_the_same_to_the_digits_that_are_committed():
    found = compared({**METRICS, "accuracy": 0.66666668})
    assert [checked.name for checked in found] == [
        *("judges/mnist judge", "judges/mnist majority", f"{RUN.folder} m2")
    ]
    assert set(statuses(found).values()) == {SAME}
    assert conclusion(found) == (True, "verified: 6 of 6 values are the same")


def test_on_the_same_processor_every_digit_counts():
    found = compared({**METRICS, "accuracy": 0.6666668})
    assert statuses(found)["accuracy"] == CLOSE
    holds, sentence = conclusion(found)
    assert not holds
    assert sentence.startswith("1 of 6 values are not the same and should be")
    assert RUN.folder in sentence


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"there": {**MACHINE, "processor_type": "family 26, model 2"}},
            "family 26, model 2 there",
        ),
        ({"there": {"system": "Linux", "processor": "EPYC"}}, "its type not recorded there"),
        ({"there": {**MACHINE, "system": "Darwin"}}, "Darwin, EPYC"),
        ({"versions": "python 3.11.7, torch 2.15.0"}, "torch 2.15.0 there, torch 2.14.1 here"),
    ],
)
def test_where_rounding_may_differ_a_tolerance_decides(change, words):
    near = {**METRICS, "accuracy": 0.68, "swap": 3.5, "unstated": 7.7, "accuracy/8": 0.9}
    found = compared(near, **change)
    assert statuses(found) == {
        **{"accuracy": CLOSE, "swap": CLOSE, "unstated": CLOSE, "accuracy/8": LABEL}
    }
    assert any(words in line for line in report(found[-1]))
    assert conclusion(found) == (
        True,
        "verified: 2 of 6 values are the same, 3 within tolerance, 1 of single labels have none",
    )
    far = compared({**near, "accuracy": 0.70}, **change)
    assert statuses(far)["accuracy"] == DIFFERENT
    assert not conclusion(far)[0]


def test_what_two_seeds_differ_by_is_within_tolerance():
    other = records({"accuracy": 0.5, "swap": 0.0})
    other = other[other["seed"].notna()].assign(run=RUN.folder.replace("seed=0", "seed=1"))
    committed = Gathered.of(pd.concat([records(), other]), MACHINE)
    there = {**MACHINE, "processor_type": "another"}
    # 0.5 and 2 / 3 differ by a third of 0.5: two ninths of 2 / 3 are within that, and more is not.
    for accuracy, status in ((0.45, CLOSE), (0.44, DIFFERENT)):
        obtained = Gathered.of(records({**METRICS, "accuracy": accuracy}), there)
        found = list(check(committed, obtained, [RUN], CONFIG, load_tolerances()))
        assert statuses(found)["accuracy"] == status


def test_drawn_images_may_round_differently_and_others_may_not():
    for dataset, another in (
        ("synthetic_faces", True),
        ("synthetic_faces", False),
        ("mnist", True),
    ):
        run = Run(dataset, "m2", "1.0", 0)
        there = {**MACHINE, "processor_type": "another"} if another else MACHINE
        committed, obtained = (
            Gathered.of(
                found.replace({RUN.folder: run.folder, "judges/mnist": f"judges/{dataset}"}),
                computer,
            )
            for found, computer in (
                (records(data_checksum="others"), there),
                (records(METRICS), MACHINE),
            )
        )
        found = list(check(committed, obtained, [run], CONFIG, load_tolerances()))[-1]
        said = "the reference saw other images or labels" in found.other
        assert said == (dataset == "mnist" or not another)
        assert any("drawn here, with other bytes" in why for why in found.rounding) != said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"run_settings": {"recipe": 0}}, "the model of the reference was trained by recipe 0"),
        ({"judge": {"recipe": 0}}, "the judge of the reference was trained by recipe 0"),
        ({"judge": {"epochs": 99}}, "the judge of the reference was trained with other settings"),
        ({"data_checksum": "others"}, "the reference saw other images or labels"),
        ({"device": "cuda"}, "was trained on cuda"),
    ],
)
def test_another_recipe_is_said_and_leaves_no_tolerance(change, words):
    found = compared({**METRICS, "accuracy": 0.67}, **change)
    assert any(words in line for line in report(found[-1]))
    holds, sentence = conclusion(found)
    assert not holds
    assert words in sentence
    assert "`make reference` makes the reference anew" in sentence
    assert conclusion(compared(**change))[0], "what is the same all the same, is verified"


def test_metrics_may_be_added_but_not_lost_and_nothing_is_a_value_too():
    undefined = {**METRICS, "swap": float("nan")}
    assert statuses(compared(undefined))["swap"] == DIFFERENT
    found = compared({**METRICS, "calibration": 0.1})
    assert statuses(found)["calibration"] == NEW
    assert conclusion(found) == (True, "verified: 6 of 6 values are the same")
    found = compared({"accuracy": 2 / 3})
    assert statuses(found)["swap"] == GONE
    assert not conclusion(found)[0]


@pytest.fixture
def reference(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return gathered(tmp_path / "reference", records(), MACHINE, merged_config([], []))


def given(reference: Path, *runs: str) -> Namespace:
    return Namespace(reference=reference, runs=runs or (RUN.folder,), preset="again", cores="1")


def test_only_what_the_sample_depends_on_is_taken_from_the_reference(reference):
    path = reference / "config.yaml"
    values = yaml.safe_load(path.read_text())
    values["a key of long ago"] = values["model_settings"]["ccvae"]["another"] = 1
    values["settings"]["classes"]["training"]["steps"] = 7
    values["folders"] = {"mnist": "/data/mnist", "celeba": "/data/celeba"}
    path.write_text(yaml.safe_dump(values))
    overlay = verify.sample_of(reference, Gathered.read(reference), [RUN])
    file = reference / "overlay.yaml"
    file.write_text(yaml.safe_dump({"preset": "again", **overlay}))
    config = Config(merged_config([file], []))
    assert list(config.runs()) == [RUN]
    assert (config.device, config.run_settings(RUN)["training"]["steps"]) == ("cpu", 7)
    assert config.values["folders"] == {"mnist": "/data/mnist"}


def test_a_sample_is_made_and_compared(reference, monkeypatch, capsys):
    wanted = []
    monkeypatch.setattr(verify, "make", lambda targets, *_: wanted.extend(targets))
    monkeypatch.setattr(verify, "machine", lambda: MACHINE)
    monkeypatch.setattr(verify, "collect", lambda *_: records())
    verify.work(given(reference))
    home = Path("results/again")
    about = [home / "judges/mnist" / name for name in ("judge.json", "references.json")]
    assert wanted == [*about, home / RUN.folder / "metrics.json"]
    shown = capsys.readouterr().out
    assert "  accuracy                                        0.6666667    0.6666667  same" in shown
    assert "accuracy/8" not in shown
    assert shown.endswith("verified: 6 of 6 values are the same\n")
    monkeypatch.setattr(verify, "collect", lambda *_: records({**METRICS, "swap": 9.0}))
    with pytest.raises(InputError, match="1 of 6 values are not the same"):
        verify.work(given(reference))


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ("runs/mnist/m2/f=1.0/seed=7", "no run 'runs/mnist/m2/f=1.0/seed=7'"),
        ("judges/mnist", "no run 'judges/mnist'"),
        ("../../etc", "no run"),
    ],
)
def test_a_run_that_the_reference_lacks_is_named(reference, runs, words):
    with pytest.raises(InputError, match=words):
        verify.work(given(reference, runs))


def test_a_folder_that_is_no_reference_is_named(tmp_path):
    with pytest.raises(InputError, match="is no gathered reference"):
        verify.work(given(tmp_path))
    (tmp_path / file_of("records")).write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with pytest.raises(InputError, match="is no gathered reference"):
        verify.work(given(tmp_path))


def test_the_committed_reference_has_the_sample():
    committed = Gathered.read(ROOT / verify.REFERENCE)
    runs = [verify.run_in(committed, name) for name in verify.SAMPLE]
    overlay = verify.sample_of(ROOT / verify.REFERENCE, committed, runs)
    assert {run.model for run in runs} == set(overlay["models"])
    again = check(committed, committed, runs, CONFIG, {})
    assert all(checked.counts[SAME] == len(checked.values) > 0 for checked in again)


@pytest.mark.slow
def test_a_tiny_reference_is_verified_by_the_workflow_and_a_wrong_one_is_not(tmp_path):
    sizes = "{sizes: {train: 128, validation: 32, test: 64}}"
    overlays = [ROOT / "config" / "smoke.yaml"]
    values = merged_config(overlays, [f"data={{synthetic_xrays: {{options: {sizes}}}}}"])
    run = Run("synthetic_xrays", "m2", "1.0", 0)
    values |= {"datasets": ["synthetic_xrays"], "models": ["m2"], "supervision_rates": ["1.0"]}
    values |= {"preset": f"verify_{os.getpid()}", "device": "cpu"}
    results = ROOT / "results" / values["preset"]
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump(values))
    arguments = ("--runs", run.folder, "--preset", results.name, "--cores", "1")
    try:
        target = results.relative_to(ROOT) / run.folder / "metrics.json"
        verify.make([target], overlay, "1", ROOT)
        found = collect(results, Plan(**Config(values).plan()))
        folder = gathered(tmp_path / "reference", found, machine(), values)
        done = step("verify", "--reference", folder, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.strip().splitlines()[-1].startswith("verified: ")
        packed = folder / file_of("records")
        text = gzip.decompress(packed.read_bytes()).decode()
        packed.write_bytes(gzip.compress(text.replace(",accuracy,0", ",accuracy,1").encode()))
        done = step("verify", "--reference", folder, *arguments)
        assert_one_sentence(done, "values are not the same and should be")
    finally:
        shutil.rmtree(results, ignore_errors=True)
