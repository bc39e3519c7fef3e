from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import yaml

from ccvae.errors import InputError
from ccvae.files import write_json
from workflow.reporting.claims import (
    CLAIMS,
    FAILS,
    HOLDS,
    NOT_RUN,
    UNDECIDED,
    Amount,
    Claim,
    amount_to,
    comparisons_frame,
    decide,
    judged,
    load_claims,
)
from workflow.reporting.claims_markdown import claims_markdown
from workflow.reporting.comparison import comparison, comparison_markdown
from workflow.reporting.intervals import bootstrap_interval, seed_interval
from workflow.reporting.records import COLUMNS, Plan
from workflow.steps.reporting.check_claims import work

TOLERANCES = {"accuracy": Amount(absolute=0.02), "swap": Amount(relative=0.1)}
SWAP = Claim(
    id="swap",
    claim="CCVAE has the smallest difference.",
    place="Table 2",
    datasets=("celeba",),
    test="better",
    metric="swap",
    lower_is_better=True,
    subject="ccvae",
    rivals=("m2", "mvae"),
)


def plan(**changes) -> Plan:
    values = {
        "preset": "test",
        "datasets": {"synthetic_faces": "attributes", "mnist": "classes"},
        "models": {
            "ccvae": {"system": "ccvae", "title": "CCVAE", "datasets": None},
            "detached": {"system": "ccvae", "title": "CCVAE, detached", "datasets": None},
            "m2": {"system": "m2", "title": "M2", "datasets": None},
            "mvae": {"system": "mvae", "title": "MVAE", "datasets": None},
        },
        "rates": ["0.06", "1.0"],
        "seeds": 3,
    }
    return Plan(**{**values, **changes})


def records(values: dict[tuple[str, str, str], list[float]], dataset="synthetic_faces"):
    """Records from (model, metric, rate) -> values of the seeds 0, 1, ...; "" is a reference."""
    rows = [
        {
            "run": f"runs/{dataset}/{model}/f={rate}/seed={seed}",
            "dataset": dataset,
            "model": model,
            "supervision_rate": rate or None,
            "seed": seed if rate else None,
            "metric": metric,
            "value": value,
        }
        for (model, metric, rate), found in values.items()
        for seed, value in enumerate(found)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def swaps(**by_model: list[float]) -> pd.DataFrame:
    return records({(m, "swap", rate): v for m, v in by_model.items() for rate in ("0.06", "1.0")})


def verdict_of(frame, claim=SWAP, subject="ccvae", dataset="synthetic_faces", **changes):
    found = decide(frame, plan(**changes), [claim], TOLERANCES)
    (verdict,) = [v for v in found if v.subject == subject and v.dataset == dataset]
    return verdict


def test_a_claim_holds_when_every_interval_is_on_its_side():
    frame = swaps(ccvae=[1.0, 1.1, 1.2], m2=[2.0, 2.1, 2.25], mvae=[3.0, 3.1, 3.2])
    verdict = verdict_of(frame)
    assert verdict.verdict == HOLDS
    assert verdict.counts == {HOLDS: 4}
    first = verdict.comparisons[0]
    assert (first.opponent, first.n, first.stand_in) == ("m2", 3, True)
    assert first.difference == pytest.approx(1.0 + 0.05 / 3)


def test_pairing_by_seed_decides_what_means_alone_would_not():
    spread = np.array([0.0, 5.0, 10.0])
    frame = swaps(
        ccvae=list(spread), m2=list(spread + np.array([0.1, 0.11, 0.09])), mvae=list(spread + 1)
    )
    assert verdict_of(frame).verdict == HOLDS


def test_one_opponent_that_is_surely_better_makes_a_claim_fail():
    frame = swaps(ccvae=[1.0, 1.1, 1.2], m2=[2.0, 2.1, 2.2], mvae=[0.1, 0.2, 0.31])
    verdict = verdict_of(frame)
    assert verdict.verdict == FAILS
    assert verdict.decisive is not None
    assert verdict.decisive.opponent == "mvae"


def test_overlapping_intervals_are_undecided():
    frame = swaps(ccvae=[1.0, 2.0, 3.0], m2=[2.0, 1.0, 4.0], mvae=[9.0, 9.5, 9.9])
    assert verdict_of(frame).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("theirs", "expected"), [(1.05, UNDECIDED), (1.2, HOLDS), (0.95, UNDECIDED), (0.8, FAILS)]
)
def test_one_seed_decides_only_beyond_the_tolerance(theirs, expected):
    frame = swaps(ccvae=[1.0], m2=[theirs], mvae=[theirs])
    assert verdict_of(frame, seeds=1).verdict == expected


def test_what_has_no_runs_is_not_run():
    assert verdict_of(swaps(m2=[1.0])).verdict == NOT_RUN
    assert verdict_of(swaps(ccvae=[1.0], m2=[2.0], mvae=[2.0]), dataset="celeba").verdict == NOT_RUN
    half = verdict_of(swaps(ccvae=[1.0] * 3, m2=[2.0] * 3))
    assert half.verdict == UNDECIDED
    assert half.counts == {HOLDS: 2, NOT_RUN: 2}


def test_each_reading_of_ccvae_is_judged_by_itself():
    frame = swaps(ccvae=[1.0] * 3, detached=[5.0] * 3, m2=[2.0] * 3, mvae=[2.0] * 3)
    assert verdict_of(frame).verdict == HOLDS
    assert verdict_of(frame, subject="detached").verdict == FAILS


def test_only_seeds_that_both_have_are_compared():
    frame = swaps(ccvae=[1.0, 1.0], m2=[2.0, 2.0, 99.0], mvae=[2.0])
    rows = verdict_of(frame).comparisons
    assert [(row.opponent, row.n) for row in rows[:2]] == [("m2", 2), ("mvae", 1)]
    assert rows[0].opponent_mean == 2.0


def test_rates_outside_the_claim_do_not_count():
    claim = Claim(**{**vars(SWAP), "rivals": ("m2",), "at_most": 0.06})
    rows = verdict_of(swaps(ccvae=[1.0] * 3, m2=[2.0] * 3), claim).comparisons
    assert [row.supervision_rate for row in rows] == ["0.06"]
    none = verdict_of(swaps(ccvae=[1.0] * 3, m2=[2.0] * 3), claim, rates=["1.0"])
    assert none.verdict == NOT_RUN


def test_a_fallback_serves_only_where_the_metric_was_not_measured():
    claim = Claim(**{**vars(SWAP), "metric": "accuracy", "fallback": "swap", "rivals": ("m2",)})
    row = verdict_of(swaps(ccvae=[1.0] * 3, m2=[2.0] * 3), claim).comparisons[0]
    assert (row.metric, row.verdict) == ("swap", HOLDS)


@pytest.mark.parametrize(
    ("opponent", "value", "expected"),
    [
        ({"value": 0.5}, 0.51, HOLDS),
        ({"value": 0.5}, 0.6, FAILS),
        ({"value": 0.5}, 0.54, UNDECIDED),
        ({"reference": "majority"}, 0.71, HOLDS),
        ({"reference": "constant"}, 0.71, NOT_RUN),
        ({"against": "swap"}, 0.9, HOLDS),
    ],
)
def test_a_number_a_reference_or_another_metric_can_be_the_opponent(opponent, value, expected):
    claim = Claim(
        **{
            **vars(SWAP),
            "test": "similar",
            "metric": "accuracy",
            "rivals": (),
            "margin": Amount(absolute=0.05),
            **opponent,
        }
    )
    measured = {
        ("ccvae", "accuracy", "0.06"): [value],
        ("ccvae", "swap", "0.06"): [0.9],
        ("majority", "accuracy", ""): [0.7],
    }
    assert verdict_of(records(measured), claim, rates=["0.06"]).verdict == expected


def test_doing_all_tasks_needs_each_and_rivals_that_fail_at_one():
    task = {**vars(SWAP), "rivals": (), "test": "better"}
    claim = Claim(
        **{
            **vars(SWAP),
            "test": "tasks",
            "metric": "",
            "tasks": (
                Claim(**{**task, "metric": "accuracy", "lower_is_better": False, "value": 0.5}),
                Claim(**{**task, "metric": "swap", "value": 1.0}),
            ),
        }
    )
    able, unable = {"accuracy": [0.9], "swap": [0.1]}, {"accuracy": [0.9], "swap": [2.0]}

    def frame(**models):
        return records({(m, k, "1.0"): v for m, found in models.items() for k, v in found.items()})

    def of(**models):
        return verdict_of(frame(**models), claim, rates=["1.0"]).verdict

    assert of(ccvae=able, m2=unable, mvae={"accuracy": [0.9]}) == HOLDS
    assert of(ccvae=able, m2=able, mvae=unable) == FAILS
    assert of(ccvae=unable, m2=unable, mvae=unable) == FAILS
    assert of(ccvae=able, m2=unable) == UNDECIDED


@pytest.mark.parametrize(
    ("test", "low", "high", "expected"),
    [
        ("better", 0.1, 0.2, HOLDS),
        ("better", 0.0, 0.0, FAILS),
        ("better", -0.1, 0.2, UNDECIDED),
        ("not_worse", -0.05, 0.2, HOLDS),
        ("not_worse", -0.3, -0.2, FAILS),
        ("not_worse", -0.3, 0.2, UNDECIDED),
        ("similar", -0.05, 0.05, HOLDS),
        ("similar", 0.2, 0.3, FAILS),
        ("similar", 0.05, 0.3, UNDECIDED),
    ],
)
def test_intervals_are_judged_against_the_margin(test, low, high, expected):
    assert judged(test, low, high, margin=0.1) == expected


def test_most_needs_more_than_half_and_every_forgives_none():
    assert amount_to([HOLDS, HOLDS, FAILS], "most") == HOLDS
    assert amount_to([HOLDS, FAILS], "most") == UNDECIDED
    assert amount_to([HOLDS, FAILS, FAILS], "most") == FAILS
    assert amount_to([HOLDS, HOLDS, FAILS], "every") == FAILS
    assert amount_to([HOLDS, NOT_RUN], "every") == UNDECIDED


def test_the_t_interval_is_students():
    # Three values with standard deviation 1: half width t(0.975, 2) / sqrt(3).
    low, high = seed_interval([0.0, 1.0, 2.0], tolerance=9)
    assert (low + high) / 2 == pytest.approx(1)
    assert (high - low) / 2 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)


def test_the_bootstrap_takes_every_resample_of_few_seeds():
    low, high = bootstrap_interval([0.0, 1.0])
    # Means 0, 1/2, 1/2 and 1, whose 2.5 and 97.5 percent quantiles interpolate towards the ends.
    assert (low, high) == (pytest.approx(0.0375), pytest.approx(0.9625))
    assert all(math.isnan(end) for end in bootstrap_interval([1.0]))
    many = bootstrap_interval(np.arange(30.0))
    assert many == bootstrap_interval(np.arange(30.0))
    assert many[0] < 14.5 < many[1]


def test_the_comparison_takes_the_baseline_with_the_best_mean():
    frame = swaps(ccvae=[1.0, 1.2], m2=[2.0, 2.2], mvae=[3.0, 3.2])
    rows = comparison(frame, plan())
    row = rows[rows["model"] == "ccvae"].iloc[0]
    assert (row["best_baseline"], row["n"], row["better"]) == ("m2", 2, True)
    assert (row["low"], row["high"]) == (pytest.approx(-1.0), pytest.approx(-1.0))
    text = comparison_markdown(rows, plan())
    assert "| M2 (2.1000) | **-1.0000** |" in text


def test_one_seed_has_no_bootstrap_interval():
    rows = comparison(swaps(ccvae=[1.0], m2=[2.0]), plan(seeds=1))
    assert rows["better"].isna().all()
    assert "one seed, no interval" in comparison_markdown(rows, plan(seeds=1))


def test_the_shipped_claims_are_whole():
    claims, tolerances = load_claims()
    assert len({claim.id for claim in claims}) == len(claims) >= 15
    for claim in claims:
        assert set(claim.datasets) <= {"celeba", "chexpert", "mnist", "fashion_mnist"}
        assert {claim.subject, *claim.rivals} <= {"ccvae", "m2", "diva", "mvae"}
        assert claim.place
        if claim.test in ("not_worse", "similar"):
            assert claim.margin != Amount()
        for task in claim.tasks:
            assert task.metric in tolerances


def test_every_shipped_claim_gets_a_verdict_and_a_section(tmp_path):
    frame = swaps(ccvae=[1.0] * 3, m2=[2.0] * 3, mvae=[3.0] * 3)
    claims, tolerances = load_claims()
    verdicts = decide(frame, plan(), claims, tolerances)
    assert {verdict.claim.id for verdict in verdicts} == {claim.id for claim in claims}
    assert set(comparisons_frame(verdicts)["verdict"]) <= {HOLDS, FAILS, UNDECIDED, NOT_RUN}
    text = claims_markdown(verdicts, plan(), tolerances, 9)
    for claim in claims:
        assert f"## {claim.id}" in text
    assert "on a stand-in" in text
    assert "[records.csv](records.csv)" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metrics": "swap"}, "unknown key 'metrics'"),
        ({"test": "best"}, "the test 'best'"),
        ({"value": 1}, "needs one of rivals, value"),
        ({"metric": "beauty"}, "tolerance of 'beauty'"),
    ],
)
def test_a_malformed_claim_is_named(change, words, tmp_path):
    content = yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))
    content["claims"] = [{**content["claims"][0], **change}]
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=words):
        load_claims(tmp_path / "claims.yaml")


def test_the_step_reads_records_from_csv_as_they_were(tmp_path):
    from argparse import Namespace

    frame = swaps(ccvae=[1.0] * 3, m2=[2.0] * 3)
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
    assert own["supervision_rate"].tolist() == ["0.06", "1.0"]
    assert set(own["verdict"]) == {HOLDS}
    text = (tmp_path / "claims.md").read_text()
    assert ", 12 runs." in text
    assert "* synthetic_faces (drawn): the process guesses" in text
    assert pd.read_csv(tmp_path / "comparison.csv")["best_baseline"].eq("m2").all()
