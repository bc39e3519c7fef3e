"""Every number in the README, the findings and the summary, from the committed records alone.

Nothing of the workflow is used. What has been found right is taken out of the text; no digit may
be left.
"""

from __future__ import annotations

import math
import re
from statistics import fmean

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from tests.workflow.recomputing import (
    CLAIMS,
    NAMES,
    RATE,
    REFERENCE,
    RESOURCES,
    ROOT,
    titles,
    values,
)
from tests.workflow.test_recomputed import margin

pytestmark = pytest.mark.skipif(not REFERENCE.exists(), reason="no result is committed yet")

BY_ID = {claim["id"]: claim for claim in CLAIMS["claims"]}
BY_PLAIN = {claim["plain"]: claim for claim in CLAIMS["claims"]}
NUMBER = r"-?[\d.]+(?:e[-+]?\d+)?"
SHARE = r"better in (\d+%) \[(\d+%), (\d+%)\] of "


@pytest.fixture(scope="module")
def cells() -> dict:
    return values()


@pytest.fixture(scope="module")
def verdicts() -> pd.DataFrame:
    return pd.read_csv(REFERENCE / "claims.csv", dtype=RATE)


@pytest.fixture(scope="module")
def config() -> dict:
    return yaml.safe_load((REFERENCE / "config.yaml").read_text(encoding="utf-8"))


def dataset_of(words: str) -> str:
    return NAMES.get(words, words.removesuffix(" (drawn)"))


def pairs(claim: dict, dataset: str, subject: str, opponent: str, rate: str, cells: dict):
    """(ours, theirs) of every f and seed that is meant."""
    study = claim.get("study", "")
    limits = claim.get("rates", {})
    rates = sorted({k[4] for k in cells if (k[0], k[2]) == (study, dataset)} - {""}, key=float)
    rates = [r for r in rates if limits.get("at_least", 0) <= float(r) <= limits.get("at_most", 1)]
    found = []
    for each in rates if rate == "all" else [rate]:
        ours = cells[study, claim["metric"], dataset, subject, each]
        if "value" in claim:
            theirs = [claim["value"]] * len(ours)
        elif "against" in claim:
            theirs = cells[study, claim["against"], dataset, subject, each]
        else:
            theirs = cells[study, claim["metric"], dataset, opponent, each]
        # A model may have fewer seeds; they are the first ones.
        seeds = min(len(ours), len(theirs))
        found += list(zip(ours[:seeds], theirs[:seeds], strict=True))
    return found, seeds


def is_rounded(text: str, value: float, digits: int) -> bool:
    """Whether a text is a number to so many digits; halves may go either way."""
    unit = 10.0 ** (math.floor(math.log10(abs(value) or 1.0)) - digits + 1)
    return abs(float(text) - value) <= 0.501 * unit


def favour(claim: dict, found: list[tuple[float, float]]) -> list[float]:
    lower = CLAIMS["measures"][claim["metric"]].get("lower_is_better", False)
    return [b - a if lower else a - b for a, b in found]


def improvement(differences: list[float]) -> tuple[str, str, str]:
    n, wins = len(differences), sum(d > 0 for d in differences)
    losses = sum(d < 0 for d in differences)
    low = stats.beta.ppf(0.025, wins, n - wins + 1) if wins else 0.0
    high = 1 - stats.beta.ppf(0.025, losses, n - losses + 1) if losses else 1.0
    return tuple(f"{share:.0%}" for share in ((n + wins - losses) / 2 / n, low, high))


def interval(differences: list[float]) -> tuple[float, float]:
    """All centres that no sign flip rejects: means of subsets, without the outer 2.5 %."""
    values, means = np.array(differences), []
    for numbers in np.array_split(
        np.arange(1, 2 ** len(values)), max(1, 2 ** len(values) // 2**14)
    ):
        chosen = numbers[:, None] >> np.arange(len(values)) & 1
        means.append(chosen @ values / chosen.sum(1))
    means = np.sort(np.concatenate(means))
    outer = int(0.025 * (len(means) + 1))
    return means[outer - 1], means[-outer]


def of_model(words: str, config: dict) -> str:
    name, _, alpha = words.partition(", alpha = ")
    model = titles(config).get(name, name)
    return f"{model}={alpha}" if alpha else model


def rows(verdicts: pd.DataFrame, claim: str, dataset: str, subject: str, scope: str = ""):
    found = verdicts[(verdicts["claim"] == claim) & (verdicts["dataset"] == dataset)]
    found = found[(found["subject"] == subject) & found["decides"]]
    return found[found["scope"] == (scope or BY_ID[claim]["scope"])]


def reading(claim: dict, config: dict, cells: dict) -> str:
    """The paper's own reading: the first model of the subject's system that can be asked."""
    if "study" in claim:
        return claim["subject"]
    settings, asked = config["model_settings"], claim.get("only_with")
    able = {key[3] for key in cells if key[1] == asked and key[2] in claim["datasets"]}
    found = [n for n in config["models"] if settings[n]["system"] == claim["subject"]]
    return next(n for n in found if not asked or n in able)


def open_words(found: pd.DataFrame) -> list[str]:
    """What may stand behind an open verdict."""
    words = []
    needed = found["seeds_needed"].iloc[0]
    deciding = found[found["decides"] & found["difference"].notna()]
    side = "hold" if deciding["agrees"].astype(bool).all() else "fail"
    if math.isinf(needed):
        words.append(f"more than 100 seeds would make it {side}")
    elif not math.isnan(needed):
        words.append(f"about {needed:.0f} seeds would make it {side}")
    seeds = int(found["seeds"].min())
    words.append(f"{seeds} seeds at one f cannot decide it")
    return words


def p_words(p: float) -> str:
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


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
        rf"(\S+) ({NUMBER})(?: of \"(.+?)\")? against (?:(.+?)'s )?({NUMBER})"
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
        assert is_rounded(said[1], _margin(claim, each), 3)
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


def _margin(claim: dict, found: list[tuple[float, float]]) -> float:
    lower = CLAIMS["measures"][claim["metric"]].get("lower_is_better", False)
    mean = fmean(b for _, b in found) if claim["margin"].get("relative") else 1
    return margin(claim["margin"], lower) * mean


def ran(verdicts: pd.DataFrame) -> pd.DataFrame:
    nothing = ["not run", "not measured", "needs a known truth"]
    return verdicts[~verdicts["verdict"].isin(nothing)]


def _check_first(sentence: str, verdicts: pd.DataFrame) -> None:
    everything, tested, *of_kinds, both = (
        int(n)
        for n in re.search(
            r"^(\d+) claims .*? and (\d+) tested: (\d+) on the .*?(\d+) claims with too few to .*? "
            r"and (\d+) on dra.*?(\d+) claims with too few to .*?, (\d+) on both\.$",
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


def of_drawings() -> set[str]:
    """Claims on what is known of drawings alone."""
    measures = CLAIMS["measures"]
    return {name for name, c in BY_ID.items() if measures[c["metric"]].get("drawn_only")}


def _check_last(sentence: str, verdicts: pd.DataFrame) -> None:
    run = ran(verdicts)
    shown, own = set(run["claim"]), set(run[~run["stand_in"]]["claim"])
    away = [c for c in BY_ID.values() if not set(c["datasets"]) & {"mnist", "fashion_mnist"}]
    for pattern, expected in (
        (
            r"(\d+) claims? on CelebA",
            len([c for c in away if c["id"] in shown - own - of_drawings()]),
        ),
        (r"(\d+) claims? on any photographs", len(of_drawings())),
        (r"(\d+) claims? whose measure no run has", None),
        (r"(\d+) claims? for which nothing was run", None),
    ):
        match = re.search(pattern + r"(?: \((\[.*?\]\([^)]+\))\))?(?=[;.])", sentence)
        if match is None:
            continue
        links = re.findall(r"\[([^\]]+)\]\([\w./]*#([\w-]+)\)", match[0])
        assert int(match[1]) == (len(links) if expected is None else expected)
        assert all(BY_ID[name]["plain"] == plain for plain, name in links)
        assert not {name for _, name in links} & shown
    paper = pd.read_csv(RESOURCES / "paper_tables.csv", dtype=RATE)
    drawn_only = paper["dataset"].isin(["celeba", "chexpert"]).sum()
    assert f"; {drawn_only} of the {len(paper)} cells of the paper's tables, which" in sentence


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
        rf"(?:all f|f = ([\d.]+)): (.+?) ({NUMBER}) against (?:`?(.+?)`?:? )?({NUMBER}), "
        rf"(higher by|lower by|no difference)(?: ({NUMBER}))?(?: \[({NUMBER}), ({NUMBER})\])?, "
        rf"(\w+) seeds?(?:; margin ({NUMBER}))?(?:; {SHARE}(\d+) pairs of trainings)?",
        numbers,
    )
    assert match, numbers
    rate, title, ours, whom, theirs, way, apart, low, high, *more = match.groups()
    seeds, most, *share, count = more
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
        assert is_rounded(most, _margin(claim, found), 2)
    if count is not None:
        assert int(count) == len(found)
        assert tuple(share) == improvement(favour(claim, found))
    return subject


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
