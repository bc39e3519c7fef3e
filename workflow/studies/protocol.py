"""Studies beside the paper: what a schedule gives where the paper prints a number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import pandas as pd

from workflow.reporting.names import dataset_name
from workflow.reporting.paper import TABLES, Metric
from workflow.reporting.tables import paper_values

COLUMNS = [
    "dataset",
    "supervision_rate",
    "table",
    "metric",
    "model",
    "study",
    "recipe",
    "recipe_std",
    "recipe_seeds",
    "paper",
]
"""Of `beside_paper`: the paper's `table`, the study's score on test images, mean and standard
deviation (ddof = 1) of the preset's own runs and how many there are, and the paper's number."""

NEAR = 0.01
"""A score that falls short by no more is said to reach the paper's."""
SEPARABLE = 2.0
"""Standard deviations over seeds that one training must move a score by to be told from another."""


OF_NO_SPLIT = ("generation_accuracy",)
"""Measures of generated images, which are the same whatever split is looked at."""

NEVER = {"mean": math.nan, "std": math.nan, "count": 0}


def beside_paper(test: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """Set test scores of a study beside the preset's own runs and the paper's numbers.

    Parameters
    ----------
    test
        One row per training and metric: `dataset`, `supervision_rate`, `value` (a model), `metric`
        and `score`.
    records
        From `workflow.reporting.records.collect`: the runs of the same models.

    Returns
    -------
    pandas.DataFrame
        With the columns `COLUMNS`, of the shares of right answers, which depend on no scale of a
        judge or a network here; NaN where something was not run.
    """
    paper = paper_values().set_index(["table", "metric", "dataset", "model", "supervision_rate"])
    said = paper["value"].to_dict()
    keys = ["dataset", "supervision_rate", "value", "metric"]
    own = records.groupby(["dataset", "supervision_rate", "model", "metric"])["value"]
    recipe = own.agg(["mean", "std", "count"]).to_dict("index")
    rows = []
    for row in test.groupby(keys, sort=False)["score"].mean().reset_index().to_dict("records"):
        dataset, rate, model, name = (row[key] for key in keys)
        ran = recipe.get((dataset, rate, model, name), NEVER)
        for number, metric in _measures():
            published = said.get((number, metric.paper, dataset, model, rate))
            if metric.name == name and published is not None:
                own_runs = (ran["mean"], ran["std"], int(ran["count"]))
                scores = (row["score"], *own_runs, published)
                rows.append((dataset, rate, number, name, model, *scores))
    return pd.DataFrame(rows, columns=COLUMNS)


def _measures() -> Iterator[tuple[int, Metric]]:
    """Accuracies of the paper's tables, and numbers of these."""
    for table in TABLES.values():
        for metric in table.metrics:
            if table.number is not None and metric.paper and metric.lower_is_better is False:
                yield table.number, metric


def beside_paper_markdown(frame: pd.DataFrame, titles: Mapping[str, str]) -> list[str]:
    """Lines of the tables of `beside_paper`, one for each table of the paper and data set."""
    lines: list[str] = []
    headings = {(number, metric.name): metric.heading for number, metric in _measures()}
    keys = ["table", "metric", "dataset"]
    for (table, metric, dataset), block in frame.groupby(keys, sort=False):
        rates = list(dict.fromkeys(block["supervision_rate"]))
        heading = headings[int(str(table)), str(metric)]
        images = "generated images" if metric in OF_NO_SPLIT else "test images"
        lines += ["", f"**Table {table}, {heading}: {dataset_name(str(dataset))}, {images}**"]
        lines += ["", "| | " + " | ".join(f"f = {rate}" for rate in rates) + " |"]
        lines += ["|---" * (len(rates) + 1) + "|"]
        for model, rows in block.groupby("model", sort=False):
            cells = rows.set_index("supervision_rate").reindex(rates)
            name = titles.get(str(model), str(model))
            seeds = int(cells["recipe_seeds"].max())
            own = f"the suite's own recipe ({'one seed' if seeds == 1 else f'{seeds} seeds'})"
            for what, column in (
                ("the paper preset's schedule", "study"),
                (own if seeds else "the suite's own recipe (not run)", "recipe"),
                ("the paper", "paper"),
            ):
                words = ["n/a" if pd.isna(v) else f"{v:.3f}" for v in cells[column]]
                lines.append(f"| {name}: {what} | " + " | ".join(words) + " |")
    return lines


def sentences(frame: pd.DataFrame, summary: pd.DataFrame, titles: Mapping[str, str]) -> list[str]:
    """Say how many numbers of the paper are reached, and what each single change does.

    Parameters
    ----------
    frame
        From `beside_paper`.
    summary
        From `workflow.studies.variants.summarise_variants`, on validation images; what is compared
        with a model is the model with one change.
    titles
        Of the models.
    """
    lines = []
    for (table, model), rows in frame.groupby(["table", "model"], sort=False):
        words = [_reached(rows, "study", "the paper preset's schedule")]
        own = rows[rows["recipe_seeds"] > 0]
        if len(own):
            words.append(_reached(own, "recipe", "the suite's own recipe"))
        lines.append(f"Table {table}, {titles.get(str(model), str(model))}: {'; '.join(words)}.")
    return [*lines, *_single_changes(frame, summary)]


def _reached(rows: pd.DataFrame, column: str, what: str) -> str:
    short = {row["paper"] - row[column]: row for row in rows.to_dict("records")}
    n_near = int((rows["paper"] - rows[column] <= NEAR).sum())
    words = f"{what} reaches {n_near} of {len(rows)} numbers within {NEAR:g} or better"
    if (most := max(short)) <= NEAR:
        return words
    worst = short[most]
    return (
        f"{words}, and misses most on {dataset_name(worst['dataset'])} at f = "
        f"{worst['supervision_rate']}: {worst[column]:.3f} for {worst['paper']:.3f}"
    )


def _single_changes(frame: pd.DataFrame, summary: pd.DataFrame) -> Iterator[str]:
    """Of every number that has variants: what is missing, and what each variant moves."""
    headings = {metric.name: metric.heading for _, metric in _measures()}
    models = set(frame["model"])
    for row in frame.to_dict("records"):
        here = summary[
            (summary["dataset"] == row["dataset"])
            & (summary["supervision_rate"] == row["supervision_rate"])
            & (summary["metric"] == row["metric"])
            & (summary["against"] == row["model"])
            & ~summary["value"].isin(models)
        ]
        if here.empty:
            continue
        gap, noise = row["paper"] - row["study"], SEPARABLE * row["recipe_std"]
        ordered = sorted(here.to_dict("records"), key=lambda change: -change["change"])
        words = ", ".join(_change(one["value"], one["change"], gap, noise) for one in ordered)
        spread = (
            ""
            if math.isnan(noise)
            else f" {SEPARABLE:g} standard deviations of the suite's own runs, over "
            f"{row['recipe_seeds']} seeds, are {noise:.3f}."
        )
        yield (
            f"{dataset_name(row['dataset'])}, f = {row['supervision_rate']}, Table {row['table']}, "
            f"{headings[row['metric']]}: `{row['model']}` has {row['study']:.3f}"
            f"{_of_split('on test images', row['metric'])} and the paper {row['paper']:.3f}. What "
            f"one change moves{_of_split('on validation images', row['metric'])}: {words}.{spread}"
        )


def _of_split(words: str, metric: str) -> str:
    return "" if metric in OF_NO_SPLIT else f" {words}"


def _change(name: str, change: float, gap: float, noise: float) -> str:
    words = f"`{name}` {change:+.3f}"
    if abs(change) < noise:
        return f"{words} (no more than seeds do)"
    if gap <= NEAR:
        return words
    share = f"{change / gap:.0%} of what is missing" if change > 0 else "away from the paper"
    return f"{words} ({share})"
