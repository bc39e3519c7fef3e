"""CCVAE against the best baseline: the difference of each figure, paired by seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from workflow.reporting.judges import failed_judges, first_lines, rests_on_judge
from workflow.reporting.names import dataset_name
from workflow.reporting.paper import TABLES, Metric, Table
from workflow.reporting.records import Cell, Plan, by_cell
from workflow.reporting.statistics import ALPHA, ENOUGH, LEAST, LEVEL, evidence, holm, interval
from workflow.reporting.tables import belongs
from workflow.reporting.verdicts import ALL_RATES

SUBJECT = "ccvae"
COLUMNS = [
    "table",
    "metric",
    "dataset",
    "supervision_rate",
    "model",
    "best_baseline",
    "model_mean",
    "baseline_mean",
    "difference",
    "low",
    "high",
    "n",
    "p",
    "better",
    "judge_failed",
]
MORE_SEEDS = "too few seeds for an interval"


def comparison(records: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Compare every CCVAE with the best baseline in every table, data set and rate.

    The best baseline is the one with the best mean, chosen after the fact and so with its luck:
    the comparison leans against CCVAE.

    Parameters
    ----------
    records
        From `workflow.reporting.records.collect`.
    plan
        What the preset asks for.

    Returns
    -------
    pandas.DataFrame
        With the columns `COLUMNS`. `difference` is model minus baseline in the metric's unit, over
        the `n` seeds that both have, at one f or over all of them; `low` and `high` are its
        interval. `p` is that of the model being the better one, corrected over all models and f of
        a measure on a data set (Holm); `better` is whether it is at most 5 %. All four are missing
        where no difference could reach that, as at one f with few seeds, and `better` where
        `judge_failed` says that the judge failed its gate.
    """
    cells, failed = by_cell(records), failed_judges(records)
    rows = [
        row
        for table in TABLES.values()
        for metric in table.metrics
        if metric.lower_is_better is not None
        for dataset in plan.datasets
        if belongs(table, dataset, plan)
        for rates in _rates(plan)
        for row in _rows(cells, plan, table, metric, dataset, rates)
    ]
    frame = pd.DataFrame(rows, columns=COLUMNS).astype({"p": float})
    groups = frame[frame["p"].notna()].groupby(["table", "metric", "dataset"])["p"]
    frame["p"] = groups.transform(lambda p: holm(p.tolist()))
    frame["judge_failed"] = [
        failed.get(dataset, "") if rests_on_judge(metric) else ""
        for dataset, metric in zip(frame["dataset"], frame["metric"], strict=True)
    ]
    decided = frame["p"].notna() & (frame["judge_failed"] == "")
    frame["better"] = (frame["p"] <= ALPHA).where(decided, None)
    return frame


def _rates(plan: Plan) -> list[list[str]]:
    """Each f by itself, then all together."""
    return [*([rate] for rate in plan.rates), *([plan.rates] if len(plan.rates) > 1 else [])]


def _rows(
    cells: dict[Cell, dict[int, float]],
    plan: Plan,
    table: Table,
    metric: Metric,
    dataset: str,
    rates: Sequence[str],
) -> Iterator[dict[str, Any]]:
    def values(model: str) -> dict[int, list[float]]:
        """By seed, those that are there at each f."""
        by_rate = [cells.get((metric.name, dataset, model, rate), {}) for rate in rates]
        whole = set.intersection(*map(set, by_rate))
        return {seed: [found[seed] for found in by_rate] for seed in sorted(whole)}

    sign = -1 if metric.lower_is_better else 1
    there = {name: values(name) for name, m in plan.models.items() if m["system"] != SUBJECT}
    most = max(map(len, there.values()), default=0)
    if most == 0:
        return
    # One seed makes nobody the best of those that have enough.
    baselines = [name for name, found in there.items() if len(found) >= min(most, ENOUGH)]
    shared = set.intersection(*(set(there[name]) for name in baselines))
    best = max(
        baselines, key=lambda name: sign * float(np.mean([there[name][seed] for seed in shared]))
    )
    for model, described in plan.models.items():
        if described["system"] != SUBJECT:
            continue
        mine, other = values(model), values(best)
        seeds = sorted(mine.keys() & other.keys())
        if not seeds:
            continue
        ours, theirs = (np.array([found[seed] for seed in seeds]) for found in (mine, other))
        low, high = interval(ours - theirs)
        enough = len(seeds) >= ENOUGH and ours.size >= LEAST
        found = evidence("better", sign * (ours - theirs))
        yield {
            "table": table.name,
            "metric": metric.name,
            "dataset": dataset,
            "supervision_rate": rates[0] if len(rates) == 1 else ALL_RATES,
            "model": model,
            "best_baseline": best,
            "model_mean": float(ours.mean()),
            "baseline_mean": float(theirs.mean()),
            "difference": float((ours - theirs).mean()),
            "low": low if enough else None,
            "high": high if enough else None,
            "n": len(seeds),
            "p": found.p_for if enough else None,
        }


def comparison_markdown(frame: pd.DataFrame, plan: Plan) -> str:
    """Render the figures that the paper reports; all others are in comparison.csv."""
    percent = f"{LEVEL:.0%}"
    lines = [
        "# CCVAE against the best baseline",
        "",
        *first_lines(frame["judge_failed"]),
        f"Difference (CCVAE minus baseline) of means over seeds, preset `{plan.preset}`, and the "
        f"{percent} interval of an exact test of differences paired by f and seed. The best "
        "baseline is chosen by its mean, which leans against CCVAE. Bold: CCVAE is better at "
        f"{ALPHA:.0%}, corrected over the rows of a block on one data set (Holm). On drawn "
        "stand-ins nothing is said about the data that they stand in for.",
        "",
    ]
    for table in TABLES.values():
        for metric in table.metrics:
            rows = frame[(frame["table"] == table.name) & (frame["metric"] == metric.name)]
            if metric.paper is None or rows.empty:
                continue
            lines += [f"**{table.heading}, {metric.heading}** ({metric.better} is better)", ""]
            lines += ["| data | f | model | best baseline | difference | interval | seeds |"]
            lines += ["|---" * 7 + "|"]
            lines += [_line(row, plan) for row in rows.to_dict("records")]
            lines.append("")
    lines.append("Every figure of every table is in [comparison.csv](comparison.csv).")
    return "\n".join(lines) + "\n"


def _line(row: dict[Any, Any], plan: Plan) -> str:
    difference = f"{row['difference']:+z.4f}"
    if row["better"] is True:
        difference = f"**{difference}**"
    interval = MORE_SEEDS if pd.isna(row["p"]) else f"[{row['low']:+z.4f}, {row['high']:+z.4f}]"
    cells = [
        dataset_name(row["dataset"]),
        row["supervision_rate"],
        plan.models[row["model"]]["title"],
        f"{plan.models[row['best_baseline']]['title']} ({row['baseline_mean']:.4f})",
        difference,
        interval,
        str(row["n"]),
    ]
    return "| " + " | ".join(cells) + " |"
