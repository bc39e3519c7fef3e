"""What came out, in sentences and tables that follow from the records alone.

Each function returns Markdown lines for one block of workflow/resources/findings.md.j2. A sentence
that depends on numbers is chosen by them, so that no prose can contradict the records.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from scipy import stats

from workflow.reporting.claims_markdown import QUESTIONS, counts_in_words, title_of
from workflow.reporting.names import dataset_name
from workflow.reporting.paper import TABLES, Metric
from workflow.reporting.records import Plan
from workflow.reporting.statistics import ENOUGH, LEVEL
from workflow.reporting.verdicts import Verdict
from workflow.studies.variants import HEADINGS, variants_table

SAME = 5e-4
"""Differences below this are zero in three decimals."""

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
NOTHING = "nothing was run"
TOO_FEW = "too few seeds"
HALF_A_DIGIT = 0.0005
"""The paper prints three decimals."""


def in_cell(text: object) -> str:
    """Text, or a plain value of the register, as it may stand in a cell of a Markdown table."""
    return str(text).replace("|", r"\|")


def in_short(verdicts: Sequence[Verdict]) -> list[str]:
    """Count verdicts, on real data and on stand-ins apart."""
    lines = []
    for drawn, question in QUESTIONS:
        found = [v for v in verdicts if v.stand_in == drawn and v.run and v.main]
        claims = len({v.claim.id for v in found})
        counts = counts_in_words(found) or NOTHING
        lines.append(
            f"* {question} {len(found)} verdicts on {claims} claims, one for each data set and "
            f"reading of CCVAE: {counts}."
        )
    return lines


def against_paper(tables: pd.DataFrame) -> pd.DataFrame:
    """Cells with a value of the paper, and whether the obtained one is worse.

    The paper's value is one run, or we do not know of how many. It is as good as ours if one more
    seed of ours could have come out like it: if it lies in Student's prediction interval, mean ± t
    s sqrt(1 + 1/n), widened by half of the paper's last digit.

    Parameters
    ----------
    tables
        Rows of `workflow.reporting.tables.tidy`, of all tables.

    Returns
    -------
    pandas.DataFrame
        The rows with a mean and a comparable paper value; `shortfall`, by how much the mean is
        worse, and `verdict`: better, as good, worse, or too few seeds.
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
    return "worse" if shortfall > reach else "better" if shortfall < -reach else "as good"


def _directions() -> dict[str, Metric]:
    return {metric.name: metric for table in TABLES.values() for metric in table.metrics}


def paper_counts(cells: pd.DataFrame, plan: Plan) -> list[str]:
    """How often each model is better than, as good as, or worse than the paper."""
    if cells.empty:
        return ["No data set of the paper was run."]
    lines = [
        "| | better | as good | worse | too few seeds | largest shortfall |",
        "|---|---|---|---|---|---|",
    ]
    keys = ["table", "metric", "model"]
    for (table, metric, model), rows in cells.groupby(keys, sort=False):
        counts = Counter(rows["verdict"])
        worst = max(rows.to_dict("records"), key=lambda row: row["shortfall"])
        largest = NONE if worst["shortfall"] <= 0 else _shortfall(worst)
        lines.append(
            f"| Table {table}, {_directions()[str(metric)].heading}: {title_of(str(model), plan)} "
            f"| {counts['better']} | {counts['as good']} | {counts['worse']} | {counts[TOO_FEW]} "
            f"| {largest} |"
        )
    return lines


def _shortfall(row: Mapping[Any, Any]) -> str:
    spread = "" if pd.isna(row["std"]) else f" ± {row['std']:.3f}"
    return (
        f"{row['shortfall']:.3f}: {row['mean']:.3f}{spread} against the paper's "
        f"{row['paper']:.3f}, {dataset_name(row['dataset'])}, f = {row['supervision_rate']}"
    )


def study_block(frame: pd.DataFrame) -> list[str]:
    """Table of a study of variants, and what each variant moves, in words.

    Parameters
    ----------
    frame
        From `workflow.studies.variants.summarise_variants`.
    """
    lines: list[str] = []
    for (dataset, rate), block in frame.groupby(["dataset", "supervision_rate"], sort=False):
        where = f"{dataset_name(str(dataset))}, f = {rate}"
        lines += [f"**{where}**", "", *variants_table(block), "", *moved(block), ""]
    return lines[:-1] or [NONE]


def moved(block: pd.DataFrame) -> list[str]:
    """One sentence per headline metric: which variants move it up and down the most."""
    first = block["value"].iloc[0]
    sentences = []
    for metric in ("accuracy", "generation_accuracy", "swap_normalised"):
        rows = block[(block["metric"] == metric) & (block["value"] != first)]
        rows = rows[rows["change"].notna()]
        if rows.empty:
            continue
        ordered = sorted(rows.to_dict("records"), key=lambda row: row["change"])
        ends = ordered if len(ordered) == 1 else [ordered[0], ordered[-1]]
        words = " and ".join(f"`{end['value']}` {change_in_words(end['change'])}" for end in ends)
        if all(abs(end["change"]) < SAME for end in ends):
            words = "nothing moves it"
        sentences.append(f"* {HEADINGS[metric].capitalize()} against `{first}`: {words}.")
    return sentences


def change_in_words(change: float) -> str:
    """Say of a difference which way it goes, or that there is none."""
    if abs(change) < SAME:
        return "the same"
    return f"{'higher' if change > 0 else 'lower'} by {abs(change):.3f}"


def readings_at_every_rate(tables: pd.DataFrame, plan: Plan) -> list[str]:
    """Readings of equation (8) that were run at every f: changes against the first of them."""
    readings = [name for name, described in plan.models.items() if described["system"] == "ccvae"]
    if len(readings) < 2:
        return [NONE]
    first = title_of(readings[0], plan)
    wanted = ("accuracy", "generation_accuracy", "swap_normalised")
    lines = [f"| data, metric, against {first} | " + " | ".join(f"f = {r}" for r in plan.rates)]
    lines[0] += " |"
    lines.append("|---" * (len(plan.rates) + 1) + "|")
    cells = tables.drop_duplicates(["metric", "dataset", "model", "supervision_rate"])
    means = (
        cells.set_index(["metric", "dataset", "model", "supervision_rate"])["mean"]
        .dropna()
        .to_dict()
    )
    for dataset in plan.datasets:
        for metric in wanted:
            for reading in readings[1:]:
                changes = []
                for rate in plan.rates:
                    ours = means.get((metric, dataset, reading, rate))
                    theirs = means.get((metric, dataset, readings[0], rate))
                    if ours is None or theirs is None:
                        changes.append("")
                    else:
                        changes.append(f"{ours - theirs:+z.3f}")
                if not any(changes):
                    continue
                heading = f"{dataset_name(dataset)}, {HEADINGS[metric]}, {title_of(reading, plan)}"
                lines.append(f"| {heading} | " + " | ".join(changes) + " |")
    return lines


def alpha_block(frame: pd.DataFrame, plan: Plan) -> list[str]:
    """What the weight of the classifier moves, a row per data set, f and model.

    Parameters
    ----------
    frame
        alpha.csv.
    """
    lines = [
        "| data, f, model | lowest balanced accuracy | highest | L1 of reconstructions there |",
        "|---|---|---|---|",
    ]
    keys = ["dataset", "supervision_rate", "model"]
    for (dataset, rate, model), rows in frame.groupby(keys, sort=False):
        means = dict(
            zip(zip(rows["metric"], rows["alpha"], strict=True), rows["mean"], strict=True)
        )
        score = {alpha: v for (name, alpha), v in means.items() if name == "balanced_accuracy"}
        low, high = min(score, key=score.__getitem__), max(score, key=score.__getitem__)
        pixels = [means["reconstruction_l1", alpha] for alpha in (low, high)]
        lines.append(
            f"| {dataset_name(str(dataset))}, {rate}, {title_of(str(model), plan)} "
            f"| {score[low]:.3f} (alpha {low}) | {score[high]:.3f} (alpha {high}) "
            f"| {pixels[0]:.4f} and {pixels[1]:.4f} |"
        )
    return lines


def swap_block(records: pd.DataFrame, plan: Plan) -> list[str]:
    """Every definition of the swap score at the largest f, and whether they agree on the best."""
    rate = max(plan.rates, key=float)
    found = records[
        records["metric"].isin(SWAP_DEFINITIONS) & (records["supervision_rate"] == rate)
    ]
    lines: list[str] = []
    for dataset in plan.datasets:
        if plan.datasets[dataset] != TABLES["table2"].kind:
            continue
        rows = found[found["dataset"] == dataset]
        means = rows.groupby(["metric", "model"])["value"].mean().to_dict()
        models = [m for m in plan.models if any((s, m) in means for s in SWAP_DEFINITIONS)]
        if not models:
            continue
        lines += [
            f"**{dataset_name(dataset)}, f = {rate}**",
            "",
            "| definition | " + " | ".join(title_of(m, plan) for m in models) + " |",
            "|---" * (len(models) + 1) + "|",
        ]
        orders: dict[tuple[str, ...], list[str]] = {}
        for metric, words in SWAP_DEFINITIONS.items():
            values = {m: means[metric, m] for m in models if (metric, m) in means}
            if not values:
                continue
            order = sorted(values, key=values.__getitem__)
            cells = [f"{values[m]:.3f}" if m in values else "" for m in models]
            lines.append(f"| {words} | " + " | ".join(cells) + " |")
            orders.setdefault(tuple(order), []).append(metric)
        lines += ["", _agreement(orders, plan), ""]
    return lines[:-1] or [NONE]


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
