"""What each seed of a study scored, as its tables keep it and as verdicts read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from workflow.studies.plan import OTHERS

ALPHA, GRADIENTS = "alpha", "gradients"
GRADIENT_METRICS = ("late_std", "fixed_std")
IMAGES = "images_seen"
COLUMNS = ["study", "dataset", "model", "supervision_rate", "seed", "metric", "value", IMAGES]


def in_words(values: Iterable[float]) -> str:
    """Values of the seeds 0, 1, ... in one cell of a table, separated by spaces."""
    return " ".join(f"{value:.7g}" for value in values)


def read_studies(folder: Path, records_from: str = "") -> pd.DataFrame:
    """Read what every seed scored in the studies that are there.

    Parameters
    ----------
    folder
        Of the studies' tables.
    records_from
        A gathered folder, of which tables count that are not in the other; none if empty.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, as `workflow.reporting.records.collect` has them; `model` is the variant, for the
        study of classifier weights `<model>=<alpha>`, for budgets `<variant>.<budget>x`;
        `images_seen` are those of one training.
    """
    rows: list[dict[str, Any]] = []
    places = [Path(records_from, "studies")] if records_from else []
    tables = {path.name: path for place in [*places, folder] for path in place.glob("*.csv")}
    for _, path in sorted(tables.items()):
        text = {"supervision_rate": str, "alpha": str, "values": str, "late_std_values": str}
        frame = pd.read_csv(path, dtype=text)
        if path.stem == OTHERS[GRADIENTS]:
            rows += _gradients(frame)
        elif {"metric", "values"} <= set(frame.columns):
            rows += _variants(path.stem, frame)
    return pd.DataFrame(rows, columns=COLUMNS)


def trainings(studies: pd.DataFrame) -> int:
    """Count the trainings that are behind what `read_studies` has."""
    identity = COLUMNS[: COLUMNS.index("metric")]
    return len(studies.drop_duplicates(identity))


def _variants(study: str, frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for row in frame.to_dict("records"):
        variant = f"{row['model']}={row['alpha']}" if study == ALPHA else row["variant"]
        if "budget" in row:
            variant = f"{variant}.{row['budget']}x"
        yield from _seeds(study, row, variant, row["metric"], row["values"])


def _gradients(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for row in frame.to_dict("records"):
        for metric in GRADIENT_METRICS:
            # The same parameters are those of one training, so that there is one value.
            words = row.get(f"{metric}_values", f"{row[metric]:.7g}")
            yield from _seeds(GRADIENTS, row, row["reading"], metric, words)


def _seeds(
    study: str, row: dict[Any, Any], variant: str, metric: str, words: str
) -> Iterator[dict[str, Any]]:
    # A value that is not defined is read as a number.
    for seed, value in enumerate(str(words).split()):
        identity = (study, row["dataset"], variant, row["supervision_rate"], seed)
        yield dict(zip(COLUMNS, (*identity, metric, float(value), row.get(IMAGES)), strict=True))
