"""The lower half of the face: folds, blush, nose, beard and mouth."""

from __future__ import annotations

import numpy as np

from datasets.stand_ins.drawing import SIZE, Array, bell, colour, ellipse_distance, smoothstep, spot
from datasets.stand_ins.faces.render_head import Face
from datasets.stand_ins.faces.scene import EYE_Y, Scene


def draw_lower_face(scene: Scene, face: Face, rng: np.random.Generator) -> None:
    """Draw everything between the eyes and the chin."""
    w = scene.lower
    coverage = w.crop(face.coverage, scene.head)
    _draw_folds(scene, coverage)
    blush = spot(w.abs_feature_x - 0.215, w.y - 0.13, 0.085, 0.065)
    w.paint(blush * scene.f["blush_opacity"] * coverage, colour(0.87, 0.36, 0.40))
    _draw_nose(scene, coverage)
    _draw_beard(scene, w.crop(face.across, scene.head), rng)
    _draw_mouth(scene)


def _draw_folds(scene: Scene, coverage: Array) -> None:
    """Draw the folds beside the nose that come with age, and those beside the mouth of a smile."""
    f, w = scene.f, scene.lower
    y, away = w.y, w.abs_feature_x
    span = smoothstep(y, 0.10, 0.15) * smoothstep(0.32 - y, 0, 0.05)
    fold = bell(away - 0.105 - 0.30 * (y - 0.13), 0.014) * span
    w.paint(fold * scene.wrinkles * coverage * 0.85, scene.skin * np.float32(0.58))
    span = smoothstep(y, 0.13, 0.19) * smoothstep(0.32 - y, 0, 0.06)
    fold = bell(away - (f["mouth_half_width"] + 0.035) - 0.22 * (y - 0.22), 0.016) * span
    w.paint(fold * scene.smile * 0.42 * coverage, scene.skin * np.float32(0.66))


def _draw_nose(scene: Scene, coverage: Array) -> None:
    """Draw the shaded flank, the bright ridge, the tip and the nostrils."""
    f, w = scene.f, scene.lower
    x, y, half_width = w.feature_x, w.y, f["nose_half_width"]
    tip_y = EYE_Y + 0.055 + f["nose_length"]
    dark_side = np.where(f["light_x"] > 0, np.float32(-1), np.float32(1))
    flank_x = dark_side * (0.030 + 1.3 * (y - EYE_Y) * half_width)
    span = smoothstep(y, EYE_Y - 0.05, EYE_Y + 0.02) * smoothstep(tip_y - y, -0.01, 0.03)
    w.paint(bell(x - flank_x, 0.016) * span * 0.32 * coverage, scene.skin * np.float32(0.62))
    span = smoothstep(y, EYE_Y, tip_y - 0.03) * smoothstep(tip_y - y, 0, 0.03)
    ridge = bell(x + dark_side * 0.004, 0.016) * span
    w.paint(ridge * 0.30 * coverage, np.clip(scene.skin * 1.25 + 0.05, 0, 1))
    tip = bell(ellipse_distance(x, y - tip_y + 0.012, half_width, 0.036), 0.012)
    w.paint(tip * (y > tip_y - 0.012) * 0.40 * coverage, scene.skin * np.float32(0.58))
    nostrils = ellipse_distance(w.abs_feature_x - half_width * 0.55, y - tip_y, 0.018, 0.011)
    w.paint(w.cover(nostrils, 1.3) * 0.70, scene.skin * np.float32(0.38))


def _draw_beard(scene: Scene, across: Array, rng: np.random.Generator) -> None:
    """Draw beard, chin beard and moustache with a grain of 2 by 2 pixels."""
    f, w = scene.f, scene.lower
    # The grain is drawn even where nobody has a beard: the noise after it must not move.
    grain = rng.random((len(scene.image), SIZE // 2, SIZE // 2), dtype=np.float32)
    density = f["beard_density"]
    if not density.any():
        return
    grain = grain.repeat(2, 1).repeat(2, 2)[:, w.rows, w.columns]
    x, y = w.feature_x, w.y
    reach, length, power = f["beard_reach"], f["beard_length"], f["jaw_squareness"]
    radius = (across**power + (np.abs(y) / (f["chin_y"] + length)) ** power) ** (1 / power)
    inner = f["beard_inner_radius"]
    jaw = (
        smoothstep(radius, inner - 0.06, inner + 0.08)
        * w.cover((radius - 1) * 0.4)
        * smoothstep(y, 0.02, 0.12)
        * smoothstep(reach + 0.02 - w.abs_feature_x, -0.02, 0.03)
    )
    chin_y = f["chin_y"] - 0.06 + length * 0.5
    chin = w.cover(ellipse_distance(x, y - chin_y, 0.11, 0.075 + length * 0.6), 2)
    lip_y = f["mouth_y"] - 0.062 + 1.3 * x * x
    moustache = w.cover(ellipse_distance(x, y - lip_y, 0.155, 0.030), 1.6)
    hairs = np.maximum(np.maximum(jaw, chin * (reach > 0.05)), moustache * f["moustache_density"])

    dark = np.minimum(f["hair_colour"] * np.float32(0.72), scene.skin * np.float32(0.75))
    grey = f["hair_is_grey"][:, None] > 0.5
    shade = np.where(grey, f["hair_colour"] * np.float32(0.78), dark)
    w.paint(np.clip(hairs * (0.72 + 0.5 * grain), 0, 1) * density, shade)


def _draw_mouth(scene: Scene) -> None:
    """Draw lips along a parabola whose ends rise with the smile, the opening and the teeth."""
    f, w = scene.f, scene.lower
    y, opening, thickness = w.y, f["mouth_opening"], f["lip_thickness"]
    u = w.feature_x / f["mouth_half_width"]
    arc = np.clip(1 - u * u, 0, 1)
    taper = np.sqrt(arc)
    middle = f["mouth_y"] + f["mouth_corner_lift"] * (0.42 - u * u)
    within = smoothstep(1 - np.abs(u), -0.02, 0.08)
    top, bottom = middle - opening * 0.35 * arc, middle + opening * 0.75 * arc

    bow = 1 - 0.20 * bell(u, 0.16)
    lips = np.maximum(y - bottom - thickness * 1.25 * taper, top - thickness * taper * bow - y)
    natural = scene.skin * colour(0.86, 0.60, 0.60)
    made_up = f["makeup_strength"][:, None] * 0.95
    lip_colour = natural + (f["lipstick_colour"] - natural) * made_up
    light = (1 + 0.16 * smoothstep(y, middle, middle + 0.03))[:, None]
    w.paint(w.cover(lips) * within, np.clip(lip_colour * light, 0, 1))

    inside = np.maximum(top - y, y - bottom)
    w.paint(w.cover(inside) * within * smoothstep(opening, 0.001, 0.012), colour(0.20, 0.06, 0.07))
    teeth = np.maximum(inside + 0.004, y - top - (bottom - top) * 0.68)
    w.paint(w.cover(teeth) * within * smoothstep(opening, 0.008, 0.03), colour(0.96, 0.94, 0.90))
    closed = bell(y - middle, 0.013) * within * (1 - smoothstep(opening, 0, 0.02))
    w.paint(closed * 0.85, lip_colour * np.float32(0.35))
    corners = spot(w.abs_feature_x - f["mouth_half_width"], y - middle, 0.022, 0.018)
    w.paint(corners * 0.45, scene.skin * np.float32(0.45))
