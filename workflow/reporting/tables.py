"""The paper's tables as tidy frames: obtained value, paper value, difference."""

from __future__ import annotations

import statistics
from pathlib import Path

import pandas as pd

from workflow.reporting.judges import failed_judges, rests_on_judge
from workflow.reporting.names import STAND_INS
from workflow.reporting.paper import Table
from workflow.reporting.records import Plan

PAPER_VALUES = Path(__file__).parents[1] / "resources" / "paper_tables.csv"

TIDY = [
    "table",
    "metric",
    "dataset",
    "model",
    "supervision_rate",
    "mean",
    "std",
    "n",
    "paper",
    "difference",
    "judge_failed",
]


def paper_values() -> pd.DataFrame:
    """Every value of the paper's tables: table, metric, dataset, model, supervision_rate, value."""
    return pd.read_csv(PAPER_VALUES, dtype={"supervision_rate": str})


def belongs(table: Table, dataset: str, plan: Plan) -> bool:
    """Whether a data set has a place in a table."""
    if table.drawn_only and dataset not in STAND_INS:
        return False
    return plan.datasets[dataset] == table.kind


def tidy(table: Table, records: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Compute a table: one row per metric, data set, model and supervision rate.

    A cell needs every seed that the plan asks for: with one missing, its mean and standard
    deviation are missing too, and `n` says how many there are. The standard deviation is the
    sample's (ddof = 1). The paper's value stands beside the paper's own data sets only.

    Parameters
    ----------
    table
        Which table.
    records
        From `workflow.reporting.records.collect`.
    plan
        What should be there.

    Returns
    -------
    pandas.DataFrame
        With the columns `TIDY`; reference rows have no supervision rate. `judge_failed` says of
        cells that rest on a judge which failed its gate that they do; it is empty elsewhere.
    """
    keys = ["table", "metric", "dataset", "model", "supervision_rate"]
    published = paper_values().set_index(keys)["value"].to_dict()
    by_cell = _values_by_cell(records)
    label = table.name if table.number is None else table.number
    rows: list[tuple[object, ...]] = []
    measured = set(records["metric"])
    datasets = [name for name in plan.datasets if belongs(table, name, plan)]
    for metric in table.metrics:
        if metric.optional and metric.name not in measured:
            continue
        for dataset in datasets:
            for model, described in plan.models.items():
                if not table.shows(described["system"]):
                    continue
                for rate in plan.rates:
                    expected = len(plan.runs(dataset, model, rate))
                    if expected:
                        cell = (metric.name, dataset, model, rate)
                        paper = published.get(
                            (table.number, metric.paper, dataset, described["system"], rate)
                        )
                        values = by_cell.get(cell, [])
                        rows.append((label, *cell, *_summary(values, expected, paper)))
            for model in table.references:
                cell = (metric.name, dataset, model, "")
                if cell in by_cell:
                    rows.append((label, *cell, *_summary(by_cell[cell], 1, None)))
    numbers = {column: float for column in ("mean", "std", "paper", "difference")}
    frame = pd.DataFrame(rows, columns=TIDY[:-1]).astype(numbers)
    failed = failed_judges(records)
    frame["judge_failed"] = [
        failed.get(dataset, "") if rests_on_judge(metric, model) else ""
        for metric, dataset, model in zip(
            frame["metric"], frame["dataset"], frame["model"], strict=True
        )
    ]
    return frame


def _values_by_cell(records: pd.DataFrame) -> dict[tuple[str, str, str, str], list[float]]:
    """Values of all seeds by (metric, data set, model, rate); the rate of a reference is ""."""
    cells: dict[tuple[str, str, str, str], list[float]] = {}
    columns = ["metric", "dataset", "model", "supervision_rate", "value"]
    for metric, dataset, model, rate, value in records[columns].itertuples(index=False):
        key = (metric, dataset, model, "" if pd.isna(rate) else rate)
        cells.setdefault(key, []).append(float(value))
    return cells


def _summary(
    values: list[float], expected: int, paper: float | None
) -> tuple[float | None, float | None, int, float | None, float | None]:
    """Mean, standard deviation, count, paper value and difference of one cell."""
    if len(values) < expected:
        return None, None, len(values), paper, None
    mean = statistics.fmean(values)
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return mean, deviation, len(values), paper, None if paper is None else mean - paper


def wide(table: Table, frame: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Lay a tidy table out as the paper does: models down, data set and f across.

    Each rate has the columns `obtained`, `paper` and `difference`; reference rows repeat their
    value at every rate. `judge_failed` names the judges that a row rests on in vain.
    """
    rows = []
    for (metric, model), group in frame.groupby(["metric", "model"], sort=False):
        row: dict[str, object] = {"metric": metric, "model": model}
        for cell in group.to_dict("records"):
            rate = cell["supervision_rate"]
            for column in [rate] if rate else plan.rates:
                prefix = f"{cell['dataset']} f={column}"
                row[f"{prefix} obtained"] = cell["mean"]
                row[f"{prefix} paper"] = cell["paper"]
                row[f"{prefix} difference"] = cell["difference"]
        row["judge_failed"] = " ".join(filter(None, group["judge_failed"].unique()))
        rows.append(row)
    return pd.DataFrame(rows)
