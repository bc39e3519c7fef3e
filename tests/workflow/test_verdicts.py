from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from tests.workflow.judging import (
    ALONE,
    BETTER,
    FAILED_JUDGE,
    RATES,
    claim,
    plan,
    records,
    swaps,
    verdict_of,
)
from workflow.reporting.claims import (
    EVERY,
    GENERALLY,
    Margin,
    Measure,
)
from workflow.reporting.court import decide
from workflow.reporting.judges import UNJUDGED
from workflow.reporting.verdicts import (
    AGREES,
    DISAGREES,
    FAILS,
    HOLDS,
    NOT_MEASURED,
    NOT_RUN,
    UNDECIDED,
    few,
)
from workflow.studies.seeds import read_studies
from workflow.studies.variants import summarise_variants


def test_a_claim_holds_when_the_subject_is_surely_better_than_every_rival():
    verdict = verdict_of(swaps(**BETTER))
    assert verdict.verdict == HOLDS
    assert verdict.stand_in
    first = verdict.deciding[0]
    assert (first.opponent, first.supervision_rate, first.seeds, first.differences) == (
        *("m2", "all", 3, 6),
    )
    assert first.difference == pytest.approx(1.0 + 0.05 / 3)
    assert first.p_for == pytest.approx(2 / 2**6)
    assert first.p_whole_seeds == 2 / 2**3
    assert (first.improvement, first.improvement_high) == (1.0, 1.0)
    assert [c.supervision_rate for c in verdict.shown] == ["0.06", "1.0"] * 2


def test_pairing_by_seed_decides_what_means_alone_would_not():
    spread = np.array([0.0, 5.0, 10.0])
    near = [0.1, 0.11, 0.09]
    frame = swaps(ccvae=list(spread), m2=list(spread + near), mvae=list(spread + 1))
    assert verdict_of(frame).verdict == HOLDS


def test_one_rival_that_is_surely_better_makes_a_claim_fail():
    verdict = verdict_of(swaps(**{**BETTER, "mvae": [0.1, 0.2, 0.31]}), seeds=3)
    assert verdict.verdict == UNDECIDED, "twice 2 / 2^6 for two rivals is more than 5 %"
    four = {"ccvae": [1.0, 1.1, 1.2, 1.3], "m2": [2.0, 2.1, 2.2, 2.3]}
    verdict = verdict_of(swaps(**four, mvae=[0.1, 0.2, 0.31, 0.4]), seeds=4)
    assert verdict.verdict == FAILS
    assert verdict.decisive is not None
    assert verdict.decisive.opponent == "mvae"


def test_differences_on_both_sides_are_undecided():
    frame = swaps(ccvae=[1.0, 2.0, 3.0], m2=[2.0, 1.0, 4.0], mvae=[9.0, 9.5, 9.9])
    assert verdict_of(frame).verdict == UNDECIDED


@pytest.mark.parametrize(("seeds", "words"), [(1, "one seed"), (2, "2 seeds")])
@pytest.mark.parametrize(
    ("theirs", "expected"), [(9.0, AGREES), (1.0, DISAGREES), (0.1, DISAGREES)]
)
def test_one_seed_decides_nothing_however_far_apart(seeds, words, theirs, expected):
    frame = swaps(ccvae=[1.0] * seeds, m2=[theirs] * seeds, mvae=[9.0] * seeds)
    verdict = verdict_of(frame, seeds=seeds)
    assert verdict.verdict == few(expected, seeds) == f"{words}: {expected}"
    assert verdict.p is None
    comparison_ = verdict.deciding[0]
    assert (comparison_.low, comparison_.p_for) == (None, None)


def test_what_has_no_runs_is_not_run_and_what_was_not_measured_says_so():
    assert verdict_of(swaps(m2=[1.0])).verdict == NOT_RUN
    assert verdict_of(swaps(**BETTER), dataset="celeba").verdict == NOT_RUN
    assert verdict_of(swaps(ccvae=[1.0] * 3)).verdict == NOT_RUN, "no rival was"
    other = claim(metric=Measure("beauty", "beauty"))
    assert verdict_of(swaps(**BETTER), other).verdict == NOT_MEASURED


def test_with_one_rival_missing_a_claim_may_fail_but_not_hold():
    assert verdict_of(swaps(ccvae=[1.0] * 3, m2=[2.0, 2.1, 2.2])).verdict == UNDECIDED
    assert verdict_of(swaps(ccvae=[1.0], m2=[2.0]), seeds=1).verdict == UNDECIDED
    assert verdict_of(swaps(ccvae=[1.0], m2=[0.5]), seeds=1).verdict == few(DISAGREES, 1)
    ten = {"ccvae": [3.0 + 0.1 * k for k in range(10)], "m2": [2.0] * 10}
    assert verdict_of(swaps(**ten), seeds=10).verdict == FAILS


def test_a_judge_that_missed_its_gate_decides_nothing():
    verdict = verdict_of(pd.concat([swaps(**BETTER), FAILED_JUDGE]))
    assert verdict.verdict == UNJUDGED
    assert verdict.judge == "balanced accuracy 0.500, gate failed"
    one = {model: found[:1] for model, found in BETTER.items()}
    assert verdict_of(pd.concat([swaps(**one), FAILED_JUDGE]), seeds=1).verdict == UNJUDGED
    pixels = claim(metric=Measure("swap_truth_l1", "pixels", lower_is_better=True))
    frame = pd.concat([swaps(metric="swap_truth_l1", **BETTER), FAILED_JUDGE])
    assert verdict_of(frame, pixels).verdict == HOLDS


def test_each_reading_of_ccvae_is_judged_by_itself():
    readings = {"ccvae": [1.0, 1.1, 1.2, 1.3], "detached": [5.0, 5.1, 5.3, 5.2]}
    frame = swaps(**readings, m2=[2.0, 2.1, 2.2, 2.4])
    assert verdict_of(frame, claim(**ALONE), seeds=4).verdict == HOLDS
    assert verdict_of(frame, claim(**ALONE), subject="detached", seeds=4).verdict == FAILS


def test_only_seeds_that_both_have_at_every_f_are_compared():
    frame = swaps(ccvae=[1.0, 1.0, 1.0], m2=[2.0, 2.0, 2.0, 99.0], mvae=[2.0] * 3)
    late = (frame["model"] == "mvae") & (frame["supervision_rate"] == "1.0") & (frame["seed"] == 2)
    rows = verdict_of(frame[~late]).deciding
    assert [(row.opponent, row.seeds) for row in rows] == [("m2", 3), ("mvae", 2)]
    assert rows[0].opponent_mean == 2.0


def test_rates_outside_the_claim_do_not_count():
    low = claim(**ALONE, at_most=0.06)
    rows = verdict_of(swaps(**BETTER), low).deciding
    assert [row.supervision_rate for row in rows] == ["0.06"]
    assert verdict_of(swaps(**BETTER), low, rates=["1.0"]).verdict == NOT_RUN


def test_at_every_f_needs_each_f_and_stands_beside_all_f_together():
    values = {("ccvae", "swap", "0.06"): [1.0, 1.1, 1.2], ("m2", "swap", "0.06"): [2.0, 2.1, 2.3]}
    values |= {("ccvae", "swap", "1.0"): [1.0, 1.1, 1.2], ("m2", "swap", "1.0"): [1.1, 2.9, 1.25]}
    found = decide(records(values), plan(), [claim(**ALONE, scope=EVERY)])
    by_scope = {v.scope: v for v in found if v.subject == "ccvae" and v.run}
    assert by_scope[EVERY].main
    assert not by_scope[GENERALLY].main
    assert by_scope[EVERY].verdict == UNDECIDED, "at f = 1.0 anything could be"
    assert by_scope[EVERY].p >= max(c.p_for for c in by_scope[EVERY].deciding)
    assert [c.supervision_rate for c in by_scope[EVERY].deciding] == RATES
    assert [c.supervision_rate for c in by_scope[GENERALLY].deciding] == ["all"]


def test_at_every_f_fails_at_one_f_or_over_all():
    ours = [1.0 + 0.1 * seed for seed in range(8)]
    values = {("ccvae", "swap", rate): ours for rate in RATES}
    values |= {("m2", "swap", "0.06"): [y + 1 for y in ours]}
    one = values | {("m2", "swap", "1.0"): [y - 0.5 for y in ours]}
    assert verdict_of(records(one), claim(**ALONE, scope=EVERY), seeds=8).verdict == FAILS
    few = {key: found[:4] for key, found in one.items()} | {("m2", "swap", "0.06"): [0.1] * 4}
    assert verdict_of(records(few), claim(**ALONE, scope=EVERY), seeds=4).verdict == FAILS


def test_few_seeds_at_one_f_cannot_make_a_claim_hold_there():
    far = swaps(ccvae=[1.0, 1.1, 1.2], m2=[9.0, 9.1, 9.2])
    verdict = verdict_of(far, claim(**ALONE, scope=EVERY))
    assert verdict.verdict == UNDECIDED
    assert verdict.undecidable == "3 seeds at one f cannot decide it"
    assert verdict.deciding[0].low is None
    generally = verdict_of(far, claim(**ALONE))
    assert (generally.verdict, generally.undecidable) == (HOLDS, "")


def test_verdicts_on_one_table_are_corrected_together():
    values = {f"swap{i}": claim(**ALONE, id=f"s{i}") for i in range(3)}
    alone = decide(swaps(**BETTER), plan(), [values["swap0"]])
    together = decide(swaps(**BETTER), plan(), list(values.values()))
    assert [v.verdict for v in alone if v.run] == [HOLDS]
    assert [v.verdict for v in together if v.run] == [UNDECIDED] * 3
    assert [v.p for v in together if v.run] == pytest.approx([3 * 2 / 2**6] * 3)
    elsewhere = [claim(**ALONE, id=f"t{i}", shown=f"Table {i}") for i in range(3)]
    assert {v.verdict for v in decide(swaps(**BETTER), plan(), elsewhere) if v.run} == {HOLDS}


@pytest.mark.parametrize(
    ("opponent", "value", "expected"),
    [
        ({"value": 0.5}, 0.51, HOLDS),
        ({"value": 0.5}, 0.6, FAILS),
        ({"value": 0.5}, 0.55, UNDECIDED),
        ({"value": 0.5, "only_with": "swap"}, 0.51, HOLDS),
        ({"value": 0.5, "only_with": "traverse"}, 0.51, NOT_MEASURED),
        ({"against": Measure("swap", "swap")}, 0.9, HOLDS),
    ],
)
def test_a_number_or_another_metric_can_be_the_opponent(opponent, value, expected):
    similar = claim(
        test="similar",
        metric=Measure("accuracy", "accuracy"),
        rivals=(),
        margin=Margin(0.05),
        **opponent,
    )
    spread = [value - 0.001, value, value + 0.001]
    measured = {
        **{("ccvae", "accuracy", rate): spread for rate in RATES},
        **{("ccvae", "swap", rate): [0.9] * 3 for rate in RATES},
    }
    assert verdict_of(records(measured), similar).verdict == expected


def test_an_exact_tie_harms_nothing():
    unharmed = claim(
        **ALONE, test="not_worse", metric=Measure("accuracy", "accuracy"), margin=Margin(0.01)
    )
    same = [0.91, 0.92, 0.93]
    assert verdict_of(swaps(metric="accuracy", ccvae=same, m2=same), unharmed).verdict == HOLDS
    one = swaps(metric="accuracy", ccvae=same[:1], m2=same[:1])
    assert verdict_of(one, unharmed, seeds=1).verdict == few(AGREES, 1)


def write_study(folder, scores: dict[str, list[float]]) -> None:
    rows = [
        {"dataset": "mnist", "supervision_rate": "0.06", "value": variant, "images_seen": 160}
        | {"seed": seed, "metric": "accuracy", "score": score}
        for variant, found in scores.items()
        for seed, score in enumerate(found)
    ]
    folder.mkdir(exist_ok=True)
    summary = summarise_variants(pd.DataFrame(rows)).rename(columns={"value": "variant"})
    summary.to_csv(folder / "readings.csv", index=False)


def test_claims_on_studies_read_every_seed(tmp_path):
    judged = claim(
        metric=Measure("accuracy", "accuracy"), study="readings", subject="new", rivals=("old",)
    )
    assert decide(swaps(**BETTER), plan(), [judged])[0].verdict == NOT_RUN
    write_study(tmp_path, {"old": [0.5, 0.51, 0.52] * 2, "new": [0.9, 0.92, 0.91] * 2})
    (verdict,) = decide(swaps(**BETTER), plan(), [judged], read_studies(tmp_path))
    assert (verdict.dataset, verdict.stand_in, verdict.seeds) == ("mnist", False, 6)
    assert verdict.verdict == HOLDS
    assert verdict.deciding[0].difference == pytest.approx(0.4)
    assert verdict.images == {"old": (160, 160), "new": (160, 160)}


def test_an_open_verdict_says_how_many_seeds_it_would_take():
    near = {"ccvae": [1.0, 1.1, 1.2], "m2": [1.3, 1.0, 1.5]}
    verdict = verdict_of(swaps(**near), claim(**ALONE))
    assert verdict.verdict == UNDECIDED
    assert verdict.seeds_needed is not None
    assert 3 < verdict.seeds_needed < 20
    assert verdict_of(swaps(**BETTER)).seeds_needed is None, "it is decided"
    one = records({("ccvae", "swap", r): [1.0] for r in RATES} | {
        ("m2", "swap", "0.06"): [2.0], ("m2", "swap", "1.0"): [2.1]
    })  # fmt: skip
    verdict = verdict_of(one, claim(**ALONE), seeds=1)
    assert (verdict.outcome, verdict.seeds_needed) == (AGREES, 3)
    alone = verdict_of(records({("ccvae", "swap", "1.0"): [1.0], ("m2", "swap", "1.0"): [2.0]}),
                       claim(**ALONE), seeds=1, rates=["1.0"])  # fmt: skip
    assert math.isnan(alone.seeds_needed or 0.0)
