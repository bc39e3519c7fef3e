"""Draw a batch of chest X-rays by adding up densities. Not for clinical use."""

from __future__ import annotations

import numpy as np

from datasets.stand_ins.drawing import Array, Factors, bell, photograph, smoothstep, spot
from datasets.stand_ins.xrays.chest import Chest
from datasets.stand_ins.xrays.findings import atelectasis, consolidation, edema


def render(factors: Factors, rng: np.random.Generator) -> Array:
    """Draw one batch.

    Parameters
    ----------
    factors
        As returned by `sample_factors`, (n,).
    rng
        Source of the texture of tissue and of the noise. What is drawn from it depends on n
        alone, so that counterfactuals share their noise.

    Returns
    -------
    Array
        uint8 (n, 1, 64, 64).
    """
    chest = Chest(factors, rng)
    density = body_and_mediastinum(chest)
    density += spine_and_airway(chest)
    density += stomach_gas(chest)
    density += hila_and_vessels(chest)
    density += edema(chest)
    density += consolidation(chest)
    density += atelectasis(chest)
    density += breasts(chest)
    density += ribs_and_clavicles(chest)
    density += devices(chest)
    return _film(chest, density, rng)[:, None]


def body_and_mediastinum(chest: Chest) -> Array:
    """Return the density of soft tissue less that of air, with heart and mediastinum on top.

    Fluid in the pleura shows here: it takes the place of the air.
    """
    f, y, body = chest.f, chest.y, chest.body
    depth = np.sqrt(np.clip(1 - (chest.x / 1.05) ** 2, 0, 1))
    density = body * (0.50 + 0.10 * depth)
    density += f["arm_shadow"] * body * smoothstep(chest.abs_x, 0.78, 0.95)
    density -= f["lung_darkness"] * chest.lung * (1 - chest.fluid * 0.97)
    half_width = 0.13 + 0.03 * smoothstep(y, -0.5, -0.2)
    mediastinum = chest.cover(np.abs(chest.mediastinal_x) - half_width, 4) * (y < 0.6)
    middle = np.maximum(mediastinum * 0.9, chest.heart)
    density += 0.10 * middle * (1 - 0.3 * smoothstep(y, 0.45, 0.6))
    density += 0.06 * body * smoothstep(y, 0.40, 0.65) * (1 - chest.cavity)
    return density


def spine_and_airway(chest: Chest) -> Array:
    """Return the vertebrae less the air in the trachea."""
    y = chest.y
    vertebrae = bell(chest.x, 0.085) * (1 + 0.5 * np.sin(y * 38)) * smoothstep(y, -0.9, -0.5)
    trachea = chest.cover(np.abs(chest.mediastinal_x) - 0.035, 3) * (y < -0.18)
    trachea = trachea * smoothstep(-y, 0.18, 0.3) * chest.body
    return chest.f["spine_contrast"] * vertebrae - 0.10 * trachea


def stomach_gas(chest: Chest) -> Array:
    """Return the (negative) density of the bubble under the left dome."""
    f, y = chest.f, chest.y
    radius = f["stomach_gas_radius"]
    dx, dy = chest.x - f["stomach_gas_x"], y - chest.diaphragm_y - 0.10
    squared = (dx / radius) ** 2 + (dy / (radius * 0.6)) ** 2
    return -f["stomach_gas"] * np.exp(-(squared**2)) * (y > chest.diaphragm_y)


def hila_and_vessels(chest: Chest) -> Array:
    """Return the hila and the vessels that fan out from them; both are fuller in oedema."""
    f, radius = chest.f, chest.from_hilum
    haze, count, phase = f["edema_haze"], f["vessel_count"], f["vessel_phase"]
    hila = spot(chest.hilum_x, chest.hilum_y, 0.085, 0.15) * chest.cavity
    angle = np.arctan2(chest.hilum_y, chest.hilum_x)
    winding = angle + 0.35 * chest.patches * radius + 0.5 * np.sin(6 * radius + phase)
    trunks = np.sin(count * winding + phase * chest.side) * smoothstep(radius, 0.05, 0.2)
    branches = np.sin(1.7 * count * winding + 2 * phase) * smoothstep(radius, 0.15, 0.35)
    fading = np.exp(-radius / (0.32 + 0.12 * haze))
    vessels = (trunks + 0.5 * branches) * fading * chest.aerated
    return (f["hilar_density"] + 0.05 * haze) * hila + (
        f["vessel_contrast"] + 0.025 * haze
    ) * vessels


def breasts(chest: Chest) -> Array:
    """Return the soft shadows of the breasts."""
    f = chest.f
    dx, dy = chest.abs_x - f["breast_x"], (chest.y - f["breast_y"]) * 0.9
    return f["breast_density"] * chest.cover(np.sqrt(dx**2 + dy**2) - 0.27, 5) * chest.body


def ribs_and_clavicles(chest: Chest) -> Array:
    """Return two sets of rib arcs, the anterior one fainter, and the clavicles."""
    f, y, abs_x = chest.f, chest.y, chest.abs_x
    apex, spacing = f["apex_y"], f["rib_spacing"]
    outward = abs_x / f["chest_half_width"]
    order = (y - apex) / spacing

    def arcs(height: Array, width: float) -> Array:
        return bell(np.sin(np.pi * height / spacing) * spacing / np.pi, width)

    sag = 0.10 * np.sin(2.2 * np.clip(outward, 0, 1)) - 0.34 * outward**3 * (0.35 + 0.07 * order)
    posterior = arcs(y - apex - 0.06 - 0.4 * f["rib_offset"] + sag, 0.026) * (abs_x > 0.07)
    anterior = arcs(y - apex - 0.12 + 0.34 * outward - 0.02 * order, 0.028) * (abs_x > 0.24)
    visible = (
        (1 - 0.5 * chest.fluid * (y > chest.fluid_y))
        * (abs_x < chest.wall + 0.05)
        * (y > apex - 0.02)
        * (1 - 0.75 * smoothstep(y - chest.diaphragm_y, -0.02, 0.12))
        * (y < 0.72)
        * (1 - 0.55 * chest.heart)
    )
    ribs = f["rib_contrast"] * (posterior + 0.5 * anterior) * visible

    line = -0.50 + f["clavicle_tilt"] * chest.side
    line = line - 0.16 * smoothstep(abs_x, 0.06, 0.50) + 0.05 * smoothstep(abs_x, 0.45, 0.85)
    span = smoothstep(abs_x, 0.06, 0.12) * (abs_x < 0.80)
    clavicles = f["clavicle_contrast"] * bell(y - line, 0.036) * span
    return (ribs + clavicles) * chest.body


def devices(chest: Chest) -> Array:
    """Return the leads of a monitor, a pacemaker with its lead, and the side marker."""
    f, x, y = chest.f, chest.x, chest.y
    lead_y = f["lead_y"] + 0.25 * np.sin(f["lead_frequency"] * x + 3 * f["lead_x"])
    hanging = bell(x - f["lead_x"] - 0.12 * np.sin(4 * y), 0.013) * (y < f["lead_y"])
    density = f["lead_contrast"] * (bell(y - lead_y, 0.014) + hanging)

    case = chest.cover(np.maximum(np.abs(x - 0.52) - 0.09, np.abs(y + 0.46) - 0.075))
    lead = bell(x - 0.52 + 0.55 * smoothstep(y, -0.45, 0.2), 0.012) * (y > -0.45) * (y < 0.3)
    density += f["pacemaker_contrast"] * (case + 0.6 * lead)

    dx = np.abs(chest.screen_x - 0.86 * f["marker_side"]) - 0.035
    dy = np.abs(chest.screen_y - f["marker_y"]) - 0.05
    density += f["marker_contrast"] * chest.cover(np.maximum(dx, dy))
    return density


def _film(chest: Chest, density: Array, rng: np.random.Generator) -> Array:
    """Turn density into film: exposure, tone curve, blur, noise and rounding."""
    f = chest.f
    exposed = density * f["exposure_gain"] * 1.12 + f["exposure_offset"]
    exposed = exposed + f["exposure_gradient"] * chest.screen_y
    return photograph(np.clip(exposed, 0, 1) ** f["gamma"], f["blur"], f["noise_level"], rng)
