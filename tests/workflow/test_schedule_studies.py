"""The studies of schedules from trainings to pages, on data that train in moments."""

from __future__ import annotations

import copy
import json
import shutil
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from ccvae.errors import InputError
from ccvae.files import read_json
from tests.workflow import explored
from workflow.config import Config
from workflow.planning.overlay import merged_config
from workflow.reporting.record_files import COLUMNS, write_parts
from workflow.reporting.schedules import NOT_RUN, budget_block, protocol_block
from workflow.steps.studies import study_train, study_variants
from workflow.steps.training import fit_gp
from workflow.studies.plan import described_study, named_variants, recorded_trainings
from workflow.studies.protocol import beside_paper, beside_paper_markdown, sentences
from workflow.studies.seeds import read_studies
from workflow.studies.variants import summarise_variants

TINY = {"kind": "mixed", "steps": 2, "labelled_batch": 4, "unlabelled_batch": 4}
AMOUNTS = {"swap_pairs": 6, "generated_images": 4, "information_draws": 2, "probe_images": 4}
AMOUNTS |= {"intervention_images": 4}


def call(step: Any, **options: object) -> None:
    """Run a step in this process, as its command line would."""
    parser = ArgumentParser()
    step.arguments(parser)
    words: list[str] = []
    for key, value in options.items():
        words += [f"--{key}", *map(str, value if isinstance(value, list) else [value])]
    step.work(parser.parse_args(words))


def trained(folder: Path, name: str, dataset: str, study: dict[str, Any]) -> dict[str, Any]:
    """Train a study's variants on a tiny data set with an untrained judge; the study's settings."""
    store = explored._store(folder / "data" / dataset, dataset)
    explored._judge(folder / "judges" / dataset, store, "small_cnn")
    process = {"inducing": 3, "steps": 1, "batch_size": 4, "learning_rate": 0.01}
    settings = {"seed": 0, "gaussian_process": process, "information_draws": 2}
    where: dict[str, Any] = {"store": folder / "data" / dataset, "device": "cpu"}
    judge = folder / "judges" / dataset
    call(fit_gp, settings=json.dumps(settings), judge=judge, out=judge, **where)
    labelled = folder / "labelled.npy"
    np.save(labelled, np.arange(4))
    about = {"datasets": [dataset], "supervision_rates": ["0.06"], "seeds": 1, "training": TINY}
    values = merged_config([], [])
    values["studies"]["variants"] = {name: {"title": "A study", **about, **study}}
    for kind in ("classes", "attributes"):
        values["settings"][kind]["training"] = {**TINY, "learning_rate": 0.001}
    config = Config(values)
    variants = named_variants(config, name)
    for variant in variants:
        splits = ["validation"]
        if variant.value in study.get("beside_paper", []):
            splits.append("test")
        call(
            study_train,
            settings=json.dumps(variant.settings),
            evaluation=json.dumps({"amounts": AMOUNTS, "seed": 1}),
            judge=judge,
            labelled=labelled,
            splits=splits,
            state=folder / "state",
            out=folder / variant.folder,
            **where,
        )
    return {**described_study(config, name), "values": config.values}


def require_same_with_records(
    folder: Path, out: Path, name: str, values: dict[str, Any], trained_here: str
) -> None:
    """Gather a study anew of which all but some trainings are recorded elsewhere: nothing changes.

    Its tables in `out` are taken for those of an earlier gathering.
    """
    elsewhere, again = folder / "elsewhere", folder / "again"
    shutil.copytree(out, elsewhere / "studies", ignore=shutil.ignore_patterns(name))
    variants = named_variants(Config(values), name)
    there = {v.folder for v in variants if (folder / v.folder / "run.json").exists()}
    before = copy.deepcopy(values)
    before["studies"]["variants"][name]["not_run"] = [
        v.folder for v in variants if v.folder not in there
    ]
    (elsewhere / "config.yaml").write_text(yaml.safe_dump(before))
    write_parts(pd.DataFrame(columns=COLUMNS).astype({"metric": str}), elsewhere)
    for path in (folder / each for each in there if trained_here not in each):
        shutil.rmtree(path)
    config = Config({**values, "records_from": str(elsewhere)})
    recorded = recorded_trainings(config)
    assert recorded == there
    plan = described_study(config, name, recorded)
    call(study_variants, settings=json.dumps(plan), results=folder, out=again)
    for path in out.glob("*.csv"):
        frames = [pd.read_csv(place / path.name) for place in (out, again)]
        pd.testing.assert_frame_equal(*frames, rtol=1e-5, atol=1e-6)
    page = f"{name}.md"
    assert (again / page).read_text() == (out / page).read_text()


@pytest.mark.slow
def test_a_study_of_budgets_from_trainings_to_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = {
        "model": "ccvae",
        "baseline": "ccvae",
        "budgets": [1, 2, 4],
        "variants": {"ccvae": {}, "m2": {"model": "m2"}, "supervised": {"model": "supervised"}},
    }
    plan = trained(tmp_path, "budget", explored.FACES, study)
    assert not any((tmp_path / "state").glob("*"))
    # The last budget is still to come.
    for path in tmp_path.glob("studies/budget/*/*.4x/*/*/run.json"):
        path.unlink()
    out = tmp_path / "studies"
    values = plan.pop("values")
    call(study_variants, settings=json.dumps(plan), results=tmp_path, out=out)

    table = pd.read_csv(out / "budget.csv", dtype={"supervision_rate": str})
    assert sorted(table["images_seen"].unique()) == [16, 32]
    assert sorted(table["budget"].unique()) == [1, 2]
    orders = pd.read_csv(out / "budget_orders.csv")
    # Three pairs in what all do, one in swaps and one in generation, at two budgets.
    assert orders.groupby("metric").size().to_dict() == {
        "balanced_accuracy": 6,
        "generation_accuracy": 2,
        "swap_truth_normalised": 2,
    }
    record = read_json(tmp_path / "studies/budget/synthetic_faces/m2.2x/f=0.06/seed=0/run.json")
    means = table[(table["variant"] == "m2") & (table["budget"] == 2)].set_index("metric")["mean"]
    assert means["accuracy"] == pytest.approx(record["validation"]["accuracy"])
    page = (out / "budget.md").read_text()
    assert "Not run: synthetic_faces (drawn), f = 0.06, 4 times the images: all." in page
    assert "From twice to 4 times the images: not run." in page
    assert "f = 0.06, twice the images**" in page
    assert (out / "budget.png").stat().st_size > 10_000
    names = set(read_studies(out)["model"])
    assert names == {f"{model}.{n}x" for model in study["variants"] for n in (1, 2)}

    frame = table.rename(columns={"variant": "value"})
    gathered = gathered_in(tmp_path, values, {"budget": frame})
    block = budget_block(gathered, "there")
    assert "![A study](there/studies/budget.png)" in block
    assert any("not run." in line for line in block)
    assert any("the runs behind the tables saw 32, 2 times as many" in line for line in block)
    assert budget_block(gathered_in(tmp_path, values, {}), "there") == [NOT_RUN]
    assert protocol_block(gathered, "there") == [NOT_RUN]
    failing = gathered_in(tmp_path, values, {"budget": frame}, failed=("synthetic_faces",))
    told: list[set[str]] = []

    def sentences_of(rows: pd.DataFrame, *_: object) -> list[str]:
        told.append(set(rows["metric"]))
        return []

    monkeypatch.setattr("workflow.studies.budget.sentences", sentences_of)
    budget_block(gathered, "there")
    budget_block(failing, "there")
    assert told[0] == {"balanced_accuracy", "generation_accuracy", "swap_truth_normalised"}
    assert told[1] == told[0] - {"generation_accuracy"}, "what a failed judge says is not told"
    monkeypatch.undo()
    require_same_with_records(tmp_path, out, "budget", values, trained_here=".2x/")


def gathered_in(
    folder: Path,
    values: dict[str, Any],
    studies: dict[str, pd.DataFrame],
    failed: Sequence[str] = (),
) -> Any:
    """A folder as it is gathered, of which nothing but studies is asked."""
    records = pd.DataFrame({"dataset": [explored.FACES], "images_seen": [32.0]})
    return SimpleNamespace(
        config=SimpleNamespace(values=values),
        studies=studies,
        folder=folder,
        failed=failed,
        records=records,
    )


def test_a_study_beside_the_paper_from_trainings_to_findings(tmp_path: Path) -> None:
    study = {
        "model": "ccvae",
        "baseline": "ccvae",
        "beside_paper": ["ccvae", "m2"],
        "variants": {"ccvae": {}, "m2": {"model": "m2"}, "ccvae_slow": {"prior_rate": 1}},
    }
    plan = trained(tmp_path, "protocol", explored.DIGITS, study)
    values, out = plan.pop("values"), tmp_path / "studies"
    call(study_variants, settings=json.dumps(plan), results=tmp_path, out=out)
    found = pd.read_csv(out / "protocol_paper.csv", dtype={"supervision_rate": str})
    assert len(found) == 4
    record = read_json(tmp_path / "studies/protocol/mnist/ccvae/f=0.06/seed=0/run.json")
    row = found[(found["metric"] == "accuracy") & (found["model"] == "ccvae")].iloc[0]
    assert (row["table"], row["paper"], row["recipe_seeds"]) == (6, 0.974, 0)
    assert row["study"] == pytest.approx(record["test"]["accuracy"])
    # What is chosen by is not looked at on test images.
    slow = read_json(tmp_path / "studies/protocol/mnist/ccvae_slow/f=0.06/seed=0/run.json")
    assert "test" not in slow
    page = (out / "protocol.md").read_text()
    assert "| M2: the paper | 0.962 |" in page
    assert "the suite's own recipe (not run) | n/a |" in page
    table = pd.read_csv(out / "protocol.csv", dtype={"supervision_rate": str})
    frame = table.rename(columns={"variant": "value"})
    block = protocol_block(gathered_in(tmp_path, values, {"protocol": frame}), "there")
    assert block[-1] == "Number by number: [protocol](there/studies/protocol.md)."
    assert any("`ccvae_slow`" in line for line in block)
    require_same_with_records(tmp_path, out, "protocol", values, trained_here="/ccvae_slow/")


def test_numbers_are_set_beside_the_papers_and_the_presets_own_runs() -> None:
    test = pd.DataFrame(
        [
            ("mnist", rate, "ccvae", "accuracy", score)
            for rate, score in (("0.004", 0.864), ("0.06", 0.978))
        ],
        columns=["dataset", "supervision_rate", "value", "metric", "score"],
    )
    runs = pd.DataFrame(
        [("mnist", "0.004", "ccvae", "accuracy", value) for value in (0.92, 0.94)],
        columns=["dataset", "supervision_rate", "model", "metric", "value"],
    )
    found = beside_paper(test, runs).set_index("supervision_rate")
    assert found["paper"].to_dict() == {"0.004": 0.927, "0.06": 0.974}
    assert found.loc["0.004", "recipe"] == pytest.approx(0.93)
    assert found["recipe_seeds"].to_dict() == {"0.004": 2, "0.06": 0}
    scores = {"ccvae": 0.86, "ccvae_mixed": 0.92, "ccvae_rate": 0.85, "ccvae_draws": 0.80}
    assert found.loc["0.004", "recipe_std"] == pytest.approx(0.02 / 2**0.5)
    summary = summarise_variants(
        pd.DataFrame(
            {"dataset": "mnist", "supervision_rate": "0.004", "value": name, "seed": 0}
            | {"metric": "accuracy", "score": score}
            for name, score in scores.items()
        )
    )
    assert sentences(found.reset_index()[list(beside_paper(test, runs))], summary, {}) == [
        "Table 6, ccvae: the paper preset's schedule reaches 1 of 2 numbers within 0.01 or better, "
        "and misses most on MNIST at f = 0.004: 0.864 for 0.927; the suite's own recipe reaches 1 "
        "of 1 numbers within 0.01 or better.",
        "MNIST, f = 0.004, Table 6, accuracy: `ccvae` has 0.864 on test images and the paper "
        "0.927. What one change moves on validation images: `ccvae_mixed` +0.060 (95% of what is "
        "missing), `ccvae_rate` -0.010 (no more than seeds do), `ccvae_draws` -0.060 (away from "
        "the paper). 2 standard deviations of the suite's own runs, over 2 seeds, are 0.028.",
    ]


def test_generated_images_are_of_no_split() -> None:
    row = {"dataset": "mnist", "supervision_rate": "0.004", "metric": "generation_accuracy"}
    test = pd.DataFrame([{**row, "value": "m2", "score": 0.7}])
    runs = pd.DataFrame(columns=["dataset", "supervision_rate", "model", "metric", "value"])
    found = beside_paper(test, runs)
    scores = [{**row, "value": name, "seed": 0, "score": 0.7} for name in ("m2", "m2_rate")]
    *_, line = sentences(found, summarise_variants(pd.DataFrame(scores)), {})
    assert "`m2` has 0.700 and the paper 0.883. What one change moves: `m2_rate`" in line
    table = "\n".join(beside_paper_markdown(found, {}))
    assert "**Table 7, accuracy: MNIST, generated images**" in table


def test_only_accuracies_are_said_to_be_reached() -> None:
    columns = ["dataset", "supervision_rate", "value", "metric", "score"]
    measured = [("celeba", "1.0", "ccvae", name, 0.9) for name in ("accuracy", "swap", "fid")]
    runs = pd.DataFrame(columns=["dataset", "supervision_rate", "model", "metric", "value"])
    found = beside_paper(pd.DataFrame(measured, columns=columns), runs)
    assert found["metric"].tolist() == ["accuracy"]


def test_a_study_of_which_nothing_was_run_says_so(tmp_path: Path) -> None:
    variant = {"folder": "studies/s/x", "value": "x", "dataset": "mnist"}
    plan = json.dumps({"name": "s", "title": "S", "variants": [variant]})
    with pytest.raises(InputError, match=r"no training of the study 's' .*`snakemake study_s`"):
        call(study_variants, settings=plan, results=tmp_path, out=tmp_path)
