"""Every number of the answer in README, findings and summary, from the committed records alone.

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
    BY_PLAIN,
    CLAIMS,
    NUMBER,
    RATE,
    REFERENCE,
    RESOURCES,
    ROOT,
    SHARE,
    dataset_of,
    favour,
    improvement,
    is_rounded,
    margin_of,
    of_model,
    open_words,
    pairs,
    ran,
    reading,
    rows,
    titles,
)

pytestmark = pytest.mark.skipif(not REFERENCE.exists(), reason="no result is committed yet")


def generated_answer(text: str) -> list[str]:
    """The numbered sentences."""
    found = re.findall(r"^\d+\. (.*)$", text, re.MULTILINE)
    return [sentence for sentence in found if "put as numbers" in sentence or "**" in sentence]


LEADS = {
    "**Holds**": "holds",
    "**Fails**": "fails",
    "**Undecided**": "undecided",
    "**Too few seeds to decide, in favour**": "agrees",
    "**Too few seeds to decide, against**": "disagrees",
}


TESTED = ("holds", "fails", "undecided")
NAMED = {"holds": 3, "fails": 3, "undecided": 1, "agrees": 3, "disagrees": 3}


@pytest.mark.parametrize("page", ["README.md", "docs/findings.md", "docs/summary.md"])
def test_every_number_of_the_answer(page, cells, verdicts, config) -> None:
    first, *middle, last = generated_answer((ROOT / page).read_text(encoding="utf-8"))
    assert len(middle) <= 8
    told: dict[tuple[bool, str], tuple[set[str], int]] = {}
    for sentence in middle:
        for clause in re.split(r"; (?=\*\*)", sentence):
            lead = next(words for words in LEADS if clause.startswith(words))
            drawn = "on drawn stand-ins" in clause.partition(":")[0]
            told[drawn, LEADS[lead]] = _checked(clause, LEADS[lead], drawn, cells, verdicts, config)
    expected: dict[tuple[bool, str], set[str]] = {}
    for claim in CLAIMS["claims"]:
        own = verdicts[(verdicts["claim"] == claim["id"]) & (verdicts["scope"] == claim["scope"])]
        for drawn, of_kind in own.groupby("stand_in"):
            for verdict in of_kind[of_kind["subject"] == reading(claim, config, cells)]["verdict"]:
                outcome = verdict.rpartition(": ")[2]
                if outcome in LEADS.values():
                    expected.setdefault((bool(drawn), outcome), set()).add(claim["id"])
    assert told.keys() == expected.keys()
    for kind, (named, more) in told.items():
        assert named <= expected[kind]
        assert len(named) + more == len(expected[kind])
        few = kind[1] not in TESTED and any((kind[0], words) in expected for words in TESTED)
        assert len(named) == min(1 if few else NAMED[kind[1]], len(expected[kind]))
    _check_first(first, verdicts)
    _check_last(last, verdicts)


def _checked(clause, outcome, drawn, cells, verdicts, config) -> tuple[set[str], int]:
    """Claims that a clause names, of which all that it says is right, and how many it counts."""
    named = set()
    more = re.search(r"; and (\d+) more claims?\b", clause)
    clause = clause.replace(more[0], "") if more else clause
    for plain, claim in BY_PLAIN.items():
        for start in (f"that {plain} (", f"whether {plain} ("):
            while start in clause:
                before, _, rest = clause.partition(start)
                items, end = _in_brackets(rest)
                clause = before + rest[end:]
                measure = CLAIMS["measures"][claim["metric"]]
                lower = measure.get("lower_is_better") and claim["test"] != "similar"
                heading = f"{measure['heading']}{', lower is better' if lower else ''}: "
                assert items.startswith(heading)
                for item in items.removeprefix(heading).split("; "):
                    _check_item(item, claim, outcome, drawn, cells, verdicts, config)
                named.add(claim["id"])
    assert re.findall(r"\d", clause) == [], clause
    return named, int(more[1]) if more else 0


def _in_brackets(text: str) -> tuple[str, int]:
    depth = 1
    for place, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return text[:place], place + 1
    raise AssertionError(text)


def _check_item(item, claim, outcome, drawn, cells, verdicts, config) -> None:
    match = re.match(
        rf"(\S+) ({NUMBER})(?: of another model, \"(.+?)\",)? against (?:(.+?)'s )?({NUMBER})"
        r"(?: at f = ([\d.]+))?(?=,|$)",
        item,
    )
    assert match, item
    data, ours, title, whom, theirs, rate = match.groups()
    dataset, subject = dataset_of(data), reading(claim, config, cells)
    assert of_model(title or claim["subject"], config) == subject
    found = rows(verdicts, claim["id"], dataset, subject)
    assert bool(found["stand_in"].iloc[0]) == drawn
    assert found["verdict"].iloc[0].endswith(outcome)
    opponent = of_model(whom, config) if whom else (claim.get("rivals") or [""])[0]
    rate = rate or "all"
    each, _ = pairs(claim, dataset, subject, opponent, rate, cells)
    assert is_rounded(ours, fmean(a for a, _ in each), 3)
    assert is_rounded(theirs, fmean(b for _, b in each), 3)
    rest = item[match.end() :]
    if share := re.search(SHARE, rest):
        assert share.groups() == improvement(favour(claim, each))
        rest = rest.replace(share[0], "")
    for words in open_words(found):
        rest = rest.replace(words, "")
    if said := re.search(rf"margin ({NUMBER})", rest):
        assert is_rounded(said[1], margin_of(claim, each), 3)
        rest = rest.replace(said[0], "")
    for other in titles(config):
        said = re.search(rf'in the reading "{re.escape(other)}" it (?:is )?(\w+)', rest)
        if said:
            theirs_ = rows(verdicts, claim["id"], dataset, titles(config)[other])
            assert theirs_["verdict"].iloc[0].endswith(said[1])
            rest = rest.replace(said[0], "")
    if said := re.search(r"over all f together it (?:is )?(\w+)", rest):
        together = rows(verdicts, claim["id"], dataset, subject, "generally")
        assert together["verdict"].iloc[0].endswith(said[1])
        rest = rest.replace(said[0], "")
    assert rest.replace("trainings", "").strip(", ") == "", item


def _check_first(sentence: str, verdicts: pd.DataFrame) -> None:
    everything, tested, *of_kinds, both = (
        int(n)
        for n in re.search(
            r"^(\d+) claims .*? and (\d+) tested: (\d+) on the .*? to decide (\d+) of "
            r"them\) and (\d+) on dra.*? to decide (\d+) of them\); (\d+) of these on both\.$",
            sentence,
        ).groups()
    )
    run = ran(verdicts)
    by_kind = [run[~run["stand_in"]], run[run["stand_in"]]]
    named = [set(rows["claim"]) for rows in by_kind]
    enough = [set(rows.loc[rows["seeds"] >= 3, "claim"]) for rows in by_kind]
    assert everything == len(BY_ID)
    assert tested == len(named[0] | named[1])
    assert both == len(named[0] & named[1])
    for found, decided, counts in zip(named, enough, (of_kinds[:2], of_kinds[2:]), strict=True):
        assert counts == [len(found), len(found - decided)]
    seeds = {int(n) for n in re.findall(r"(\d+) seeds", sentence)}
    assert seeds <= set(run["seeds"].dropna().astype(int))


def ids(claims: list[dict]) -> set[str]:
    return {claim["id"] for claim in claims}


def of_drawings() -> set[str]:
    """Claims on what is known of drawings alone."""
    measures = CLAIMS["measures"]
    return {name for name, c in BY_ID.items() if measures[c["metric"]].get("drawn_only")}


def _check_last(sentence: str, verdicts: pd.DataFrame) -> None:
    run = ran(verdicts)
    shown, own = set(run["claim"]), set(run[~run["stand_in"]]["claim"])
    away = [c for c in BY_ID.values() if not set(c["datasets"]) & {"mnist", "fashion_mnist"}]
    for pattern, expected in (
        (r"(\d+) claims? on CelebA", ids(away) & shown - own - of_drawings()),
        (r"(\d+) claims? on any photographs", of_drawings()),
        (r"(\d+) claims? that were run on drawings alone", shown - own - ids(away)),
    ):
        assert int(re.search(pattern, sentence)[1]) == len(expected)
    linked = re.findall(r"\[([\w-]+)\]\([\w./]*#([\w-]+)\)", sentence)
    assert all(text == name for text, name in linked)
    nowhere = set(BY_ID) - shown
    assert {name for name, _ in linked} == of_drawings() | nowhere | (shown - own - ids(away))
    measured, run_at_all = (
        re.search(rf"(\d+) claims? {words}", sentence)
        for words in ("whose measure no run has", "for which nothing was run at all")
    )
    assert sum(int(match[1]) for match in (measured, run_at_all) if match) == len(nowhere)
    paper = pd.read_csv(RESOURCES / "paper_tables.csv", dtype=RATE)
    drawn_only = paper["dataset"].isin(["celeba", "chexpert"]).sum()
    assert f"; {drawn_only} of the {len(paper)} cells of the paper's tables, which" in sentence
