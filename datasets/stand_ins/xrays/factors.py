"""From findings to continuous characteristics, and the nuisances that no finding drives.

Lengths are in units of the half-image in the frame of an upright patient, y down and x towards
the patient's left, which is the right of the image. Densities add to the brightness of the
film. The factors of a finding that is absent are 0; the size of the heart is always there. The
strength of a finding, below 1 where it is uncertain, is in how dense, large or high it is.
"""

from __future__ import annotations

import numpy as np

from datasets.stand_ins.drawing import Array, Dice, Factors, only_where
from datasets.stand_ins.xrays.labels import DICE as LABEL_DICE
from datasets.stand_ins.xrays.labels import sample_strengths

DICE = 128
"""Columns of uniforms per image: those of the labels, those of the factors and some to spare."""

CHARACTERISTICS: dict[str, tuple[str, ...]] = {
    "Cardiomegaly": ("cardiothoracic_ratio",),
    "Edema": (
        "edema_haze",
        "edema_spread",
        "edema_asymmetry",
        "interstitial_texture",
        "kerley_lines",
        "kerley_frequency",
    ),
    "Consolidation": (
        "consolidation_density",
        "consolidation_side",
        "consolidation_x",
        "consolidation_y",
        "consolidation_radius",
        "consolidation_aspect",
        "air_bronchograms",
        "second_focus",
        "second_focus_x",
        "second_focus_y",
        "ragged_phase",
        "second_ragged_phase",
    ),
    "Atelectasis": (
        "plate_density",
        "plate_side",
        "plate_x",
        "plate_y",
        "plate_tilt",
        "plate_thickness",
        "plate_length",
        "second_plate",
        "volume_loss",
        "mediastinal_shift",
    ),
    "Pleural Effusion": ("effusion_right", "effusion_left", "meniscus"),
}
"""The factors that each finding moves: flipping it alone changes these and no others."""


def sample_factors(labels: Array, uniforms: Array, uncertain: str) -> Factors:
    """Draw every factor of the X-rays.

    Parameters
    ----------
    labels
        0 or 1, shape (n, 5), in the order of `labels.LABELS`.
    uniforms
        Numbers in [0, 1), shape (n, DICE).
    uncertain
        What uncertain findings are labelled, see `sample_strengths`.

    Returns
    -------
    Factors
        Arrays (n,).
    """
    strengths = sample_strengths(labels, uniforms, uncertain)
    cardiomegaly, edema, consolidation, atelectasis, effusion = strengths.T
    dice = Dice(uniforms, LABEL_DICE)
    f = _acquisition(dice)
    f |= _habitus(dice)
    f |= _anatomy(dice)
    f |= _devices(dice)
    f |= _heart(cardiomegaly, dice)
    f |= only_where(edema > 0, _edema(edema, dice))
    f |= only_where(consolidation > 0, _consolidation(consolidation, dice))
    f |= only_where(atelectasis > 0, _atelectasis(atelectasis, dice))
    f |= only_where(effusion > 0, _effusion(effusion, dice))
    return f


def _acquisition(dice: Dice) -> Factors:
    """Draw position, exposure and film."""
    return {
        "shift_x": dice.triangular(-0.09, 0.09),
        "shift_y": dice.triangular(-0.09, 0.09),
        "rotation": np.deg2rad(dice.triangular(-7, 7)),
        "scale": dice.triangular(0.98, 1.24),
        "patient_width": dice.triangular(0.92, 1.10),
        "exposure_gain": dice.triangular(0.85, 1.20),
        "exposure_offset": dice.triangular(-0.08, 0.08),
        "gamma": dice.triangular(0.75, 1.35),
        "noise_level": dice.uniform(0.008, 0.035),
        "blur": dice.uniform(0, 0.6),
        "exposure_gradient": dice.triangular(-0.10, 0.10),
    }


def _habitus(dice: Dice) -> Factors:
    """Draw the build of the patient and how deeply they breathed in."""
    female = dice.chance(0.41).astype(float)
    return {
        "female": female,
        "breast_density": female * dice.uniform(0.02, 0.11),
        "breast_x": dice.triangular(0.38, 0.52),
        "breast_y": dice.triangular(0.10, 0.30),
        "body_fat": dice.uniform(),
        "chest_half_width": dice.triangular(0.69, 0.77) - 0.02 * female,
        "apex_y": dice.triangular(-0.80, -0.68),
        "inspiration": dice.triangular(-0.10, 0.10),
        "dome_height": dice.triangular(0.10, 0.19),
    }


def _anatomy(dice: Dice) -> Factors:
    """Draw how strongly bones, vessels and the stomach show."""
    return {
        "lung_darkness": dice.triangular(0.34, 0.44),
        "rib_contrast": dice.uniform(0.035, 0.085),
        "rib_offset": dice.uniform(0, 0.15),
        "rib_spacing": dice.triangular(0.135, 0.165),
        "clavicle_contrast": dice.uniform(0.05, 0.13),
        "clavicle_tilt": dice.triangular(-0.08, 0.08),
        "spine_contrast": dice.uniform(0.02, 0.09),
        "stomach_gas": dice.chance(0.5) * dice.uniform(0.08, 0.25),
        "stomach_gas_x": dice.uniform(0.28, 0.48),
        "stomach_gas_radius": dice.uniform(0.07, 0.14),
        "vessel_contrast": dice.uniform(0.02, 0.05),
        "vessel_count": dice.uniform(9, 16),
        "vessel_phase": dice.uniform(0, 6.28),
        "aortic_knob": dice.uniform(0.0, 0.055),
        "hilar_density": dice.uniform(0.03, 0.10),
    }


def _devices(dice: Dice) -> Factors:
    """Draw leads, pacemaker, side marker and the shadow of the arms."""
    return {
        "lead_contrast": dice.chance(0.22) * dice.uniform(0.10, 0.30),
        "lead_x": dice.uniform(-0.5, 0.5),
        "lead_y": dice.uniform(-0.6, 0.6),
        "lead_frequency": dice.uniform(2, 6),
        "pacemaker_contrast": dice.chance(0.07) * dice.uniform(0.3, 0.5),
        "marker_contrast": dice.chance(0.6) * dice.uniform(0.2, 0.5),
        "marker_side": dice.side(),
        "marker_y": dice.uniform(-0.95, -0.75),
        "arm_shadow": dice.uniform(0, 0.12),
    }


def _heart(strength: Array, dice: Dice) -> Factors:
    """Draw the heart; it is enlarged when it spans more than about half of the chest."""
    large, normal = 0.525 + 0.155 * dice.uniform() ** 1.2, 0.385 + 0.115 * dice.uniform() ** 0.8
    return {
        "cardiothoracic_ratio": normal + strength * (large - normal),
        "heart_y": dice.triangular(0.20, 0.29),
        "heart_height": dice.triangular(0.26, 0.33),
        "heart_left_share": dice.triangular(0.66, 0.76),
        "heart_tilt": dice.triangular(0.05, 0.55),
    }


def _edema(strength: Array, dice: Dice) -> Factors:
    """Draw fluid in both lungs: haze about the hila, interstitial texture and Kerley lines."""
    return {
        "edema_haze": strength * dice.uniform(0.35, 1.0),
        "edema_spread": dice.uniform(0.22, 0.42),
        "edema_asymmetry": dice.triangular(-0.35, 0.35),
        "kerley_lines": strength * dice.uniform(),
        "interstitial_texture": strength * dice.uniform(0.2, 1.0),
        "kerley_frequency": dice.uniform(40, 62),
    }


def _consolidation(strength: Array, dice: Dice) -> Factors:
    """Draw one or two ragged opacities in one lung, some with air-filled bronchi."""
    return {
        "consolidation_density": strength * dice.uniform(0.6, 1.1),
        "consolidation_side": dice.side(),
        "consolidation_x": dice.uniform(0.28, 0.60),
        "consolidation_y": dice.uniform(-0.48, 0.34),
        "consolidation_radius": dice.uniform(0.13, 0.27),
        "consolidation_aspect": dice.uniform(0.6, 1.5),
        "air_bronchograms": dice.chance(0.5) * dice.uniform(0.2, 0.7),
        "second_focus": dice.chance(0.3) * dice.uniform(0.4, 1.0),
        "second_focus_x": dice.uniform(0.28, 0.60),
        "second_focus_y": dice.uniform(-0.40, 0.36),
        "ragged_phase": dice.uniform(0, 6.28),
        "second_ragged_phase": dice.uniform(0, 6.28),
    }


def _atelectasis(strength: Array, dice: Dice) -> Factors:
    """Draw plates at the base of one lung, and the loss of volume on that side."""
    return {
        "plate_density": strength * dice.uniform(0.5, 1.0),
        "plate_side": dice.side(),
        "plate_y": dice.uniform(0.02, 0.30),
        "plate_tilt": dice.triangular(-0.55, 0.55),
        "plate_thickness": dice.uniform(0.020, 0.046),
        "plate_x": dice.uniform(0.30, 0.52),
        "plate_length": dice.uniform(0.16, 0.30),
        "second_plate": dice.chance(0.45).astype(float),
        "volume_loss": strength * dice.uniform(0.03, 0.19),
        "mediastinal_shift": strength * dice.uniform(0.0, 0.085),
    }


def _effusion(strength: Array, dice: Dice) -> Factors:
    """Draw the height of the fluid on the right, on the left or on both sides."""
    side = dice.uniform()
    return {
        "effusion_right": strength * (side < 0.62) * dice.uniform(0.10, 0.62) ** 1.15,
        "effusion_left": strength * (side > 0.34) * dice.uniform(0.10, 0.62) ** 1.15,
        "meniscus": strength * dice.uniform(0.10, 0.30),
    }
