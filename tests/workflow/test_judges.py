"""What a judge that failed its gate does to every page that rests on it."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path

import pandas as pd
import pytest

from ccvae.files import write_json
from tests.workflow import fabricated
from workflow.config import Config
from workflow.figures.catalogue import FIGURES
from workflow.identity import Run
from workflow.reporting.gathered import Gathered
from workflow.reporting.judges import (
    UNJUDGED,
    failed_judges,
    first_lines,
    rests_on_judge,
    trusted,
)
from workflow.reporting.paper import TABLES
from workflow.reporting.records import Plan, collect
from workflow.reporting.verdicts import HOLDS, NOT_MEASURED, NOT_RUN
from workflow.steps.reporting import (
    front_page,
    make_capabilities,
    make_figure,
    make_summary,
    update_readme,
)
from workflow.steps.reporting.make_findings import page
from workflow.studies.variants import summarise_variants, variants_markdown

NOTHING = (NOT_RUN, NOT_MEASURED)
FAILED = "The judge of synthetic_faces (drawn) **failed its gate**: its balanced accuracy on test"
PLAIN = FAILED.replace("*", "")


def scored(run: Run, metric: str) -> float:
    """CCVAE wins everything that there is to win."""
    lower = metric.startswith(("swap", "mutual"))
    best = 0.1 if lower else 0.9
    return best if run.model == "ccvae" else 0.5


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, dict, list[str]]:
    """A preset's folder where the faces' judge failed and MNIST's did not."""
    folder = tmp_path_factory.mktemp("results") / "made_up"
    values = fabricated.configuration()
    values["data"]["mnist"]["seeds"] = 6
    fabricated.judge(folder, "mnist", 0.99, 0.9)
    fabricated.judge(folder, "synthetic_faces", 0.5, 0.9)
    return folder, values, fabricated.results(folder, values, scored)


def first_line(text: str) -> str:
    """Of a page, below its heading."""
    heading, empty, line = text.splitlines()[:3]
    assert heading.startswith("# ")
    assert empty == ""
    return line


def test_the_records_say_who_failed_and_by_how_much(made):
    folder, values, _ = made
    records = pd.read_csv(folder / "records.csv", dtype={"supervision_rate": str})
    (sentence,) = failed_judges(records).values()
    assert sentence == (
        f"{PLAIN} images is 0.5000, below the 0.9 asked of it. Nothing that rests on it is decided."
    )
    again = collect(folder, Plan(**Config(values).plan()))
    assert failed_judges(again) == failed_judges(records)


def test_a_missing_figure_of_the_gate_fails_it(tmp_path):
    values = fabricated.configuration()
    fabricated.judge(tmp_path, "mnist", 0.99, 0.9)
    frame = collect(tmp_path, Plan(**Config(values).plan()))
    assert failed_judges(frame) == {}
    undefined = frame[(frame["metric"] != "balanced_accuracy") | (frame["model"] != "judge")]
    assert "not defined" in failed_judges(undefined)["mnist"]


@pytest.mark.parametrize(
    ("metric", "rests"),
    [
        ("swap", True),
        ("swap_normalised", True),
        ("swap_truth", True),
        ("swap_truth_l1", False),
        ("swap_background_change", False),
        ("generation_accuracy", True),
        ("intervention_condition", True),
        ("mutual_information", True),
        ("frechet_distance_judge_reconstruction", True),
        ("fid", False),
        ("accuracy", False),
        ("reconstruction_l1", False),
        ("truth_r2_own", False),
        ("counterfactual_outside", False),
        ("leakage_own", False),
        ("region_closest_success", True),
        ("region_closest_change", False),
    ],
)
def test_what_rests_on_a_judge(metric, rests):
    assert rests_on_judge(metric) == rests
    assert rests_on_judge(metric, "judge")


def test_a_table_that_rests_on_it_says_so_first_and_has_nothing_bold(made):
    tables = made[0] / "tables"
    text = (tables / "table2.md").read_text()
    assert first_line(text).startswith(FAILED)
    assert re.findall(r"\| \*\*", text) == []
    latex = (tables / "table2.tex").read_text()
    assert r"\caption{The judge of synthetic\_faces (drawn) failed its gate: " in latex
    assert r"\textbf" not in latex
    for name in ("table2.csv", "table2.wide.csv"):
        frame = pd.read_csv(tables / name, keep_default_na=False)
        resting = frame["metric"].map(rests_on_judge)
        assert frame.loc[resting, "judge_failed"].str.startswith(PLAIN).all()
        assert set(frame.loc[~resting, "judge_failed"]) == {""}


def test_other_tables_and_other_data_are_as_ever(made):
    tables = made[0] / "tables"
    for name in ("table1", "table6", "table7"):
        text = (tables / f"{name}.md").read_text()
        assert "**failed" not in first_line(text)
        assert ("| **0.9" in text) == (name != "table1"), "one seed of faces, six of MNIST"
    assert "| Independent classifier (failed its gate) |" in (tables / "table1.md").read_text()
    assert "| Independent classifier |" in (tables / "table6.md").read_text()
    frame = pd.read_csv(tables / "table1.csv", keep_default_na=False)
    assert set(frame.loc[frame["judge_failed"] != "", "model"]) == {"judge"}


def test_no_claim_is_decided_with_it(made):
    folder, *_ = made
    claims = pd.read_csv(folder / "claims.csv")
    faces = claims[(claims["dataset"] == "synthetic_faces") & ~claims["verdict"].isin(NOTHING)]
    judged = faces["metric"].map(rests_on_judge)
    assert set(faces.loc[judged, "verdict"]) == {UNJUDGED}
    assert UNJUDGED not in set(faces.loc[~judged, "verdict"])
    assert HOLDS in set(claims.loc[claims["dataset"] == "mnist", "verdict"])
    assert UNJUDGED not in set(claims.loc[claims["dataset"] == "mnist", "verdict"])
    text = (folder / "claims.md").read_text()
    assert first_line(text).startswith(FAILED)
    assert f": {UNJUDGED}" in text
    assert f"**{UNJUDGED}" not in text


def test_nor_is_any_comparison_or_task(made, tmp_path):
    folder, values, _ = made
    text = (folder / "tables" / "comparison.md").read_text()
    assert first_line(text).startswith(FAILED)
    rows = [line for line in text.splitlines() if line.startswith("| synthetic_faces")]
    assert rows
    assert not any("**" in row for row in rows)
    plan = Config(values).plan()
    told = Namespace(settings=plan, records=folder / "records.csv", out=tmp_path)
    make_capabilities.work(told)
    assert first_line((tmp_path / "capabilities.md").read_text()).startswith(FAILED)
    frame = pd.read_csv(tmp_path / "capabilities.csv")
    classified = frame[frame["task"] == "classify"]
    by_data = classified.groupby("dataset")["verdict"].unique()
    assert list(by_data["synthetic_faces"]) == [UNJUDGED]
    assert UNJUDGED not in set(frame.loc[frame["dataset"] == "mnist", "verdict"])


def test_the_front_page_begins_with_it(made, tmp_path):
    folder, values, _ = made
    for dataset in values["datasets"]:
        counts = {"counts": {"train": 5, "test": 4}, "stand_in": dataset != "mnist"}
        write_json(folder / "data" / dataset / "store.json", counts)
    (folder / "tables" / "capabilities.md").write_text("# Tasks\n")
    out = tmp_path / "front_page.html"
    given = {"settings": Config(values).plan(), "results": folder, "figures": 3, "out": out}
    front_page.work(Namespace(tables=list(fabricated.TABLES_MADE), **given))
    text = out.read_text()
    items = re.findall(r"<li>(.*?)</li>", text)
    assert items[0].startswith("The judge of synthetic_faces (drawn) <b>failed its gate</b>")
    assert "of synthetic_faces (drawn) reads them too badly" in text
    assert "true redrawings: Pale Skin." in text
    assert UNJUDGED in next(item for item in items if "#claims" in item)
    assert " of the paper are put as numbers here" in items[1]
    holds = next(item for item in items if item.startswith("<b>Holds</b> on the paper's own data"))
    assert "MNIST 0.900 against 0.500" in holds
    anchors = re.findall(r'href="#([\w-]+)"', " ".join(items))
    assert all(f'id="{anchor}"' in text for anchor in anchors)


def test_the_reference_the_readme_and_the_findings_begin_with_it(made, tmp_path):
    folder, values, files = made
    out = fabricated.reference(folder, tmp_path / "reference", values, files, pictures=[])
    assert first_line((out / "README.md").read_text()).startswith(FAILED)
    found = Gathered(out)
    assert update_readme.blocks(found, tmp_path)["answer"].startswith(FAILED)
    text = page(found, tmp_path / "findings.md")
    assert first_line(text).startswith(FAILED)
    assert f"| {UNJUDGED}" in text
    swaps = text.split('# What "difference in log-probabilities"')[1].split("\n#")[0]
    assert "synthetic_faces" not in swaps
    assert first_line(make_summary.page(found, tmp_path / "summary.md")).startswith(FAILED)


def test_a_picture_says_it_in_its_title_and_caption(made, tmp_path, monkeypatch):
    folder, *_ = made
    titles = []
    monkeypatch.setattr(make_figure, "save", lambda title, _: titles.append(title))
    monkeypatch.setattr("workflow.figures.curves.against_f", lambda *given: given[-1])
    settings = {
        "dataset": "synthetic_faces",
        "models": {},
        "rate": "1.0",
        "rates": ["1.0"],
        "seed": 0,
        "facts": {"where": "Here.", "deviations": "5"},
        "figures": ["against_f"],
    }
    each = [settings, {**settings, "dataset": "mnist"}]
    asked = {"each": each, "plan": Config(made[1]).plan()}
    make_figure.work(Namespace(settings=asked, results=folder))
    assert titles[0].startswith(PLAIN)
    caption = folder / "figures" / "against_f" / "synthetic_faces.txt"
    assert caption.read_text().startswith(PLAIN)
    assert caption.read_text().endswith("true redrawings: Pale Skin.\n")
    assert titles[1].startswith("Additional figure")
    assert "relied on" not in caption.with_name("mnist.txt").read_text()


def test_figures_of_a_judge_are_marked():
    judged = {name for name, figure in FIGURES.items() if figure.judged}
    matrices = {"figure10", "figure12", "figure14", "figure16", "confusion"}
    assert judged == matrices | {"against_f", "style"}


def test_a_study_begins_with_it():
    rows = [
        {"dataset": "mnist", "supervision_rate": "0.06", "value": "one", "seed": 0}
        | {"metric": "swap", "score": 0.5}
    ]
    study = {"name": "s", "title": "T", "steps": 3}
    text = variants_markdown(summarise_variants(pd.DataFrame(rows)), study, [PLAIN])
    assert first_line(text) == first_lines([PLAIN])[0]


def test_remarks_and_counts_do_without_it():
    frame = pd.DataFrame({"dataset": ["a", "a", "b"], "metric": ["swap", "accuracy", "swap"]})
    assert trusted(frame, ["a"]).index.tolist() == [1, 2]


def test_every_judged_metric_of_the_tables_is_known_as_such():
    judged = {
        metric.name
        for name in ("table2", "table4", "table5", "table7", "interventions")
        for metric in TABLES[name].metrics
        if rests_on_judge(metric.name)
    }
    pixels = {
        "swap_background_change",
        "swap_background_distance",
        "swap_outside_change",
        "swap_truth_normalised",
        "swap_truth_inside_normalised",
        "fid",
        "fid_reconstruction",
    }
    every = {
        metric.name
        for name in ("table2", "table4", "table5", "table7", "interventions")
        for metric in TABLES[name].metrics
    }
    assert every - judged == pixels
