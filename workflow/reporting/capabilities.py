"""Which model can do what: by its structure, and by what was measured.

Section 6: "no existing method is able to perform all of the above", and its footnote 3: "DIVA can
perform the same tasks as CCVAE but only with the modifications we ourselves suggest and still not
to a comparable quality". What a model's structure does not allow, and why, is in
`baselines.registry`. What is measured lies somewhere on the way from a floor, what doing nothing or
guessing scores, to a ceiling: what perfect drawings score, where images are drawn, and else real
images. A model can do a task if it comes nearer to the ceiling than to the floor, that is, at least
`NEEDED` of the way (deviation: can-do).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workflow.reporting.judges import UNJUDGED, failed_judges, rests_on_judge
from workflow.reporting.names import STAND_INS
from workflow.reporting.records import Plan, by_cell
from workflow.reporting.statistics import LEAST, interval

NEEDED = 0.5

CANNOT, UNMEASURED, MISSING = "cannot", "unmeasured", "missing"
"""Verdicts: the structure does not allow it; it does, but no figure says how well; the figure is
not there, or what it is compared with."""
WORKS, FAILS, OPEN = "works", "fails", "open"
LEANS = {WORKS: "leans to works", FAILS: "leans to fails"}
"""Verdicts: the interval of the share over seeds lies above what is needed, below, or around it;
and what fewer than `LEAST` seeds point to, which decide nothing at one f."""

COLUMNS = [
    "dataset",
    "model",
    "task",
    "supervision_rate",
    "supported",
    "why_not",
    "metric",
    "value",
    "floor",
    "ceiling",
    "share",
    "low",
    "high",
    "n",
    "verdict",
    "judge_failed",
]


@dataclass(frozen=True)
class Way:
    """A figure between its floor and its ceiling.

    Attributes
    ----------
    metric
        In the records.
    floor, ceiling
        Numbers, or names of rows: of `workflow.reporting.records.REFERENCES`, or `own:<metric>` for
        another metric of the same run. The ceiling may lie below the floor.
    """

    metric: str
    floor: float | str
    ceiling: float | str


@dataclass(frozen=True)
class Criterion:
    """What says whether a task is done.

    Attributes
    ----------
    task
        In `ccvae.tasks.TASKS`.
    ways
        The shorter way counts, where there are two; the first one is shown.
    scale
        What lies between floor and ceiling, for readers.
    drawn_only
        Whether real data cannot have the figure.
    """

    task: str
    ways: tuple[Way, ...]
    scale: str
    drawn_only: bool = False


CRITERIA = (
    Criterion(
        "classify",
        (Way("balanced_accuracy", "majority", "judge"),),
        "balanced accuracy, from the majority class to the independent classifier",
    ),
    Criterion(
        "reconstruct",
        (Way("reconstruction_l1", "constant", 0.0),),
        "pixel distance, from the mean image's to none",
    ),
    Criterion(
        "sample",
        (Way("fid", "constant", "copy_characteristics"),),
        "FID, from the mean image's to real images'",
    ),
    Criterion(
        "generate",
        (Way("generation_accuracy", "constant", "own:generation_ceiling_accuracy"),),
        "drawn data: agreement with even labels, from guessing to perfect drawings of them",
    ),
    Criterion(
        "generate",
        (
            Way(
                "generation_data_balanced_accuracy",
                "constant",
                "own:generation_real_balanced_accuracy",
            ),
        ),
        "photographs: agreement with labels from the data, balanced, from guessing to real images",
    ),
    Criterion(
        "generate",
        (Way("generation_accuracy", "constant", "own:generation_real_accuracy"),),
        "classes: agreement with the class, from guessing to real test images",
    ),
    Criterion(
        "intervene",
        (Way("intervention_success", "copy_characteristics", "true_redrawing"),),
        "drawn data: changes that the judge sees, from nothing done to true redrawings",
    ),
    Criterion(
        "intervene",
        (Way("counterfactual_inside_normalised", 1.0, 0.0),),
        "drawn data without judged redrawings: pixels of the region that truly changes, from "
        "nothing done to the model's own reconstruction of the true redrawing",
    ),
    Criterion(
        "intervene",
        (
            Way(
                "intervention_success",
                "copy_characteristics",
                "own:generation_real_balanced_accuracy",
            ),
        ),
        "real data: changes that the judge sees, from nothing done to real images; what is kept "
        "beside them is in the table of style",
    ),
    Criterion(
        "diversify",
        (Way("truth_r2_within_own", 0.0, "own:truth_r2_within_ceiling"),),
        "drawn data: true characteristics that a label's z_c tells within the classes, from none "
        "to what as many numbers can tell at most",
        drawn_only=True,
    ),
    Criterion(
        "swap",
        (
            Way(
                "swap_truth_l1", "own:swap_truth_l1_no_transfer", "own:swap_truth_l1_reconstruction"
            ),
        ),
        "drawn data: pixel distance from the true swap, from no transfer to the model's own "
        "reconstruction of the true swap",
    ),
    Criterion(
        "swap",
        (Way("swap_normalised", 1.0, 0.0), Way("swap_background_change", 1.0, 0.0)),
        "real data: transfer, from none to that of the own reconstruction, or what is kept of the "
        "background, whichever is less",
    ),
)
"""Of several criteria for a task, the first that a model has all figures for counts. There is none
for `traverse`, nor for `diversify` on real data."""


def capabilities(records: pd.DataFrame, tasks: Sequence[str], plan: Plan) -> pd.DataFrame:
    """Judge every model at every task, data set and supervision rate.

    Parameters
    ----------
    records
        From `workflow.reporting.records.collect`.
    tasks
        All tasks, in order.
    plan
        What should be there; a figure counts when every seed has it.

    Returns
    -------
    pandas.DataFrame
        With the columns `COLUMNS`: `share` of the way from floor to ceiling, its interval over `n`
        seeds, and the verdict.
    """
    figures, failed = _Figures(records), failed_judges(records)
    rows = []
    for dataset in plan.datasets:
        for model in plan.models:
            lacks = plan.lacking(model, dataset)
            for rate in plan.rates:
                seeds = [run.seed for run in plan.runs(dataset, model, rate)]
                if not seeds:
                    continue
                for task in tasks:
                    identity = {
                        "dataset": dataset,
                        "model": model,
                        "task": task,
                        "supervision_rate": rate,
                        "supported": task not in lacks,
                        "why_not": lacks.get(task, ""),
                        "judge_failed": "",
                    }
                    if task in lacks:
                        rows.append({**identity, "verdict": CANNOT})
                        continue
                    judged = _judge(figures, dataset, model, rate, seeds, task)
                    if dataset in failed and _rests_on_judge(task, str(judged.get("metric"))):
                        judged = {"metric": judged["metric"], "verdict": UNJUDGED}
                        judged["judge_failed"] = failed[dataset]
                    rows.append({**identity, **judged})
    return pd.DataFrame(rows, columns=COLUMNS)


def _rests_on_judge(task: str, metric: str) -> bool:
    """Whether a figure, or an end of its way, is what a judge says."""
    return any(
        rests_on_judge(way.metric, str(way.ceiling))
        for criterion in CRITERIA
        if criterion.task == task and criterion.ways[0].metric == metric
        for way in criterion.ways
    )


class _Figures:
    """Values by data set, row, rate, metric and seed."""

    def __init__(self, records: pd.DataFrame) -> None:
        self._cells = by_cell(records)

    def of_seeds(
        self, metric: str, dataset: str, model: str, rate: str, seeds: Sequence[int]
    ) -> np.ndarray | None:
        """Values of a model's runs, (n,), or None if one is missing."""
        found = self._cells.get((metric, dataset, model, rate), {})
        return np.array([found[s] for s in seeds]) if set(seeds) <= set(found) else None

    def end(
        self,
        end: float | str,
        metric: str,
        dataset: str,
        model: str,
        rate: str,
        seeds: Sequence[int],
    ) -> np.ndarray | None:
        """A floor or a ceiling of the same runs, (n,), or None if it is not there."""
        if isinstance(end, float):
            return np.full(len(seeds), end)
        if end.startswith("own:"):
            return self.of_seeds(end.removeprefix("own:"), dataset, model, rate, seeds)
        found = self._cells.get((metric, dataset, end, ""))
        return np.full(len(seeds), found[0]) if found else None


def _judge(
    figures: _Figures, dataset: str, model: str, rate: str, seeds: Sequence[int], task: str
) -> dict[str, object]:
    drawn = dataset in STAND_INS
    criteria = [c for c in CRITERIA if c.task == task and (drawn or not c.drawn_only)]
    if not criteria:
        return {"verdict": UNMEASURED}
    for criterion in criteria:
        found = [_travelled(figures, way, dataset, model, rate, seeds) for way in criterion.ways]
        whole = [each for each in found if each is not None]
        if len(whole) == len(found):
            value, floor, ceiling, _ = whole[0]
            return {
                "metric": criterion.ways[0].metric,
                "value": value.mean(),
                "floor": floor.mean(),
                "ceiling": ceiling.mean(),
                **_decide(np.minimum.reduce([shares for *_, shares in whole])),
            }
    return {"metric": criteria[0].ways[0].metric, "verdict": MISSING}


def _travelled(
    figures: _Figures, way: Way, dataset: str, model: str, rate: str, seeds: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """Value, floor, ceiling and share of the way between them, each (n,); None if one lacks."""
    value = figures.of_seeds(way.metric, dataset, model, rate, seeds)
    floor, ceiling = (
        figures.end(end, way.metric, dataset, model, rate, seeds)
        for end in (way.floor, way.ceiling)
    )
    if value is None or floor is None or ceiling is None or np.any(floor == ceiling):
        return None
    return value, floor, ceiling, (value - floor) / (ceiling - floor)


def _decide(shares: np.ndarray) -> dict[str, object]:
    mean, n = float(shares.mean()), len(shares)
    found = {"share": mean, "n": n}
    if n < LEAST:
        return {**found, "verdict": LEANS[WORKS if mean >= NEEDED else FAILS]}
    low, high = interval(shares)
    verdict = WORKS if low >= NEEDED else FAILS if high < NEEDED else OPEN
    return {**found, "low": low, "high": high, "verdict": verdict}
