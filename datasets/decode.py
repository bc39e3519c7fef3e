"""From an image file to the pixels of a store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from PIL import Image

from ccvae.errors import InputError

DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes of grey images with more than eight bits."""
BITS = (8, 10, 12, 14, 16)
"""Depths that grey levels are recorded with, in files of 16 bits."""


def decode_image(
    path: str | os.PathLike[str], size: int, *, white: int | None = None
) -> np.ndarray:
    """Read one image file: uint8 (3, size, size), squeezed to a square without cropping.

    The image is resized by Pillow's bilinear filter; a grey image gets three equal channels, and
    transparency is ignored. A JPEG may be decoded at 1/2, 1/4 or 1/8 of its size (`draft`), but
    only as far as at least twice `size` is left: below that the result would differ visibly from
    resizing the full image. CelebA's 178 x 218 pixels are always decoded in full.

    Parameters
    ----------
    path
        The file.
    size
        Pixels along each side.
    white
        What is white in a grey image of 16 bits, from `white_level`; None for their largest number.

    Raises
    ------
    InputError
        If the file is missing, truncated or no image, or has levels below black or above white.
    """
    white = white or 2 ** BITS[-1] - 1
    with _opened(path) as image:
        image.draft(None, (2 * size, 2 * size))
        if image.mode in DEEP:
            image = _levels(path, image, white)
        elif image.mode not in ("L", "RGB"):
            # Pillow warns of transparent colours in a palette unless it is asked to keep them.
            image = (image.convert("RGBA") if image.mode == "P" else image).convert("RGB")
        array = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
    if array.dtype != np.uint8:
        array = np.rint(array * (255 / white)).astype(np.uint8)
    if array.ndim == 2:
        return np.repeat(array[None], 3, axis=0)
    return array.transpose(2, 0, 1)


def white_level(paths: Sequence[str]) -> int | None:
    """Return the level of white in grey images of 16 bits; None where no image is one.

    Twelve bits are often stored in sixteen, so that the depth is not that of the format: it is the
    smallest of `BITS` that none of these images exceeds.

    Parameters
    ----------
    paths
        Images that belong together.

    Raises
    ------
    InputError
        If an image cannot be read, or has levels that cannot be known to be used in full.
    """
    highest, upper_bits, coloured = -1, 0, ""
    for path in paths:
        with _opened(path) as image:
            if image.mode in DEEP:
                highest = max(highest, int(np.asarray(image).max()))
            elif ";16" in str(getattr(image, "tile", "")):
                # Pillow reads the upper eight bits only of each colour.
                coloured = path
                upper_bits = max(upper_bits, int(np.asarray(image.convert("RGB")).max()))
    if coloured and upper_bits < 128:
        raise InputError(
            f"The image {coloured} has 16 bits for each colour, of which the highest is never "
            "used; convert the images to 8 bits."
        )
    if highest < 0:
        return None
    return next((2**bits - 1 for bits in BITS if highest < 2**bits), 2 ** BITS[-1] - 1)


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """Open an image, and say of what goes wrong with it which image it is."""
    try:
        with Image.open(path) as image:
            if image.mode == "F":
                raise InputError(
                    f"The image {path} has pixels with decimals, whose black and white are nowhere "
                    "said; convert the images to 8 or 16 bits."
                )
            yield image
    except FileNotFoundError as error:
        raise InputError(f"The image {path} is missing; complete the data set.") from error
    except PermissionError as error:
        raise InputError(f"The image {path} may not be read; change its rights.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            f"The image {path} cannot be decoded ({error}); replace the file by a whole one."
        ) from error


def _levels(path: str | os.PathLike[str], image: Image.Image, white: int) -> Image.Image:
    """Return a deep image's levels as decimals, which no filter clips."""
    levels = np.asarray(image)
    for level in (levels.min(), levels.max()):
        if not 0 <= level <= white:
            raise InputError(
                f"The image {path} has the level {level}, where others of its data set have levels "
                f"from 0 to {white}; convert the images to 8 bits."
            )
    return Image.fromarray(levels.astype(np.float32))
