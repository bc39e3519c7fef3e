"""From labels to continuous characteristics, and the nuisances that no label drives.

Every label narrows the range of some continuous factors; which value an image takes within the
range is up to the dice. Lengths are in units of the half-image in the frame of an upright face,
y down, with the eyes near y = 0. The factors of a thing that is absent (beard, fringe, glasses,
tie) are 0.
"""

from __future__ import annotations

import numpy as np

from datasets.stand_ins.drawing import Array, Dice, Factors, hsv, only_where
from datasets.stand_ins.faces.factors_hair import sample_hair
from datasets.stand_ins.faces.labels import DICE as LABEL_DICE
from datasets.stand_ins.faces.labels import LABELS

DICE = 256
"""Columns of uniforms per image: those of the labels, those of the factors and some to spare."""

_SKIN_RAMP = np.array(
    [
        [0.30, 0.19, 0.14],
        [0.50, 0.33, 0.24],
        [0.70, 0.49, 0.37],
        [0.84, 0.63, 0.51],
        [0.93, 0.75, 0.64],
        [0.97, 0.85, 0.78],
        [0.99, 0.93, 0.90],
    ]
)


def sample_factors(labels: Array, uniforms: Array) -> Factors:
    """Draw every factor of the faces.

    Parameters
    ----------
    labels
        0 or 1, shape (n, 18), in the order of LABELS.
    uniforms
        Numbers in [0, 1), shape (n, DICE).

    Returns
    -------
    Factors
        Arrays (n,), or (n, 3) for colours.
    """
    on = {label: labels[:, i].astype(bool) for i, label in enumerate(LABELS)}
    dice = Dice(uniforms, LABEL_DICE)
    f = _pose_and_light(dice)
    f |= _background(dice)
    f |= _skin(on, dice)
    f |= _build(on, dice)
    f |= _eyes_and_brows(on, dice, f["ageing"])
    f |= _nose_and_mouth(on, dice, f["ageing"])
    f |= _makeup(on, dice)
    f |= _beard(on, dice)
    f |= sample_hair(on, dice)
    f |= _glasses(on, dice)
    f |= _clothes(on, dice)
    return f


def _pose_and_light(dice: Dice) -> Factors:
    """Draw pose, light and camera; the range of poses is narrow because CelebA is aligned."""
    return {
        "shift_x": dice.triangular(-0.07, 0.07),
        "shift_y": dice.triangular(-0.06, 0.06) - 0.08,
        "roll": np.deg2rad(dice.triangular(-8, 8)),
        "scale": dice.triangular(1.10, 1.32),
        "yaw": dice.triangular(-1, 1),
        "light_x": dice.triangular(-1, 1),
        "light_y": dice.uniform(-0.5, 0.3),
        "light_strength": dice.uniform(0.05, 0.28),
        "exposure": dice.triangular(-0.14, 0.14),
        "colour_temperature": dice.triangular(-0.06, 0.06),
        "blur": dice.uniform(0, 0.6),
        "noise_level": dice.uniform(0.004, 0.022),
    }


def _background(dice: Dice) -> Factors:
    near = hsv(dice.uniform(), dice.uniform(0, 0.75) * dice.uniform(), dice.uniform(0.10, 0.98))
    change = np.stack([dice.uniform(), dice.uniform(), dice.uniform()], 1) - 0.5
    return {
        "background_colour": near,
        "background_far_colour": np.clip(near + change * 0.5, 0, 1),
        "background_angle": dice.uniform(0, 2 * np.pi),
        "blob_x": dice.uniform(-1, 1),
        "blob_y": dice.uniform(-1, 0.3),
        "blob_radius": dice.uniform(0.15, 0.5),
        "blob_colour": hsv(dice.uniform(), dice.uniform(0, 0.6), dice.uniform(0.1, 1.0)),
        "blob_opacity": dice.uniform(-0.5, 0.9).clip(0),
    }


def _skin(on: Factors, dice: Dice) -> Factors:
    """Draw the skin; the ranges of pale and other skin touch, at .82 and .76 of the ramp."""
    dark = dice.uniform() < 0.16
    other = np.where(dark, 0.02 + 0.40 * dice.uniform(), 0.42 + 0.34 * dice.uniform() ** 0.8)
    tone = np.where(on["Pale_Skin"], 0.82 + 0.14 * dice.uniform(), other)
    redness = dice.uniform(-0.02, 0.02)[:, None] * np.array([1, 0, -1.0])
    return {"skin_tone": tone, "skin_colour": np.clip(_skin_colour(tone) + redness, 0, 1)}


def _skin_colour(tone: Array) -> Array:
    """Interpolate the ramp of skin colours at `tone` in [0, 1], shape (n,) to (n, 3)."""
    position = np.clip(tone, 0, 1) * (len(_SKIN_RAMP) - 1)
    stop = np.minimum(position.astype(int), len(_SKIN_RAMP) - 2)
    weight = (position - stop)[:, None]
    return _SKIN_RAMP[stop] * (1 - weight) + _SKIN_RAMP[stop + 1] * weight


def _build(on: Factors, dice: Dice) -> Factors:
    """Draw the shape of head and shoulders, and the signs of age."""
    male = on["Male"]
    full = np.where(on["Chubby"], dice.uniform(0.5, 1.15), dice.uniform(0, 0.30))

    def by_sex(man: tuple[float, float], woman: tuple[float, float]) -> Array:
        return np.where(male, dice.triangular(*man), dice.triangular(*woman))

    return {
        "face_fullness": full,
        "face_half_width": by_sex((0.355, 0.405), (0.335, 0.385)) + 0.125 * full,
        "jaw_squareness": by_sex((2.3, 3.1), (1.85, 2.35)) + 0.55 * full,
        "chin_y": by_sex((0.46, 0.51), (0.43, 0.48)) - 0.015 * full,
        "neck_half_width": by_sex((0.20, 0.25), (0.135, 0.18)) + 0.06 * full,
        "shoulder_half_width": by_sex((0.92, 1.25), (0.70, 0.98)),
        "shoulder_y": dice.triangular(0.60, 0.70),
        "ageing": np.where(on["Young"], dice.uniform(0, 0.20), dice.uniform(0.5, 1.15)),
    }


def _eyes_and_brows(on: Factors, dice: Dice, ageing: Array) -> Factors:
    arched, bushy, bags = on["Arched_Eyebrows"], on["Bushy_Eyebrows"], on["Bags_Under_Eyes"]
    f = {
        "eye_spacing": dice.triangular(0.155, 0.185),
        "eye_half_width": dice.triangular(0.074, 0.094),
        "eye_half_height": dice.triangular(0.030, 0.050) - 0.006 * ageing,
        "gaze": dice.triangular(-0.03, 0.03),
    }
    brown_eyes = dice.chance(0.6)[:, None]
    brown = hsv(
        0.06 + 0.03 * dice.uniform(), 0.5 + 0.3 * dice.uniform(), 0.12 + 0.28 * dice.uniform()
    )
    light = hsv(
        0.35 + 0.28 * dice.uniform(), 0.25 + 0.4 * dice.uniform(), 0.35 + 0.35 * dice.uniform()
    )
    return f | {
        "iris_colour": np.where(brown_eyes, brown, light),
        "brow_arch": np.where(arched, dice.uniform(0.064, 0.125), dice.uniform(-0.012, 0.020)),
        "brow_peak": dice.uniform(0.50, 0.75),
        "brow_tilt": dice.triangular(-0.035, 0.035),
        "brow_thickness": np.where(bushy, dice.uniform(0.066, 0.108), dice.uniform(0.020, 0.044)),
        "brow_roughness": np.where(bushy, dice.uniform(0.3, 1), dice.uniform(0, 0.25)),
        "brow_y": np.where(
            on["Male"], dice.triangular(-0.165, -0.125), dice.triangular(-0.19, -0.145)
        ),
        "eye_bag_strength": np.where(bags, dice.uniform(0.5, 1.15), dice.uniform(0, 0.12)),
        "eye_bag_width": dice.uniform(0.8, 1.15),
        "eye_bag_drop": dice.uniform(0.050, 0.072),
    }


def _nose_and_mouth(on: Factors, dice: Dice, ageing: Array) -> Factors:
    """Draw nose and mouth; a mouth that does not smile can be open too."""
    male, smiling = on["Male"], on["Smiling"]
    f = {
        "nose_length": dice.triangular(0.115, 0.165),
        "nose_half_width": np.where(
            male, dice.triangular(0.055, 0.085), dice.triangular(0.042, 0.066)
        ),
        "mouth_corner_lift": np.where(
            smiling, dice.uniform(0.045, 0.130), dice.uniform(-0.034, 0.016)
        ),
    }
    opening = dice.uniform()
    return f | {
        "mouth_opening": np.where(
            smiling, (opening - 0.18).clip(0) * 0.105, (opening - 0.80).clip(0) * 0.20
        ),
        "mouth_half_width": np.where(
            smiling, dice.triangular(0.150, 0.215), dice.triangular(0.105, 0.160)
        ),
        "mouth_y": dice.triangular(0.245, 0.285),
        "lip_thickness": np.where(
            male, dice.triangular(0.020, 0.034), dice.triangular(0.026, 0.048)
        )
        * (1 - 0.25 * ageing),
    }


def _makeup(on: Factors, dice: Dice) -> Factors:
    strength = np.where(on["Heavy_Makeup"], dice.uniform(0.55, 1.0), dice.uniform(0, 0.14))
    lipstick = hsv(
        (0.93 + 0.09 * dice.uniform()) % 1,
        0.62 + 0.33 * dice.uniform(),
        0.45 + 0.45 * dice.uniform(),
    )
    cool = dice.chance(0.5)
    hue = np.where(cool, 0.55 + 0.35 * dice.uniform(), 0.02 + 0.08 * dice.uniform())
    shadow = hsv(hue, 0.25 + 0.5 * dice.uniform(), 0.18 + 0.5 * dice.uniform())
    return {
        "makeup_strength": strength,
        "lipstick_colour": lipstick,
        "eye_shadow_colour": shadow,
        "eye_shadow_opacity": strength * dice.uniform(0.45, 1.0),
        "blush_opacity": strength * dice.uniform(0.1, 0.6),
        "eye_liner": strength * dice.uniform(0.5, 1.0),
    }


def _beard(on: Factors, dice: Dice) -> Factors:
    """Draw a full beard, a goatee or a moustache alone; `beard_reach` is how far it spreads."""
    density = dice.uniform(0.42, 0.95)
    kind = dice.uniform()
    full, moustache_only = kind < 0.55, kind >= 0.85
    beard = {
        "beard_density": density,
        "beard_reach": np.where(full, 0.60, np.where(moustache_only, 0.0, 0.17)),
        "moustache_density": np.where(full, dice.uniform(-0.1, 1.0), dice.uniform(0.35, 1.0)).clip(
            0
        ),
        "beard_inner_radius": dice.uniform(0.60, 0.80),
        "beard_length": dice.uniform(-0.05, 0.10).clip(0) * ~moustache_only,
    }
    return only_where(~on["No_Beard"], beard)


def _glasses(on: Factors, dice: Dice) -> Factors:
    glasses = {
        "glasses_opacity": dice.uniform(0.75, 1.0),
        "lens_half_width": dice.uniform(0.105, 0.142),
        "lens_half_height": dice.uniform(0.072, 0.118),
        "lens_squareness": dice.uniform(2.0, 5.0),
        "frame_thickness": dice.uniform(0.024, 0.045),
    }
    dull = dice.chance(0.75)
    dull_frame = hsv(np.full(len(dull), 0.05), dice.uniform(0, 0.5), dice.uniform(0.03, 0.22))
    vivid_frame = hsv(dice.uniform(), dice.uniform(0.5, 0.9), dice.uniform(0.25, 0.6))
    tint = dice.uniform()
    glasses |= {
        "frame_colour": np.where(dull[:, None], dull_frame, vivid_frame),
        "lens_tint": np.where(tint < 0.2, 0.55 + 1.9 * tint, 0.12 * tint),
    }
    return only_where(on["Eyeglasses"], glasses)


def _clothes(on: Factors, dice: Dice) -> Factors:
    """Draw the clothes; a suit or a collar without a tie also occurs."""
    male, necktie = on["Male"], on["Wearing_Necktie"]
    kind = dice.uniform()
    f = {
        "suit": np.where(necktie, dice.chance(0.85), kind < np.where(male, 0.30, 0.10)),
        "collar": necktie | (kind < 0.42),
        "bare_shoulders": ~necktie & (kind > np.where(male, 0.97, 0.72)),
    }
    f = {name: value.astype(float) for name, value in f.items()}
    f["neckline_depth"] = (~necktie & (kind > 0.55)) * dice.uniform(0.12, 0.34)
    f["clothes_colour"] = hsv(
        dice.uniform(), dice.uniform(0.0, 0.85) * dice.uniform(0.3, 1), dice.uniform(0.08, 0.92)
    )
    f["suit_colour"] = hsv(
        np.where(dice.chance(0.5), 0.62, 0.08), dice.uniform(0.0, 0.45), dice.uniform(0.05, 0.38)
    )
    white = dice.chance(0.6)[:, None]
    white_shirt = dice.uniform(0.82, 1.0)[:, None] * np.ones(3)
    coloured_shirt = hsv(dice.uniform(), dice.uniform(0.08, 0.4), dice.uniform(0.6, 0.95))
    f["shirt_colour"] = np.where(white, white_shirt, coloured_shirt)
    tie = {
        "tie_opacity": np.ones(len(kind)),
        "tie_colour": hsv(dice.uniform(), dice.uniform(0.35, 0.95), dice.uniform(0.12, 0.75)),
        "tie_stripe_colour": hsv(dice.uniform(), dice.uniform(0.0, 0.6), dice.uniform(0.3, 1.0)),
        "tie_width": dice.uniform(0.075, 0.125),
        "tie_stripe_contrast": dice.chance(0.45) * dice.uniform(0.4, 1.0),
        "tie_stripe_frequency": dice.uniform(22, 44),
    }
    return f | only_where(necktie, tie)
