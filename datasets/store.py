"""The one on-disk form of every data set: uint8 images, labels and a split, with checksums.

A store is a folder of three `.npy` files and `store.json`, which is written last, so that a folder
with a `store.json` is a whole store. Images are ordered train, validation, test, and the reader's
order is kept inside each split.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ccvae.errors import InputError
from ccvae.files import read_json
from datasets.spec import FORMAT, SPLITS, StoreSpec

IMAGES, LABELS, SPLIT = ARRAYS = ("images.npy", "labels.npy", "split.npy")


def file_digest(path: str | os.PathLike[str], algorithm: str = "sha256") -> str:
    """Return the hexadecimal digest of a file, read in pieces."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


@dataclass(frozen=True)
class Store:
    """A finished store, opened for reading.

    Attributes
    ----------
    folder
        Where it lies.
    meta
        The content of `store.json`.
    images
        uint8 (N, C, H, W), mapped from disk and read-only.
    labels
        uint8 (N, F).
    split
        uint8 (N,): 0 train, 1 validation, 2 test.
    """

    folder: Path
    meta: Mapping[str, Any]
    images: np.ndarray
    labels: np.ndarray
    split: np.ndarray

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Store:
        """Open the store in `folder`; the images stay on disk.

        Raises
        ------
        InputError
            If the folder is missing, unfinished, damaged, or its files do not fit together.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError(f"There is no data store at {folder}; prepare the data set first.")
        if not (folder / "store.json").is_file():
            raise InputError(
                f"The data store {folder} has no store.json, so its preparation did not finish; "
                "prepare the data set again."
            )
        try:
            meta = read_json(folder / "store.json")
        except (OSError, ValueError) as error:
            raise _damaged(folder, f"store.json cannot be read ({error})") from error
        if not isinstance(meta, dict) or meta.get("format") != FORMAT:
            raise _damaged(folder, f"store.json is not of format {FORMAT}")
        arrays = [_load(folder, name) for name in ARRAYS]
        _check_fit(folder, meta, *arrays)
        return cls(folder, meta, *arrays)

    @property
    def name(self) -> str:
        """The data set's name."""
        return str(self.meta["name"])

    @property
    def kind(self) -> str:
        """`multi_label` or `multi_class`."""
        return str(self.meta["kind"])

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels (multi-label) or of the classes (multi-class)."""
        return tuple(self.meta["labels"])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        channels, height, width = self.meta["image_shape"]
        return channels, height, width

    @property
    def stand_in(self) -> bool:
        """Whether drawn images take the place of real ones."""
        return bool(self.meta["stand_in"])

    @property
    def prevalence(self) -> np.ndarray:
        """Share of each label (or class) in the train split: float64 (L,) or (K,)."""
        return np.asarray(self.meta["prevalence"], dtype=np.float64)

    @property
    def checksum(self) -> str:
        """One SHA-256 over the three arrays, from their digests in `store.json`."""
        digests = "".join(self.meta["sha256"][name] for name in ARRAYS)
        return hashlib.sha256(digests.encode()).hexdigest()

    def indices(self, split: str) -> np.ndarray:
        """Return the rows of `split` in increasing order: int64 (n,).

        Raises
        ------
        InputError
            If there is no split of that name.
        """
        if split not in SPLITS:
            raise InputError(f"There is no split {split!r}; the splits are {', '.join(SPLITS)}.")
        return np.flatnonzero(self.split == SPLITS.index(split)).astype(np.int64)

    def writable_images(self) -> np.ndarray:
        """Map the images once more, as memory that may be written to: uint8 (N, C, H, W).

        torch shares no other memory. What is written stays in this process (copy-on-write).
        """
        return _load(self.folder, IMAGES, images_mode="c")

    def require_checksum(self, expected: str, what: str) -> None:
        """Check that this is the store that `what` (say, "the model in runs/a") was made from.

        Raises
        ------
        InputError
            If the checksum is another one.
        """
        if self.checksum != expected:
            raise InputError(
                f"The data store {self.folder} has the checksum {self.checksum[:12]}, but {what} "
                f"was made from a store with {expected[:12]}; make it again from this store."
            )

    def verify(self) -> None:
        """Read all three arrays and compare their digests with `store.json`.

        Raises
        ------
        InputError
            If a file has changed since the store was prepared.
        """
        for name in ARRAYS:
            try:
                digest = file_digest(self.folder / name)
            except OSError as error:
                raise _damaged(self.folder, f"{name} cannot be read ({error})") from error
            if digest != self.meta["sha256"][name]:
                raise _damaged(self.folder, f"{name} does not have the checksum in store.json")


def _damaged(folder: Path, what: str) -> InputError:
    return InputError(
        f"The data store {folder} is damaged: {what}; delete the folder and prepare the data set "
        "again."
    )


def _load(folder: Path, name: str, images_mode: Literal["r", "c"] = "r") -> np.ndarray:
    mode = images_mode if name == IMAGES else None
    try:
        return np.load(folder / name, mmap_mode=mode, allow_pickle=False)
    except FileNotFoundError as error:
        raise _damaged(folder, f"{name} is missing") from error
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(folder, f"{name} cannot be read ({error})") from error


def _check_fit(
    folder: Path, meta: Mapping[str, Any], images: np.ndarray, labels: np.ndarray, split: np.ndarray
) -> None:
    try:
        counts = [int(meta["counts"][name]) for name in SPLITS]
        shapes = {
            IMAGES: (images, (sum(counts), *meta["image_shape"])),
            LABELS: (
                labels,
                (sum(counts), len(meta["labels"]) if meta["kind"] == "multi_label" else 1),
            ),
            SPLIT: (split, (sum(counts),)),
        }
        missing = {"name", "prevalence", "stand_in"} - set(meta)
        missing |= set(ARRAYS) - set(meta["sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder, f"store.json lacks a usable entry ({error})") from error
    if missing:
        raise _damaged(folder, f"store.json lacks {sorted(missing)[0]!r}")
    for name, (array, shape) in shapes.items():
        if array.dtype != np.uint8 or array.shape != shape:
            raise _damaged(
                folder, f"{name} is {array.dtype} {array.shape} where uint8 {shape} was expected"
            )
    if np.bincount(split, minlength=len(SPLITS)).tolist() != counts:
        raise _damaged(folder, "split.npy does not have the numbers of images in store.json")


def finished(folder: str | os.PathLike[str], spec: StoreSpec) -> Store | None:
    """Return the store in `folder` if it is whole and is the one that `spec` describes."""
    try:
        store = Store.open(folder)
    except InputError:
        return None
    return store if store.meta.get("key") == spec.key else None
