"""CheXpert-v1.0-small (Irvin et al. 2019, arXiv:1901.07031) with the paper's five findings.

Policies for uncertain labels, views and splits are options (deviation: chexpert-policies). Not
for clinical use.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ccvae.errors import InputError
from datasets.celeba import listing_digest
from datasets.decode import ImageFiles
from datasets.labels import FINDINGS as LABELS
from datasets.spec import SPLITS, StoreSpec, split_counts

UNCERTAIN = ("zeros", "ones", "drop")
VIEWS = ("all", "frontal")
TESTS = ("split", "official_valid")
_VIEW_COLUMN = "Frontal/Lateral"
_PATIENT = re.compile(r"(?:^|/)patient(\d+)(?:/|$)")


@dataclass(frozen=True)
class Radiograph:
    """One row of a list: the file relative to the list's folder, its patient and findings."""

    path: str
    patient: str
    labels: tuple[int, ...]


def find_chexpert(
    spec: StoreSpec,
    *,
    folder: str,
    uncertain: str = "zeros",
    views: str = "all",
    test: str = "split",
    limit: Mapping[str, int] | None = None,
) -> ImageFiles:
    """Find CheXpert's lists and images.

    Parameters
    ----------
    spec
        What is known of the data set.
    folder
        `CheXpert-v1.0-small`, or the folder that holds it.
    uncertain
        What an uncertain finding (-1) becomes: `zeros`, `ones`, or `drop` to leave out the images
        with one among the five. A finding that is not mentioned (blank) is 0.
    views
        `all`, or `frontal` only.
    test
        `split`: 80/10/10 of the patients of train.csv. `official_valid`: train and validation
        stay the same, and valid.csv tests (the tenth of train.csv is then unused).
    limit
        The first so many images of each split only; a split not named keeps all of its images.

    Returns
    -------
    ImageFiles
        Images uint8 (N, 3, 64, 64) with three equal channels, labels uint8 (N, 5).

    Raises
    ------
    InputError
        If a file is missing, damaged or malformed, an option is unknown, or a split is empty.
    """
    for option, value, known in (
        ("uncertain", uncertain, UNCERTAIN),
        ("views", views, VIEWS),
        ("test", test, TESTS),
    ):
        if value not in known:
            raise InputError(
                f"option {option!r} is {value!r}, but one of {', '.join(known)} was expected."
            )
    root = _root(Path(folder))
    rows: dict[str, list[Radiograph]] = {split: [] for split in SPLITS}
    for radiograph in read_list(root / "train.csv", uncertain=uncertain, views=views):
        rows[patient_split(radiograph.patient)].append(radiograph)
    if test == "official_valid":
        rows["test"] = read_list(root / "valid.csv", uncertain=uncertain, views=views)
    if empty := [split for split in SPLITS if not rows[split]]:
        raise InputError(
            f"CheXpert in {root} leaves no images for the {empty[0]} split; use the whole data set."
        )
    counts = split_counts(
        limit or {}, option="limit", largest={split: len(rows[split]) for split in SPLITS}
    )
    chosen = [row for split in SPLITS for row in rows[split][: counts[split]]]
    labels = np.array([row.labels for row in chosen], dtype=np.uint8)
    paths = [row.path for row in chosen]
    spec = replace(
        spec,
        counts=counts,
        options={
            "uncertain": uncertain,
            "views": views,
            "test": test,
            "limit": counts,
            "listing_sha256": listing_digest(paths, labels),
        },
    )
    found = (f"{spec.total} images in {root}",)
    return ImageFiles(spec, [os.path.join(root, path) for path in paths], labels, found=found)


def official_folder(folder: Path) -> Path:
    """Find the folder with train.csv: `folder` itself, or CheXpert-v1.0-small in it.

    Raises
    ------
    InputError
        If it is not there.
    """
    return _root(folder)


def patient_split(patient: str) -> str:
    """Say to which split a patient belongs: train 80 %, validation 10 %, test 10 %.

    The share comes from a digest of the patient's number, so that it is the same for every
    subset of the data and all images of a patient stay together.
    """
    digest = hashlib.sha256(f"chexpert patient {patient}".encode()).digest()
    tenth = int.from_bytes(digest[:8], "big") % 10
    return "train" if tenth < 8 else "validation" if tenth == 8 else "test"


def read_list(path: Path, *, uncertain: str, views: str) -> list[Radiograph]:
    """Read `train.csv` or `valid.csv` in their order, under the policies of `find_chexpert`.

    Raises
    ------
    InputError
        If the list is missing, lacks a column, or a row holds an illegal value.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            header = reader.fieldnames or ()
            for column in ("Path", _VIEW_COLUMN, *LABELS):
                if column not in header:
                    raise InputError(
                        f"{path} has no column {column!r} among its {len(header)} columns; use "
                        "the official list."
                    )
            rows = [
                _row(path, line, row, uncertain, views) for line, row in enumerate(reader, start=2)
            ]
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing; complete the data set.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({error}); get the list again.") from error
    return [row for row in rows if row is not None]


def _row(
    path: Path, line: int, row: Mapping[str, str | None], uncertain: str, views: str
) -> Radiograph | None:
    """Check one row; None if the policies leave it out."""
    # csv.DictReader keeps surplus cells under None and fills missing ones with None.
    if None in row or None in row.values():
        raise InputError(
            f"{path} line {line} does not have as many entries as the header; get the list again."
        )
    place = row["Path"] or ""
    patient = _PATIENT.search(place)
    # The first component names the data set's folder, which users may have renamed.
    inside = place.partition("/")[2]
    if patient is None or not inside or ".." in Path(inside).parts:
        raise InputError(
            f"{path} line {line} has the path {place!r}, where one like "
            "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg was expected; get "
            "the list again."
        )
    view = row[_VIEW_COLUMN]
    if view not in ("Frontal", "Lateral"):
        raise _illegal(path, line, _VIEW_COLUMN, view, "Frontal or Lateral")
    labels = [_finding(path, line, label, row[label]) for label in LABELS]
    if (views == "frontal" and view != "Frontal") or (uncertain == "drop" and -1 in labels):
        return None
    stand_for = 1 if uncertain == "ones" else 0
    return Radiograph(
        inside, patient.group(1), tuple(stand_for if value == -1 else value for value in labels)
    )


def _finding(path: Path, line: int, label: str, text: str | None) -> int:
    if not text or not text.strip():
        return 0
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if value not in (-1, 0, 1):
        raise _illegal(path, line, label, text, "1, 0, -1 or nothing")
    return int(value)


def _illegal(path: Path, line: int, column: str, value: str | None, expected: str) -> InputError:
    return InputError(
        f"{path} line {line} has the value {value!r} for {column}, where {expected} was expected; "
        "get the list again."
    )


def _root(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(
            f"The CheXpert folder {folder} does not exist; correct the option 'folder'."
        )
    places: Sequence[Path] = (folder, folder / "CheXpert-v1.0-small")
    for place in places:
        if (place / "train.csv").is_file():
            return place
    raise InputError(
        f"The CheXpert folder {folder} holds no train.csv; name the folder CheXpert-v1.0-small."
    )
