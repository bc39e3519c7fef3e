"""The factors of the hair: colour, cut, waves, hairline and fringe."""

from __future__ import annotations

import numpy as np

from datasets.stand_ins.drawing import Dice, Factors, hsv, only_where
from datasets.stand_ins.faces.labels import HAIR_COLOURS


def sample_hair(on: Factors, dice: Dice) -> Factors:
    """Draw every factor of the hair.

    Parameters
    ----------
    on
        Which images have each attribute, by label, (n,).
    dice
        Positioned at the columns of the hair.

    Returns
    -------
    Factors
        Arrays (n,), or (n, 3) for colours; a length of 0 is short hair and 1 very long hair.
    """
    male, wavy, bangs = on["Male"], on["Wavy_Hair"], on["Bangs"]
    receding = on["Receding_Hairline"]
    f = _hair_colour(on, dice)
    cut = dice.uniform()
    length_of_man = np.where(cut < 0.86, 0.0, 0.12 + 0.5 * dice.uniform())
    length_of_woman = np.where(cut < 0.10, 0.0, 0.15 + 0.85 * dice.uniform())
    uncoloured = ~(on["Black_Hair"] | on["Blond_Hair"] | on["Brown_Hair"])
    bald = uncoloured & male & ~wavy & ~bangs & dice.chance(0.22)
    f |= {
        "baldness": bald.astype(float),
        "hair_length": np.where(bald, 0.0, np.where(male, length_of_man, length_of_woman)),
        "hair_volume": dice.uniform(0.035, 0.095)
        + np.where(wavy, dice.uniform(0.020, 0.06), 0.0)
        - np.where(receding, 0.020, 0.0),
        "hair_waviness": np.where(wavy, dice.uniform(0.5, 1.15), dice.uniform(0, 0.08)),
        "wave_frequency": dice.uniform(7.5, 13.0),
        "wave_phase": dice.uniform(0, 2 * np.pi),
        "hairline_y": dice.triangular(-0.40, -0.33),
        "hairline_recession": np.where(receding, dice.uniform(0.5, 1.0), dice.uniform(0, 0.12)),
        "parting_x": dice.uniform(-0.6, 0.6),
        "parting_depth": dice.uniform(),
    }
    f |= only_where(
        bangs,
        {
            "fringe_opacity": dice.uniform(0.6, 1.0),
            "fringe_y": dice.uniform(-0.25, -0.155),
            "fringe_slope": dice.triangular(-0.22, 0.22),
            "fringe_jaggedness": dice.uniform(0.0, 0.035),
            "fringe_frequency": dice.uniform(16, 34),
            "fringe_phase": dice.uniform(0, 6.28),
            "fringe_gaps": dice.uniform(0, 0.9),
        },
    )
    return f | {
        "strand_contrast": dice.uniform(0.06, 0.20),
        "strand_frequency": dice.uniform(24, 46),
    }


def _hair_colour(on: Factors, dice: Dice) -> Factors:
    """Draw the colour from a box in HSV; without a colour label hair is grey, red or dyed."""
    black, blond, brown = (on[label] for label in HAIR_COLOURS)
    hue, saturation, value = dice.uniform(), dice.uniform(), dice.uniform()
    kind = dice.uniform()
    other = ~(black | blond | brown)
    grey = other & np.where(on["Young"], kind < 0.14, kind < 0.78)
    dyed = other & ~grey & (kind > 0.88)
    red = other & ~grey & ~dyed
    boxes = [black, blond, brown, grey, dyed, red]
    h = np.select(
        boxes,
        [
            0.05 + 0.6 * hue * (saturation < 0.3),
            0.105 + 0.035 * hue,
            0.055 + 0.03 * hue,
            0.08 + 0.5 * hue,
            0.35 + 0.6 * hue,
            0.012 + 0.035 * hue,
        ],
    )
    s = np.select(
        boxes,
        [
            0.10 + 0.35 * saturation,
            0.32 + 0.38 * saturation,
            0.42 + 0.30 * saturation,
            0.02 + 0.07 * saturation,
            0.35 + 0.4 * saturation,
            0.58 + 0.24 * saturation,
        ],
    )
    v = np.select(
        boxes,
        [
            0.035 + 0.115 * value,
            0.72 + 0.25 * value,
            0.22 + 0.27 * value,
            0.45 + 0.45 * value,
            0.40 + 0.45 * value,
            0.36 + 0.34 * value,
        ],
    )
    return {
        "hair_hue": h,
        "hair_saturation": s,
        "hair_value": v,
        "hair_colour": hsv(h, s, v),
        "hair_is_grey": grey.astype(float),
        "hair_is_red": red.astype(float),
    }
