"""CheXpert's lists: where an image is, whose it is, and what was found on it."""

from __future__ import annotations

import re
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ccvae.errors import InputError
from datasets.labels import FINDINGS
from datasets.lists import read_rows

_VIEW = "Frontal/Lateral"
_VALUES = {"": 0, "0.0": 0, "1.0": 1, "-1.0": 0}
_PATH = re.compile(r"(.*/)?(patient(\d+)/(?:.*/)?[^/]+)")


class Radiograph(NamedTuple):
    """One row of a list.

    Attributes
    ----------
    line
        Its line, from 1.
    prefix
        What stands before the patient in the column Path.
    image
        The rest: `patient00001/study1/view1_frontal.jpg`.
    patient
        Number of the patient, with leading zeros.
    labels
        The five findings, 0 or 1.
    """

    line: int
    prefix: str
    image: str
    patient: str
    labels: tuple[int, ...]


def read_list(path: Path, *, uncertain: str, views: str) -> list[Radiograph]:
    """Read `train.csv` or `valid.csv` in their order, under the policies of `find_chexpert`.

    Only the columns that are used need to be there. Where none says the view, the names of the
    files do.

    Raises
    ------
    InputError
        If the list lacks a column, or a row holds an illegal value or an image a second time.
    """
    rows = read_rows(path)
    _, header = next(rows)
    columns = {_plain(name): place for place, name in enumerate(header)}
    if missing := [name for name in ("Path", *FINDINGS) if _plain(name) not in columns]:
        raise InputError(
            f"{path} has no column {missing[0]!r} among its {len(header)} columns; use the "
            "official list."
        )
    pick = itemgetter(*(columns[_plain(name)] for name in ("Path", *FINDINGS)))
    view = columns.get(_plain(_VIEW))
    stand_for = _VALUES | {"-1.0": 1 if uncertain == "ones" else 0}
    found, lines = [], dict[str, int]()
    for line, cells in rows:
        if len(cells) != len(header):
            raise InputError(
                f"{path} line {line} does not have as many entries as the header; get the list "
                "again."
            )
        place, *values = pick(cells)
        prefix, image, patient = _split_path(path, line, place)
        if lines.setdefault(image, line) != line:
            raise InputError(
                f"{path} line {line} has {image}, which line {lines[image]} has already; get the "
                "list again."
            )
        if not _VALUES.keys() >= set(values):
            values = [_value(path, line, *pair) for pair in zip(FINDINGS, values, strict=True)]
        if uncertain == "drop" and "-1.0" in values:
            continue
        said = image if view is None else cells[view]
        if views == "frontal" and not _is_frontal(path, line, said):
            continue
        labels = tuple([stand_for[value] for value in values])
        found.append(Radiograph(line, prefix, image, patient, labels))
    return found


def _plain(column: str) -> str:
    """Return a column's name as people may write it."""
    return column.strip().replace("_", " ").casefold()


def _split_path(path: Path, line: int, place: str) -> tuple[str, str, str]:
    """Return what stands before the patient, the rest, and the patient's number."""
    matched = _PATH.fullmatch(place.strip().replace("\\", "/"))
    if matched is None or ".." in matched[2].split("/"):
        raise InputError(
            f"{path} line {line} has the path {place!r}, where one like "
            "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg was expected; get "
            "the list again."
        )
    return matched[1] or "", matched[2], matched[3]


def _value(path: Path, line: int, label: str, text: str) -> str:
    """Return a finding as the official lists write it."""
    try:
        value = float(text.strip() or "nan")
    except ValueError:
        value = np.inf
    if np.isnan(value):
        return ""
    if value not in (-1, 0, 1):
        raise _illegal(path, line, label, text, "1, 0, -1 or nothing")
    return str(value + 0)


def _is_frontal(path: Path, line: int, text: str) -> bool:
    """Read the view from its column, or from the name of the file."""
    words = [word for word in ("frontal", "lateral") if word in text.lower()]
    if len(words) != 1:
        raise _illegal(path, line, _VIEW, text, "Frontal or Lateral")
    return words[0] == "frontal"


def _illegal(path: Path, line: int, column: str, value: str, expected: str) -> InputError:
    return InputError(
        f"{path} line {line} has the value {value!r} for {column}, where {expected} was expected; "
        "get the list again."
    )
