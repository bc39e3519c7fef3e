"""How far another judge of the same data moves what is measured (deviation: judge-seeds)."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from workflow.reporting.claims import Claim, Measure
from workflow.reporting.judges import rests_on_judge
from workflow.reporting.names import STAND_INS
from workflow.reporting.readable import for_claims
from workflow.reporting.record_files import LABEL_MARK
from workflow.reporting.records import Plan, by_cell

NAME = "judge_seeds"
"""Of the table."""

CELLS = ["dataset", "metric", "model", "supervision_rate", "judge", "first", "value", "change"]
SUMMARY = [
    "dataset",
    "metric",
    "heading",
    "cells",
    "first_mean",
    "mean_change",
    "largest_change",
    "largest_model",
    "largest_rate",
    "seed_spread",
    "orders",
    "orders_changed",
    "changed",
]
OF_JUDGES = (
    "accuracy",
    "balanced_accuracy",
    "mutual_information_test",
    "mutual_information_noise",
)
"""What is compared of the judges themselves."""


def measures(claims: Iterable[Claim]) -> dict[str, Measure]:
    """Measures that claims rest on and that rest on a judge, by name."""
    return {c.metric.name: c.metric for c in claims if rests_on_judge(c.metric.name)}


def compared_cells(
    records: Mapping[int, pd.DataFrame],
    judges: Mapping[int, pd.DataFrame],
    claims: Iterable[Claim],
) -> pd.DataFrame:
    """What each other judge says beside the first, cell by cell.

    Parameters
    ----------
    records
        Judge -> `workflow.reporting.records.collect`; those of the first have every seed.
    judges
        Judge -> `workflow.reporting.records.judge_records`.
    claims
        Their measures are compared, as means over the labels that the first judge can read.

    Returns
    -------
    pandas.DataFrame
        With the columns `CELLS`, of the first seed; `change` is `value`, of the other judge, minus
        `first`. Rows of the model "judge" compare the judges themselves.
    """
    chosen = measures(claims)
    by_judge = {judge: by_cell(for_claims(frame)) for judge, frame in records.items()}
    own = {judge: by_cell(frame) for judge, frame in judges.items()}
    rows: list[dict[str, Any]] = []
    for judge in sorted(records)[1:]:
        for source, kept in ((by_judge, set(chosen)), (own, set(OF_JUDGES))):
            for cell, by_seed in source[judge].items():
                metric, dataset, model, rate = cell
                first = source[0].get(cell, {}).get(0)
                is_judge = model == "judge"
                if metric not in kept or first is None or is_judge != (source is own):
                    continue
                if is_judge or rate:
                    value = by_seed[0]
                    key = (dataset, metric, model, rate, judge, first, value, value - first)
                    rows.append(dict(zip(CELLS, key, strict=True)))
    return pd.DataFrame(rows, columns=CELLS)


def judges_of(cells: pd.DataFrame, first: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """Judges as the cells have them, where their own records are not there.

    Parameters
    ----------
    cells
        From `compared_cells`.
    first
        Records of the first judge. Others must reach what it must, of the same images.

    Returns
    -------
    dict
        As `compared_cells` takes it.
    """
    own = first[first["model"].isin(("judge", "majority"))]
    judges = {0: own}
    for judge, block in cells[cells["model"] == "judge"].groupby("judge"):
        keys = zip(block["dataset"], block["metric"], block["value"], strict=True)
        values = {(dataset, metric): value for dataset, metric, value in keys}
        kept = own[own["dataset"].isin(block["dataset"])]
        # What it says of single labels is not among the cells; constant answers are the same.
        kept = kept[~kept["metric"].str.contains(LABEL_MARK, regex=False)]
        places = zip(kept["model"], kept["dataset"], kept["metric"], kept["value"], strict=True)
        said = [v if model == "majority" else values.get((d, m), v) for model, d, m, v in places]
        judges[int(str(judge))] = kept.assign(value=said)
    return judges


def summary(
    cells: pd.DataFrame, first: pd.DataFrame, plan: Plan, claims: Iterable[Claim]
) -> pd.DataFrame:
    """How far each measure moves on each data set.

    Parameters
    ----------
    cells
        From `compared_cells`.
    first
        Records of the first judge, with every seed of training.
    plan
        What was run.
    claims
        They say which models are compared, and at which f.

    Returns
    -------
    pandas.DataFrame
        With the columns `SUMMARY`: over cells, the mean of what the first judge says, and the mean
        and the largest absolute change, and where that is; `seed_spread`, the mean over cells of
        the sample standard deviation between seeds of training, missing where there is one seed;
        how many orders of two models claims ask for, and how many of them another judge turns
        round, which ones in words.
    """
    claims = list(claims)
    chosen, seeds = measures(claims), by_cell(for_claims(first))
    rows = []
    trained = cells[cells["model"] != "judge"]
    for (dataset, metric), block in trained.groupby(["dataset", "metric"], sort=False):
        change = block["change"].abs()
        largest = block.iloc[int(change.to_numpy().argmax())]
        spreads = [
            statistics.stdev(values)
            for key in set(zip(block["model"], block["supervision_rate"], strict=True))
            if len(values := list(seeds[str(metric), str(dataset), *key].values())) > 1
        ]
        asked, turned = _orders(block, plan, claims)
        row = (
            dataset,
            metric,
            chosen[str(metric)].heading,
            len(block),
            block["first"].mean(),
            change.mean(),
            change.max(),
            largest["model"],
            largest["supervision_rate"],
            statistics.fmean(spreads) if spreads else None,
            asked,
            len(turned),
            "; ".join(turned),
        )
        rows.append(dict(zip(SUMMARY, row, strict=True)))
    return pd.DataFrame(rows, columns=SUMMARY).astype({"seed_spread": float})


def _orders(block: pd.DataFrame, plan: Plan, claims: Iterable[Claim]) -> tuple[int, list[str]]:
    """Orders of two models that claims ask for, and those that another judge turns round."""
    dataset, metric = block["dataset"].iloc[0], block["metric"].iloc[0]
    pairs = {
        (frozenset((subject, rival)), rate): (subject, rival)
        for claim in claims
        if claim.metric.name == metric and not claim.study
        if {dataset, STAND_INS.get(dataset)} & set(claim.datasets)
        for subject, rival in _pairs(claim, plan)
        for rate in plan.rates
        if claim.means(rate)
    }
    asked, turned = 0, []
    for judge, said in block.groupby("judge"):
        columns = (said["model"], said["supervision_rate"], said["first"], said["value"])
        values = {(m, f): (before, now) for m, f, before, now in zip(*columns, strict=True)}
        for (_, rate), (subject, rival) in pairs.items():
            if (subject, rate) not in values or (rival, rate) not in values:
                continue
            asked += 1
            before, now = (
                ours - theirs
                for ours, theirs in zip(values[subject, rate], values[rival, rate], strict=True)
            )
            if before * now < 0:
                titles = " and ".join(plan.models[m]["title"] for m in (subject, rival))
                by = f", judge {judge}" if block["judge"].nunique() > 1 else ""
                turned.append(f"{titles} at f = {rate}{by}")
    return asked, turned


def _pairs(claim: Claim, plan: Plan) -> Iterator[tuple[str, str]]:
    """Models that a claim compares."""
    systems = {name: described["system"] for name, described in plan.models.items()}
    for subject in (name for name, system in systems.items() if system == claim.subject):
        yield from ((subject, name) for name, system in systems.items() if system in claim.rivals)
