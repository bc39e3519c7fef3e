"""Pictures small enough to be kept under version control."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

WIDEST = 800
COLOURS = 256
MOVES = 3
"""How often the colours of a palette are moved to the mean of those that they stand for."""


def shrink(source: Path, target: Path, widest: int = WIDEST) -> None:
    """Write a picture as a PNG of at most `widest` pixels across, with a palette of `COLOURS`."""
    with Image.open(source) as opened:
        picture = opened.convert("RGB")
    if picture.width > widest:
        height = round(picture.height * widest / picture.width)
        picture = picture.resize((widest, height), Image.Resampling.LANCZOS)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not Pillow's median cut: it gives colours that few pixels have, like the ends of a colour
    # scale, to their neighbours. What covers most is moved to what is there, or shades turn into
    # bands.
    reduced = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=MOVES)
    reduced.save(target, optimize=True)
