"""The upper half of the face: forehead, eyes and brows."""

from __future__ import annotations

import numpy as np

from datasets.stand_ins.drawing import Array, bell, colour, smoothstep
from datasets.stand_ins.faces.render_head import Face
from datasets.stand_ins.faces.scene import EYE_Y, Scene


def draw_upper_face(scene: Scene, face: Face) -> None:
    """Draw everything from the forehead to the bags under the eyes, but glasses and hair."""
    f, w = scene.f, scene.upper
    coverage = w.crop(face.coverage, scene.head)
    outward = w.abs_feature_x - f["eye_spacing"]
    below_axis = w.y - EYE_Y + 0.10 * outward
    half_height = f["eye_half_height"] * (1 - 0.22 * scene.smile)
    _draw_wrinkles(scene, coverage, outward)
    _draw_eye_shadow(scene, coverage, outward, below_axis)
    _draw_eye_bags(scene, coverage, outward, below_axis, half_height)
    _draw_eyes(scene, outward, below_axis, half_height)
    _draw_brows(scene)


def _draw_wrinkles(scene: Scene, coverage: Array, outward: Array) -> None:
    """Draw the lines of the forehead and the crow's feet."""
    f, w = scene.f, scene.upper
    x, y = w.feature_x, w.y
    ink = scene.skin * np.float32(0.58)
    curve = 0.12 * x * x
    lines = sum(
        (bell(y - height - curve, 0.012) for height in (-0.29, -0.345)),
        start=bell(y + 0.235 - curve, 0.012),
    )
    span = smoothstep(0.24 - w.abs_feature_x, 0, 0.05)
    w.paint(lines * span * scene.wrinkles * coverage * 0.72, ink)
    past_eye = outward - f["eye_half_width"]
    feet = bell(np.abs(y + 0.02) - 0.35 * (past_eye - 0.005), 0.010)
    feet = feet * (past_eye > 0.012) * (past_eye < 0.075)
    w.paint(feet * scene.wrinkles * coverage * 0.75, ink)


def _draw_eye_shadow(scene: Scene, coverage: Array, outward: Array, below_axis: Array) -> None:
    f, w = scene.f, scene.upper
    span = np.exp(-((outward / (f["eye_half_width"] * 1.15)) ** 4))
    band = smoothstep(-below_axis, -0.01, 0.02) * smoothstep(0.098 + below_axis, 0, 0.05)
    opacity = span * band * f["eye_shadow_opacity"] * coverage
    w.paint(opacity * 0.92, f["eye_shadow_colour"])


def _draw_eye_bags(
    scene: Scene, coverage: Array, outward: Array, below_axis: Array, half_height: Array
) -> None:
    """Draw a tinted swelling under each eye and the dark line that closes it."""
    f, w = scene.f, scene.upper
    width = f["eye_half_width"] * 1.12 * f["eye_bag_width"]
    arc = np.sqrt(np.clip(1 - (outward / width) ** 2, 0, 1))
    below_line = below_axis - (f["eye_bag_drop"] + 0.35 * half_height) * arc - 0.008
    under_eye = (np.abs(outward) < width) * smoothstep(below_axis, 0.01, 0.03)
    opacity = under_eye * f["eye_bag_strength"] * coverage
    swelling = smoothstep(-below_line, -0.012, 0.01)
    w.paint(opacity * swelling * 0.42, scene.skin * colour(0.66, 0.56, 0.60))
    w.paint(opacity * bell(below_line, 0.013) * 0.82, scene.skin * colour(0.48, 0.38, 0.42))


def _draw_eyes(scene: Scene, outward: Array, below_axis: Array, half_height: Array) -> None:
    """Draw white, iris, pupil, highlight and both lids, the upper one with its lashes."""
    f, w = scene.f, scene.upper
    y, half_width, liner = w.y, f["eye_half_width"], f["eye_liner"]
    lid = half_height * np.clip(1 - (outward / half_width) ** 2, 0, 1)
    inside = np.abs(outward) < half_width
    eye = w.cover(np.abs(below_axis) - lid, 0.9) * inside
    w.paint(eye, colour(0.95, 0.95, 0.95) * (1 - 0.1 * f["ageing"][:, None]))

    gaze_x = outward * np.sign(w.feature_x) - f["gaze"] - 0.02 * f["yaw"]
    radius = np.sqrt(gaze_x * gaze_x + (y - EYE_Y) ** 2)
    w.paint(eye * w.cover(radius - 0.037), f["iris_colour"])
    w.paint(eye * w.cover(radius - 0.016), f["iris_colour"] * np.float32(0.12))
    highlight = np.sqrt((gaze_x + 0.014) ** 2 + (y - EYE_Y + 0.014) ** 2) - 0.008
    w.paint(w.cover(highlight) * eye * 0.9, colour(1, 1, 1))

    lashes = w.cover(np.abs(below_axis + lid) - 0.008 - 0.017 * liner)
    lashes = lashes * (np.abs(outward) < half_width * (1.02 + 0.22 * liner))
    w.paint(lashes * (0.55 + 0.45 * liner), colour(0.10, 0.06, 0.05))
    lower_lid = w.cover(np.abs(below_axis - lid) - 0.006) * inside
    w.paint(lower_lid * (0.22 + 0.5 * liner), colour(0.15, 0.08, 0.07))


def _draw_brows(scene: Scene) -> None:
    """Draw the brows along a parabola through their peak, thinner towards the outer end."""
    f, w = scene.f, scene.upper
    half_width, thickness = f["eye_half_width"], f["brow_thickness"]
    along = (w.abs_feature_x - (f["eye_spacing"] - half_width * 1.15)) / (half_width * 2.35)
    peak = f["brow_peak"]
    arch = 1 - ((along - peak) / np.where(along < peak, peak, 1.05 - peak)) ** 2
    middle = (
        f["brow_y"]
        + EYE_Y
        + 0.045
        - f["brow_arch"] * (arch - 0.35)
        + f["brow_tilt"] * (along - 0.5)
    )
    hairs = 0.014 * np.sin(70 * w.feature_x + 40 * w.y + f["wave_phase"])
    half_thickness = thickness * 0.5 * (1 - 0.55 * np.clip(along, 0, 1) ** 2)
    brow = w.cover(np.abs(w.y - middle) - half_thickness - f["brow_roughness"] * hairs)
    ends = smoothstep(along, -0.06, 0.06) * smoothstep(1 - along, -0.04, 0.10)
    shade = np.minimum(
        f["hair_colour"] * np.float32(0.55) + np.float32(0.02), scene.skin * np.float32(0.60)
    )
    w.paint(brow * ends * np.clip(0.62 + 3.5 * thickness, 0, 1), shade)
