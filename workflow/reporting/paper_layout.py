"""A table as the paper prints it: one row per model, and what belongs together side by side."""

from __future__ import annotations

from itertools import product

import pandas as pd

from workflow.reporting.judges import first_lines
from workflow.reporting.names import dataset_name
from workflow.reporting.paper import Metric, Table
from workflow.reporting.records import Plan
from workflow.reporting.render import BOLD, cell_at, cell_text, number, reservations, row_name

SHORT = {"accuracy": "Acc", "generation_accuracy": "Acc", "mutual_information": "MI"}
"""The paper's own heads of columns."""


def in_paper_layout(table: Table, frame: pd.DataFrame, plan: Plan) -> list[str]:
    """Lay a tidy table out as Tables 6 and 7 of the paper.

    A single measure has its data sets across; several measures stand side by side at each f, and
    data sets one above the other. The paper's value stands in brackets behind ours.

    Parameters
    ----------
    table
        Which table.
    frame
        From `workflow.reporting.tables.tidy`.
    plan
        What was asked for.
    """
    metrics = [metric for metric in table.metrics if metric.name in set(frame["metric"])]
    datasets = list(dict.fromkeys(frame["dataset"]))
    blocks = [[name] for name in datasets] if len(metrics) > 1 else [datasets]
    lines = [f"### {table.heading}", "", *first_lines(reservations(frame))]
    lines.append(_caption(table, frame, plan, metrics))
    for block in blocks:
        columns = list(product(block, plan.rates, metrics))
        heads = [_head(*column, plan, alone=len(metrics) == 1) for column in columns]
        title = dataset_name(block[0]) if len(metrics) > 1 else ""
        lines += ["", f"| {title} | {' | '.join(heads)} |", "|---" * (len(columns) + 1) + "|"]
        of_block = frame[frame["dataset"].isin(block)]
        for model, rows in of_block.groupby("model", sort=False):
            cells = [
                _cell(rows[(rows["dataset"] == data) & (rows["metric"] == metric.name)], rate, plan)
                for data, rate, metric in columns
            ]
            lines.append(f"| {row_name(str(model), plan)} | {' | '.join(cells)} |")
    return lines


def _caption(table: Table, frame: pd.DataFrame, plan: Plan, metrics: list[Metric]) -> str:
    seeds = plan.seeds_in_words(dict.fromkeys(frame["dataset"]))
    if frame["std"].notna().any():
        seeds = f"mean ± standard deviation of {seeds}"
    better = ", ".join(f"{_short(m)} {m.better} is better" for m in metrics if m.better)
    sentences = [f"{table.title}; {seeds}; in brackets the paper's value. {better}.", table.note]
    return " ".join([*filter(None, sentences), BOLD])


def _short(metric: Metric) -> str:
    return SHORT.get(metric.name, metric.heading)


def _head(dataset: str, rate: str, metric: Metric, plan: Plan, *, alone: bool) -> str:
    if alone:
        return f"{dataset_name(dataset)}, f = {rate}" if rate == plan.rates[0] else f"f = {rate}"
    return f"f = {rate}, {_short(metric)}" if _short(metric) == "Acc" else _short(metric)


def _cell(rows: pd.DataFrame, rate: str, plan: Plan) -> str:
    cell = cell_at(rows, rate)
    if cell is None:
        return ""
    text = cell_text(cell, plan, " ± ")
    if cell.bold:
        text = f"**{text}**"
    return text if pd.isna(cell.paper) else f"{text} ({number(cell.paper)})"
