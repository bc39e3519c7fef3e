"""From records to verdicts: which numbers each claim is about, and how they compare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from workflow.reporting.claims import EVERY, GENERALLY, Claim
from workflow.reporting.judges import UNJUDGED, credentials, failed_judges, rests_on_judge
from workflow.reporting.names import STAND_INS
from workflow.reporting.readable import for_claims
from workflow.reporting.records import Cell, Plan, by_cell
from workflow.reporting.statistics import (
    ENOUGH,
    LEAST,
    evidence,
    improvement,
    interval,
    whole_seeds,
)
from workflow.reporting.verdicts import (
    AGREES,
    ALL_RATES,
    DISAGREES,
    DRAWN_ONLY,
    NOT_MEASURED,
    NOT_RUN,
    UNDECIDED,
    Comparison,
    Verdict,
    corrected,
    few,
)


def decide(
    records: pd.DataFrame,
    plan: Plan,
    claims: Iterable[Claim],
    studies: pd.DataFrame | None = None,
) -> list[Verdict]:
    """Judge each claim on each of its data sets, for each model of its subject's system.

    Parameters
    ----------
    records
        From `workflow.reporting.records.collect`.
    plan
        What the preset asks for; what is not in it is `not run`.
    claims
        From `workflow.reporting.claims.load_claims`.
    studies
        From `workflow.studies.seeds.read_studies`; none by default.
    """
    court = _Court(records, plan, studies)
    return corrected([verdict for claim in claims for verdict in court.verdicts(claim)])


def _images(rows: pd.DataFrame) -> dict[tuple[str, str], tuple[float, float]]:
    """Least and most images that a training saw, by data set and model; none where unknown."""
    if "images_seen" not in rows:
        return {}
    groups = rows.dropna(subset="images_seen").groupby(["dataset", "model"])["images_seen"]
    return {(str(d), str(m)): (float(v.min()), float(v.max())) for (d, m), v in groups}


class _Court:
    """Values by cell, and the models of each system."""

    def __init__(
        self,
        records: pd.DataFrame,
        plan: Plan,
        studies: pd.DataFrame | None,
    ) -> None:
        self._cells = by_cell(for_claims(records))
        self._plan = plan
        self._failed, self._judges = failed_judges(records), credentials(records)
        self._images = {"": _images(records)}
        self._studies: dict[str, dict[Cell, dict[int, float]]] = {}
        if studies is not None:
            for name, rows in studies.groupby("study"):
                self._studies[str(name)] = by_cell(rows)
                self._images[str(name)] = _images(rows)

    def verdicts(self, claim: Claim) -> Iterator[Verdict]:
        cells = self._studies.get(claim.study, {}) if claim.study else self._cells
        for dataset in self._datasets(claim, cells):
            subjects = [claim.subject] if claim.study else self._subjects(claim, dataset)
            for subject in subjects or [claim.subject]:
                yield from self._of_subject(claim, dataset, subject, cells)

    def _datasets(self, claim: Claim, cells: Mapping[Cell, object]) -> list[str]:
        if claim.study:
            # A study is run on a few data sets only; which ones it could be run on says nothing.
            return list(dict.fromkeys(key[1] for key in cells)) or list(claim.datasets)
        found = []
        for original in claim.datasets:
            drawn = [name for name in self._plan.datasets if STAND_INS.get(name) == original]
            found += [original, *drawn]
        return found

    def _subjects(self, claim: Claim, dataset: str) -> list[str]:
        """Readings of a claim's subject, but those that could not have what it is about."""
        found = self._models(claim.subject, dataset)
        asked = claim.only_with
        able = {key[2] for key in self._cells if key[:2] == (asked, dataset)}
        return [model for model in found if not asked or model in able]

    def _models(self, system: str, dataset: str) -> list[str]:
        if dataset not in self._plan.datasets:
            return []
        return [
            name
            for name, described in self._plan.models.items()
            if described["system"] == system
            and (described["datasets"] is None or dataset in described["datasets"])
        ]

    def _of_subject(
        self, claim: Claim, dataset: str, subject: str, cells: Mapping[Cell, dict[int, float]]
    ) -> Iterator[Verdict]:
        rivals = [
            model
            for rival in claim.rivals
            for model in ([rival] if claim.study else self._models(rival, dataset) or [rival])
        ]
        planned = self._plan.rates
        if claim.study:
            planned = sorted({key[3] for key in cells if key[1] == dataset}, key=float)
        rates = [rate for rate in planned if claim.means(rate)]
        table = _Table(claim, dataset, subject, rates, cells)
        opponents = rivals or [claim.against.name if claim.against else f"{claim.value:g}"]
        every_rate = ALL_RATES if len(rates) > 1 else "".join(rates)
        together = tuple(table.compare(opponent, rates, every_rate) for opponent in opponents)
        each = tuple(
            table.compare(opponent, [rate], rate) for opponent in opponents for rate in rates
        )
        judged = rests_on_judge(claim.metric.name)
        judge = self._judges.get(dataset, "") if judged else ""
        unjudged = UNJUDGED if judged and dataset in self._failed else ""
        seen = self._images.get(claim.study, {})
        images = {model: found for (data, model), found in seen.items() if data == dataset}
        common = (claim, dataset, dataset in STAND_INS, subject)
        missing = table.missing(opponents)
        if claim.metric.drawn_only and dataset not in STAND_INS:
            missing = DRAWN_ONLY

        def verdict(
            scope: str, deciding: tuple[Comparison, ...], shown: tuple[Comparison, ...]
        ) -> Verdict:
            words = missing or unjudged or _first_look(deciding)
            return Verdict(*common, scope, words, deciding, shown, judge=judge, images=images)

        if claim.scope == EVERY and len(rates) > 1:
            yield verdict(EVERY, each, together)
            yield verdict(GENERALLY, together, ())
        elif claim.scope == EVERY:
            yield verdict(EVERY, each or together, ())
        else:
            yield verdict(GENERALLY, together, each if len(rates) > 1 else ())


def _first_look(deciding: Sequence[Comparison]) -> str:
    """What can be said without p-values; `UNDECIDED` is what these are asked about."""
    seeds = min((c.seeds for c in deciding if c.seeds), default=0)
    if not 0 < seeds < ENOUGH:
        return UNDECIDED
    known = [c.agrees for c in deciding if c.agrees is not None]
    if not all(known):
        return few(DISAGREES, seeds)
    return few(AGREES, seeds) if len(known) == len(deciding) else UNDECIDED


class _Table:
    """Values of one subject and its opponents on one data set."""

    def __init__(
        self,
        claim: Claim,
        dataset: str,
        subject: str,
        rates: Sequence[str],
        cells: Mapping[Cell, dict[int, float]],
    ) -> None:
        self._claim, self._dataset, self._subject = claim, dataset, subject
        self._rates, self._cells = rates, cells

    def missing(self, opponents: Sequence[str]) -> str:
        """`NOT_RUN` or `NOT_MEASURED` if there is nothing to compare, else an empty string."""
        there = {key[2] for key in self._cells if key[1] == self._dataset}
        if self._subject not in there or not self._rates:
            return NOT_RUN
        asked = ("", self._claim.only_with)
        if not all(any(self._of(self._subject, rate, m) for rate in self._rates) for m in asked):
            return NOT_MEASURED
        if self._claim.rivals and not any(rival in there for rival in opponents):
            return NOT_RUN
        if any(self._against(o, rate) for o in opponents for rate in self._rates):
            return ""
        return NOT_MEASURED

    def _of(self, model: str, rate: str, metric: str = "") -> dict[int, float]:
        name = metric or self._claim.metric.name
        return self._cells.get((name, self._dataset, model, rate), {})

    def _against(self, opponent: str, rate: str) -> dict[int, float]:
        claim, ours = self._claim, self._of(self._subject, rate)
        if claim.value is not None:
            return dict.fromkeys(ours, claim.value)
        if claim.against:
            return self._of(self._subject, rate, claim.against.name)
        return self._of(opponent, rate)

    def compare(self, opponent: str, rates: Sequence[str], label: str) -> Comparison:
        """Compare over some f together; only seeds that both have at all of them count."""
        claim = self._claim
        pairs = [(self._of(self._subject, r), self._against(opponent, r)) for r in rates]
        both = [ours.keys() & theirs.keys() for ours, theirs in pairs]
        seeds = sorted(set.intersection(*map(set, both))) if both else []
        if not seeds:
            return Comparison(self._subject, opponent, label)
        mine, other = (
            np.array([[pair[side][seed] for seed in seeds] for pair in pairs]) for side in (0, 1)
        )
        differences = other - mine if claim.metric.lower_is_better else mine - other
        margin = claim.margin.of(float(other.mean()))
        found = evidence(claim.test, differences, margin)
        low, high = interval(differences)
        enough = len(seeds) >= ENOUGH
        decidable = enough and differences.size >= LEAST
        # A share of wins is one over trainings; a single one is no share.
        share, least, most = improvement(differences) if len(seeds) > 1 else (None, None, None)
        sides = min(whole_seeds(differences), whole_seeds(-differences))
        return Comparison(
            self._subject,
            opponent,
            label,
            subject_mean=float(mine.mean()),
            opponent_mean=float(other.mean()),
            margin=margin,
            difference=float(differences.mean()),
            low=low if decidable else None,
            high=high if decidable else None,
            improvement=share,
            improvement_low=least,
            improvement_high=most,
            seeds=len(seeds),
            differences=differences.size,
            spread=float(differences.std(ddof=1)) if differences.size > 1 else None,
            p_for=found.p_for if enough else None,
            p_against=found.p_against if enough else None,
            p_whole_seeds=min(1.0, 2 * sides) if enough else None,
            agrees=found.agrees,
        )
