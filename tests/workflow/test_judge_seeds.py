"""How far another judge moves what is measured, on numbers that are known."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path

import pandas as pd
import pytest

from ccvae.files import read_json, write_json
from tests.workflow import fabricated
from tests.workflow.running import jobs, snakemake
from workflow.config import JUDGED, Config
from workflow.identity import judge_folder, metrics_file
from workflow.planning.overlay import merged_config
from workflow.reporting.claims import load_claims
from workflow.reporting.gathered import Gathered
from workflow.reporting.judge_seeds import compared_cells, measures
from workflow.reporting.judge_seeds_pages import NOT_RUN, information_apart, moved_by_judges
from workflow.reporting.judges import information_gate, information_gates
from workflow.reporting.records import Plan, collect, judge_records
from workflow.steps.reporting import make_judge_seeds
from workflow.steps.reporting.make_findings import page

GENERATED, INFORMATION = "generation_accuracy", "mutual_information"
FIRST = {
    ("ccvae", GENERATED): 0.90,
    ("m2", GENERATED): 0.80,
    ("ccvae_detached", GENERATED): 0.85,
    ("ccvae", INFORMATION): 0.010,
    ("m2", INFORMATION): 0.020,
    ("ccvae_detached", INFORMATION): 0.010,
}
CHANGES = {
    ("ccvae", GENERATED): -0.01,
    ("m2", GENERATED): 0.03,
    ("ccvae_detached", GENERATED): -0.06,
    ("ccvae", INFORMATION): 0.001,
    ("m2", INFORMATION): 0.002,
    ("ccvae_detached", INFORMATION): 0.0,
}
"""The second judge has M2 generate better than CCVAE with its weight detached."""
SPREAD = 0.02
"""Between the three seeds of training, of generation accuracy: 0, .02, .04 above the first."""


def said(run, metric: str) -> float:
    value = FIRST.get((run.model, metric), 0.5)
    return value + SPREAD * run.seed if metric == GENERATED else value


def gp(folder: Path, judge: int, noise: float, test: float) -> None:
    metrics = {"mutual_information_noise": noise, "mutual_information_test": test}
    path = folder / judge_folder("mnist", judge) / "gp.json"
    write_json(path, {"metrics": metrics, "warnings": []})


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Config, list[str]]:
    """Two judges of MNIST and one of the faces."""
    folder = tmp_path_factory.mktemp("results") / "made_up"
    values = fabricated.configuration()
    values["data"]["mnist"]["judges"] = 2
    config = Config(values)
    for name in ("mnist", "synthetic_faces"):
        fabricated.judge(folder, name, 0.99, 0.9)
    record = read_json(folder / "judges" / "mnist" / "judge.json")
    metrics = {**record["metrics"], "accuracy": 0.92, "balanced_accuracy": 0.89}
    write_json(folder / "judges" / "mnist" / "seed=1" / "judge.json", record | {"metrics": metrics})
    gp(folder, 0, noise=0.06, test=0.004)
    gp(folder, 1, noise=0.05, test=0.07)
    files = fabricated.results(folder, values, said)
    for run, judge in config.judged_again():
        record = read_json(folder / run.folder / "metrics.json")
        moved = {m: said(run, m) + CHANGES[run.model, m] for m in (GENERATED, INFORMATION)}
        write_json(folder / run.folder / metrics_file(judge), record | {"metrics": moved})
    settings = {"plan": config.plan(), "judges": {n: config.judges_of(n) for n in config.datasets}}
    make_judge_seeds.work(
        Namespace(settings=settings, results=folder, out=folder / "tables"),
    )
    files += [f"tables/judge_seeds.{form}" for form in ("md", "csv", "wide.csv", "tex")]
    return folder, config, files


def rows(made) -> dict[str, dict]:
    frame = pd.read_csv(made[0] / "tables" / "judge_seeds.wide.csv", dtype={"largest_rate": str})
    assert set(frame["dataset"]) == {"mnist"}
    return {row["metric"]: row for row in frame.to_dict("records")}


def test_changes_are_those_of_the_first_seed_over_models_and_f(made):
    found = rows(made)
    assert set(found) == {GENERATED, INFORMATION}
    generated = found[GENERATED]
    assert generated["cells"] == 6
    assert generated["first_mean"] == pytest.approx((0.90 + 0.80 + 0.85) / 3)
    assert generated["mean_change"] == pytest.approx((0.01 + 0.03 + 0.06) / 3)
    assert generated["largest_change"] == pytest.approx(0.06)
    assert generated["largest_model"] == "ccvae_detached"
    assert found[INFORMATION]["mean_change"] == pytest.approx(0.001)


def test_beside_them_stands_the_spread_over_seeds_of_training(made):
    found = rows(made)
    assert found[GENERATED]["seed_spread"] == pytest.approx(SPREAD)
    assert found[INFORMATION]["seed_spread"] == 0


def test_orders_that_claims_ask_for_and_the_judge_turns_round_are_named(made):
    generated = rows(made)[GENERATED]
    # Both CCVAEs against M2, at two f.
    assert (generated["orders"], generated["orders_changed"]) == (4, 2)
    title = "CCVAE, eq. (8) with its weight detached"
    assert generated["changed"] == f"{title} and M2 at f = 0.06; {title} and M2 at f = 1.0"
    information = rows(made)[INFORMATION]
    assert information["orders_changed"] == 0
    text = (made[0] / "tables" / "judge_seeds.md").read_text()
    assert f"* generation accuracy: {title} and M2 at f = 0.06" in text


def test_judges_stand_beside_each_other_with_both_gates(made):
    text = (made[0] / "tables" / "judge_seeds.md").read_text()
    first, second = (line for line in text.splitlines() if line.startswith("| MNIST | "))
    assert "| 0 | accuracy 0.900, balanced accuracy 0.990, gate passed |" in first
    assert "0.06 on noise, 0.004 on test images, gate passed |" in first
    assert "| 1 | accuracy 0.920, balanced accuracy 0.890, gate failed |" in second
    assert "0.05 on noise, 0.07 on test images, gate failed |" in second
    assert "* Judge 1 of MNIST failed its gate: its balanced accuracy on test images is" in text
    assert "test images of MNIST hangs on the judge's seed: 0.06 against 0.004 by the" in text
    cells = pd.read_csv(made[0] / "tables" / "judge_seeds.csv")
    agreed = cells.assign(value=cells["first"])
    assert information_apart(agreed) == []
    own = cells[cells["model"] == "judge"].set_index("metric")
    assert own.loc["accuracy", "change"] == pytest.approx(0.02)
    assert own.loc["mutual_information_test", "value"] == 0.07


def test_cells_lead_from_the_summary_to_what_each_judge_said(made):
    folder, config, _ = made
    plan = Plan(**config.plan())
    records = {judge: collect(folder, plan, judge) for judge in range(2)}
    judges = {judge: judge_records(folder, ["mnist"], judge) for judge in range(2)}
    cells = compared_cells(records, judges, load_claims())
    trained = cells[cells["model"] != "judge"]
    assert len(trained) == 2 * 3 * 2
    assert (trained["change"] == trained["value"] - trained["first"]).all()
    swapped = {1: records[0], 0: records[1]}
    back = compared_cells(swapped, dict(enumerate((judges[1], judges[0]))), load_claims())
    assert back.loc[back["model"] != "judge", "change"].sum() == pytest.approx(
        -trained["change"].sum()
    )
    same = compared_cells({0: records[0], 1: records[0]}, {0: judges[0], 1: judges[0]}, [])
    assert set(same["change"]) == {0.0}, "measures of no claim, so the judges alone"


def test_the_table_is_valid_latex_in_short(made):
    text = (made[0] / "tables" / "judge_seeds.tex").read_text()
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
    (row,) = (line for line in text.splitlines() if "generation accuracy" in line)
    assert row.startswith("MNIST & ")
    assert row.count(" & ") == 6


def test_findings_say_how_far_a_second_judge_moves_each_measure(made, tmp_path):
    folder, config, files = made
    out = fabricated.reference(folder, tmp_path / "reference", config.values, files, pictures=[])
    found = Gathered(out)
    lines = moved_by_judges(found.judge_seeds, found.judge_cells, found.records, "there.md")
    failed = (
        "* Judge 1 of MNIST failed its gate: its balanced accuracy on test images is 0.8900, below"
    )
    assert lines[-2].startswith(failed)
    assert "by judge 1. Low, it says" in lines[-1]
    assert lines[0].startswith("A [second judge](there.md) of another seed looked at what")
    # Generation accuracy by .033, more than the .02 of seeds; mutual information by more than 0.
    assert lines[0].endswith(
        " There are 2 measures of a data set with several seeds of training; 0 of them move less "
        "than these seeds spread."
    )
    assert "* MNIST: generation accuracy 0.033 (at most 0.06); " in lines[2]
    assert "2 of the 8 orders of two models that claims ask for turn round (" in lines[2]
    text = page(found, tmp_path / "findings.md")
    assert "[second judge](reference/tables/judge_seeds.md)" in text
    assert "mutual information 0.06 on noise, 0.004 on test images, gate passed |" in text
    assert not set(found.tables["dataset"].isna()) - {False}


def test_findings_say_where_there_was_no_second_judge(tmp_path):
    values = fabricated.configuration()
    folder = tmp_path / "made_up"
    fabricated.judge(folder, "mnist", 0.99, 0.9)
    out = fabricated.reference(
        folder, tmp_path / "out", values, fabricated.results(folder, values), pictures=[]
    )
    found = Gathered(out)
    assert found.judge_seeds is None
    assert moved_by_judges(None, None, found.records, "x") == [NOT_RUN]
    assert f"\n{NOT_RUN}\n" in page(found, tmp_path / "findings.md")


@pytest.mark.parametrize(("noise", "test", "gate"), [(0.06, 0.004, "passed"), (0.1, 0.1, "failed")])
def test_mutual_information_has_a_gate_of_its_own(noise, test, gate, tmp_path):
    fabricated.judge(tmp_path, "mnist", 0.99, 0.9)
    assert information_gates(judge_records(tmp_path, ["mnist"])) == {}
    gp(tmp_path, 0, noise, test)
    records = judge_records(tmp_path, ["mnist"])
    assert information_gates(records)["mnist"].endswith(f"gate {gate}")
    sentence = information_gate(records, ["fashion_mnist", "mnist"])
    assert sentence.startswith("Mutual information in nats by its own gate: MNIST ")
    assert information_gate(records, ["fashion_mnist"]) == ""


def test_measures_are_those_that_claims_and_a_judge_decide():
    found = measures(load_claims())
    assert {"swap", GENERATED, INFORMATION, "intervention_success"} <= set(found)
    assert {"accuracy", "fid", "leakage_other", "swap_truth_normalised"}.isdisjoint(found)


def test_the_first_judge_is_as_if_it_were_the_only_one():
    one, two = (Config(merged_config([], [f"judges={n}"])) for n in (1, 2))
    for dataset in one.datasets:
        assert one.judge_settings(dataset) == two.judge_settings(dataset)
        assert one.gp_settings(dataset) == two.gp_settings(dataset)
        settings = [two.judge_settings(dataset, judge) for judge in range(3)]
        assert len({each["seed"] for each in settings}) == 3
        assert [{**each, "seed": 0} for each in settings] == [{**settings[0], "seed": 0}] * 3
    assert judge_folder("mnist") == "judges/mnist"
    assert judge_folder("mnist", 1) == "judges/mnist/seed=1"
    assert metrics_file() == "metrics.json"
    assert list(one.judged_again()) == []


def test_the_seeds_of_first_judges_are_those_of_ever():
    config = Config(merged_config([], []))
    seeds = {name: config.judge_settings(name)["seed"] for name in ("mnist", "synthetic_faces")}
    assert config.gp_settings("mnist")["seed"] == 1545099783
    assert seeds == {"mnist": 1349956408, "synthetic_faces": 1549050981}


def test_other_judges_look_at_the_first_seed_of_what_they_can_judge():
    settings = ["judges=2", "seeds=3", "data={mnist: {judges: 3}}"]
    config = Config(merged_config([], [*settings, "datasets=[mnist, synthetic_faces]"]))
    found = list(config.judged_again())
    assert {run.seed for run, _ in found} == {0}
    assert {judge for run, judge in found if run.dataset == "mnist"} == {1, 2}
    assert {judge for run, judge in found if run.dataset == "synthetic_faces"} == {1}
    left_out = set(config.models) - {run.model for run, _ in found}
    assert left_out == {"supervised"}
    assert set(config.lacking("supervised", "mnist")) >= JUDGED


@pytest.mark.slow
def test_a_second_judge_makes_nothing_of_the_first_again(tmp_path):
    tiny = "data={synthetic_xrays: {options: {sizes: {train: 128, validation: 32, test: 64}}}}"
    where = ("--directory", str(tmp_path), "--configfile", "config/smoke.yaml", "--quiet", "rules")
    chosen = ("datasets=[synthetic_xrays]", "models=[ccvae, m2]", "supervision_rates=[0.06]", tiny)

    def run(judges: int, target: str, *more: str) -> str:
        given = ("--config", *chosen, f"judges={judges}")
        done = snakemake(*more, *where, "--cores", "1", *given, "--", target)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    run(1, "results/smoke/tables/table2.md")
    table = "results/smoke/tables/judge_seeds.md"
    found = jobs(run(2, table, "-n"))
    found.pop("total")
    once = {"train_judge": 1, "assess_judge": 1, "fit_gp": 1, "judge_seeds": 1}
    assert found == {**once, "evaluate_judge": 2}
    run(2, table)
    text = (tmp_path / table).read_text()
    assert len(re.findall(r"^\| synthetic_xrays \(drawn\) \| [01] \|", text, re.M)) == 2
    frame = pd.read_csv(tmp_path / "results/smoke/tables/judge_seeds.csv")
    assert set(frame["model"]) == {"judge", "ccvae", "m2"}
    assert (frame["change"] != 0).any()
    assert "Nothing to be done" in run(2, "results/smoke/tables/table2.md", "-n")
