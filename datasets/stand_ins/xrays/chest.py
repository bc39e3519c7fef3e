"""The geometry of a batch of chests: where lungs, heart, diaphragm and fluid are."""

from __future__ import annotations

import numpy as np

from datasets.stand_ins.drawing import (
    PIXEL,
    SIZE,
    Array,
    Factors,
    broadcast,
    coverage,
    pixel_centres,
    smoothstep,
    spot,
)

_RIGHT, _LEFT = np.float32(-1), np.float32(1)
_CELLS = 12


class Chest:
    """Coordinates and masks that the layers of the film share.

    Every field broadcasts to (n, 64, 64). Masks run from 0 to 1.

    Attributes
    ----------
    f
        Factors, (n, 1, 1).
    screen_x, screen_y
        The frame of the film.
    x, y, abs_x
        The frame of the patient; negative x is the patient's right.
    side
        -1 on the patient's right and 1 on the left.
    mediastinal_x
        As x, but shifted with heart and great vessels.
    body, cavity, heart, lung, aerated, fluid
        Masks of the body, the chest cavity, the heart, lung that is not hidden by heart or
        aorta, lung that is not under fluid, and everything below the level of the fluid.
    wall
        Half-width of the cavity at each height.
    diaphragm_y, fluid_y
        Heights of the diaphragm and of the surface of the fluid.
    collapsed_side
        Whether a pixel is on the side that has lost volume.
    hilum_x, hilum_y, from_hilum
        Position and distance with the nearer hilum as the origin.
    patches
        Smooth noise of unit scale for patchy texture.
    """

    def __init__(self, factors: Factors, rng: np.random.Generator) -> None:
        self.f = f = broadcast(factors)
        centres = pixel_centres()
        self.screen_x, self.screen_y = centres[None, None, :], centres[None, :, None]
        upright_x = (self.screen_x - f["shift_x"]) / f["scale"]
        upright_y = (self.screen_y - f["shift_y"]) / f["scale"]
        cosine, sine = np.cos(f["rotation"]), np.sin(f["rotation"])
        self.x = (cosine * upright_x + sine * upright_y) / f["patient_width"]
        self.y = -sine * upright_x + cosine * upright_y
        self.abs_x = np.abs(self.x)
        self.side = np.where(self.x < 0, _RIGHT, _LEFT)
        self.mediastinal_x = self.x - f["mediastinal_shift"] * f["plate_side"]
        self.collapsed_side = self.side == f["plate_side"]
        self.patches = _smooth_noise(len(f["scale"]), rng)

        self.body = self._body()
        self._cavity()
        self._fluid()
        self.heart = self._heart()
        aorta_x, aorta_y = self.mediastinal_x - 0.15, self.y + 0.33
        aorta = spot(aorta_x, aorta_y, 0.085, 0.085) * f["aortic_knob"] * 8
        self.lung = self.cavity * (1 - self.heart * 0.97) * (1 - np.clip(aorta, 0, 0.9))
        self.aerated = self.lung * (1 - self.fluid)
        self.hilum_x, self.hilum_y = np.abs(self.mediastinal_x) - 0.20, self.y + 0.02
        self.from_hilum = np.sqrt(self.hilum_x**2 + self.hilum_y**2) + 0.02

    def cover(self, distance: Array, softness: float = 1.0) -> Array:
        """Return the anti-aliased coverage of a shape."""
        return coverage(distance, 1.2 * PIXEL * softness)

    def _body(self) -> Array:
        f, y = self.f, self.y
        shoulders = smoothstep(y, -0.98, -0.62)
        waist = 0.05 * smoothstep(y, -0.2, 0.6) * (1 - f["body_fat"])
        half_width = 0.22 + (0.80 + 0.12 * f["body_fat"]) * shoulders - waist
        return self.cover(self.abs_x - half_width, 2)

    def _cavity(self) -> None:
        """Find the cavity between ribs, mediastinum and the domes of the diaphragm."""
        f, y, abs_x = self.f, self.y, self.abs_x
        apex = f["apex_y"]
        rise = np.clip((-0.05 - y) / (-0.05 - apex), 0, 1.2)
        flare = 0.93 + 0.07 * smoothstep(y, -0.1, 0.35)
        taper = np.sqrt(np.clip(1 - 0.82 * rise**2.4, 0.0, 1)) * (rise < 1)
        self.wall = f["chest_half_width"] * flare * taper

        liver = np.where(self.side < 0, np.float32(0.045), np.float32(0))
        self._base = 0.50 + f["inspiration"] - liver - f["volume_loss"] * self.collapsed_side
        dome = np.clip(1 - ((abs_x - 0.38) / 0.36) ** 2, -1.2, 1)
        dome = dome * np.where(self.side < 0, np.float32(1), np.float32(0.9))
        sulcus = 0.16 * smoothstep(abs_x, 0.58, 0.76)
        self.diaphragm_y = self._base - f["dome_height"] * dome + sulcus

        mediastinum = 0.115 + 0.035 * smoothstep(y, -0.5, 0.2)
        self.cavity = (
            self.cover(np.maximum(abs_x - self.wall, apex - y), 2)
            * self.cover(mediastinum - np.abs(self.mediastinal_x), 2.5)
            * self.cover(y - self.diaphragm_y, 1.6)
        )

    def _fluid(self) -> None:
        """Fill each side from below; the surface climbs towards the wall."""
        f = self.f
        height = np.where(self.side < 0, f["effusion_right"], f["effusion_left"])
        present = height > 0
        lateral = np.clip((self.abs_x - 0.25) / (f["chest_half_width"] - 0.25), 0, 1.1) ** 3
        climb = f["meniscus"] * present * lateral * (0.5 + height)
        self.fluid_y = self._base + 0.12 - height - climb
        self.fluid = smoothstep(self.y - self.fluid_y, -0.035, 0.045) * present

    def _heart(self) -> Array:
        """Return a tilted ellipse as wide as the cardiothoracic ratio says."""
        f = self.f
        ratio = f["cardiothoracic_ratio"]
        width = ratio * 2 * f["chest_half_width"]
        centre_x = width * (f["heart_left_share"] - 0.5)
        dx = self.mediastinal_x - centre_x
        dy = self.y - f["heart_y"] - f["inspiration"] * 0.6 - f["heart_tilt"] * dx
        half_height = f["heart_height"] * (0.55 + 0.95 * ratio)
        radius = np.sqrt((dx / (width / 2)) ** 2 + (dy / half_height) ** 2)
        return smoothstep(1.0 - radius, -0.10, 0.12)


def _smooth_noise(n: int, rng: np.random.Generator) -> Array:
    """Interpolate Gaussian noise between the nodes of a coarse lattice, (n, 64, 64)."""
    nodes = rng.standard_normal((n, _CELLS, _CELLS), dtype=np.float32)
    position = np.linspace(0, _CELLS - 1.001, SIZE).astype(np.float32)
    node = position.astype(int)
    t = position - node.astype(np.float32)
    t = t * t * (3 - 2 * t)
    rows = nodes[:, node] * (1 - t)[None, :, None] + nodes[:, node + 1] * t[None, :, None]
    smooth: Array = rows[:, :, node] * (1 - t) + rows[:, :, node + 1] * t
    return smooth
