"""The paper's tables as tidy frames: obtained value, paper value, difference."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from workflow.reporting.judges import failed_judges, rests_on_judge
from workflow.reporting.names import STAND_INS
from workflow.reporting.paper import TABLES, Table
from workflow.reporting.records import Cell, Plan, by_cell
from workflow.reporting.statistics import ALPHA, ENOUGH, holm, leader

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
    "bold",
    "runs",
    "better",
    "judge_failed",
]


def paper_values() -> pd.DataFrame:
    """Every value of the paper's tables: table, metric, dataset, model, supervision_rate, value."""
    return pd.read_csv(PAPER_VALUES, dtype={"supervision_rate": str})


def counterparts(records: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The paper's values, and whether the same was measured here: a column `run`.

    The same is the paper's data set, a model of the same system, f and measure.
    """
    ours = {(t.number, m.paper): m.name for t in TABLES.values() for m in t.metrics if m.paper}
    systems = {name: described["system"] for name, described in plan.models.items()}
    trained = records[records["supervision_rate"].notna()]
    columns = [trained[name] for name in ("dataset", "supervision_rate", "metric", "model")]
    found = {(*key, systems.get(model, "")) for *key, model in zip(*columns, strict=True)}
    values = paper_values()
    keys = values[["table", "metric", "dataset", "supervision_rate", "model"]]
    values["run"] = [
        (dataset, rate, ours[table, metric], model) in found
        for table, metric, dataset, rate, model in keys.itertuples(index=False)
    ]
    return values


def belongs(table: Table, dataset: str, plan: Plan) -> bool:
    """Whether a data set has a place in a table."""
    if table.drawn_only and dataset not in STAND_INS:
        return False
    return plan.datasets[dataset] == table.kind


def tidy(table: Table, records: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Compute a table: one row per metric, data set, model and supervision rate.

    A cell needs every seed that the plan asks for: with one missing, its mean and standard
    deviation are missing too, and `n` says how many there are. The standard deviation is the
    sample's (ddof = 1). The paper's value stands beside the paper's own data sets only. `bold` says
    of a model that it is the best over all f: see `leaders`. `runs` are those that are there, with
    or without the metric: a model may have no such figure. `better` is the good end, if there is
    one: lower or higher.

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
    cells = by_cell(records)
    run_seeds: dict[tuple[str, str, str], set[int]] = {}
    for (_, dataset, model, rate), by_seed in cells.items():
        run_seeds.setdefault((dataset, model, rate), set()).update(by_seed)
    label = table.name if table.number is None else table.number
    rows: list[tuple[object, ...]] = []
    measured, failed = set(records["metric"]), failed_judges(records)
    datasets = [name for name in plan.datasets if belongs(table, name, plan)]
    best = leaders(table, cells, plan, failed)
    for metric in table.metrics:
        if metric.optional and metric.name not in measured:
            continue
        for dataset in datasets:
            for model, described in plan.models.items():
                if not table.shows(described["system"], plan.lacking(model, dataset)):
                    continue
                for rate in plan.rates:
                    expected = len(plan.runs(dataset, model, rate))
                    if expected:
                        cell = (metric.name, dataset, model, rate)
                        paper = published.get(
                            (table.number, metric.paper, dataset, described["system"], rate)
                        )
                        values = list(cells.get(cell, {}).values())
                        summary = _summary(values, expected, paper)
                        there = len(run_seeds.get((dataset, model, rate), ()))
                        bold = (metric.name, dataset, model) in best
                        rows.append((label, *cell, *summary, bold, there, metric.better))
            for model in table.references:
                cell = (metric.name, dataset, model, "")
                if cell in cells:
                    values = list(cells[cell].values())
                    rows.append((label, *cell, *_summary(values, 1, None), False, 1, metric.better))
    numbers = {column: float for column in ("mean", "std", "paper", "difference")}
    frame = pd.DataFrame(rows, columns=TIDY[:-1]).astype(numbers)
    frame["judge_failed"] = [
        failed.get(dataset, "") if rests_on_judge(metric, model) else ""
        for metric, dataset, model in zip(
            frame["metric"], frame["dataset"], frame["model"], strict=True
        )
    ]
    return frame


def leaders(
    table: Table, cells: Mapping[Cell, dict[int, float]], plan: Plan, failed: Collection[str]
) -> set[tuple[str, str, str]]:
    """The best model over all f, as (metric, data set, model), where it differs from every other.

    That is at 5 %, paired by f and by the seeds that all who compete have, and corrected over the
    blocks of the table (Holm). Models that are meant to have few seeds do not compete; a measure
    without a better end has no leader, nor has one that rests on the judge of a data set in
    `failed`.
    """
    candidates, p_values = [], []
    for metric, dataset in product(table.metrics, plan.datasets):
        unjudged = dataset in failed and rests_on_judge(metric.name)
        if metric.lower_is_better is None or unjudged or not belongs(table, dataset, plan):
            continue
        found = {
            model: [cells.get((metric.name, dataset, model, rate), {}) for rate in plan.rates]
            for model, described in plan.models.items()
            if table.shows(described["system"])
        }
        asked = {model: plan.seeds_of(dataset, model) for model in found}
        compete = [
            model
            for model, by_rate in found.items()
            if asked[model] >= ENOUGH
            and all(set(range(asked[model])) <= of_seed.keys() for of_seed in by_rate)
        ]
        whole = range(min((asked[model] for model in compete), default=0))
        values = {
            model: np.array([[of_seed[seed] for seed in whole] for of_seed in found[model]])
            for model in compete
        }
        if len(values) > 1:
            best, p = leader(list(values.values()), metric.lower_is_better)
            candidates.append((metric.name, dataset, list(values)[best]))
            p_values.append(p)
    adjusted = holm(p_values)
    return {block for block, p in zip(candidates, adjusted, strict=True) if p <= ALPHA}


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
    value at every rate. `better` and `bold` are those of `tidy`, the latter by data set.
    `judge_failed` names the judges that a row rests on in vain.
    """
    rows = []
    for (metric, model), group in frame.groupby(["metric", "model"], sort=False):
        row: dict[str, object] = {"metric": metric, "model": model}
        row["better"] = group["better"].iloc[0]
        for cell in group.to_dict("records"):
            rate = cell["supervision_rate"]
            for column in [rate] if rate else plan.rates:
                prefix = f"{cell['dataset']} f={column}"
                row[f"{prefix} obtained"] = cell["mean"]
                row[f"{prefix} paper"] = cell["paper"]
                row[f"{prefix} difference"] = cell["difference"]
            row[f"{cell['dataset']} bold"] = cell["bold"]
        row["judge_failed"] = " ".join(filter(None, group["judge_failed"].unique()))
        rows.append(row)
    return pd.DataFrame(rows)
