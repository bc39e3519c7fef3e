"""Drawn chest X-rays with five CheXpert findings: a stand-in where CheXpert is missing.

The drawings are not for clinical use: they imitate the look of a finding, not its physics.
Figures obtained on them are never comparable with figures on CheXpert. Each finding drives
continuous characteristics that are known exactly, and the same patient can be drawn with one
finding changed. The grey film is replicated to three channels, as CheXpert's is for the models.
As in CheXpert, a finding may be uncertain; the option `uncertain` says what its label then is.
"""

from __future__ import annotations

from functools import partial

from datasets.stand_ins import drawn
from datasets.stand_ins.drawing import Array
from datasets.stand_ins.drawn import Drawn
from datasets.stand_ins.xrays.factors import CHARACTERISTICS, DICE, sample_factors
from datasets.stand_ins.xrays.labels import LABELS, check_policy, sample_labels
from datasets.stand_ins.xrays.render import render

__all__ = ["CHARACTERISTICS", "LABELS", "OPTIONS", "VERSION", "draw", "recipe"]

VERSION = 2
"""Version of the generator; it changes whenever any image does."""

OPTIONS = ("uncertain",)
"""Arguments of `recipe`, which a store of drawn X-rays records."""


def recipe(uncertain: str = "zeros") -> drawn.Recipe:
    """Return the generator of X-rays under a policy for uncertain labels.

    Parameters
    ----------
    uncertain
        What the label of an uncertain finding is, as for CheXpert: `zeros`, `ones`, or `drop`,
        where no finding is uncertain. Under `zeros` and `ones` the images are the same.

    Raises
    ------
    InputError
        If the policy is unknown.
    """
    check_policy(uncertain)
    return drawn.Recipe(
        name="drawn X-rays",
        stream=2,
        labels=LABELS,
        dice=DICE,
        sample_labels=partial(sample_labels, uncertain=uncertain),
        sample_factors=partial(sample_factors, uncertain=uncertain),
        render=render,
    )


def draw(
    n: int,
    *,
    seed: int,
    split: str,
    start: int = 0,
    labels: Array | None = None,
    uncertain: str = "zeros",
) -> Drawn:
    """Draw X-rays `start` to `start + n`; see `recipe` and `datasets.stand_ins.drawn.draw`."""
    return drawn.draw(recipe(uncertain), n, seed=seed, split=split, start=start, labels=labels)
