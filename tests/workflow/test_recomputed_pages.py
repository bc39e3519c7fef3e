"""Every number of the claims in the findings, from the committed records alone.

Nothing of the workflow is used. What has been found right is taken out of the text; no digit may
be left.
"""

from __future__ import annotations

import re
from statistics import fmean

import pandas as pd
import pytest

from tests.workflow.recomputing import (
    BY_ID,
    NUMBER,
    RATE,
    REFERENCE,
    ROOT,
    SHARE,
    dataset_of,
    favour,
    improvement,
    interval,
    is_rounded,
    margin_of,
    of_model,
    open_words,
    p_words,
    pairs,
    ran,
    rows,
    titles,
)

pytestmark = pytest.mark.skipif(not REFERENCE.exists(), reason="no result is committed yet")


def test_every_number_of_a_claim_in_the_findings(cells, verdicts, config) -> None:
    text = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    seen = 0
    for name in BY_ID:
        section = text.split(f'<a id="{name}"></a>')[1].split("<a id=")[0].split("\n## ")[0]
        for row in re.findall(r"^\| (.*) \|$", section, re.MULTILINE):
            data, numbers, verdict, budget = row.split(" | ")
            if data in ("data", "---|---|---|---"):
                continue
            seen += 1
            subject = _check_row(name, dataset_of(data), numbers, cells, verdicts, config)
            _check_verdict(name, dataset_of(data), subject, verdict, verdicts, config)
            _check_budget(BY_ID[name], dataset_of(data), budget, config)
    assert seen == len(ran(verdicts).drop_duplicates(["claim", "dataset"]))


def _check_row(name, dataset, numbers, cells, verdicts, config) -> str:
    match = re.fullmatch(
        r"(?:all f(?: (?:up to|from) [\d.]+(?: on)?)?|f = ([\d.]+)): "
        rf"(.+?) ({NUMBER}) against (?:`?(.+?)`?:? )?({NUMBER}), "
        rf"(higher by|lower by|no difference)(?: ({NUMBER}))?(?: \[({NUMBER}), ({NUMBER})\])?, "
        rf"(\w+) seeds?(?:; margin ({NUMBER}))?(?:; {SHARE}(\d+) pairs of trainings)?"
        r"(?:; as claimed against (.+))?",
        numbers,
    )
    assert match, numbers
    rate, title, ours, whom, theirs, way, apart, low, high, *more = match.groups()
    seeds, most, *share, count, others = more
    claim, subject = BY_ID[name], of_model(title, config)
    found, n = pairs(claim, dataset, subject, of_model(whom or "", config), rate or "all", cells)
    assert is_rounded(ours, fmean(a for a, _ in found), 4)
    assert is_rounded(theirs, fmean(b for _, b in found), 4)
    difference = fmean(a - b for a, b in found)
    if apart is not None:
        assert way == ("higher by" if difference > 0 else "lower by")
        assert is_rounded(apart, abs(difference), 2)
    if low is not None:
        sign = 1 if difference > 0 else -1
        ends = sorted(sign * end for end in interval([a - b for a, b in found]))
        assert is_rounded(low, ends[0], 2)
        assert is_rounded(high, ends[1], 2)
    assert seeds == ("one" if n == 1 else str(n))
    assert (most is None) == ("margin" not in claim)
    if most is not None:
        assert is_rounded(most, margin_of(claim, found), 2)
    if count is not None:
        assert int(count) == len(found)
        assert tuple(share) == improvement(favour(claim, found))
    assert set(others.split(" and ") if others else ()) == won(
        claim, dataset, subject, cells, verdicts, config
    )
    return subject


def won(claim, dataset, subject, cells, verdicts, config) -> set[str]:
    """Titles of rivals against which a claim that does not hold is right, where not of all."""
    decided = rows(verdicts, claim["id"], dataset, subject)
    right = {}
    for rival, of_rival in decided[decided["difference"].notna()].groupby("opponent"):
        each = [
            pairs(claim, dataset, subject, rival, rate, cells)[0]
            for rate in of_rival["supervision_rate"]
        ]
        apart = [fmean(favour(claim, found)) for found in each]
        allowed = [margin_of(claim, found) if "margin" in claim else 0.0 for found in each]
        least = [abs(a) if claim["test"] == "similar" else -a for a in apart]
        right[rival] = all(a <= m for a, m in zip(least, allowed, strict=True))
    outcome = decided["verdict"].iloc[0].rpartition(": ")[2]
    if outcome not in ("fails", "undecided", "disagrees") or len(set(right.values())) < 2:
        return set()
    by_name = {name: title for title, name in titles(config).items()}
    return {by_name[rival] for rival, is_right in right.items() if is_right}


def _check_verdict(name, dataset, subject, words, verdicts, config) -> None:
    first = rows(verdicts, name, dataset, subject)
    assert f"**{first['verdict'].iloc[0]}**" in words or first["verdict"].iloc[0] in words
    own = verdicts[(verdicts["claim"] == name) & (verdicts["dataset"] == dataset)]
    allowed = {p_words(p) for p in own["p"].dropna()}
    allowed |= {w for _, of_one in own.groupby(["subject", "scope"]) for w in open_words(of_one)}
    # Verdicts themselves say how many seeds there are where they are too few.
    allowed |= {*titles(config), *own["verdict"]}
    for each in sorted(allowed, key=len, reverse=True):
        words = words.replace(each, "")
    assert re.findall(r"\d", words) == [], words


def _check_budget(claim, dataset, words, config) -> None:
    records = pd.read_csv(REFERENCE / "records.csv.gz", dtype=RATE)
    judge = records[(records["dataset"] == dataset) & (records["model"] == "judge")]
    scores = judge.set_index("metric")["value"]
    for metric, said in re.findall(r"((?:balanced )?accuracy) ([\d.]+)", words):
        assert said == f"{scores[metric.replace(' ', '_')]:.3f}"
    if "study" in claim:
        return
    runs = pd.read_csv(REFERENCE / "runs.csv")
    own = runs[runs["run"].str.startswith(f"runs/{dataset}/")]
    seen = {f"{n:,.0f}" for n in own["images_seen"].dropna()}
    counts = re.findall(r"\d[\d,]+\d{3}", words)
    assert counts
    assert set(counts) <= seen
