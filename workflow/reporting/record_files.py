"""How records are kept: their columns, and the files that a gathered folder parts them into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ccvae.errors import InputError

COLUMNS = [
    "run",
    "dataset",
    "stand_in",
    "model",
    "supervision_rate",
    "seed",
    "metric",
    "value",
    "settings_hash",
    "images_seen",
    "data_checksum",
    "commit",
    "dirty",
    "torch",
    "versions",
    "device",
    "card",
    "train_wall_s",
    "train_peak_mb",
    "evaluate_commit",
    "evaluate_dirty",
    "evaluate_wall_s",
    "evaluate_peak_mb",
]

DIGITS = "%.7g"
"""How values are written: with as many digits as single precision holds."""

LABEL_MARK = "/"
"""Metrics of single labels are named `<metric>/<label>`."""
PER_LABEL = ["run", "model", "metric", "value"]
MEASURED = COLUMNS[: COLUMNS.index("value") + 1]
ORIGIN = ["run", "model", *COLUMNS[len(MEASURED) :]]
"""What was measured, and where it came from: the columns of the files `records` and `runs`."""
OF_LABELS = "records_per_label"
"""The part of the records that is as long as all the others together."""
RECORDS = "records.csv"
"""Of a preset, with all columns and of all metrics."""
TEXT = {"supervision_rate": str}
"""Columns that look like numbers and are names."""


def split_records(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Part records into files that repeat little; `run` and `model` lead from one to another.

    Parameters
    ----------
    records
        From `workflow.reporting.records.collect`.

    Returns
    -------
    dict
        `records`, the columns `MEASURED` of whole models; `records_per_label`, the columns
        `PER_LABEL` of single labels, which are many; `runs`, the columns `ORIGIN` once per run.
    """
    of_label = records["metric"].str.contains(LABEL_MARK, regex=False)
    return {
        "records": records.loc[~of_label, MEASURED],
        OF_LABELS: records.loc[of_label, PER_LABEL],
        "runs": records[ORIGIN].drop_duplicates(["run", "model"]),
    }


def file_of(part: str) -> str:
    """Name of a part of `split_records`; those with values are packed, pandas reads them as is."""
    return f"{part}.csv" if part == "runs" else f"{part}.csv.gz"


def write_parts(records: pd.DataFrame, folder: Path) -> list[str]:
    """Write the parts of records into a folder; the names of the files. No clock is in them."""
    parts = split_records(records)
    for name, part in parts.items():
        path = folder / file_of(name)
        packing: Any = {"method": "gzip", "mtime": 0} if path.suffix == ".gz" else None
        part.to_csv(path, index=False, float_format=DIGITS, compression=packing)
    return [file_of(name) for name in parts]


def read_records(folder: Path) -> pd.DataFrame:
    """Read the records of a preset, or of a folder that `snakemake reference` gathered.

    Parameters
    ----------
    folder
        With the records of a preset, or with the parts of `split_records`; of the latter, what was
        measured of single labels is left out.
    """
    if not (part := folder / file_of("records")).exists():
        return pd.read_csv(folder / RECORDS, dtype=TEXT)
    runs = pd.read_csv(folder / file_of("runs"))
    return pd.read_csv(part, dtype=TEXT).merge(runs, on=["run", "model"], how="left")


def read_all_records(folder: Path) -> pd.DataFrame:
    """Read what `snakemake reference` gathered, of single labels too, with the columns `COLUMNS`.

    Raises
    ------
    InputError
        If the folder was not gathered so, or by another version.
    """
    try:
        records = read_records(folder)
        of_label = pd.read_csv(folder / file_of(OF_LABELS))
        own = ["run", "model", *(name for name in COLUMNS if name not in of_label)]
        once = records[own].drop_duplicates(["run", "model"])
        labels = of_label.merge(once, on=["run", "model"], how="left")
        return pd.concat([records, labels], ignore_index=True)[COLUMNS]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"records_from is {folder}, whose records cannot be read ({error}); name a folder that "
            "`snakemake reference` of this version gathered, or leave it out"
        ) from error
