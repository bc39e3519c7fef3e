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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workflow.reporting.judges import UNJUDGED, failed_judges, first_lines, rests_on_judge
from workflow.reporting.names import dataset_name
from workflow.reporting.records import Plan, by_cell
from workflow.reporting.statistics import LEAST, centre

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
    """

    task: str
    ways: tuple[Way, ...]
    scale: str


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
        "real data: changes that the judge sees, from nothing done to real images",
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
for `diversify` and `traverse`."""


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
    criteria = [criterion for criterion in CRITERIA if criterion.task == task]
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
    where, n = centre(shares), len(shares)
    found = {"share": where.mean, "n": n}
    if n < LEAST:
        return {**found, "verdict": LEANS[WORKS if where.mean >= NEEDED else FAILS]}
    verdict = WORKS if where.low >= NEEDED else FAILS if where.high < NEEDED else OPEN
    return {**found, "low": where.low, "high": where.high, "verdict": verdict}


def capabilities_markdown(
    frame: pd.DataFrame, tasks: Sequence[str], titles: Mapping[str, str]
) -> str:
    """Page of the table: by structure, then a block per data set at its largest f.

    Parameters
    ----------
    frame
        From `capabilities`.
    tasks
        All tasks, in order.
    titles
        Of the models, by name.
    """
    lines = [
        "# What each model can do",
        "",
        *first_lines(frame["judge_failed"]),
        'Section 6: "no existing method is able to perform all of the above", and its footnote 3: '
        '"DIVA can perform the same tasks as CCVAE but only with the modifications we ourselves '
        'suggest and still not to a comparable quality."',
        "",
        "**By structure**",
        "",
        *_header(tasks),
    ]
    for model, rows in frame.groupby("model", sort=False):
        by_task = rows.groupby("task")["supported"]
        words = {(True, True): "yes", (True, False): "on some data", (False, False): "no"}
        cells = [words[by_task.any()[task], by_task.all()[task]] for task in tasks]
        lines.append(f"| {titles[str(model)]} | " + " | ".join(cells) + " |")
    everything = [
        titles[str(model)]
        for model, rows in frame.groupby("model", sort=False)
        if rows.groupby("task")["supported"].any().all()
    ]
    lines += ["", f"Every task: {'; '.join(everything) or 'none'}.", *_reasons(frame, titles), ""]
    lines += [
        "**Measured**: the share of the way from a floor, what doing nothing or guessing scores, "
        "to a ceiling, what perfect drawings or real images score. `yes` is at least half of the "
        "way, with its interval over seeds; `open` is an interval on both sides. Fewer than "
        f"{LEAST} seeds decide nothing at one f: `leans yes`, `leans no`. `by structure` is a task "
        "that no figure is about.",
        "",
        *(f"* {criterion.task}: {criterion.scale}" for criterion in CRITERIA),
    ]
    for dataset, of_dataset in frame.groupby("dataset", sort=False):
        rate = max(of_dataset["supervision_rate"].unique(), key=float)
        rows = of_dataset[of_dataset["supervision_rate"] == rate]
        lines += ["", f"**{dataset_name(str(dataset))}, f = {rate}**", "", *_header(tasks)]
        complete, unjudged = list[str](), list[str]()
        for model, of_model in rows.groupby("model", sort=False):
            named = of_model.set_index("task")
            cells = [_cell(named.loc[task]) for task in tasks]
            lines.append(f"| {titles[str(model)]} | " + " | ".join(cells) + " |")
            verdicts = set(named["verdict"])
            if verdicts <= {WORKS, LEANS[WORKS], UNMEASURED, MISSING, UNJUDGED}:
                (unjudged if UNJUDGED in verdicts else complete).append(titles[str(model)])
        lines += ["", f"Every task that was measured: {'; '.join(complete) or 'none'}."]
        if unjudged:
            lines.append(f"{UNJUDGED.capitalize()}: {'; '.join(unjudged)}.")
    return "\n".join(lines) + "\n"


def _reasons(frame: pd.DataFrame, titles: Mapping[str, str]) -> list[str]:
    """Say of each task that a model cannot do why not, and on which data if it can on others."""
    lines = [""]
    for (model, task), rows in frame.groupby(["model", "task"], sort=False):
        for why, lacking in rows[~rows["supported"]].groupby("why_not", sort=False):
            names = ", ".join(dataset_name(str(name)) for name in lacking["dataset"].unique())
            where = f" on {names}" if rows["supported"].any() else ""
            lines.append(f"* {titles[str(model)]}, {task}{where}: {why}")
    return lines if len(lines) > 1 else []


def _header(tasks: Sequence[str]) -> list[str]:
    return ["| | " + " | ".join(tasks) + " |", "|---" * (len(tasks) + 1) + "|"]


WORDS = {
    CANNOT: "no",
    UNMEASURED: "by structure",
    MISSING: "not measured",
    WORKS: "yes",
    FAILS: "no",
    OPEN: "open",
    LEANS[WORKS]: "leans yes",
    LEANS[FAILS]: "leans no",
    UNJUDGED: UNJUDGED,
}


def _cell(row: pd.Series) -> str:
    words = WORDS[str(row["verdict"])]
    return words if pd.isna(row["share"]) else f"{words} ({round(row['share'], 2) + 0.0:.2f})"
