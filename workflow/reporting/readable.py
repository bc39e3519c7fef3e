"""Means over the labels that a judge can be relied on for, which claims rest on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from workflow.reporting.judges import rests_on_judge, weak_labels

READABLE = "_readable"
"""At the end of a metric's name: over readable labels alone."""

NORMALISED = ("swap_normalised", "swap", "swap_self", "swap_no_transfer")
"""A quotient, and the metric that lies between the two ends of its scale."""


OFF_DIAGONAL = "intervention_off_diagonal"
"""Of two labels each: no mean of figures of single labels, but of entries of a matrix."""


def readable_means(
    records: pd.DataFrame, flips: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> pd.DataFrame:
    """Average what a judge says over the labels that are not weak, run by run.

    Parameters
    ----------
    records
        From `workflow.reporting.records.collect`, with a row for every label.
    flips
        Run -> its matrix of interventions, whose entries off the diagonal are averaged too.

    Returns
    -------
    pandas.DataFrame
        Rows to put below the records, with `READABLE` at the end of the metric's name: for every
        metric that a judge reads, that is the mean of its labels, and whose data set has weak ones.
    """
    weak = weak_labels(records)
    judged = records[records["dataset"].isin(weak) & records["metric"].map(rests_on_judge)]
    found = []
    for (run, model), rows in judged.groupby(["run", "model"], sort=False):
        values = dict(zip(rows["metric"], rows["value"].astype(float), strict=True))
        first = rows.iloc[0].to_dict()
        left_out = weak[str(first["dataset"])]
        means = _means(values, left_out) if model != "judge" else {}
        flip = flips.get(str(run))
        if flip and (mean := readable_off_diagonal(flip, left_out)) is not None:
            means[f"{OFF_DIAGONAL}{READABLE}"] = mean
        found += [{**first, "metric": name, "value": value} for name, value in means.items()]
    return pd.DataFrame(found, columns=records.columns)


def readable_off_diagonal(matrix: Mapping[str, Any], weak: list[str]) -> float | None:
    """Mean absolute change of a label that is not weak when another such label is flipped.

    Parameters
    ----------
    matrix
        From a record: names of `rows` and `columns`, and `values`, undefined ones None.
    weak
        Labels to leave out, as rows and as columns.

    Returns
    -------
    float or None
        None where an entry is undefined, or where there is only one label left.
    """
    kept = [i for i, name in enumerate(matrix["rows"]) if name not in weak]
    values = np.array(matrix["values"], dtype=np.float64)[np.ix_(kept, kept)]
    others = np.abs(values[~np.eye(len(kept), dtype=bool)])
    return float(others.mean()) if len(others) and np.isfinite(values).all() else None


def _means(values: Mapping[str, float], weak: list[str]) -> dict[str, float]:
    """Means over the other labels, of metrics that are means of their labels."""
    labels: dict[str, dict[str, float]] = {}
    for name, value in values.items():
        metric, slash, label = name.partition("/")
        if slash:
            labels.setdefault(metric, {})[label] = value
    means = {}
    for metric, of_label in labels.items():
        kept = [value for label, value in of_label.items() if label not in weak]
        whole = values.get(metric)
        if kept and whole is not None and np.isclose(whole, np.mean(list(of_label.values()))):
            means[f"{metric}{READABLE}"] = float(np.mean(kept))
    quotient, *parts = (f"{name}{READABLE}" for name in NORMALISED)
    if set(parts) <= set(means):
        own, best, nothing = (means[part] for part in parts)
        if nothing != best:
            means[quotient] = (own - best) / (nothing - best)
    return means


def for_claims(records: pd.DataFrame) -> pd.DataFrame:
    """Records in which means over readable labels take the place of means over all of them."""
    over = records[records["metric"].str.endswith(READABLE)]
    if over.empty:
        return records
    over = over.assign(metric=over["metric"].str.removesuffix(READABLE))
    keys = ["run", "model", "metric"]
    replaced = pd.MultiIndex.from_frame(records[keys]).isin(pd.MultiIndex.from_frame(over[keys]))
    rest = records[~replaced & ~records["metric"].str.endswith(READABLE)]
    return pd.concat([rest, over], ignore_index=True)
