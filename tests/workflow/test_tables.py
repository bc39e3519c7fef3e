from __future__ import annotations

import math
import re
import shutil
import subprocess

import pandas as pd
import pytest

from ccvae.files import write_json
from datasets.readers import READERS
from workflow.identity import Run
from workflow.reporting.names import STAND_INS
from workflow.reporting.paper import TABLES
from workflow.reporting.paper_layout import in_paper_layout
from workflow.reporting.records import Plan, collect
from workflow.reporting.render import latex, markdown
from workflow.reporting.tables import TIDY, paper_values, tidy, wide
from workflow.reporting.terms import terms

BOOKTABS = shutil.which("pdflatex") and (
    subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True, check=False).returncode == 0
)
TABLE6 = TABLES["table6"]
TABLE1 = TABLES["table1"]


def plan(**changes) -> Plan:
    values = {
        "preset": "test",
        "datasets": {"mnist": "classes", "synthetic_faces": "attributes"},
        "models": {
            "ccvae": {"system": "ccvae", "title": "CCVAE", "datasets": None},
            "m2_100%": {"system": "m2", "title": "M2 & 100%", "datasets": ["mnist"]},
        },
        "rates": ["0.06", "1.0"],
        "seeds": 2,
    }
    return Plan(**{**values, **changes})


def write_run(results, run: Run, **metrics: float) -> None:
    record = {
        "settings_hash": "abc",
        "data_checksum": "def",
        "stand_in": run.dataset.startswith("synthetic"),
        "code": {"commit": "0123", "dirty": False},
        "versions": {"torch": "2"},
        "device": "cpu",
        "wall_s": 1.0,
        "peak_mb": 100.0,
    }
    measured = {"run": record, "metrics": metrics, "wall_s": 2.0, "peak_mb": 200.0}
    measured["code"] = {"commit": "4567", "dirty": True}
    write_json(results / run.folder / "metrics.json", measured)


def write_judge(results, dataset: str, minimum: float = 0.9) -> None:
    training = {
        "settings_hash": "j",
        "data_checksum": "def",
        "stand_in": False,
        "code": {"commit": "0123", "dirty": False},
        "versions": {"torch": "2"},
        "device": "cpu",
        "wall_s": 1.0,
        "peak_mb": 100.0,
    }
    write_json(
        results / "judges" / dataset / "judge.json",
        {
            "training": training,
            "gate": {"minimum": {"accuracy": minimum}, "label_minimum": {}},
            "metrics": {"accuracy": 0.99, "balanced_accuracy": 0.98},
            "majority": {"accuracy": 0.1, "balanced_accuracy": 0.1},
        },
    )


@pytest.fixture
def results(tmp_path):
    for model, base in (("ccvae", 0.974), ("m2_100%", 0.95)):
        for seed in (0, 1):
            write_run(tmp_path, Run("mnist", model, "0.06", seed), accuracy=base + 0.01 * seed)
    write_run(tmp_path, Run("mnist", "ccvae", "1.0", 0), accuracy=0.99)
    for seed in (0, 1):
        write_run(
            tmp_path,
            Run("synthetic_faces", "ccvae", "0.06", seed),
            accuracy=0.9,
            balanced_accuracy=0.7,
        )
    write_judge(tmp_path, "mnist")
    write_judge(tmp_path, "synthetic_faces")
    return tmp_path


def cell(frame: pd.DataFrame, **where):
    rows = frame.loc[(frame[list(where)] == pd.Series(where)).all(axis=1)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_cells_hold_mean_sample_deviation_paper_and_difference(results):
    frame = tidy(TABLE6, collect(results, plan()), plan())
    assert list(frame.columns) == TIDY
    row = cell(frame, model="ccvae", supervision_rate="0.06")
    assert row["mean"] == pytest.approx(0.979)
    assert row["std"] == pytest.approx(0.01 / math.sqrt(2))
    assert (row["n"], row["paper"]) == (2, 0.974)
    assert row["difference"] == pytest.approx(0.005)


def test_readers_and_pages_agree_on_what_is_drawn():
    assert set(STAND_INS.values()) <= set(READERS)


def test_a_difference_that_rounds_to_zero_has_no_minus(results):
    frame = tidy(TABLE6, collect(results, plan()), plan())
    frame.loc[frame["difference"].notna(), "difference"] = -0.0001
    assert ", +0.000)" in markdown(TABLE6, frame, plan())
    assert "-0.000" not in markdown(TABLE6, frame, plan())


def test_a_missing_seed_makes_a_missing_cell_and_never_an_average(results):
    frame = tidy(TABLE6, collect(results, plan()), plan())
    partly = cell(frame, model="ccvae", supervision_rate="1.0")
    assert math.isnan(partly["mean"])
    assert partly["n"] == 1
    assert math.isnan(partly["difference"])
    text = markdown(TABLE6, frame, plan())
    assert "missing (1 of 2 seeds)" in text
    assert "| missing (0.981) |" in text


def test_records_say_where_each_value_comes_from(results):
    frame = collect(results, plan())
    row = cell(frame, run="runs/mnist/ccvae/f=1.0/seed=0", metric="accuracy")
    came_from = ["settings_hash", "data_checksum", "commit", "dirty", "versions", "evaluate_commit"]
    assert row[came_from].tolist() == ["abc", "def", "0123", False, "torch 2", "4567"]
    assert (row["device"], row["train_peak_mb"], row["evaluate_peak_mb"]) == ("cpu", 100, 200)


def test_a_table_says_how_many_runs_it_is_made_of_and_where_they_are(results):
    text = markdown(TABLE6, tidy(TABLE6, collect(results, plan()), plan()), plan())
    assert "5 runs" in text
    assert "(../records.csv)" in text


def test_one_seed_has_no_deviation(results):
    single = plan(seeds=1)
    row = cell(
        tidy(TABLE6, collect(results, single), single), model="ccvae", supervision_rate="1.0"
    )
    assert row["mean"] == 0.99
    assert math.isnan(row["std"])


def test_stand_ins_have_no_paper_value_and_are_called_so(results):
    frame = tidy(TABLE1, collect(results, plan()), plan())
    assert frame["paper"].isna().all()
    assert frame["difference"].isna().all()
    text = markdown(TABLE1, frame, plan())
    assert "synthetic_faces (drawn)" in text
    assert "not comparable" in text
    assert "In brackets" not in text


def test_majority_and_judge_rows_are_always_there(results):
    for table in (TABLE1, TABLE6):
        frame = tidy(table, collect(results, plan()), plan())
        assert {"majority", "judge"} <= set(frame["model"])
    row = cell(frame, model="majority")
    assert (row["mean"], row["supervision_rate"]) == (0.1, "")


def test_a_model_that_skips_a_data_set_has_no_row_there(results):
    frame = tidy(TABLE1, collect(results, plan()), plan())
    assert "m2_100%" not in set(frame["model"])


def test_a_model_that_cannot_do_what_a_table_is_about_has_no_row(results):
    models = plan().models | {"alone": {"system": "supervised", "title": "Alone", "datasets": None}}
    asked = plan(models=models)
    records = collect(results, asked)
    assert "alone" in set(tidy(TABLE6, records, asked)["model"])
    assert "alone" not in set(tidy(TABLES["table7"], records, asked)["model"])


def test_a_table_of_what_nobody_measured_has_a_heading_and_no_block(results):
    frame = tidy(TABLES["style"], collect(results, plan()), plan())
    assert frame.empty
    page = markdown(TABLES["style"], frame, plan())
    assert page.startswith("# Style\n")
    assert "|---" not in page
    assert "\\label{tab:style}" in latex(TABLES["style"], frame, plan())


def test_wide_table_repeats_references_at_every_rate(results):
    frame = wide(TABLE6, tidy(TABLE6, collect(results, plan()), plan()), plan())
    majority = frame[frame["model"] == "majority"].iloc[0]
    assert majority["mnist f=0.06 obtained"] == majority["mnist f=1.0 obtained"] == 0.1
    ccvae = frame[frame["model"] == "ccvae"].iloc[0]
    assert ccvae["mnist f=0.06 paper"] == 0.974


@pytest.mark.parametrize(
    ("ccvae", "m2", "is_bold"),
    [
        ([0.97, 0.98, 0.99], [0.90, 0.92, 0.93], True),
        ([0.97, 0.98, 0.99], [0.90, 0.99, 0.93], False),
        ([0.97, 0.98], [0.90, 0.92], False),
        ([0.97], [0.90], False),
    ],
)
def test_only_a_row_that_is_separable_from_every_other_is_bold(tmp_path, ccvae, m2, is_bold):
    for model, scores in (("ccvae", ccvae), ("m2_100%", m2)):
        for seed, score in enumerate(scores):
            for rate in plan().rates:
                write_run(tmp_path, Run("mnist", model, rate, seed), accuracy=score)
    write_judge(tmp_path, "mnist")
    seeds = plan(seeds=len(ccvae))
    frame = tidy(TABLE6, collect(tmp_path, seeds), seeds)
    assert set(frame.loc[frame["bold"], "model"]) == ({"ccvae"} if is_bold else set())
    assert set(frame["better"]) == {"higher"}
    text = markdown(TABLE6, frame, seeds)
    assert ("| **0.980 ± 0.010** (0.974, +0.006)" in text) == is_bold
    assert ("textbf{0.980" in latex(TABLE6, frame, seeds)) == is_bold
    assert "rows with fewer than 3 seeds do not compete" in text
    assert "**MNIST, accuracy**, higher is better" in text


@pytest.mark.parametrize(("seeds", "is_bold"), [(3, False), (2, True)])
def test_models_with_fewer_seeds_compete_if_they_are_enough(tmp_path, seeds, is_bold):
    models = plan().models | {
        "third": {"system": "m2", "title": "Third", "datasets": None, "seeds": seeds}
    }
    scores = {"ccvae": [0.97, 0.98, 0.99, 0.98], "m2_100%": [0.9, 0.92, 0.93, 0.91]}
    for model, found in (scores | {"third": [0.96, 0.99, 0.98][:seeds]}).items():
        for seed, score in enumerate(found):
            for rate in plan().rates:
                write_run(tmp_path, Run("mnist", model, rate, seed), accuracy=score)
    write_judge(tmp_path, "mnist")
    four = plan(seeds=4, models=models)
    frame = tidy(TABLE6, collect(tmp_path, four), four)
    assert set(frame.loc[frame["bold"], "model"]) == ({"ccvae"} if is_bold else set())


def test_a_run_without_the_figure_is_no_missing_run(tmp_path):
    write_run(tmp_path, Run("mnist", "ccvae", "0.06", 0), balanced_accuracy=0.9)
    one = plan(seeds=1)
    frame = tidy(TABLE6, collect(tmp_path, one), one)
    assert cell(frame, model="ccvae", supervision_rate="0.06")["runs"] == 1
    text = markdown(TABLE6, frame, one)
    assert "| n/a (0.974) | missing (0.988) |" in text


def test_every_paper_value_is_a_number_of_a_known_table():
    values = paper_values()
    assert len(values) == 160
    assert values["value"].notna().all()
    assert set(values["table"]) == {1, 2, 4, 5, 6, 7}


def test_latex_escapes_names_and_closes_what_it_opens(results):
    text = latex(TABLE6, tidy(TABLE6, collect(results, plan()), plan()), plan())
    assert r"M2 \& 100\%" in text
    assert "In brackets: the paper's value. " in text, "and no difference, which no cell has"
    assert text.count("{") == text.count("}")
    assert len(re.findall(r"\\begin\{", text)) == len(re.findall(r"\\end\{", text))
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and "&" in line]
    separators = {len(re.findall(r"(?<!\\)&", line)) for line in rows[1:]}
    assert separators == {3}


@pytest.mark.slow
@pytest.mark.skipif(not BOOKTABS, reason="pdflatex with booktabs is not installed")
def test_latex_compiles(results, tmp_path):
    bodies = [
        latex(table, tidy(table, collect(results, plan()), plan()), plan())
        for table in (TABLE1, TABLE6)
    ]
    source = "\n".join(
        [
            r"\documentclass{article}\usepackage{booktabs,graphicx}",
            r"\begin{document}",
            *bodies,
            r"\end{document}",
        ]
    )
    (tmp_path / "tables.tex").write_text(source)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_terms_of_a_comparison_stand_below_it():
    latents = {"ccvae": {"classes": [64, 64]}, "m2_100%": {"classes": [20, 0]}}
    asked = plan()
    for name, described in asked.models.items():
        described["latents"] = latents[name]
    rows = [
        {"dataset": "mnist", "model": model, "images_seen": seen}
        for model, seen in (("ccvae", 4800.0), ("ccvae", 9600.0), ("m2_100%", 3200.0))
    ]
    own = {"mutual_information_noise": 0.06, "mutual_information_test": 0.004}
    rows += [{"dataset": "mnist", "model": "judge", "metric": k, "value": own[k]} for k in own]
    seen = pd.DataFrame(rows)
    found = terms(TABLES["table7"], seen, asked)
    assert "64 of 64, 4,800 to 9,600 images (CCVAE); none of 20, 3,200 images (M2 & 100%)." in found
    unknown = seen.assign(images_seen=None)
    assert "64 of 64, not recorded (CCVAE)" in terms(TABLES["table7"], unknown, asked)
    gate = "Mutual information in nats by its own gate: MNIST 0.06 on noise, 0.004 on test images"
    assert found.endswith(f"belong to no label. {gate}, gate passed.")
    assert "gate" not in terms(TABLES["table6"], seen, asked)
    assert terms(TABLE1, seen, asked) == ""
    assert terms(TABLES["table7"], seen, plan()) == "", "older plans do not know"


def test_what_rests_on_a_failed_judge_says_so_in_the_papers_layout(tmp_path):
    for rate, seed in (("0.06", 0), ("0.06", 1), ("1.0", 0), ("1.0", 1)):
        for model in ("ccvae", "m2_100%"):
            run = Run("mnist", model, rate, seed)
            write_run(tmp_path, run, generation_accuracy=0.5, mutual_information=0.02)
    table = TABLES["table7"]
    frame = tidy(table, collect(tmp_path, plan()), plan())
    fine = "\n".join(in_paper_layout(table, frame, plan()))
    assert "| MNIST | f = 0.06, Acc | MI | f = 1.0, Acc | MI |" in fine
    assert "| CCVAE | 0.500 ± 0.000 (0.954) | 0.020 ± 0.000 (0.014) |" in fine
    frame["judge_failed"] = "The judge of MNIST failed its gate: so."
    failed = in_paper_layout(table, frame, plan())
    assert failed[2] == "The judge of MNIST **failed its gate**: so."
