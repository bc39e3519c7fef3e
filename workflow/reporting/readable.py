"""Means over the labels that a judge can be relied on for, which claims rest on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from workflow.reporting.judges import rests_on_judge, weak_labels

READABLE = "_readable"
"""At the end of a metric's name: over readable labels alone."""

NORMALISED = ("swap_normalised", "swap", "swap_self", "swap_no_transfer")
"""A quotient, and the metric that lies between the two ends of its scale."""


def readable_means(records: pd.DataFrame) -> pd.DataFrame:
    """Average what a judge says over the labels that are not weak, run by run.

    Parameters
    ----------
    records
        From `workflow.reporting.records.collect`, with a row for every label.

    Returns
    -------
    pandas.DataFrame
        Rows to put below the records, with `READABLE` at the end of the metric's name: for every
        metric that a judge reads, that is the mean of its labels, and whose data set has weak ones.
    """
    weak = weak_labels(records)
    judged = records[records["dataset"].isin(weak) & records["metric"].map(rests_on_judge)]
    found = []
    for (_, model), rows in judged.groupby(["run", "model"], sort=False):
        values = dict(zip(rows["metric"], rows["value"].astype(float), strict=True))
        first = rows.iloc[0].to_dict()
        means = _means(values, weak[str(first["dataset"])]) if model != "judge" else {}
        found += [{**first, "metric": name, "value": value} for name, value in means.items()]
    return pd.DataFrame(found, columns=records.columns)


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
