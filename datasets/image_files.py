"""Image files as the source of a store: all looked for, some looked at, decoded with all cores."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path, PurePath

import numpy as np
from tqdm import tqdm

from ccvae.errors import InputError
from datasets.decode import decode_image, white_level
from datasets.finding import is_image
from datasets.parallel import ordered_map
from datasets.source import Source
from datasets.store import Store
from datasets.writer import ImageRows, StoreWriter, sizes_digest

CHUNK = 256
AHEAD = 16
"""Chunks per process to go on with while the disk is waited for."""
SAMPLE = 16
"""Images that are decoded before the work begins, spread over all."""
ALIKE = 8
"""Levels by which two decoders of one image differ less in the mean, and two images more."""


@dataclass(frozen=True, eq=False)
class ImageFiles(Source):
    """Images in files, each of which becomes a row of the store, (3, size, size) by its `spec`.

    Attributes
    ----------
    paths
        The files in the order train, validation, test. Where there is no such file but one that
        differs in its suffix, that is taken: people convert images and leave the lists.
    labels
        uint8 (N, F), in the same order.
    """

    paths: Sequence[str]
    labels: np.ndarray

    @cached_property
    def _files(self) -> tuple[list[str], np.ndarray]:
        return look_for(self.paths)

    @cached_property
    def _sample(self) -> dict[int, str]:
        """Some rows whose files are there, and the files."""
        files, stamps = self._files
        there = np.flatnonzero(stamps[:, 0])
        picks = np.linspace(0, len(there) - 1, min(SAMPLE, len(there)), dtype=int)
        return {row: files[row] for row in there[picks].tolist()}

    @cached_property
    def _white(self) -> int | None:
        return white_level(list(self._sample.values()))

    def _decode(self, path: str) -> np.ndarray:
        return decode_image(path, self.spec.image_shape[-1], white=self._white)

    def check(self) -> tuple[str, ...]:
        """Look for all files, and decode some.

        Raises
        ------
        InputError
            If a file is missing or empty, or one of those cannot be decoded.
        """
        files, stamps = self._files
        if len(bad := np.flatnonzero(stamps[:, 0] == 0)):
            raise InputError(
                f"The image {files[bad[0]]} {_trouble(files[bad[0]])} ({len(bad)} of the "
                f"{len(files)} images that are used cannot be read); complete the data set."
            )
        for path in self._sample.values():
            self._decode(path)
        return (f"grey of 16 bits, with white at {self._white}",) if self._white else ()

    def store(self, folder: Path) -> Store | None:
        """Return the finished store, unless it was made from other images of the same names.

        Images that have moved are the same, and those that are gone are no longer needed.
        """
        ready = super().store(folder)
        if ready is None or not self._sample:
            return ready
        _, stamps = self._files
        sizes = ready.meta.get("sizes_sha256")
        if sizes is not None and stamps[:, 0].all() and sizes != sizes_digest(stamps):
            return None
        apart = (
            np.abs(self._decode(path).astype(int) - ready.images[row]).mean()
            for row, path in self._sample.items()
        )
        return ready if max(apart) < ALIKE else None

    def stamps(self) -> np.ndarray:
        """Return int64 (N, 5): the files' sizes, where they are and since when, and white."""
        _, stamps = self._files
        return np.column_stack([stamps, np.full(len(stamps), self._white or 0)])

    def fill(self, writer: StoreWriter, workers: int) -> None:
        """Decode what is not there yet, in processes that write what they decode themselves."""
        files, _ = self._files
        decode = partial(_decode_chunk, rows=writer.rows, white=self._white)
        starts = range(writer.done, self.spec.total, CHUNK)
        chunks = ((start, files[start : start + CHUNK]) for start in starts)
        # `disable=None` keeps the bar out of logs: it is drawn on a terminal only.
        with tqdm(
            total=self.spec.total,
            initial=writer.done,
            desc=self.spec.name,
            unit="image",
            disable=None,
        ) as bar:
            for n in ordered_map(decode, chunks, workers=workers, ahead=AHEAD):
                writer.advance(self.labels[writer.done : writer.done + n])
                bar.update(n)


def _decode_chunk(task: tuple[int, Sequence[str]], rows: ImageRows, white: int | None) -> int:
    """Decode files into the rows from the given one on; return how many."""
    start, paths = task
    rows.put(start, (decode_image(path, rows.shape[-1], white=white) for path in paths))
    return len(paths)


def listing_digest(names: Sequence[str], labels: np.ndarray) -> str:
    """Digest of which images are taken with which labels, so that new lists make a new store."""
    digest = hashlib.sha256("\n".join(names).encode())
    digest.update(np.ascontiguousarray(labels).tobytes())
    return digest.hexdigest()


def look_for(paths: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Look for all files.

    Returns
    -------
    files : list of str
        The paths, with another suffix where only that is there.
    stamps : numpy.ndarray
        int64 (N, 4): size in bytes, place on the disk, and when content and file last changed, in
        nanoseconds; zeros where there is no file with anything in it.
    """
    files, stamps = list(paths), []
    siblings = cache(_images_by_stem)
    for row, path in enumerate(paths):
        stamp = _stamp(path)
        if not stamp[0]:
            folder, name = os.path.split(path)
            files[row] = siblings(folder).get(PurePath(name).stem.lower(), path)
            stamp = _stamp(files[row])
        stamps.append(stamp)
    return files, np.array(stamps, dtype=np.int64)


def _stamp(path: str) -> tuple[int, int, int, int]:
    """Return a row of `look_for`'s stamps."""
    try:
        info = os.stat(path)
    except OSError:
        return 0, 0, 0, 0
    if not stat.S_ISREG(info.st_mode):
        return 0, 0, 0, 0
    return info.st_size, info.st_ino % 2**63, info.st_mtime_ns, info.st_ctime_ns


def _images_by_stem(folder: str) -> dict[str, str]:
    try:
        with os.scandir(folder) as entries:
            images = sorted(entry.name for entry in entries if is_image(entry.name))
    except OSError:
        return {}
    return {PurePath(name).stem.lower(): os.path.join(folder, name) for name in images}


def _trouble(path: str) -> str:
    try:
        info = os.stat(path)
    except FileNotFoundError:
        if os.path.islink(path):
            return f"is a link to {os.readlink(path)}, which is not there"
        return "is missing"
    except OSError as error:
        return f"cannot be reached: {error.strerror}"
    return "is empty" if stat.S_ISREG(info.st_mode) else "is a folder and no file"
