"""CelebA's two lists: the attributes of each image, and its official partition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path

import numpy as np

from ccvae.errors import InputError
from datasets.finding import is_image
from datasets.labels import ATTRIBUTES
from datasets.lists import read_rows

PARTITIONS = {"0": "train", "1": "validation", "2": "test"}
_SIGNS = {"1": 1, "-1": 0}


def read_attributes(path: Path) -> tuple[list[str], np.ndarray]:
    """Read `list_attr_celeba`: perhaps a count, the names of the attributes, and a row per image.

    Returns
    -------
    names : list of str
        File names in the order of the list.
    labels : numpy.ndarray
        uint8 (N, 18) in the order of `ATTRIBUTES`.

    Raises
    ------
    InputError
        If a label's column is not there, a row is malformed, holds a value other than -1 and 1 or
        names an image a second time, or the number of rows is not the announced one.
    """
    rows = read_rows(path)
    line, header = next(rows)
    announced = None
    if len(header) == 1 and header[0].strip().isdigit():
        announced = int(header[0])
        line, header = next(rows, (line, []))
    header = [cell.strip() for cell in header]
    if missing := [label for label in ATTRIBUTES if label not in header]:
        raise InputError(
            f"{path} line {line} has no column {missing[0]!r} among its {len(header)} columns; use "
            "the official list of 40 attributes."
        )
    top = next(rows, None)
    if top is None:
        raise InputError(f"{path} lists no images; get the list again.")
    # The official list has no word above its column of file names.
    header = [""] * (len(top[1]) == len(header) + 1) + header
    place = next((place for place, cell in enumerate(top[1]) if is_image(cell.strip())), 0)
    pick = itemgetter(*(header.index(label) for label in ATTRIBUTES))
    labels, lines = [], dict[str, int]()
    for line, cells in chain([top], rows):
        if len(cells) != len(header):
            raise InputError(
                f"{path} line {line} has {len(cells)} entries where {len(header)} were expected; "
                "get the list again."
            )
        name, values = _file_name(cells[place]), pick(cells)
        try:
            labels.append(bytes(map(_SIGNS.__getitem__, values)))
        except KeyError:
            labels.append(bytes(_signs(path, line, name, values)))
        if lines.setdefault(name, line) != line:
            raise InputError(
                f"{path} line {line} has {name}, which line {lines[name]} has already; get the "
                "list again."
            )
    if announced is not None and announced != len(labels):
        raise InputError(
            f"{path} announces {announced} images but lists {len(labels)}; get the list again."
        )
    signs = np.frombuffer(b"".join(labels), dtype=np.uint8)
    return list(lines), signs.reshape(-1, len(ATTRIBUTES))


def _signs(path: Path, line: int, name: str, values: Sequence[str]) -> Iterator[int]:
    """Read values of which some are not written as in the official list."""
    for label, value in zip(ATTRIBUTES, values, strict=True):
        written = value.strip().removesuffix(".0")
        if written not in _SIGNS:
            raise InputError(
                f"{path} line {line} ({name}) has the value {value!r} for {label}, where -1 or 1 "
                "was expected; get the list again."
            )
        yield _SIGNS[written]


def read_partition(path: Path) -> dict[str, str]:
    """Read `list_eval_partition`: from file name to split.

    Raises
    ------
    InputError
        If a row does not end in 0, 1 or 2, or names an image a second time.
    """
    partition: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line, cells in read_rows(path):
        name = next(filter(is_image, map(_file_name, cells)), None)
        split = PARTITIONS.get(cells[-1].strip())
        if name is None and not partition:
            # The head of a table, or the number of images.
            continue
        if name is None or split is None:
            raise InputError(
                f"{path} line {line} reads {' '.join(cells)!r}, where a file name and 0, 1 or 2 "
                "were expected; get the list again."
            )
        if lines.setdefault(name, line) != line:
            raise InputError(
                f"{path} line {line} puts {name} into the {split} partition, where line "
                f"{lines[name]} puts it into {partition[name]}; get the list again."
            )
        partition[name] = split
    return partition


def _file_name(text: str) -> str:
    """Return the name in a list that may give whole paths."""
    return text.strip().replace("\\", "/").rpartition("/")[2]
