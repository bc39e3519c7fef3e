"""Verdicts on the paper's claims, and the comparisons that they rest on.

A difference counts in favour of the claim when it is positive, whichever way the metric points.
Models are compared on the same labelled images, seed by seed and f by f; one seed decides nothing.
Verdicts on one table of the paper and one kind of data are corrected together (Holm), so that of
all of them at most one in twenty families has a wrong one. What each test means is said in
`workflow.reporting.statistics`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from functools import cached_property

import pandas as pd

from workflow.reporting.claims import Claim
from workflow.reporting.statistics import (
    ALPHA,
    ENOUGH,
    LEAST,
    Evidence,
    every,
    holm,
    seeds_needed,
)

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"
AGREES, DISAGREES = "agrees", "disagrees"
NOT_MEASURED, NOT_RUN, DRAWN_ONLY = "not measured", "not run", "needs a known truth"
"""With `ENOUGH` seeds, one of the first three; with fewer, "one seed: agrees" and the like; without
the numbers for either, one of the last, or `workflow.reporting.judges.UNJUDGED`."""

ALL_RATES = "all"


def few(verdict: str, seeds: int) -> str:
    """What too few seeds say: "one seed: agrees"."""
    return f"{'one seed' if seeds == 1 else f'{seeds} seeds'}: {verdict}"


@dataclass(frozen=True)
class Comparison:
    """One subject against one opponent, at one f or over all of them; a row of claims.csv.

    Attributes
    ----------
    subject, opponent
        Models or variants; the opponent may be a number, a reference or another metric.
    supervision_rate
        f, or `ALL_RATES`.
    subject_mean, opponent_mean
        Over the `seeds` that both have.
    margin
        Of the claim, in the metric's unit.
    difference, low, high
        In favour of the claim, with its interval.
    improvement, improvement_low, improvement_high
        How often the subject does better, with its interval.
    seeds, differences
        How many seeds, and how many differences they make over the f that are meant.
    spread
        Standard deviation of one difference.
    p_for, p_against
        See `workflow.reporting.statistics.Evidence`.
    p_whole_seeds
        Two-sided p-value of the difference if seeds are flipped whole.
    agrees
        Whether the difference is on the claim's side.
    """

    subject: str
    opponent: str
    supervision_rate: str
    subject_mean: float | None = None
    opponent_mean: float | None = None
    margin: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    improvement: float | None = None
    improvement_low: float | None = None
    improvement_high: float | None = None
    seeds: int = 0
    differences: int = 0
    spread: float | None = None
    p_for: float | None = None
    p_against: float | None = None
    p_whole_seeds: float | None = None
    agrees: bool | None = None

    @property
    def evidence(self) -> Evidence:
        """Its p-values; without numbers, such as decide nothing."""
        if self.p_for is None or self.p_against is None:
            return Evidence(1.0, 1.0, False)
        return Evidence(self.p_for, self.p_against, bool(self.agrees))

    def seeds_needed(self, test: str, level: float) -> float:
        """How many seeds would decide it, see `workflow.reporting.statistics.seeds_needed`."""
        if self.difference is None or self.spread is None:
            return math.nan
        margin = self.margin or 0.0
        borders = {"better": [0.0], "not_worse": [-margin], "similar": [-margin, margin]}[test]
        distance = min(abs(self.difference - border) for border in borders)
        return seeds_needed(distance, self.spread, self.differences / self.seeds, level)


@dataclass(frozen=True)
class Verdict:
    """What the comparisons of one claim, one reading and one data set amount to.

    Attributes
    ----------
    claim, dataset, subject
        What is judged; `subject` is a model, or a variant of a study.
    stand_in
        Whether the data are drawn, so that nothing is said about the paper's own.
    scope
        The claim's, or `GENERALLY` beside `EVERY`.
    verdict
        See `HOLDS` and the others.
    p
        After Holm's correction over the verdicts of its family; None with few seeds.
    deciding
        Comparisons that it rests on.
    shown
        Comparisons at each f that stand beside.
    judge
        How good the judge is that the measure rests on, in words; empty if it rests on none.
    images
        How many images each model saw in training, by model; least and most over f.
    seeds_needed
        How many seeds would decide it if differences stayed as they are; None where it is decided
        or has no numbers, NaN where nothing is known of their spread.
    """

    claim: Claim
    dataset: str
    stand_in: bool
    subject: str
    scope: str
    verdict: str
    deciding: tuple[Comparison, ...]
    shown: tuple[Comparison, ...] = ()
    p: float | None = None
    judge: str = ""
    images: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    seeds_needed: float | None = None

    @property
    def main(self) -> bool:
        """Whether its scope is the claim's own."""
        return self.scope == self.claim.scope

    @property
    def run(self) -> bool:
        """Whether anything was run for it."""
        return self.verdict not in (NOT_RUN, NOT_MEASURED, DRAWN_ONLY)

    @property
    def outcome(self) -> str:
        """The verdict without the number of seeds."""
        return next((w for w in (DISAGREES, AGREES) if self.verdict.endswith(w)), self.verdict)

    @property
    def against(self) -> list[Comparison]:
        """Comparisons that must agree and do not."""
        return [c for c in self.deciding if c.difference is not None and not c.agrees]

    @property
    def leans(self) -> str:
        """Which way differences lie: it fails where any that must agree does not."""
        return FAILS if self.against else HOLDS

    @property
    def undecidable(self) -> str:
        """Why no number could have made it hold: too few seeds at a single f; or empty."""
        alone = [c.seeds for c in self.deciding if c.seeds >= ENOUGH and c.differences < LEAST]
        if self.verdict != UNDECIDED or not alone:
            return ""
        return f"{min(alone)} seeds at one f cannot decide it"

    @property
    def seeds(self) -> int:
        """Seeds behind it."""
        return min((c.seeds for c in self.deciding if c.seeds), default=0)

    @property
    def family(self) -> tuple[str, bool]:
        """Verdicts that are corrected together: those on one table, on one kind of data."""
        return self.claim.shown, self.stand_in

    @cached_property
    def evidence(self) -> Evidence:
        """Of all deciding comparisons; against "at every f", also that of all f together."""
        together = [c.evidence.p_against for c in self.shown if c.supervision_rate == ALL_RATES]
        return every([c.evidence for c in self.deciding], together)

    @property
    def decisive(self) -> Comparison | None:
        """The deciding comparison that is least in favour of the claim, if any was run."""
        run = [c for c in self.deciding if c.difference is not None]
        return min(run, key=lambda c: (-c.evidence.p_for, self._lead(c)), default=None)

    def _lead(self, comparison: Comparison) -> float:
        """How far a comparison is on the claim's side of its border, as a share of the scale."""
        difference, margin = comparison.difference or 0.0, comparison.margin or 0.0
        scale = abs(comparison.opponent_mean or 0.0) or 1.0
        if self.claim.test == "similar":
            return (margin - abs(difference)) / scale
        return (difference + margin) / scale


def corrected(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Decide what is open, family by family."""
    families: dict[tuple[str, bool], list[int]] = {}
    for index, verdict in enumerate(verdicts):
        if verdict.verdict == UNDECIDED and verdict.seeds >= ENOUGH:
            families.setdefault(verdict.family, []).append(index)
    done = list(verdicts)
    for members in families.values():
        found = [verdicts[i].evidence for i in members]
        adjusted = holm([min(e.p_for, e.p_against) for e in found])
        for index, each, p in zip(members, found, adjusted, strict=True):
            surest = HOLDS if each.p_for < each.p_against else FAILS
            words = surest if p <= ALPHA else UNDECIDED
            done[index] = replace(verdicts[index], verdict=words, p=p)
    sizes = Counter(v.family for v in verdicts if v.run)
    return [
        replace(v, seeds_needed=_needed(v, ALPHA / sizes[v.family]))
        if v.outcome in (UNDECIDED, AGREES, DISAGREES)
        else v
        for v in done
    ]


def _needed(verdict: Verdict, level: float) -> float:
    """Seeds for the side that it leans to: all comparisons must agree, or one of them not."""
    against = verdict.against
    part = level / len(verdict.deciding) if against else level
    found = [c.seeds_needed(verdict.claim.test, part) for c in against or verdict.deciding]
    if any(map(math.isnan, found)):
        return math.nan
    return min(found) if against else max(found)


def verdicts_frame(verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """Every comparison as a row, with the verdict that rests on it."""
    names = [each.name for each in fields(Comparison)]
    rows = []
    for verdict in verdicts:
        for comparison in (*verdict.deciding, *verdict.shown):
            decides = comparison in verdict.deciding
            rows.append(
                {
                    "claim": verdict.claim.id,
                    "shown": verdict.claim.shown,
                    "dataset": verdict.dataset,
                    "stand_in": verdict.stand_in,
                    "metric": verdict.claim.metric.name,
                    "test": verdict.claim.test,
                    "scope": verdict.scope,
                    "verdict": verdict.verdict,
                    "p": verdict.p,
                    "seeds_needed": verdict.seeds_needed,
                    "decides": decides,
                    **dict(zip(names, astuple(comparison), strict=True)),
                    "subject_images": _most(verdict.images.get(comparison.subject)),
                    "opponent_images": _most(verdict.images.get(comparison.opponent)),
                    "judge": verdict.judge,
                }
            )
    return pd.DataFrame(rows)


def _most(images: tuple[float, float] | None) -> float | None:
    return None if images is None else images[1]


def counted(verdicts: Iterable[Verdict]) -> Counter[str]:
    """How many verdicts have each outcome, whatever the number of seeds."""
    return Counter(v.outcome for v in verdicts if v.main)
