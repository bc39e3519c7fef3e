"""The three findings that are opacities in the lung; each returns a density (n, 64, 64).

An enlarged heart and fluid in the pleura are part of the geometry of the chest.
"""

from __future__ import annotations

import numpy as np

from datasets.stand_ins.drawing import Array, bell, smoothstep, spot
from datasets.stand_ins.xrays.chest import Chest


def edema(chest: Chest) -> Array:
    """Return the bat-wing haze about both hila, patchy texture and Kerley lines at the bases."""
    f, y = chest.f, chest.y
    haze, spread = f["edema_haze"], np.maximum(f["edema_spread"], 0.1)
    wings = spot(chest.hilum_x - 0.06, chest.hilum_y - 0.03, spread, spread * 1.25)
    wings = wings * (1 + f["edema_asymmetry"] * chest.side) * (1 + 0.25 * chest.patches)
    texture = f["interstitial_texture"] * 0.055 * chest.patches * np.exp(-chest.from_hilum / 0.6)
    lines = np.clip(np.sin(f["kerley_frequency"] * y + 3 * chest.x), 0, 1)
    lines = lines * smoothstep(chest.abs_x, chest.wall - 0.26, chest.wall - 0.10)
    lines = lines * smoothstep(y, -0.05, 0.12)
    density = haze * (0.26 * wings + 0.055) + texture + f["kerley_lines"] * 0.11 * lines
    return density * chest.aerated


def consolidation(chest: Chest) -> Array:
    """Return one or two ragged opacities, with dark branches where bronchi hold air."""
    f = chest.f
    if not f["consolidation_density"].any():
        return np.zeros_like(chest.lung)
    # Where there is none its size is 0, which the bounds keep out of the division.
    aspect = np.sqrt(np.maximum(f["consolidation_aspect"], 0.5))
    radius = np.maximum(f["consolidation_radius"], 0.1)
    phase = f["ragged_phase"]
    first = _focus(chest, f["consolidation_x"], f["consolidation_y"], radius, aspect, phase)
    second = _focus(
        chest,
        f["second_focus_x"],
        f["second_focus_y"],
        radius * 0.75,
        1 / aspect,
        f["second_ragged_phase"],
    )
    foci = np.maximum(first, f["second_focus"] * second)
    along = 14 * (chest.x * np.cos(phase) + chest.y * np.sin(phase))
    bronchi = 1 - f["air_bronchograms"] * bell(np.sin(along), 0.35)
    return f["consolidation_density"] * 0.32 * foci * chest.aerated * bronchi


def _focus(chest: Chest, x: Array, y: Array, radius: Array, aspect: Array, phase: Array) -> Array:
    """Return a blob whose outline is ragged by two harmonics and by the patches of tissue."""
    dx, dy = chest.x - chest.f["consolidation_side"] * x, chest.y - y
    angle = np.arctan2(dy, dx)
    outline = 1.12 + 0.14 * np.sin(2 * angle + phase) + 0.10 * np.sin(5 * angle + 2 * phase)
    distance = np.sqrt((dx / aspect) ** 2 + (dy * aspect) ** 2) / (radius * outline)
    return 1 - smoothstep(distance + 0.16 * chest.patches, 0.35, 1.25)


def atelectasis(chest: Chest) -> Array:
    """Return one or two plates and the crowding at the base of the lung that lost volume."""
    f, y = chest.f, chest.y
    if not f["plate_density"].any():
        return np.zeros_like(chest.lung)
    crowding = f["volume_loss"] * 0.7
    crowding = crowding * smoothstep(y, chest.diaphragm_y - 0.25, chest.diaphragm_y)
    plates = _plate(chest, 0) + f["second_plate"] * _plate(chest, 1)
    density = f["plate_density"] * 0.27 * plates + crowding
    return density * chest.collapsed_side * chest.aerated


def _plate(chest: Chest, order: int) -> Array:
    """Return a curved band, the second one lower, further out and less tilted."""
    f = chest.f
    thickness, length = np.maximum(f["plate_thickness"], 0.01), np.maximum(f["plate_length"], 0.1)
    along = chest.abs_x - f["plate_x"] - 0.05 * order
    middle = f["plate_y"] + 0.105 * order - f["volume_loss"] * 0.6
    rise = f["plate_tilt"] * along * (1 - 0.3 * order) + 0.4 * along * along
    ends = 1 - smoothstep(np.abs(along), length * 0.7, length)
    return bell(chest.y - middle - rise, thickness) * ends
