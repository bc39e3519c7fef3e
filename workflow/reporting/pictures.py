"""Pictures small enough to be kept under version control."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

WIDEST = 1200
COLOURS = 256


def shrink(source: Path, target: Path) -> None:
    """Write a picture as a PNG of at most `WIDEST` pixels across, with a palette of `COLOURS`."""
    with Image.open(source) as opened:
        picture = opened.convert("RGB")
    if picture.width > WIDEST:
        height = round(picture.height * WIDEST / picture.width)
        picture = picture.resize((WIDEST, height), Image.Resampling.LANCZOS)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not Pillow's median cut: it gives colours that few pixels have, like the ends of a colour
    # scale, to their neighbours.
    picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(target, optimize=True)
