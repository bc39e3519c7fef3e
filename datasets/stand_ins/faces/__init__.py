"""Drawn faces with the 18 CelebA attributes of the paper: a stand-in where CelebA is missing.

Every attribute drives continuous characteristics that are known exactly, and the same face can
be drawn with one attribute changed, which photographs cannot offer. The faces are drawings:
figures obtained on them are never comparable with figures on CelebA.
"""

from __future__ import annotations

from datasets.stand_ins import drawn
from datasets.stand_ins.drawing import Array
from datasets.stand_ins.drawn import Drawn
from datasets.stand_ins.faces.characteristics import CHARACTERISTICS
from datasets.stand_ins.faces.factors import DICE, sample_factors
from datasets.stand_ins.faces.labels import LABELS, sample_labels
from datasets.stand_ins.faces.render import render

__all__ = ["CHARACTERISTICS", "LABELS", "OPTIONS", "VERSION", "draw", "recipe"]

VERSION = 1
"""Version of the generator; it changes whenever any image does."""

OPTIONS: tuple[str, ...] = ()
"""Arguments of `recipe`."""


def recipe() -> drawn.Recipe:
    """Return the generator of faces."""
    return drawn.Recipe(
        name="drawn faces",
        stream=1,
        labels=LABELS,
        dice=DICE,
        sample_labels=sample_labels,
        sample_factors=sample_factors,
        render=render,
    )


def draw(n: int, *, seed: int, split: str, start: int = 0, labels: Array | None = None) -> Drawn:
    """Draw faces `start` to `start + n`; see `datasets.stand_ins.drawn.draw`."""
    return drawn.draw(recipe(), n, seed=seed, split=split, start=start, labels=labels)
