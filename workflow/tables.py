"""The paper's tables as tidy frames: obtained value, paper value, difference."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workflow.paper import Table
from workflow.records import Plan

PAPER_VALUES = Path(__file__).parent / "resources" / "paper_tables.csv"

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
]


def paper_values() -> pd.DataFrame:
    """Every value of the paper's tables: table, metric, dataset, model, supervision_rate, value."""
    return pd.read_csv(PAPER_VALUES, dtype={"supervision_rate": str})


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
        From `workflow.records.collect`.
    plan
        What should be there.

    Returns
    -------
    pandas.DataFrame
        With the columns `TIDY`; reference rows have no supervision rate.
    """
    paper = paper_values().set_index(["table", "metric", "dataset", "model", "supervision_rate"])
    published = paper["value"].to_dict()
    by_cell = {
        key: group["value"].to_numpy(float)
        for key, group in records.groupby(
            ["metric", "dataset", "model", "supervision_rate"], dropna=False
        )
    }
    references = {
        (row.metric, row.dataset, row.model): float(row.value)
        for row in records[records["model"].isin(table.references)].itertuples()
    }
    rows = []
    for metric in table.metrics:
        for dataset in (name for name, kind in plan.datasets.items() if kind == table.kind):
            for model, described in plan.models.items():
                for rate in plan.rates:
                    expected = len(plan.runs(dataset, model, rate))
                    if not expected:
                        continue
                    values = by_cell.get((metric, dataset, model, rate), [])
                    complete = len(values) == expected
                    mean = float(sum(values) / expected) if complete else None
                    std = float(pd.Series(values).std()) if complete and expected > 1 else None
                    value = published.get(
                        (table.number, metric, dataset, described["system"], rate)
                    )
                    known = mean is not None and value is not None
                    difference = mean - value if known else None
                    rows.append(
                        (
                            table.number,
                            metric,
                            dataset,
                            model,
                            rate,
                            mean,
                            std,
                            len(values),
                            value,
                            difference,
                        )
                    )
            for model in table.references:
                found = references.get((metric, dataset, model))
                rows.append(
                    (
                        table.number,
                        metric,
                        dataset,
                        model,
                        "",
                        found,
                        None,
                        int(found is not None),
                        None,
                        None,
                    )
                )
    numbers = {column: float for column in ("mean", "std", "paper", "difference")}
    return pd.DataFrame(rows, columns=TIDY).astype(numbers)


def wide(table: Table, frame: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Lay a tidy table out as the paper does: models down, data set and f across.

    Each rate has the columns `obtained`, `paper` and `difference`; reference rows repeat their
    value at every rate.
    """
    rows = []
    for (metric, model), group in frame.groupby(["metric", "model"], sort=False):
        row: dict[str, object] = {"metric": metric, "model": model}
        for cell in group.itertuples():
            for rate in [cell.supervision_rate] if cell.supervision_rate else plan.rates:
                prefix = f"{cell.dataset} f={rate}"
                row[f"{prefix} obtained"] = cell.mean
                row[f"{prefix} paper"] = cell.paper
                row[f"{prefix} difference"] = cell.difference
        rows.append(row)
    return pd.DataFrame(rows)
