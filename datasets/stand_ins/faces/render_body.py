"""Neck, shoulders and clothes."""

from __future__ import annotations

import numpy as np

from datasets.stand_ins.drawing import Array, bell, smoothstep
from datasets.stand_ins.faces.scene import Scene


class _Torso:
    """Fields in the window of the torso, each (n, height, width).

    Attributes
    ----------
    abs_x, y
        Distance from the midline, and height, in the frame of the body.
    below_shoulders
        Height below the shoulders at the neck.
    neck
        Signed distance to the neck.
    coverage
        1 on the clothed body and 0 off it.
    folds
        Brightness of the cloth, (n, 1, height, width).
    """

    def __init__(self, scene: Scene) -> None:
        f, w = scene.f, scene.torso
        self.abs_x, self.y = np.abs(w.body_x), w.body_y
        self.below_shoulders = self.y - f["shoulder_y"]
        self.neck = np.maximum(
            self.abs_x - f["neck_half_width"] - 0.10 * smoothstep(self.y, 0.5, 0.8),
            0.15 - self.y,
        )
        width = f["shoulder_half_width"]
        slope = 0.13 * (self.abs_x / width) ** 1.6
        arms = 0.5 * np.clip(self.abs_x - width * 0.85, 0, 9) ** 1.2
        self.coverage = w.cover(f["shoulder_y"] + slope + arms - self.y)
        self.folds = (1 + 0.10 * np.sin(9 * w.body_x + 4 * self.y))[:, None]


def draw_body(scene: Scene) -> None:
    """Draw neck and shoulders, what they wear, and the shadow of the chin."""
    f, w = scene.f, scene.torso
    torso, skin = _Torso(scene), scene.lit_skin(w)
    w.paint(w.cover(torso.neck), skin * np.float32(0.86))
    w.paint(torso.coverage, f["clothes_colour"] * torso.folds)
    _draw_neckline(scene, torso, skin)
    _draw_suit_and_shirt(scene, torso)
    _draw_collar(scene, torso, skin)
    _draw_tie(scene, torso)
    shadow = bell(w.y - f["chin_y"] - 0.035, 0.05) * w.cover(torso.neck)
    w.paint(shadow * 0.45, scene.skin * np.float32(0.55))


def _draw_neckline(scene: Scene, torso: _Torso, skin: Array) -> None:
    """Draw bare shoulders, or a neckline in the shape of a V."""
    f, w = scene.f, scene.torso
    bare, depth = f["bare_shoulders"], f["neckline_depth"]
    w.paint(torso.coverage * bare * w.cover(torso.y - 0.88, 2), skin * np.float32(0.93))
    drop = torso.below_shoulders
    slant = torso.abs_x - 0.17 + drop * (0.17 / np.maximum(depth, 0.02))
    neckline = np.maximum(np.maximum(slant, drop - depth), -drop - 0.02)
    w.paint(w.cover(neckline) * (depth > 0.05) * (1 - bare), skin * np.float32(0.88))


def _draw_suit_and_shirt(scene: Scene, torso: _Torso) -> None:
    """Draw the jacket with its lapels, and the shirt between them or alone."""
    f, w = scene.f, scene.torso
    suit = f["suit"]
    front = torso.abs_x - np.clip(0.30 - 0.42 * torso.below_shoulders, 0.02, 0.5)
    w.paint(torso.coverage * suit, f["suit_colour"] * torso.folds)
    shirt = torso.coverage * f["collar"] * np.maximum(1 - suit, w.cover(front))
    w.paint(shirt, f["shirt_colour"] * torso.folds)
    w.paint(torso.coverage * suit * bell(front, 0.03) * 0.5, f["suit_colour"] * np.float32(0.35))


def _draw_collar(scene: Scene, torso: _Torso, skin: Array) -> None:
    """Draw the collar, open where there is no tie."""
    f, w = scene.f, scene.torso
    drop, collar, shirt = torso.below_shoulders, f["collar"], f["shirt_colour"]
    opening = np.maximum(torso.abs_x - np.clip(0.13 - 0.55 * (drop + 0.02), 0, 0.14), 0.5 - torso.y)
    w.paint(w.cover(opening) * collar * (1 - f["tie_opacity"]), skin * np.float32(0.86))
    across_wing = np.abs(torso.abs_x - 0.115 + 0.10 * (drop - 0.06)) - 0.065
    along_wing = np.abs(drop - 0.005 - 0.25 * (torso.abs_x - 0.1))
    wings = np.maximum(across_wing, along_wing - 0.062)
    w.paint(w.cover(wings) * collar, np.clip(shirt * 1.06, 0, 1))
    seam = bell(along_wing - 0.065, 0.018) * (torso.abs_x < 0.2)
    w.paint(seam * collar * 0.35, shirt * np.float32(0.45))


def _draw_tie(scene: Scene, torso: _Torso) -> None:
    """Draw the knot, the blade that widens below it, and the stripes."""
    f, w = scene.f, scene.torso
    width, tie_colour = f["tie_width"], f["tie_colour"]
    if not f["tie_opacity"].any():
        return
    below_knot = torso.below_shoulders + 0.03 - 0.105
    knot = width * (0.80 - 2.2 * (torso.below_shoulders + 0.03))
    half_width = np.where(below_knot < 0, knot, width * (0.50 + 1.15 * below_knot))
    diagonal = np.sin(f["tie_stripe_frequency"] * (torso.y + 0.8 * w.body_x))
    stripes = ((diagonal > 0.2) * f["tie_stripe_contrast"])[:, None]
    shape = np.maximum(torso.abs_x - half_width, -(torso.below_shoulders + 0.03))
    cloth = tie_colour + (f["tie_stripe_colour"] - tie_colour) * stripes
    w.paint(w.cover(shape) * f["tie_opacity"], cloth)
    crease = bell(below_knot, 0.014) * (torso.abs_x < half_width) * f["tie_opacity"]
    w.paint(crease * 0.6, tie_colour * np.float32(0.35))
