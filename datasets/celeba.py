"""CelebA (Liu et al. 2015, arXiv:1411.7766) with the paper's 18 labels, from the official files.

The reader takes the official text lists and the comma-separated ones that mirrors ship, the JPEG
images and the PNG ones, in the folders of any of them. Images are squeezed to 64 x 64 without a
crop, as in the authors' released code (deviation: celeba-split).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ccvae.errors import InputError
from datasets.celeba_lists import read_attributes, read_partition
from datasets.finding import Folder, find_file, named_folder, walk
from datasets.image_files import ImageFiles, listing_digest
from datasets.spec import SPLITS, StoreSpec, split_counts

_LISTS = ("list_attr_celeba", "list_eval_partition")
_PARTS = re.compile("anno|eval|img|img_align_celeba.*|img_celeba.*", re.IGNORECASE)
"""Folders of the official download that are not the whole of it."""
_IN_THE_WILD = re.compile("img_celeba.*", re.IGNORECASE)
"""Folders of images that are neither aligned nor cropped, under the names of those that are."""


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
        Holds the lists `list_attr_celeba` and `list_eval_partition` and the aligned images, itself
        or in folders below it.
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
        If a list or the images are missing, a list is malformed, or there are too few images.
    """
    if not isinstance(official_validation, bool):
        raise InputError(
            f"option 'official_validation' is {official_validation!r}, but true or false was "
            "expected."
        )
    root = named_folder(folder, "CelebA")
    folders = _layout(root)
    attributes, partition = (_find_list(root, folders, stem) for stem in _LISTS)
    names, labels = read_attributes(attributes)
    splits = _splits(names, read_partition(partition), partition)
    rows = _rows(splits, None if official_validation else validation_size)
    counts = split_counts(
        limit or {}, option="limit", largest={split: len(rows[split]) for split in SPLITS}
    )
    order = np.concatenate([rows[split][: counts[split]] for split in SPLITS])
    labels, chosen = labels[order], [names[row] for row in order]
    images = _find_images(root, folders, chosen)
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
    found = (f"lists {attributes} and {partition}", f"images in {images}")
    paths = [f"{images}{os.sep}{name}" for name in chosen]
    return ImageFiles(spec, paths, labels, found=found)


def _splits(names: Sequence[str], partition: Mapping[str, str], path: Path) -> np.ndarray:
    """Return the split of each image: str (N,)."""
    if unlisted := [name for name in names if name not in partition]:
        raise InputError(
            f"{path} does not say to which split {unlisted[0]} belongs ({len(unlisted)} of "
            f"{len(names)} images are missing); get the list again."
        )
    return np.array([partition[name] for name in names])


def _rows(splits: np.ndarray, validation_size: int | None) -> dict[str, np.ndarray]:
    """Return the rows of each split; `validation_size` None takes the official partition."""
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


def _layout(root: Path) -> list[Folder]:
    """Return the data set's folders, nearest to `root` first, also if `root` is a part only."""
    folders = list(walk(root))
    images = any(place.images for place in folders)
    whole = images and all(find_file(folders, f"{stem}.*") for stem in _LISTS)
    is_part = _PARTS.fullmatch(root.name) or any(place.images for place in folders[:1])
    return folders if whole or not is_part else folders + _layout(root.parent)


def _find_list(root: Path, folders: Sequence[Folder], stem: str) -> Path:
    if (path := find_file(folders, rf"{stem}[^.]*(\.(txt|csv)(\.gz)?)?")) is not None:
        return path
    packed = find_file(folders, f"{stem}.*")
    raise InputError(
        f"The CelebA folder {root} has neither {stem}.txt nor {stem}.csv, nor has one below it; "
        + (f"unpack {packed}." if packed else "download the list and put it there.")
    )


def _find_images(root: Path, folders: Sequence[Folder], names: Sequence[str]) -> Path:
    """Return the folder with most of the images, whatever it is called."""
    wanted = frozenset(names)
    stems = frozenset(map(_stem, names))

    def there(place: Folder) -> tuple[int, int]:
        """How many images, whatever their suffix, and how many with that of the list."""
        exactly = len(place.images & wanted)
        if exactly == len(wanted):
            return exactly, exactly
        return len(stems.intersection(map(_stem, place.images))), exactly

    aligned = [place for place in folders if not _IN_THE_WILD.fullmatch(place.path.name)]
    best = max(aligned, key=there)
    if there(best) > (0, 0):
        return best.path
    packed = find_file(folders, r"img_align_celeba.*")
    raise InputError(
        f"Neither the CelebA folder {root} nor one below it has {names[0]} or another of the "
        f"aligned images that the lists name; unpack {packed or 'img_align_celeba.zip there'}."
    )


def _stem(name: str) -> str:
    return name.rpartition(".")[0]
