"""Verdicts on the paper's claims: records, a plan and the claims in; comparisons and verdicts out.

Everything is compared seed by seed at one supervision rate on one data set. A difference counts
in favour of the claim when it is positive, whichever way the metric points.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ccvae.errors import InputError
from workflow.reporting.intervals import Cell, by_cell, paired, seed_interval
from workflow.reporting.judges import UNJUDGED, failed_judges, rests_on_judge
from workflow.reporting.names import STAND_INS
from workflow.reporting.readable import for_claims
from workflow.reporting.records import Plan

CLAIMS = Path(__file__).parents[1] / "resources" / "claims.yaml"
HOLDS, FAILS, UNDECIDED, NOT_RUN = "holds", "fails", "undecided", "not run"
TESTS = ("better", "not_worse", "similar", "tasks")


@dataclass(frozen=True)
class Amount:
    """A number in a metric's unit, or as a share of what it is compared with."""

    absolute: float = 0.0
    relative: float = 0.0

    def of(self, scale: float) -> float:
        """In the metric's unit."""
        return self.absolute + self.relative * abs(scale)


@dataclass(frozen=True)
class Claim:
    """One claim; workflow/resources/claims.yaml says what each field means."""

    id: str
    claim: str
    place: str
    datasets: tuple[str, ...]
    test: str
    subject: str
    metric: str = ""
    fallback: str = ""
    lower_is_better: bool = False
    rivals: tuple[str, ...] = ()
    value: float | None = None
    reference: str = ""
    against: str = ""
    margin: Amount = Amount()
    at_most: float = 1.0
    at_least: float = 0.0
    need: str = "every"
    tasks: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """One subject against one opponent at one supervision rate; a row of claims.csv.

    Attributes
    ----------
    claim, dataset, stand_in, subject, supervision_rate, opponent, metric
        What is compared; `subject` and `opponent` are models, a number, a reference or a metric.
    subject_mean, opponent_mean
        Over the `n` seeds that both have.
    difference, low, high
        In favour of the claim, with its interval.
    n
        Seeds.
    verdict
        holds, fails, undecided, not run, or not decided because the judge failed its gate.
    """

    claim: str
    dataset: str
    stand_in: bool
    subject: str
    supervision_rate: str
    opponent: str
    metric: str
    subject_mean: float | None = None
    opponent_mean: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    verdict: str = NOT_RUN


@dataclass(frozen=True)
class Verdict:
    """What all comparisons of one claim, one reading and one data set amount to."""

    claim: Claim
    dataset: str
    stand_in: bool
    subject: str
    verdict: str
    comparisons: tuple[Comparison, ...]

    @property
    def counts(self) -> Counter[str]:
        """How many comparisons have each verdict."""
        return Counter(comparison.verdict for comparison in self.comparisons)

    @property
    def decisive(self) -> Comparison | None:
        """The comparison least in favour of the claim, if any was run."""
        run = [c for c in self.comparisons if c.verdict not in (NOT_RUN, UNJUDGED)]
        order = {FAILS: 0, UNDECIDED: 1, HOLDS: 2}
        worst = min(run, key=lambda c: (order[c.verdict], _share(c)), default=None)
        return worst


def _share(comparison: Comparison) -> float:
    if comparison.difference is None:
        return 0.0
    return comparison.difference / (abs(comparison.opponent_mean or 0.0) or 1.0)


def load_claims(path: Path = CLAIMS) -> tuple[list[Claim], dict[str, Amount]]:
    """Read the claims and the tolerances of metrics.

    Raises
    ------
    InputError
        If an entry is malformed.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    tolerances = {name: Amount(**amount) for name, amount in content["tolerances"].items()}
    return [_claim(path, entry, tolerances) for entry in content["claims"]], tolerances


def _claim(path: Path, entry: dict[str, Any], tolerances: dict[str, Amount]) -> Claim:
    values = {**entry, **entry.get("rates", {})}
    values.pop("rates", None)
    name = values.get("id", "a claim without id")
    if unknown := sorted(set(values) - {field.name for field in fields(Claim)}):
        raise InputError(f"{path}: {name} has the unknown key '{unknown[0]}'")
    if values["test"] not in TESTS:
        raise InputError(f"{path}: {name} has the test '{values['test']}', not one of {TESTS}")
    shared = {key: values[key] for key in ("id", "claim", "place", "datasets", "subject")}
    values["tasks"] = tuple(
        _claim(path, {**shared, "test": "better", **task}, tolerances)
        for task in entry.get("tasks", [])
    )
    values["margin"] = Amount(**entry.get("margin", {}))
    for key in ("datasets", "rivals"):
        values[key] = tuple(values.get(key, ()))
    claim = Claim(**values)
    opponents = (claim.rivals, claim.value is not None, claim.reference, claim.against)
    if sum(map(bool, opponents)) != 1:
        raise InputError(f"{path}: {name} needs one of rivals, value, reference and against")
    if claim.test != "tasks" and claim.metric not in tolerances:
        raise InputError(f"{path}: {name} needs a tolerance of '{claim.metric}'")
    return claim


def decide(
    records: pd.DataFrame, plan: Plan, claims: Iterable[Claim], tolerances: dict[str, Amount]
) -> list[Verdict]:
    """Judge each claim on each of its data sets, for each model of its subject's system.

    Parameters
    ----------
    records
        From `workflow.reporting.records.collect`.
    plan
        What the preset asks for; what is not in it is `not run`.
    claims, tolerances
        From `load_claims`.
    """
    failed = failed_judges(records)
    court = _Court(by_cell(for_claims(records)), plan, tolerances)
    return [
        _without_judge(verdict) if verdict.dataset in failed else verdict
        for claim in claims
        for verdict in court.verdicts(claim)
    ]


def _without_judge(verdict: Verdict) -> Verdict:
    """Take back what was decided on the word of a judge that failed its gate."""
    claim = verdict.claim
    metrics = {row.metric for row in verdict.comparisons} | {task.metric for task in claim.tasks}
    if verdict.verdict == NOT_RUN or not any(rests_on_judge(m, claim.reference) for m in metrics):
        return verdict
    rows = tuple(
        row if row.verdict == NOT_RUN else replace(row, verdict=UNJUDGED)
        for row in verdict.comparisons
    )
    return replace(verdict, verdict=UNJUDGED, comparisons=rows)


def comparisons_frame(verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """Every comparison as a row, with the fields of `Comparison` as columns."""
    columns = [field.name for field in fields(Comparison)]
    rows = [astuple(row) for verdict in verdicts for row in verdict.comparisons]
    return pd.DataFrame(rows, columns=columns)


def amount_to(verdicts: Iterable[str], need: str) -> str:
    """Sum up comparisons: any that fails decides against `every`, half of them against `most`."""
    counts = Counter(verdicts)
    total = sum(counts.values())
    if counts[NOT_RUN] == total:
        return NOT_RUN
    if need == "most":
        if 2 * counts[HOLDS] > total:
            return HOLDS
        return FAILS if 2 * counts[FAILS] > total else UNDECIDED
    if counts[FAILS]:
        return FAILS
    return HOLDS if counts[HOLDS] == total else UNDECIDED


def judged(test: str, low: float, high: float, margin: float) -> str:
    """Judge the interval [low, high] of a difference in favour of the claim."""
    if test == "better":
        holds, fails = low > 0, high <= 0
    elif test == "not_worse":
        holds, fails = low >= -margin, high < -margin
    else:
        holds, fails = low >= -margin and high <= margin, high < -margin or low > margin
    return HOLDS if holds else FAILS if fails else UNDECIDED


class _Court:
    """Records by cell, and the models of each system."""

    def __init__(
        self, cells: dict[Cell, dict[int, float]], plan: Plan, tolerances: dict[str, Amount]
    ) -> None:
        self._cells, self._plan, self._tolerances = cells, plan, tolerances
        self._measured = {(metric, dataset) for metric, dataset, _, _ in cells}

    def verdicts(self, claim: Claim) -> Iterator[Verdict]:
        for original in claim.datasets:
            drawn = [name for name in self._plan.datasets if STAND_INS.get(name) == original]
            for dataset in (original, *drawn):
                for subject in self._models(claim.subject, dataset) or [claim.subject]:
                    rows = tuple(self._comparisons(claim, dataset, subject))
                    verdict = amount_to([row.verdict for row in rows], claim.need)
                    yield Verdict(claim, dataset, dataset in STAND_INS, subject, verdict, rows)

    def _models(self, system: str, dataset: str) -> list[str]:
        if dataset not in self._plan.datasets:
            return []
        return [
            name
            for name, described in self._plan.models.items()
            if described["system"] == system
            and (described["datasets"] is None or dataset in described["datasets"])
        ]

    def _comparisons(self, claim: Claim, dataset: str, subject: str) -> Iterator[Comparison]:
        meant = [r for r in self._plan.rates if claim.at_least <= float(r) <= claim.at_most]
        opponents = [
            model for system in claim.rivals for model in self._models(system, dataset) or [system]
        ]
        # A claim on rates that are not planned is not run, which a row without a rate says.
        for rate in meant or [""]:
            if claim.test == "tasks":
                yield self._does_all(claim, dataset, subject, rate)
                for rival in opponents:
                    yield self._fails_at_one(claim, dataset, rival, rate)
            else:
                for opponent in opponents or [""]:
                    yield self._compare(claim, dataset, subject, opponent, rate)

    def _compare(
        self, claim: Claim, dataset: str, subject: str, opponent: str, rate: str
    ) -> Comparison:
        metric = claim.metric
        if claim.fallback and (metric, dataset) not in self._measured:
            metric = claim.fallback
        ours = self._cells.get((metric, dataset, subject, rate), {})
        if claim.value is not None:
            opponent, theirs = f"{claim.value:g}", dict.fromkeys(ours, float(claim.value))
        elif claim.reference:
            opponent = claim.reference
            found = self._cells.get((metric, dataset, opponent, ""), {})
            theirs = dict.fromkeys(ours, found[0]) if found else {}
        elif claim.against:
            opponent = claim.against
            theirs = self._cells.get((opponent, dataset, subject, rate), {})
        else:
            theirs = self._cells.get((metric, dataset, opponent, rate), {})
        drawn = dataset in STAND_INS
        what = (claim.id, dataset, drawn, subject, rate, opponent, metric)
        mine, other = paired(ours, theirs)
        if len(mine) == 0:
            return Comparison(*what)
        scale = float(np.mean(other))
        differences = (other - mine) if claim.lower_is_better else (mine - other)
        low, high = seed_interval(differences, self._tolerances[metric].of(scale))
        verdict = judged(claim.test, low, high, claim.margin.of(scale))
        means = (float(np.mean(mine)), scale, float(np.mean(differences)))
        return Comparison(*what, *means, low, high, len(mine), verdict)

    def _tasks(self, claim: Claim, dataset: str, model: str, rate: str) -> list[str]:
        """Whether a model does each task; one that it has no figure for it cannot do."""
        run = any(key[1:] == (dataset, model, rate) for key in self._cells)
        found = [self._compare(task, dataset, model, "", rate).verdict for task in claim.tasks]
        return [FAILS if verdict == NOT_RUN and run else verdict for verdict in found]

    def _does_all(self, claim: Claim, dataset: str, model: str, rate: str) -> Comparison:
        done = self._tasks(claim, dataset, model, rate)
        return self._tasks_row(claim, dataset, model, rate, done, amount_to(done, "every"))

    def _fails_at_one(self, claim: Claim, dataset: str, rival: str, rate: str) -> Comparison:
        done = self._tasks(claim, dataset, rival, rate)
        opposite = {HOLDS: FAILS, FAILS: HOLDS}
        verdict = amount_to(done, "every")
        return self._tasks_row(claim, dataset, rival, rate, done, opposite.get(verdict, verdict))

    def _tasks_row(
        self, claim: Claim, dataset: str, model: str, rate: str, done: list[str], verdict: str
    ) -> Comparison:
        metrics = [task.metric for task in claim.tasks]
        failed = [m for m, v in zip(metrics, done, strict=True) if v == FAILS]
        opponent = "fails: " + ", ".join(failed) if failed else "all tasks"
        if verdict == NOT_RUN:
            opponent = "all tasks"
        drawn = dataset in STAND_INS
        row = (claim.id, dataset, drawn, model, rate, opponent, "tasks")
        return Comparison(*row, verdict=verdict)
