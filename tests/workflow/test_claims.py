from __future__ import annotations

from argparse import Namespace

import numpy as np
import pandas as pd
import pytest
import yaml

from ccvae.errors import InputError
from ccvae.files import write_json
from tests.workflow.judging import (
    BETTER,
    RATES,
    SWAP,
    claim,
    plan,
    records,
    swaps,
    verdict_of,
)
from workflow.config import Config
from workflow.figures.catalogue import FIGURES
from workflow.planning.overlay import merged_config
from workflow.reporting.claims import (
    CLAIMS,
    EVERY,
    Margin,
    Measure,
    load_claims,
    load_questions,
    paper_margin,
)
from workflow.reporting.claims_markdown import claims_markdown, overview
from workflow.reporting.comparison import comparison, comparison_markdown
from workflow.reporting.court import decide
from workflow.reporting.paper import TABLES
from workflow.reporting.tables import counterparts, paper_values
from workflow.reporting.verdicts import (
    DRAWN_ONLY,
    FAILS,
    HOLDS,
    NOT_MEASURED,
    NOT_RUN,
    UNDECIDED,
    verdicts_frame,
)
from workflow.reporting.wording import apart, least_in_favour
from workflow.steps.reporting.check_claims import work


def test_least_in_favour_of_similarity_is_what_is_furthest_away():
    similar = claim(
        test="similar", metric=Measure("accuracy", "accuracy"), value=0.5, rivals=(),
        margin=Margin(0.003), scope=EVERY,
    )  # fmt: skip
    values = {("ccvae", "accuracy", "0.06"): [0.55], ("ccvae", "accuracy", "1.0"): [0.60]}
    verdict = verdict_of(records(values), similar, seeds=1)
    assert verdict.decisive is not None
    assert verdict.decisive.supervision_rate == "1.0"
    words = least_in_favour(verdict, plan())
    assert words == "f = 1.0: CCVAE 0.6000 against 0.5, higher by 0.10, one seed"


def test_differences_are_put_in_words_that_need_no_sign():
    row = verdict_of(swaps(**BETTER)).deciding[0]
    assert apart(SWAP, row).startswith("lower by 1.0 [")
    worse = verdict_of(swaps(**{**BETTER, "m2": [0.5, 0.6, 0.75]})).deciding[0]
    text = apart(SWAP, worse)
    assert text.startswith("higher by 0.48 [0.")
    assert "-" not in text


def test_the_comparison_takes_the_baseline_with_the_best_mean():
    frame = swaps(ccvae=[1.0, 1.2, 1.3], m2=[2.0, 2.2, 2.31], mvae=[3.0, 3.2, 3.3])
    rows = comparison(frame, plan())
    own = rows[rows["model"] == "ccvae"].set_index("supervision_rate")
    assert own.loc[RATES, ["p", "low", "better"]].isna().all(axis=None), "three seeds at one f"
    row = own.loc["all"]
    assert (row["best_baseline"], row["n"], row["better"]) == ("m2", 3, True)
    assert row["low"] < row["difference"] < row["high"] < 0
    assert "| M2 (2.1700) | **-1.0033** |" in comparison_markdown(rows, plan())


def test_one_seed_has_no_interval():
    rows = comparison(swaps(ccvae=[1.0], m2=[2.0]), plan(seeds=1))
    assert rows["better"].isna().all()
    assert "too few seeds for an interval" in comparison_markdown(rows, plan(seeds=1))


def test_the_shipped_claims_are_whole():
    claims = load_claims()
    assert len({each.id for each in claims}) == len(claims) >= 25
    assert {each.question for each in claims} == {each.id for each in load_questions()}
    directions = {m.name: m.lower_is_better for t in TABLES.values() for m in t.metrics}
    for each in claims:
        assert set(each.datasets) <= {"celeba", "chexpert", "mnist", "fashion_mnist"}
        if not each.study:
            assert {each.subject, *each.rivals} <= {"ccvae", "m2", "diva", "mvae", "vae_classifier"}
        assert each.place
        assert each.decided.endswith(".")
        assert not each.plain.endswith(".")
        assert (each.margin == Margin()) == (each.test == "better")
        if each.margin != Margin():
            assert 0 < each.margin.amount < 0.05
            assert each.margin.because.endswith(".")
        # A table has no direction where neither end is better.
        assert directions.get(each.metric.name) in (None, each.metric.lower_is_better)


def test_what_repeats_a_question_are_targets_and_its_rows_are_files():
    studies = Config(merged_config([], [])).values["studies"]
    targets = {f"study_{name}" for name in (*studies["variants"], "alpha", "gradients")}
    for question in load_questions():
        for target in question.repeat.split():
            assert target in targets | set(TABLES) | set(FIGURES), target
        assert set(question.tables) <= set(TABLES)
        assert set(question.studies) <= {*studies["variants"], "alpha", "gradients_summary"}


def test_margins_are_the_papers_own_differences():
    values = paper_values().set_index(["table", "metric", "dataset", "model", "supervision_rate"])
    of = values["value"].to_dict()

    def each(table: int, metric: str, model: str) -> list[float]:
        return [v for (t, m, _, name, _), v in of.items() if (t, m, name) == (table, metric, model)]

    margins = {c.id: c.margin.amount for c in load_claims()}
    guesses = each(5, "generation_accuracy", "diva") + each(5, "generation_accuracy", "mvae")
    assert margins["generation-diva-chance"] == pytest.approx(max(abs(g - 0.5) for g in guesses))
    ours, theirs = each(5, "generation_accuracy", "ccvae"), each(5, "generation_accuracy", "m2")
    apart_ = [abs(a - b) for a, b in zip(ours, theirs, strict=True)]
    assert margins["generation-comparable"] == pytest.approx(max(apart_))
    best = map(max, *(each(1, "accuracy", name) for name in ("m2", "diva", "mvae")))
    leads = [a - b for a, b in zip(each(1, "accuracy", "ccvae"), best, strict=True)]
    assert margins["accuracy-unharmed"] == pytest.approx(np.mean(leads), abs=1e-6)
    fid = [
        abs(a - b) / b for a, b in zip(each(4, "fid", "ccvae"), each(4, "fid", "m2"), strict=True)
    ]
    assert margins["fid-competitive"] == pytest.approx(max(fid), abs=1e-6)
    mvae = [
        [v for (t, _, d, name, _), v in of.items() if (t, d, name) == (2, data, "mvae")]
        for data in ("celeba", "chexpert")
    ]
    spread = max((max(v) - min(v)) / np.mean(v) for v in mvae)
    assert margins["swap-mvae-none"] == pytest.approx(spread, abs=1e-6)


def test_a_margin_of_a_figure_that_the_paper_lacks_is_named():
    about = {"table": 6, "metric": "accuracy", "subjects": ["diva"], "against": "m2"}
    with pytest.raises(InputError, match="'diva', which Table 6 does not have"):
        paper_margin({**about, "take": "largest", "because": "so."}, lower_is_better=False)


def test_every_shipped_claim_gets_a_verdict_and_a_section():
    frame = swaps(**BETTER)
    claims = load_claims()
    verdicts = decide(frame, plan(), claims)
    assert {verdict.claim.id for verdict in verdicts} == {each.id for each in claims}
    outcomes = {HOLDS, FAILS, UNDECIDED, NOT_RUN, NOT_MEASURED, DRAWN_ONLY}
    assert set(verdicts_frame(verdicts)["verdict"]) <= outcomes
    text = claims_markdown(verdicts, plan(), 9, counterparts(frame, plan()))
    for each in claims:
        assert f"### {each.id}\n" in text
        assert each.quote in text
    assert "[records.csv](records.csv)" in text
    assert "160 of the 160 cells of the paper's tables have no counterpart" in text
    assert "Images seen in training: 1,000 by each model." in text


def test_the_two_questions_stand_apart():
    own = swaps("mnist", metric="accuracy", ccvae=[0.9, 0.91, 0.93], m2=[0.8, 0.81, 0.82])
    frame = pd.concat([swaps(**BETTER), own])
    verdicts = decide(frame, plan(), load_claims())
    paper, drawn = (
        "\n".join(overview(verdicts, plan(), drawn=is_drawn)) for is_drawn in (False, True)
    )
    assert "| MNIST |" in paper
    assert "(drawn)" not in paper
    assert "synthetic_faces (drawn)" in drawn
    assert "MNIST |" not in drawn
    n_claims = len(load_claims())
    assert f"Not run on such data, {n_claims - 7} of {n_claims} claims" in paper
    assert f"which have no known truth, 2 of {n_claims} claims: [swap-exact](#swap-exact)," in paper
    assert "no known truth" not in drawn
    assert "[classes-accuracy](#classes-accuracy)" not in drawn, "no drawing stands in for MNIST"


def test_cells_with_a_counterpart_are_counted():
    frame = swaps("mnist", metric="accuracy", ccvae=[0.9], m2=[0.8])
    found = counterparts(frame, plan())
    there = found[found["run"]]
    assert set(there["table"]) == {6}
    assert set(there["model"]) == {"ccvae", "m2"}
    assert len(there) == 2 * len(RATES)
    assert len(found) == 160


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metrics": "swap"}, "unknown key 'metrics'"),
        ({"test": "best"}, "the test 'best'"),
        ({"scope": "mostly"}, "the scope 'mostly'"),
        ({"value": 1}, "needs one of rivals, value"),
        ({"metric": "beauty"}, "the metric 'beauty'"),
        ({"question": "why"}, "the question 'why'"),
        ({"test": "similar"}, "needs a margin"),
    ],
)
def test_a_malformed_claim_is_named(change, words, tmp_path):
    content = yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))
    content["claims"] = [{**content["claims"][0], **change}]
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=words):
        load_claims(tmp_path / "claims.yaml")


def test_the_step_reads_records_from_csv_as_they_were(tmp_path):
    frame = swaps(ccvae=[1.0, 1.1, 1.3], m2=[2.0, 2.2, 2.3])
    frame.to_csv(tmp_path / "records.csv", index=False)
    warning = {"warnings": ["the process guesses"]}
    write_json(tmp_path / "judges" / "synthetic_faces" / "gp.json", warning)
    given = Namespace(
        settings=vars(plan()),
        records=tmp_path / "records.csv",
        claims=tmp_path / "claims.csv",
        comparison=tmp_path / "comparison.csv",
    )
    work(given)
    read = pd.read_csv(tmp_path / "claims.csv", dtype={"supervision_rate": str})
    swap = read[(read["claim"] == "swap-smallest") & (read["opponent"] == "m2")]
    own = swap[(swap["subject"] == "ccvae") & (swap["dataset"] == "synthetic_faces")]
    every_f = own[own["decides"] & (own["scope"] == EVERY)]
    assert every_f["supervision_rate"].tolist() == RATES
    assert set(every_f["verdict"]) == {UNDECIDED}
    text = (tmp_path / "claims.md").read_text()
    assert ", 12 runs." in text
    assert "* synthetic_faces (drawn): the process guesses" in text
    assert pd.read_csv(tmp_path / "comparison.csv")["best_baseline"].eq("m2").all()
