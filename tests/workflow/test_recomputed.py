"""The committed verdicts, from the committed records, by other means than the workflow's."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import cache

import numpy as np
import pandas as pd
import pytest

from tests.workflow.recomputing import CLAIMS, RATE, REFERENCE, ROOT, margin, values

pytestmark = pytest.mark.skipif(not REFERENCE.exists(), reason="no result is committed yet")


def p_above(differences: list[float], of: float) -> float:
    """One-sided p-value that the centre is above a number."""
    moved = np.array(differences) - of
    return float(np.mean(signs(len(moved)) @ moved >= moved.sum() - 1e-9 * np.abs(moved).sum()))


@cache
def signs(n: int) -> np.ndarray:
    """Every row of n signs, (2^n, n)."""
    return 1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)


def both_sides(test: str, d: list[float], m: float) -> tuple[float, float]:
    """Two-sided p-values for and against a statement about differences."""
    minus = [-x for x in d]
    if test == "better":
        favour, against = p_above(d, 0), p_above(minus, 0)
    elif test == "not_worse":
        favour, against = p_above(d, -m), p_above(minus, m)
    else:
        favour = max(p_above(d, -m), p_above(minus, -m))
        against = min(p_above(d, m), p_above(minus, m))
    return min(1, 2 * favour), min(1, 2 * against)


def agreeing(test: str, mean: float, m: float) -> bool:
    if test == "better":
        return mean > 0
    return abs(mean) <= m if test == "similar" else mean >= -m


def verdict_of(rows: pd.DataFrame, claim: dict, cells: dict) -> tuple[str, tuple[float, float]]:
    """What the deciding comparisons of one verdict amount to, before any correction."""
    found, seeds, agree = [], [], []
    lower = CLAIMS["measures"][claim["metric"]].get("lower_is_better", False)
    study, dataset, subject = claim.get("study", ""), *rows.iloc[0][["dataset", "subject"]]
    planned = sorted({key[4] for key in cells if key[2] == dataset and key[0] == study} - {""})
    limits = claim.get("rates", {})
    meant = [
        r for r in planned if limits.get("at_least", 0) <= float(r) <= limits.get("at_most", 1)
    ]
    compared = [(row["opponent"], [row["supervision_rate"]]) for row in rows.to_dict("records")]
    compared = [(opponent, meant if rates == ["all"] else rates) for opponent, rates in compared]
    together = [(opponent, meant) for opponent in dict.fromkeys(o for o, _ in compared)]
    if rows.iloc[0]["scope"] != "every" or len(meant) == 1:
        together = []
    for opponent, rates in [*compared, *together]:
        ours = [cells[study, claim["metric"], dataset, subject, rate] for rate in rates]
        if "value" in claim:
            theirs = [[claim["value"]] * len(scores) for scores in ours]
        elif "against" in claim:
            theirs = [cells[study, claim["against"], dataset, subject, rate] for rate in rates]
        else:
            theirs = [cells[study, claim["metric"], dataset, opponent, rate] for rate in rates]
        # A model may have fewer seeds; they are the first ones.
        n = min(map(len, (*ours, *theirs)))
        pairs = [
            p for a, b in zip(ours, theirs, strict=True) for p in zip(a[:n], b[:n], strict=True)
        ]
        d = [b - a if lower else a - b for a, b in pairs]
        m = 0.0
        if "margin" in claim:
            m = margin(claim["margin"], lower)
            m *= np.mean([b for _, b in pairs]) if claim["margin"].get("relative") else 1
        seeds.append(n)
        found.append(both_sides(claim["test"], d, m) if seeds[-1] >= 3 else (1.0, 1.0))
        agree.append(agreeing(claim["test"], float(np.mean(d)), m))
    if seeds[0] < 3:
        words = "agrees" if all(agree[: len(compared)]) else "disagrees"
        number = "one seed" if seeds[0] == 1 else f"{seeds[0]} seeds"
        return f"{number}: {words}", (1.0, 1.0)
    favour = max(p for p, _ in found[: len(compared)])
    return "", (favour, min(1.0, len(found) * min(p for _, p in found)))


def holm(p_values: list[float]) -> list[float]:
    order = np.argsort(p_values, kind="stable")
    steps = [(len(p_values) - i) * p_values[k] for i, k in enumerate(order)]
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return list(adjusted)


def test_every_committed_verdict_follows_from_the_committed_records():
    committed = pd.read_csv(REFERENCE / "claims.csv", dtype=RATE)
    claims = {claim["id"]: claim for claim in CLAIMS["claims"]}
    cells = values()
    open_ = committed["verdict"].isin(["not run", "not measured", "needs a known truth"])
    keys = ["claim", "dataset", "subject", "scope"]
    families: dict[tuple[str, bool], list[tuple[tuple, tuple[float, float]]]] = defaultdict(list)
    expected: dict[tuple, str] = {}
    for key, rows in committed[~open_ & committed["decides"]].groupby(keys, sort=False):
        words, sides = verdict_of(rows, claims[key[0]], cells)
        expected[key] = words
        if not words:
            families[claims[key[0]]["shown"], bool(rows.iloc[0]["stand_in"])].append((key, sides))
    for members in families.values():
        adjusted = holm([min(sides) for _, sides in members])
        for (key, (favour, against)), p in zip(members, adjusted, strict=True):
            surest = "holds" if favour < against else "fails"
            expected[key] = surest if p <= 0.05 else "undecided"
            found = committed.set_index(keys).loc[[key], "p"]
            assert found.unique() == pytest.approx([p], rel=1e-4, abs=1e-12), key
    found = (
        committed[~open_].groupby(keys, sort=False)["verdict"].agg(lambda v: v.unique().tolist())
    )
    assert found.to_dict() == {key: [words] for key, words in expected.items()}
    assert len(expected) > 50


def test_what_has_no_verdict_has_no_numbers():
    committed = pd.read_csv(REFERENCE / "claims.csv", dtype=RATE)
    cells = values()
    there = {(key[0], key[1], key[2], key[3]) for key in cells}
    studies = {claim["id"]: claim.get("study", "") for claim in CLAIMS["claims"]}
    for row in committed[committed["verdict"] == "not measured"].to_dict("records"):
        key = (studies[row["claim"]], row["metric"], row["dataset"], row["subject"])
        assert key not in there
    too_few = committed[committed["seeds"].between(1, 2)]
    assert too_few["verdict"].str.contains("one seed|2 seeds|undecided|not decided").all()
    assert too_few[["low", "high", "p_for", "p_against", "p"]].isna().all(axis=None)


@pytest.mark.parametrize("page", ["README.md", "docs/summary.md", "results/reference/README.md"])
def test_trainings_of_studies_are_those_of_their_tables(page) -> None:
    n_trainings = 0
    for path in (REFERENCE / "studies").glob("*.csv"):
        frame = pd.read_csv(path, dtype=RATE)
        if path.stem == "gradients_summary":
            n_trainings += frame["seeds"].sum()
        elif not path.stem.endswith(("_orders", "_paper")):
            n_trainings += frame.loc[frame["metric"] == "accuracy", "n"].sum()
    text = (ROOT / page).read_text(encoding="utf-8")
    (said, unknown) = re.search(
        r", and (\d+) more in studies\..* trainings in studies at least (\d+) are not", text
    ).groups()
    assert int(said) == n_trainings
    jobs = json.loads((REFERENCE / "provenance.json").read_text(encoding="utf-8"))["jobs"]
    timed = [j["jobs"] for j in jobs if re.fullmatch(r"study_\w+_train", j["kind"])]
    assert int(unknown) == n_trainings - sum(timed)
