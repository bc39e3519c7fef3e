"""Decode image files into a store with all cores, in constant memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from ccvae.errors import InputError
from datasets.parallel import ordered_map
from datasets.source import Source
from datasets.writer import ImageRows, StoreWriter

CHUNK = 256
AHEAD = 16
"""Chunks per process to go on with while the disk is waited for."""


def decode_image(path: str | Path, size: int) -> np.ndarray:
    """Read one image file: uint8 (3, size, size), squeezed to a square without cropping.

    The image is resized by Pillow's bilinear filter; a grey image gets three equal channels. A JPEG
    may be decoded at 1/2, 1/4 or 1/8 of its size (`draft`), but only as far as at least twice
    `size` is left: below that the result would differ visibly from resizing the full image.
    CelebA's 178 x 218 pixels are always decoded in full.

    Raises
    ------
    InputError
        If the file is missing, truncated or no image.
    """
    try:
        with Image.open(path) as image:
            image.draft(None, (2 * size, 2 * size))
            pixels = image if image.mode in ("L", "RGB") else image.convert("RGB")
            array = np.asarray(pixels.resize((size, size), Image.Resampling.BILINEAR))
    except FileNotFoundError as error:
        raise InputError(f"The image {path} is missing; complete the data set.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            f"The image {path} cannot be decoded ({error}); replace the file by a whole one."
        ) from error
    if array.ndim == 2:
        return np.repeat(array[None], 3, axis=0)
    return array.transpose(2, 0, 1)


def _decode_chunk(task: tuple[int, Sequence[str]], rows: ImageRows) -> int:
    """Decode files into the rows from the given one on; return how many."""
    start, paths = task
    rows.put(start, (decode_image(path, rows.shape[-1]) for path in paths))
    return len(paths)


def _files_in(folder: str) -> frozenset[str]:
    """Names of the files in a folder: one look that is far cheaper than one at each file."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


def require_files(paths: Sequence[str]) -> None:
    """Check that all files exist before hours of work begin.

    Raises
    ------
    InputError
        With the first missing file and the number of missing ones.
    """
    files_in = cache(_files_in)
    places = map(os.path.split, paths)
    missing = [
        path
        for path, (folder, name) in zip(paths, places, strict=True)
        if name not in files_in(folder)
    ]
    if missing:
        raise InputError(
            f"The image {missing[0]} is missing ({len(missing)} of {len(paths)} files that the "
            "lists name are); complete the data set."
        )


@dataclass(frozen=True, eq=False)
class ImageFiles(Source):
    """Images in files, each of which becomes a row of the store.

    Attributes
    ----------
    paths
        The files in the order train, validation, test.
    labels
        uint8 (N, F), in the same order.
    """

    paths: Sequence[str]
    labels: np.ndarray

    def check(self) -> None:
        """Look for all files, and decode the first.

        Raises
        ------
        InputError
            If a file is missing or cannot be decoded.
        """
        require_files(self.paths)
        decode_image(self.paths[0], self.spec.image_shape[-1])

    def fill(self, writer: StoreWriter, workers: int) -> None:
        """Decode what is not there yet, in processes that write what they decode themselves."""
        decode = partial(_decode_chunk, rows=writer.rows)
        starts = range(writer.done, self.spec.total, CHUNK)
        chunks = ((start, self.paths[start : start + CHUNK]) for start in starts)
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
