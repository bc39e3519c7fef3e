"""What the tables of a gathered folder say of a study's trainings, as if they had been run here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from workflow.studies.budget import OF_IMAGES
from workflow.studies.seeds import IMAGES

TEXT = {"supervision_rate": str, "values": str}
KEYS = ["dataset", "supervision_rate", "budget"]


def scores(variants: Iterable[Mapping[str, Any]], folder: Path, study: str) -> pd.DataFrame:
    """Scores on validation images.

    Parameters
    ----------
    variants
        From `workflow.studies.plan.Variant.described`.
    folder
        Of the tables of studies.
    study
        Its name.

    Returns
    -------
    pandas.DataFrame
        One row per training and metric: what is said of the variant, `images_seen`, `metric` and
        `score`.
    """
    rows = []
    for variant, row in _rows(variants, folder / f"{study}.csv", "variant"):
        score = float(row["values"].split()[variant["seed"]])
        rows.append({**variant, IMAGES: row[IMAGES], "metric": row["metric"], "score": score})
    return pd.DataFrame(rows)


def test_scores(variants: Iterable[Mapping[str, Any]], folder: Path, study: str) -> pd.DataFrame:
    """Scores on test images beside the paper's, which are means over the seeds; as `scores`."""
    rows = {}
    for variant, row in _rows(variants, folder / f"{study}_paper.csv", "model"):
        key = (variant["folder"], row["metric"])
        rows[key] = {**variant, "metric": row["metric"], "score": row["study"]}
    return pd.DataFrame(list(rows.values()))


def orders(variants: Iterable[Mapping[str, Any]], folder: Path, study: str) -> pd.DataFrame:
    """Rows of `workflow.studies.budget.orders` of two models that are both among the variants."""
    there = {_key(variant, variant["value"]) for variant in variants}
    if not there:
        return pd.DataFrame(columns=OF_IMAGES)
    frame = pd.read_csv(folder / f"{study}_orders.csv", dtype=TEXT)
    both = [
        {_key(row, row["first"]), _key(row, row["second"])} <= there
        for row in frame.to_dict("records")
    ]
    return frame.loc[both, OF_IMAGES]


def _rows(
    variants: Iterable[Mapping[str, Any]], path: Path, name: str
) -> Iterable[tuple[Mapping[str, Any], dict[Any, Any]]]:
    """Each variant with each row of a table that is about it; `name` has the variant's."""
    by_key: dict[Any, list[dict[Any, Any]]] = {}
    variants = list(variants)
    for row in pd.read_csv(path, dtype=TEXT).to_dict("records") if variants else ():
        by_key.setdefault(_key(row, row[name]), []).append(row)
    for variant in variants:
        for row in by_key.get(_key(variant, variant["value"]), ()):
            yield variant, row


def _key(row: Mapping[Any, Any], name: str) -> tuple[Any, ...]:
    return (*(row.get(key) for key in KEYS), name)
