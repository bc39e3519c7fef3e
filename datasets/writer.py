"""Write a store in chunks, in constant memory."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.lib.format import open_memmap

from ccvae.errors import InputError
from ccvae.files import atomic_path, read_json, write_json
from datasets.spec import SPLITS, StoreSpec
from datasets.store import ARRAYS, IMAGES, LABELS, SPLIT, file_digest

STAMPS = "stamps.npy"
KEEP_EVERY_S = 1.0
"""Seconds of work that a killed preparation may have to do again. Every wait for the disk costs
about as long as decoding a hundred images."""

WRITE_IMAGES, DIGEST_BYTES = 64, 2**18


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
        """Write images, uint8 (C, H, W) each, to the rows from `row` on, a block at a time.

        Raises
        ------
        ValueError
            If an image has another type or shape, which would move all that follow.
        """
        block, n = np.empty((WRITE_IMAGES, *self.shape), dtype=np.uint8), 0
        with self.path.open("r+b") as stream:
            stream.seek(self.start + row * math.prod(self.shape))
            for image in images:
                if image.dtype != np.uint8 or image.shape != self.shape:
                    raise ValueError(
                        f"an image {image.dtype} {image.shape} cannot become a row of uint8 "
                        f"{self.shape}"
                    )
                block[n] = image
                n += 1
                if n == WRITE_IMAGES:
                    stream.write(block.data)
                    n = 0
            stream.write(block[:n].data)


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
    stamps
        int64 (N, S) that say what each row is made from, the size of it first: the work continues
        before the first row whose stamps have changed. None where `spec` says it all.

    Raises
    ------
    InputError
        On entering, if the disk has too little room.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        spec: StoreSpec,
        stamps: np.ndarray | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.spec = spec
        self._stamps = np.empty((spec.total, 0), dtype=np.int64) if stamps is None else stamps
        self.partial = self.folder.with_name(f".{self.folder.name}.partial")
        self.done = 0
        self._digest, self._digested = hashlib.sha256(), 0

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
            images = open_memmap(self.partial / IMAGES, mode="r+")
            labels = open_memmap(self.partial / LABELS, mode="r+")
            stamps = np.load(self.partial / STAMPS, allow_pickle=False)
            done = int(progress["done"])
        except (OSError, ValueError, KeyError, TypeError):
            return False
        if images.shape != (self.spec.total, *self.spec.image_shape):
            return False
        if stamps.shape != self._stamps.shape:
            return False
        changed = np.flatnonzero((stamps != self._stamps).any(axis=1))
        self._images, self._labels = images, labels
        self.done = min(done, int(changed[0])) if len(changed) else done
        # The count comes first: rows before it have the same stamps then and now.
        self._keep_progress()
        self._keep_stamps()
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
        self._images = open_memmap(self.partial / IMAGES, mode="w+", dtype=np.uint8, shape=shape)
        self._labels = open_memmap(
            self.partial / LABELS,
            mode="w+",
            dtype=np.uint8,
            shape=(self.spec.total, self.spec.factors),
        )
        self.done = 0
        self._keep_stamps()
        self._keep_progress()

    def _keep_progress(self) -> None:
        # Rows reach the disk before the count that vouches for them.
        self._images.flush()
        self._labels.flush()
        write_json(self._progress(), {"key": self.spec.key, "done": self.done})
        self._kept = time.monotonic()

    def _keep_stamps(self) -> None:
        with atomic_path(self.partial / STAMPS) as temporary:
            np.save(temporary, self._stamps, allow_pickle=False)

    def _digest_images(self) -> None:
        """Take the rows that are in the file into the checksum; others make the next meanwhile."""
        end = self._images.offset + self.done * math.prod(self.spec.image_shape)
        with (self.partial / IMAGES).open("rb") as stream:
            stream.seek(self._digested)
            while piece := stream.read(min(DIGEST_BYTES, end - self._digested)):
                self._digest.update(piece)
                self._digested += len(piece)

    @property
    def rows(self) -> ImageRows:
        """The images, for processes that write chunks themselves; see `advance`."""
        path = self.partial / IMAGES
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
        self._digest_images()
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
        self._digest_images()
        labels, counts = np.array(self._labels), self.spec.counts
        del self._images, self._labels
        split = np.repeat(np.arange(len(SPLITS), dtype=np.uint8), [counts[name] for name in SPLITS])
        with atomic_path(self.partial / SPLIT) as temporary:
            np.save(temporary, split, allow_pickle=False)
        content = {
            **self.spec.description(),
            "key": self.spec.key,
            **({"sizes_sha256": sizes_digest(self._stamps)} if self._stamps.size else {}),
            "prevalence": _prevalence(self.spec, labels[: counts["train"]]),
            "sha256": {
                IMAGES: self._digest.hexdigest(),
                **{name: file_digest(self.partial / name) for name in (LABELS, SPLIT)},
            },
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        # An older store must not vouch for the new arrays while they move in.
        (self.folder / "store.json").unlink(missing_ok=True)
        for name in ARRAYS:
            os.replace(self.partial / name, self.folder / name)
        write_json(self.folder / "store.json", content)
        shutil.rmtree(self.partial)


def sizes_digest(stamps: np.ndarray) -> str:
    """Digest of the sizes of what a store is made from, which stay when it moves."""
    return hashlib.sha256(np.ascontiguousarray(stamps[:, :1]).tobytes()).hexdigest()


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
