"""Which model can do what: by its structure, and by what was measured.

Section 6 claims "that no existing method is able to perform all of the above". What a model's
structure does not allow, and why, is in `baselines.registry`. A measured task is done when the
figure has come at least a `NEEDED` share of the way from its floor, what doing nothing or guessing
scores, to its ceiling, what a perfect model scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from workflow.reporting.judges import UNJUDGED, failed_judges, first_lines, rests_on_judge
from workflow.reporting.names import STAND_INS, dataset_name
from workflow.reporting.records import Plan

NEEDED = 0.1

CANNOT, UNMEASURED, MISSING, FAILS, WORKS = "cannot", "unmeasured", "missing", "fails", "works"
"""Verdicts: the structure does not allow it; it does, but no figure says how well; the figure is
not there, or what it is compared with; it is below what is needed; it is not."""

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
    "verdict",
    "judge_failed",
]


@dataclass(frozen=True)
class Criterion:
    """What says whether a task is done.

    Attributes
    ----------
    task
        In `ccvae.tasks.TASKS`.
    metric
        In the records.
    floor, ceiling
        Numbers, or names of rows: of `workflow.reporting.records.REFERENCES`, or `own:<metric>` for
        another metric of the same model. The ceiling may lie below the floor.
    scale
        What lies between floor and ceiling, for readers.
    """

    task: str
    metric: str
    floor: float | str
    ceiling: float | str
    scale: str


CRITERIA = (
    Criterion(
        "classify",
        "balanced_accuracy",
        "majority",
        "judge",
        "balanced accuracy, from the majority class to the independent classifier",
    ),
    Criterion(
        "reconstruct",
        "reconstruction_l1",
        "constant",
        0.0,
        "pixel distance, from the mean image's to 0",
    ),
    Criterion(
        "sample",
        "frechet_distance_judge",
        "constant",
        "copy_characteristics",
        "Fréchet distance in the judge's features, from the mean image's to real images'",
    ),
    Criterion(
        "generate",
        "generation_accuracy",
        "constant",
        "copy_characteristics",
        "accuracy of generated images, from guessing to real images with the nearest labels",
    ),
    Criterion(
        "intervene",
        "intervention_diagonal",
        0.0,
        1.0,
        "change of the flipped label's log-probability, from 0 to 1 nat",
    ),
    Criterion(
        "intervene",
        "intervention_switch_on_diagonal",
        0.0,
        1.0,
        "for classes, change of the new class's log-probability, from 0 to 1 nat",
    ),
    Criterion(
        "swap",
        "swap_normalised",
        1.0,
        0.0,
        "transfer, from none to that of the own reconstruction (what becomes of the background: "
        "Table 2)",
    ),
    Criterion(
        "diversify",
        "truth_r2_own",
        "own:truth_r2_label",
        1.0,
        "true characteristics (R2) in a label's z_c, from what the label alone tells to all",
    ),
)
"""Of two criteria for a task, the first that a model has a figure for counts."""


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
        With the columns `COLUMNS`: `share` of the way from floor to ceiling, and the verdict.
    """
    figures, failed = _Figures(records), failed_judges(records)
    rows = []
    for dataset in plan.datasets:
        for model in plan.models:
            for rate in plan.rates:
                seeds = len(plan.runs(dataset, model, rate))
                if seeds == 0:
                    continue
                lacks = plan.lacking(model, dataset)
                for task in tasks:
                    judged = _judge(figures, dataset, model, rate, seeds, task)
                    if task in lacks:
                        judged = {"verdict": CANNOT}
                    elif dataset in failed and _rests_on_judge(judged):
                        reason = {"verdict": UNJUDGED, "judge_failed": failed[dataset]}
                        judged |= {**reason, "share": None}
                    identity = {
                        "dataset": dataset,
                        "model": model,
                        "task": task,
                        "supervision_rate": rate,
                        "supported": task not in lacks,
                        "why_not": lacks.get(task, ""),
                        "judge_failed": "",
                    }
                    rows.append({**identity, **judged})
    return pd.DataFrame(rows, columns=COLUMNS)


def _rests_on_judge(judged: Mapping[str, object]) -> bool:
    """Whether a figure, or an end of its scale, is what a judge says."""
    metric = judged.get("metric")
    return any(
        rests_on_judge(criterion.metric, str(criterion.ceiling))
        for criterion in CRITERIA
        if criterion.metric == metric
    )


class _Figures:
    """Means over seeds by data set, row, rate and metric."""

    def __init__(self, records: pd.DataFrame) -> None:
        keys = ["dataset", "model", "supervision_rate", "metric"]
        values = records.assign(supervision_rate=records["supervision_rate"].fillna(""))
        groups = values.groupby(keys)["value"].agg(["mean", "count"])
        self._cells = {key: (row["mean"], row["count"]) for key, row in groups.iterrows()}

    def of_model(
        self, dataset: str, model: str, rate: str, metric: str, seeds: int
    ) -> float | None:
        mean, count = self._cells.get((dataset, model, rate, metric), (None, 0))
        return mean if count >= seeds else None

    def of_reference(self, dataset: str, reference: str, metric: str) -> float | None:
        return self._cells.get((dataset, reference, "", metric), (None, 0))[0]


def _judge(
    figures: _Figures, dataset: str, model: str, rate: str, seeds: int, task: str
) -> dict[str, object]:
    criteria = [criterion for criterion in CRITERIA if criterion.task == task]
    if not criteria:
        return {"verdict": UNMEASURED}

    def own(metric: str) -> float | None:
        return figures.of_model(dataset, model, rate, metric, seeds)

    measured = [criterion for criterion in criteria if own(criterion.metric) is not None]
    criterion = (measured or criteria)[0]

    def end(reference: float | str) -> float | None:
        if not isinstance(reference, str):
            return reference
        if reference.startswith("own:"):
            return own(reference.removeprefix("own:"))
        return figures.of_reference(dataset, reference, criterion.metric)

    value, floor, ceiling = own(criterion.metric), end(criterion.floor), end(criterion.ceiling)
    found: dict[str, object] = {
        "metric": criterion.metric,
        "value": value,
        "floor": floor,
        "ceiling": ceiling,
    }
    if value is None or floor is None or ceiling is None or floor == ceiling:
        # The truth is known of drawn images only.
        only_drawn = criterion.metric.startswith("truth_") and dataset not in STAND_INS
        return {**found, "verdict": UNMEASURED if only_drawn else MISSING}
    share = (value - floor) / (ceiling - floor)
    return {**found, "share": share, "verdict": WORKS if share >= NEEDED else FAILS}


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
        "Section 6 claims that no existing method can do everything that CCVAE can.",
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
        f"**Measured**: the share of the way from a floor to a ceiling; at least {NEEDED} is "
        "needed. A share above 1 is better than the ceiling. `by structure` is a task that no "
        "figure is about.",
        "",
        *(f"* {criterion.task}: {criterion.scale}" for criterion in CRITERIA),
    ]
    for dataset, of_dataset in frame.groupby("dataset", sort=False):
        rate = max(of_dataset["supervision_rate"].unique(), key=float)
        rows = of_dataset[of_dataset["supervision_rate"] == rate]
        lines += ["", f"**{dataset_name(str(dataset))}, f = {rate}**", "", *_header(tasks)]
        complete: list[str] = []
        open_: dict[str, list[str]] = {MISSING: [], UNJUDGED: []}
        for model, of_model in rows.groupby("model", sort=False):
            named = of_model.set_index("task")
            cells = [_cell(named.loc[task]) for task in tasks]
            lines.append(f"| {titles[str(model)]} | " + " | ".join(cells) + " |")
            verdicts = set(named["verdict"])
            if verdicts & {CANNOT, FAILS}:
                continue
            why = [reason for reason in open_ if reason in verdicts]
            (open_[why[-1]] if why else complete).append(titles[str(model)])
        lines += ["", f"Every task that was measured: {'; '.join(complete) or 'none'}."]
        if open_[MISSING]:
            lines.append(f"Undecided, because a figure is missing: {'; '.join(open_[MISSING])}.")
        if open_[UNJUDGED]:
            lines.append(f"{UNJUDGED.capitalize()}: {'; '.join(open_[UNJUDGED])}.")
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


def _cell(row: pd.Series) -> str:
    verdict = str(row["verdict"])
    if verdict in (WORKS, FAILS):
        return f"{'yes' if verdict == WORKS else 'no'} ({round(row['share'], 2) + 0.0:.2f})"
    return {CANNOT: "no", UNMEASURED: "by structure"}.get(verdict, verdict)
