"""What came out, in sentences and tables that follow from the records alone.

Each function returns Markdown lines for one block of workflow/resources/findings.md.j2. A sentence
that depends on numbers is chosen by them, so that no prose can contradict the records.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

from workflow.reporting.claims import Question
from workflow.reporting.judges import credentials, information_gates
from workflow.reporting.names import dataset_name, readable
from workflow.reporting.paper import TABLES, Metric
from workflow.reporting.records import Plan
from workflow.reporting.statistics import ENOUGH, LEVEL
from workflow.reporting.wording import title_of

SWAP_DEFINITIONS = {
    "swap": "mean absolute change of log p(y = 1): Table 2 here",
    "swap_true_label": "mean absolute change of log p of the image's own value",
    "swap_signed": "mean loss of log p of the image's own value, with its sign",
    "swap_positives": "mean absolute change of log p(y = 1), labels that are on",
    "swap_logit": "mean absolute change of the log-odds",
    "swap_normalised": "Table 2 here, from own reconstruction (0) to no transfer (1)",
}
"""Readings of the difference in log-probabilities; in all of them lower is better."""

NONE = "None."
TOO_FEW, SIMILAR = "too few seeds", "not told apart"
HALF_A_DIGIT = 0.0005
"""The paper prints three decimals."""


def against_paper(tables: pd.DataFrame) -> pd.DataFrame:
    """Cells with a value of the paper, and whether the obtained one is worse.

    The paper's value is one run, or we do not know of how many. It is not told apart from ours if
    one more seed of ours could have come out like it: if it lies in Student's prediction interval,
    mean ± t s sqrt(1 + 1/n), widened by half of the paper's last digit.

    Parameters
    ----------
    tables
        Rows of `workflow.reporting.tables.tidy`, of all tables.

    Returns
    -------
    pandas.DataFrame
        The rows with a mean and a comparable paper value; `shortfall`, by how much the mean is
        worse, and `verdict`: better, not told apart, worse, or too few seeds.
    """
    directions = _directions()
    comparable = tables["metric"].map(
        # A table that was gathered earlier may show what tables no longer show.
        lambda name: name in directions and not directions[name].own_scale
    )
    cells = tables[tables["paper"].notna() & tables["mean"].notna() & comparable].copy()
    lower = cells["metric"].map(lambda name: bool(directions[name].lower_is_better))
    cells["shortfall"] = cells["difference"].where(lower, -cells["difference"]).astype(float)
    rows = zip(cells["shortfall"], cells["std"], cells["n"], strict=True)
    cells["verdict"] = [_against(short, std, n) for short, std, n in rows]
    return cells


def _against(shortfall: float, std: float, n: int) -> str:
    if n < ENOUGH:
        return TOO_FEW
    reach = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * std * math.sqrt(1 + 1 / n) + HALF_A_DIGIT
    return "worse" if shortfall > reach else "better" if shortfall < -reach else SIMILAR


def _directions() -> dict[str, Metric]:
    return {metric.name: metric for table in TABLES.values() for metric in table.metrics}


def paper_counts(cells: pd.DataFrame, plan: Plan) -> list[str]:
    """How often each model is better than the paper, not told apart from it, or worse."""
    if cells.empty:
        return ["No data set of the paper was run."]
    lines = [
        "| | better | not told apart | worse | too few seeds | largest shortfall |",
        "|---|---|---|---|---|---|",
    ]
    keys = ["table", "metric", "model"]
    for (table, metric, model), rows in cells.groupby(keys, sort=False):
        counts = Counter(rows["verdict"])
        worst = max(rows.to_dict("records"), key=lambda row: row["shortfall"])
        largest = NONE if worst["shortfall"] <= 0 else _shortfall(worst)
        lines.append(
            f"| Table {table}, {_directions()[str(metric)].heading}: {title_of(str(model), plan)} "
            f"| {counts['better']} | {counts[SIMILAR]} | {counts['worse']} | {counts[TOO_FEW]} "
            f"| {largest} |"
        )
    return lines


def _shortfall(row: Mapping[Any, Any]) -> str:
    spread = "" if pd.isna(row["std"]) else f" ± {row['std']:.3f}"
    return (
        f"{row['shortfall']:.3f}: {row['mean']:.3f}{spread} against the paper's "
        f"{row['paper']:.3f}, {dataset_name(row['dataset'])}, f = {row['supervision_rate']}"
    )


def scope(
    records: pd.DataFrame, plan: Plan, weak: Mapping[str, Sequence[str]] | None = None
) -> list[str]:
    """What was run on each data set: models, f, seeds, images seen in training, and the judge.

    Parameters
    ----------
    records
        From `workflow.reporting.records.collect`.
    plan
        What was asked for.
    weak
        From `workflow.reporting.judges.weak_labels`.
    """
    judges, gates = credentials(records), information_gates(records)
    lines = ["| data | models | seeds | images seen in training | judge |", "|---|---|---|---|---|"]
    for dataset in plan.datasets:
        own = records[(records["dataset"] == dataset) & records["seed"].notna()]
        if own.empty:
            continue
        seen = own["images_seen"].dropna() if "images_seen" in own else pd.Series(dtype=float)
        ends = [f"{n:,.0f}" for n in (dict.fromkeys([seen.min(), seen.max()]) if len(seen) else ())]
        judge = [judges.get(dataset, "none")]
        if dataset in gates:
            judge.append(f"mutual information {gates[dataset]}")
        if lost := (weak or {}).get(dataset):
            judge.append(f"claims leave out {', '.join(map(readable, lost))}, which it cannot read")
        lines.append(
            f"| {dataset_name(dataset)} | {own['model'].nunique()} | "
            f"{plan.seeds_in_words([dataset])} | {' to '.join(ends) or 'not recorded'} | "
            f"{'; '.join(judge)} |"
        )
    return lines


def rows_of(question: Question, folder: Path, link: str) -> str:
    """Links to the tables and studies behind a question, as far as they are in the folder."""
    paths = [f"tables/{name}.md" for name in question.tables]
    paths += [f"studies/{name}.md" for name in question.studies]
    found = [f"[{Path(p).stem}]({link}/{p})" for p in paths if (folder / p).exists()]
    return ", ".join(found) or "none yet"


def swap_agreement(records: pd.DataFrame, plan: Plan) -> list[str]:
    """Whether all definitions of the swap score agree on the best model, at the largest f.

    Of models with `ENOUGH` seeds, where there are any.
    """
    rate = max(plan.rates, key=float)
    found = records[
        records["metric"].isin(SWAP_DEFINITIONS) & (records["supervision_rate"] == rate)
    ]
    lines = []
    for dataset in plan.datasets:
        if plan.datasets[dataset] != TABLES["table2"].kind:
            continue
        rows = found[found["dataset"] == dataset]
        enough = rows[rows.groupby(["metric", "model"])["value"].transform("size") >= ENOUGH]
        few = f", models with at least {ENOUGH} seeds" if 0 < len(enough) < len(rows) else ""
        rows = rows if enough.empty else enough
        means = rows.groupby(["metric", "model"])["value"].mean().to_dict()
        orders: dict[tuple[str, ...], list[str]] = {}
        for metric in SWAP_DEFINITIONS:
            values = {m: means[metric, m] for m in plan.models if (metric, m) in means}
            if values:
                order = sorted(values, key=values.__getitem__)
                orders.setdefault(tuple(order), []).append(metric)
        if orders:
            words = _agreement(orders, plan)
            lines.append(f"* {dataset_name(dataset)}, f = {rate}{few}: {words}")
    return lines or [NONE]


def _agreement(orders: Mapping[tuple[str, ...], Sequence[str]], plan: Plan) -> str:
    winners: dict[str, list[str]] = {}
    for order, metrics in orders.items():
        winners.setdefault(title_of(order[0], plan), []).extend(metrics)
    if len(orders) == 1:
        return "All definitions put the models in the same order."
    if len(winners) == 1:
        return (
            f"All definitions have {next(iter(winners))} first; they differ in the order of the "
            "others."
        )
    each = "; ".join(
        f"{title} by {', '.join(f'`{m}`' for m in metrics)}" for title, metrics in winners.items()
    )
    return f"Which model has the lowest mean depends on the definition: {each}."
