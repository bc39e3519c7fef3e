"""Drawn chest X-rays with five CheXpert findings: a stand-in where CheXpert is missing.

The drawings are not for clinical use: they imitate the look of a finding, not its physics.
Figures obtained on them are never comparable with figures on CheXpert. Each finding drives
continuous characteristics that are known exactly, and the same patient can be drawn with one
finding changed. The grey film is replicated to three channels, as CheXpert's is for the models.
"""

from __future__ import annotations

from collections.abc import Iterator

from datasets.stand_ins import drawn
from datasets.stand_ins.drawing import Array
from datasets.stand_ins.drawn import Drawn
from datasets.stand_ins.xrays.factors import CHARACTERISTICS, DICE, sample_factors
from datasets.stand_ins.xrays.labels import LABELS, sample_labels
from datasets.stand_ins.xrays.render import render

__all__ = ["CHARACTERISTICS", "LABELS", "RECIPE", "VERSION", "draw", "iterate"]

VERSION = 1
"""Version of the generator; it changes whenever any image does."""

RECIPE = drawn.Recipe(
    name="drawn X-rays",
    stream=2,
    labels=LABELS,
    dice=DICE,
    sample_labels=sample_labels,
    sample_factors=sample_factors,
    render=render,
)


def draw(n: int, *, seed: int, split: str, start: int = 0, labels: Array | None = None) -> Drawn:
    """Draw X-rays `start` to `start + n`; see `datasets.stand_ins.drawn.draw`."""
    return drawn.draw(RECIPE, n, seed=seed, split=split, start=start, labels=labels)


def iterate(n: int, *, seed: int, split: str, chunk: int = 512) -> Iterator[Drawn]:
    """Draw the first `n` X-rays in chunks; see `datasets.stand_ins.drawn.iterate`."""
    return drawn.iterate(RECIPE, n, seed=seed, split=split, chunk=chunk)
