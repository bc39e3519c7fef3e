"""The 18 attributes and how they go together.

Attributes are drawn one after another: sex, then youth given sex, then the rest given both, and
a few given each other. The marginals follow those published for CelebA (Liu et al. 2015,
arXiv:1411.7766) to about .01. The conditional tables are plausible guesses of ours, not counts:
they give correlations of the right sign and rough size, e.g. between sex and make-up.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from datasets.labels import ATTRIBUTES as LABELS
from datasets.stand_ins.drawing import Array

DICE = 24
"""Columns of uniforms set aside for the labels."""

HAIR_COLOURS = ("Black_Hair", "Blond_Hair", "Brown_Hair")

_MALE = 0.417
_YOUNG_IF_MALE = 0.64
_YOUNG_IF_FEMALE = 0.87
_HAIR_COLOUR_COLUMN = 20


class _Conditional(NamedTuple):
    """Probability of an attribute given sex, and its odds ratio for the young against the old."""

    if_male: float
    if_female: float
    young_odds_ratio: float


# The order is that of the columns of uniforms, from the third on.
_CONDITIONALS = {
    "Heavy_Makeup": _Conditional(0.004, 0.66, 1.8),
    "Arched_Eyebrows": _Conditional(0.06, 0.415, 1.2),
    "Bags_Under_Eyes": _Conditional(0.34, 0.107, 0.45),
    "Bangs": _Conditional(0.085, 0.20, 1.8),
    "Bushy_Eyebrows": _Conditional(0.255, 0.061, 1.6),
    "Chubby": _Conditional(0.12, 0.013, 0.22),
    "Eyeglasses": _Conditional(0.124, 0.023, 0.25),
    "No_Beard": _Conditional(0.605, 0.9995, 0.9),
    "Pale_Skin": _Conditional(0.023, 0.057, 1.3),
    "Receding_Hairline": _Conditional(0.125, 0.048, 0.25),
    "Smiling": _Conditional(0.40, 0.54, 0.9),
    "Wavy_Hair": _Conditional(0.14, 0.45, 1.2),
    "Wearing_Necktie": _Conditional(0.173, 0.0015, 0.35),
}

# P(black), P(blond), P(brown) by [male][young]; the rest is grey, red, dyed or bald.
_HAIR_COLOUR = np.array(
    [
        [(0.13, 0.26, 0.13), (0.205, 0.235, 0.260)],
        [(0.18, 0.022, 0.13), (0.37, 0.020, 0.165)],
    ]
)


def column(label: str) -> int:
    """Return the position of an attribute in LABELS."""
    return LABELS.index(label)


def sample_labels(uniforms: Array) -> Array:
    """Draw the attributes.

    Parameters
    ----------
    uniforms
        Numbers in [0, 1), shape (n, DICE or more).

    Returns
    -------
    Array
        uint8 (n, 18) in the order of LABELS. At most one hair colour is set.
    """
    y = np.zeros((len(uniforms), len(LABELS)), np.uint8)
    male = uniforms[:, 0] < _MALE
    young = uniforms[:, 1] < np.where(male, _YOUNG_IF_MALE, _YOUNG_IF_FEMALE)
    y[:, column("Male")], y[:, column("Young")] = male, young
    sex_and_age = male.astype(int), young.astype(int)

    for position, label in enumerate(_CONDITIONALS, start=2):
        probability = _probabilities(label)[sex_and_age]
        if label in ("Arched_Eyebrows", "Wavy_Hair"):  # both go with make-up
            made_up = y[:, column("Heavy_Makeup")] == 1
            given_makeup = probability * np.where(made_up, 1.10, 0.806)
            probability = np.where(male, probability, given_makeup)
        if label == "Receding_Hairline":  # a fringe hides it
            probability = probability * np.where(y[:, column("Bangs")] == 1, 0.12, 1.06)
        y[:, column(label)] = uniforms[:, position] < probability

    bounds = _HAIR_COLOUR.cumsum(2)[sex_and_age]
    bin_of = (uniforms[:, _HAIR_COLOUR_COLUMN, None] >= bounds).sum(1)
    for position, label in enumerate(HAIR_COLOURS):
        y[:, column(label)] = bin_of == position
    return y


@cache
def _probabilities(label: str) -> Array:
    """Return P(label | male, young), indexed [male][young]."""
    conditional = _CONDITIONALS[label]
    ratio = conditional.young_odds_ratio
    return np.array(
        [
            _split_by_age(conditional.if_female, _YOUNG_IF_FEMALE, ratio),
            _split_by_age(conditional.if_male, _YOUNG_IF_MALE, ratio),
        ]
    )


def _split_by_age(mean: float, young: float, odds_ratio: float) -> tuple[float, float]:
    """Return the probabilities for the old and the young with this mean and odds ratio.

    With m for the old, the young have m r / (1 - m + m r); setting the mean over age gives a
    quadratic in m, whose root in [0, 1] is taken in the form that also holds for r = 1.
    """
    square = (1 - young) * (odds_ratio - 1)
    linear = (1 - young) + young * odds_ratio - mean * (odds_ratio - 1)
    old = 2 * mean / (linear + np.sqrt(linear**2 + 4 * square * mean))
    odds = old / (1 - old) * odds_ratio
    return float(old), float(odds / (1 + odds))
