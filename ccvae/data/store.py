"""The one on-disk form of every data set: uint8 images, labels and a split, with checksums.

A store is a folder of three `.npy` files and `store.json`, which is written last, so that a folder
with a `store.json` is a whole store. Images are ordered train, validation, test, and the reader's
order is kept inside each split.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from ccvae.data.spec import FORMAT, SPLITS, StoreSpec
from ccvae.errors import InputError
from ccvae.files import atomic_path, read_json, write_json

ARRAYS = ("images.npy", "labels.npy", "split.npy")
KEEP_EVERY_S = 1.0
"""Seconds of work that a killed preparation may have to do again. Every wait for the disk costs
about as long as decoding a hundred images."""

WRITE_BYTES = 2**18


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


def _load(folder: Path, name: str) -> np.ndarray:
    try:
        return np.load(
            folder / name, mmap_mode="r" if name == "images.npy" else None, allow_pickle=False
        )
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
            "images.npy": (images, (sum(counts), *meta["image_shape"])),
            "labels.npy": (
                labels,
                (sum(counts), len(meta["labels"]) if meta["kind"] == "multi_label" else 1),
            ),
            "split.npy": (split, (sum(counts),)),
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


@dataclass(frozen=True)
class ImageRows:
    """The images of an unfinished store, for other processes to write into.

    Attributes
    ----------
    path
        The file.
    start
        Its byte at which the first image begins.
    shape
        (C, H, W).
    """

    path: Path
    start: int
    shape: tuple[int, int, int]

    def put(self, row: int, images: Iterable[np.ndarray]) -> None:
        """Write images one by one, uint8 (C, H, W) each, to the rows from `row` on."""
        with self.path.open("r+b", buffering=WRITE_BYTES) as stream:
            stream.seek(self.start + row * math.prod(self.shape))
            for image in images:
                stream.write(image.tobytes())


class StoreWriter:
    """Write a store in chunks, in constant memory; continue where a killed run stopped.

    Images and labels go to memory-mapped files in a hidden folder beside the store, with a count
    of the rows done, under the key of `spec`: another key starts anew. Leaving the `with` block
    moves the files into place and writes `store.json` last; leaving it by an exception keeps the
    finished rows for the next attempt, and the store's folder as it was. A process that is killed
    keeps those of up to `KEEP_EVERY_S` before.

    Parameters
    ----------
    folder
        The store's folder.
    spec
        What the store will be.

    Raises
    ------
    InputError
        On entering, if the disk has too little room.
    """

    def __init__(self, folder: str | os.PathLike[str], spec: StoreSpec) -> None:
        self.folder = Path(folder)
        self.spec = spec
        self.partial = self.folder.with_name(f".{self.folder.name}.partial")
        self.done = 0

    def __enter__(self) -> StoreWriter:
        if not self._resume():
            self._start()
        return self

    def _progress(self) -> Path:
        return self.partial / "progress.json"

    def _resume(self) -> bool:
        try:
            progress = read_json(self._progress())
            if progress["key"] != self.spec.key:
                return False
            images = open_memmap(self.partial / "images.npy", mode="r+")
            labels = open_memmap(self.partial / "labels.npy", mode="r+")
        except (OSError, ValueError, KeyError, TypeError):
            return False
        if images.shape != (self.spec.total, *self.spec.image_shape):
            return False
        self._images, self._labels, self.done = images, labels, int(progress["done"])
        self._kept = time.monotonic()
        return True

    def _start(self) -> None:
        shutil.rmtree(self.partial, ignore_errors=True)
        self.partial.mkdir(parents=True)
        shape = (self.spec.total, *self.spec.image_shape)
        # A memory map on a full disk ends the process without a word, hence the look beforehand.
        need, free = int(np.prod(shape)), shutil.disk_usage(self.partial).free
        if need > free:
            self.partial.rmdir()
            raise InputError(
                f"The data store {self.folder} needs {need / 1e9:.2f} GB, but only "
                f"{free / 1e9:.2f} GB are free there; make room or choose another folder."
            )
        self._images = open_memmap(
            self.partial / "images.npy", mode="w+", dtype=np.uint8, shape=shape
        )
        self._labels = open_memmap(
            self.partial / "labels.npy",
            mode="w+",
            dtype=np.uint8,
            shape=(self.spec.total, self.spec.factors),
        )
        self.done = 0
        self._keep_progress()

    def _keep_progress(self) -> None:
        # Rows reach the disk before the count that vouches for them.
        self._images.flush()
        self._labels.flush()
        write_json(self._progress(), {"key": self.spec.key, "done": self.done})
        self._kept = time.monotonic()

    @property
    def rows(self) -> ImageRows:
        """The images, for processes that write chunks themselves; see `advance`."""
        path = self.partial / "images.npy"
        return ImageRows(path, self._images.offset, self.spec.image_shape)

    def write(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Append a chunk: images uint8 (n, C, H, W) and labels uint8 (n, F).

        Raises
        ------
        ValueError
            If the arrays do not have the type and shape that the spec announced.
        """
        end = self.done + len(images)
        if len(labels) != len(images):
            raise ValueError(f"{len(images)} images came with {len(labels)} labels")
        _check_rows("images", images, self._images, end)
        self._images[self.done : end] = images
        self.advance(labels)

    def advance(self, labels: np.ndarray) -> None:
        """Append labels uint8 (n, F) whose images are in their rows already.

        Raises
        ------
        ValueError
            If the array does not have the type and shape that the spec announced.
        """
        end = self.done + len(labels)
        _check_rows("labels", labels, self._labels, end)
        self._labels[self.done : end] = labels
        self.done = end
        if end == self.spec.total or time.monotonic() - self._kept > KEEP_EVERY_S:
            self._keep_progress()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._finish()
        else:
            self._keep_progress()

    def _finish(self) -> None:
        if self.done != self.spec.total:
            raise ValueError(f"only {self.done} of {self.spec.total} images were written")
        labels, counts = np.array(self._labels), self.spec.counts
        del self._images, self._labels
        split = np.repeat(np.arange(len(SPLITS), dtype=np.uint8), [counts[name] for name in SPLITS])
        with atomic_path(self.partial / "split.npy") as temporary:
            np.save(temporary, split, allow_pickle=False)
        content = {
            **self.spec.description(),
            "key": self.spec.key,
            "prevalence": _prevalence(self.spec, labels[: counts["train"]]),
            "sha256": {name: file_digest(self.partial / name) for name in ARRAYS},
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        # An older store must not vouch for the new arrays while they move in.
        (self.folder / "store.json").unlink(missing_ok=True)
        for name in ARRAYS:
            os.replace(self.partial / name, self.folder / name)
        write_json(self.folder / "store.json", content)
        shutil.rmtree(self.partial)


def _check_rows(what: str, array: np.ndarray, target: np.ndarray, end: int) -> None:
    """Check that `array` can become the rows of `target` before `end`."""
    if array.dtype != np.uint8 or array.shape[1:] != target.shape[1:] or end > len(target):
        raise ValueError(
            f"{what} {array.dtype} {array.shape} cannot become rows {end - len(array)} to {end} "
            f"of uint8 {target.shape}"
        )


def _prevalence(spec: StoreSpec, train: np.ndarray) -> Sequence[float]:
    if spec.kind == "multi_label":
        return train.mean(axis=0, dtype=np.float64).tolist()
    return (np.bincount(train[:, 0], minlength=len(spec.labels)) / max(len(train), 1)).tolist()
