"""CelebA (Liu et al. 2015, arXiv:1411.7766) with the paper's 18 labels, from the official files.

The reader takes the official text lists and the comma-separated ones that mirrors ship. Images are
squeezed to 64 x 64 without a crop, as in the authors' released code (deviation: celeba-split).
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

import numpy as np

from ccvae.errors import InputError
from datasets.decode import ImageFiles
from datasets.labels import ATTRIBUTES as LABELS
from datasets.spec import SPLITS, StoreSpec, split_counts

PARTITIONS = {"0": "train", "1": "validation", "2": "test"}
# The official download, its lists beside the images, and the layouts of common mirrors.
_LIST_FOLDERS = (".", "Anno", "Eval", "celeba")
_IMAGE_FOLDERS = (
    "img_align_celeba/img_align_celeba",
    "img_align_celeba",
    "Img/img_align_celeba",
    "celeba/img_align_celeba",
)


def find_celeba(
    spec: StoreSpec,
    *,
    folder: str,
    validation_size: int = 10_000,
    official_validation: bool = False,
    limit: Mapping[str, int] | None = None,
) -> ImageFiles:
    """Find CelebA's lists and images.

    Parameters
    ----------
    spec
        What is known of the data set.
    folder
        Holds `img_align_celeba/`, `list_attr_celeba` and `list_eval_partition` (`.txt` or `.csv`).
    validation_size
        The last so many images of the official train partition validate, the rest train, as in
        the released code (162,770 = 152,770 + 10,000).
    official_validation
        Validate on the official validation partition (19,867) instead and train on the whole
        train partition; `validation_size` then has no effect. Otherwise the official validation
        partition is left out of the store.
    limit
        The first so many images of each split only; a split not named keeps all of its images.

    Returns
    -------
    ImageFiles
        Images uint8 (N, 3, 64, 64), labels uint8 (N, 18).

    Raises
    ------
    InputError
        If a file is missing, damaged or malformed, or there are too few images.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"The CelebA folder {root} does not exist; correct the option 'folder'.")
    if not isinstance(official_validation, bool):
        raise InputError(
            f"option 'official_validation' is {official_validation!r}, but true or false was "
            "expected."
        )
    names, labels = read_attributes(_find_list(root, "list_attr_celeba"))
    partition = read_partition(_find_list(root, "list_eval_partition"))
    rows = _split(names, partition, None if official_validation else validation_size)
    counts = split_counts(
        limit or {}, option="limit", largest={split: len(rows[split]) for split in SPLITS}
    )
    order = np.concatenate([rows[split][: counts[split]] for split in SPLITS])
    labels, chosen = labels[order], [names[row] for row in order]
    folder_of_images = os.path.join(_image_folder(root), "")
    spec = replace(
        spec,
        counts=counts,
        options={
            "official_validation": official_validation,
            **({} if official_validation else {"validation_size": validation_size}),
            "limit": counts,
            "listing_sha256": listing_digest(chosen, labels),
        },
        notes=(
            "The official validation partition is the validation split."
            if official_validation
            else "The official validation partition is not in this store.",
        ),
    )
    paths = [folder_of_images + name for name in chosen]
    found = (f"{spec.total} images in {folder_of_images}",)
    return ImageFiles(spec, paths, labels, found=found)


def official_files(folder: Path) -> tuple[Path, Path, Path]:
    """Find the list of attributes, the list of partitions and the folder of images.

    Raises
    ------
    InputError
        If one of them is not there.
    """
    lists = [_find_list(folder, stem) for stem in ("list_attr_celeba", "list_eval_partition")]
    return lists[0], lists[1], _image_folder(folder)


def listing_digest(names: Sequence[str], labels: np.ndarray) -> str:
    """Digest of which files are taken with which labels, so that new lists make a new store."""
    digest = hashlib.sha256("\n".join(names).encode())
    digest.update(np.ascontiguousarray(labels).tobytes())
    return digest.hexdigest()


def read_attributes(path: Path) -> tuple[list[str], np.ndarray]:
    """Read `list_attr_celeba.txt` (a count, the names, rows) or `.csv` (a header, rows).

    Returns
    -------
    names : list of str
        File names in the order of the list.
    labels : numpy.ndarray
        uint8 (N, 18) in the order of `LABELS`.

    Raises
    ------
    InputError
        If a label's column is not there, a row is malformed or holds a value other than -1 and 1,
        or the number of rows is not the announced one.
    """
    header, rows, announced = _read_table(path)
    if missing := [label for label in LABELS if label not in header]:
        raise InputError(
            f"{path} has no column {missing[0]!r} among its {len(header)} columns; use the "
            "official list of 40 attributes."
        )
    columns = [header.index(label) + 1 for label in LABELS]
    pick, on = itemgetter(*columns), {"1": 1, "-1": 0}
    names, labels = [], []
    for line, cells in rows:
        if len(cells) != len(header) + 1:
            raise InputError(
                f"{path} line {line} has {len(cells)} entries where {len(header) + 1} were "
                "expected; get the list again."
            )
        values = pick(cells)
        try:
            labels.append([on[value] for value in values])
        except KeyError as error:
            place = values.index(error.args[0])
            raise InputError(
                f"{path} line {line} ({cells[0]}) has the value {values[place]!r} for "
                f"{LABELS[place]}, where -1 or 1 was expected; get the list again."
            ) from None
        names.append(cells[0])
    if announced is not None and announced != len(names):
        raise InputError(
            f"{path} announces {announced} images but lists {len(names)}; get the list again."
        )
    return names, np.array(labels, dtype=np.uint8).reshape(-1, len(LABELS))


def read_partition(path: Path) -> dict[str, str]:
    """Read `list_eval_partition` (`.txt` or `.csv`): from file name to split.

    Raises
    ------
    InputError
        If a row does not end in 0, 1 or 2.
    """
    lines = enumerate(_lines(path), start=1)
    partition = {}
    for line, text in lines:
        cells = [cell.strip() for cell in text.replace(",", " ").split()]
        if not cells or (line == 1 and path.suffix == ".csv"):
            continue
        if len(cells) != 2 or cells[1] not in PARTITIONS:
            raise InputError(
                f"{path} line {line} reads {text.strip()!r}, where a file name and 0, 1 or 2 were "
                "expected; get the list again."
            )
        partition[cells[0]] = PARTITIONS[cells[1]]
    return partition


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); get the list again.") from error


def _read_table(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]], int | None]:
    """Return the label columns, (line number, cells) of each row, and the announced row count."""
    lines = _lines(path)
    if path.suffix == ".csv":
        table = ((i, row) for i, row in enumerate(csv.reader(lines), start=1) if row)
        _, header = next(table, (0, []))
        return [name.strip() for name in header[1:]], table, None
    if len(lines) < 2 or not lines[0].strip().isdigit():
        raise InputError(
            f"{path} does not begin with the number of images and the names of the attributes; use "
            "the official list."
        )
    # One row at a time: the cells of 200,000 images, all at once, would take hundreds of MB.
    rows = ((i, line.split()) for i, line in enumerate(lines[2:], start=3) if line.strip())
    return lines[1].split(), rows, int(lines[0])


def _find_list(root: Path, stem: str) -> Path:
    for place in _LIST_FOLDERS:
        for suffix in (".txt", ".csv"):
            if (path := root / place / (stem + suffix)).is_file():
                return path
    raise InputError(
        f"The CelebA folder {root} has neither {stem}.txt nor {stem}.csv; download the list and "
        "put it there."
    )


def _image_folder(root: Path) -> Path:
    for place in _IMAGE_FOLDERS:
        if (path := root / place).is_dir():
            return path
    raise InputError(
        f"The CelebA folder {root} has no folder img_align_celeba; unpack img_align_celeba.zip "
        "there."
    )


def _split(
    names: Sequence[str], partition: Mapping[str, str], validation_size: int | None
) -> dict[str, np.ndarray]:
    """Return the rows of each split; `validation_size` None takes the official partition."""
    if unlisted := [name for name in names if name not in partition]:
        raise InputError(
            f"list_eval_partition does not say to which split {unlisted[0]} belongs "
            f"({len(unlisted)} of {len(names)} images are missing); get the list again."
        )
    splits = np.array([partition[name] for name in names])
    rows = {split: np.flatnonzero(splits == split) for split in SPLITS}
    if validation_size is not None:
        train = rows["train"]
        if isinstance(validation_size, bool) or not isinstance(validation_size, int):
            raise InputError(
                f"option 'validation_size' is {validation_size!r}, but a whole number was expected."
            )
        if not 1 <= validation_size < len(train):
            raise InputError(
                f"option 'validation_size' is {validation_size}, but the train partition has "
                f"{len(train)} images, of which at least one must train and one validate; choose "
                "a number between."
            )
        rows["train"], rows["validation"] = train[:-validation_size], train[-validation_size:]
    if empty := [split for split in SPLITS if len(rows[split]) == 0]:
        raise InputError(
            f"CelebA's {empty[0]} split has no images in list_eval_partition; use the whole "
            "data set."
        )
    return rows
