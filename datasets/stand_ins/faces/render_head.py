"""The head itself, and the glasses in front of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datasets.stand_ins.drawing import Array, bell, colour, ellipse_distance, spot
from datasets.stand_ins.faces.scene import EYE_Y, Scene


@dataclass(frozen=True)
class Face:
    """Fields in the window of the head.

    Attributes
    ----------
    coverage
        1 on the face and 0 off it, (n, height, width).
    across
        Distance from the midline in half-widths of the face, (n, height, width).
    """

    coverage: Array
    across: Array


def draw_head(scene: Scene) -> Face:
    """Draw ears, face and the folds of a full face."""
    f, w = scene.f, scene.head
    x, y = w.x, w.y
    width, skin = f["face_half_width"], scene.lit_skin(w)
    ear_x = w.abs_x - width * 0.99 + 0.02 * f["yaw"] * np.sign(x)
    w.paint(w.cover(ellipse_distance(ear_x, y + 0.01, 0.045, 0.085)), skin * np.float32(0.90))

    # A superellipse with a round top; below the eyes its power makes the jaw square.
    above = y < 0
    height = np.where(above, np.float32(0.565), f["chin_y"])
    power = np.where(above, np.float32(2.15), f["jaw_squareness"])
    across = w.abs_x / width
    radius = (across**power + (np.abs(y) / height) ** power) ** (1 / power)
    face = Face(w.cover((radius - 1) * np.minimum(width, height) * 0.95), across)
    edge = np.clip((radius - 0.62) / 0.38, 0, 1) ** 2
    w.paint(face.coverage, skin * (1.03 - 0.17 * edge)[:, None])

    full = np.clip((f["face_fullness"] - 0.3) / 0.7, 0, 1) * face.coverage
    double_chin = bell(y - (f["chin_y"] - 0.085) + 1.0 * x * x, 0.018) * (w.abs_x < 0.21)
    w.paint(double_chin * full * 0.55, scene.skin * np.float32(0.60))
    cheeks = spot(w.abs_feature_x - 0.21, y - 0.17, 0.10, 0.10)
    w.paint(cheeks * full * 0.24, np.clip(scene.skin * 1.15 + 0.03, 0, 1))
    return face


def draw_glasses(scene: Scene) -> None:
    """Draw lenses with tint and glare, rims, bridge and temples."""
    f, w = scene.f, scene.upper
    opacity, frame = f["glasses_opacity"], f["frame_colour"]
    if not opacity.any():
        return
    # Whoever wears none has lenses of size 0, which the bounds keep out of the division.
    half_width = np.maximum(f["lens_half_width"], 0.1)
    half_height = np.maximum(f["lens_half_height"], 0.07)
    power = np.maximum(f["lens_squareness"], 2)
    half_rim = f["frame_thickness"] * 0.5
    eye = f["eye_spacing"]
    dx = np.abs(w.abs_feature_x - eye - 0.008)
    dy = w.y - EYE_Y - 0.012

    radius = ((dx / half_width) ** power + (np.abs(dy) / half_height) ** power) ** (1 / power)
    rim = (radius - 1) * np.minimum(half_width, half_height)
    lens = w.cover(rim) * opacity
    w.paint(lens * f["lens_tint"], frame * np.float32(0.4))
    glare = w.cover(np.abs((w.abs_feature_x - eye) * 0.6 + dy + 0.02) - 0.008)
    w.paint(lens * glare * 0.25, colour(1, 1, 1))

    bridge = np.maximum(
        np.abs(dy + 0.025) - half_rim * 0.84, w.abs_feature_x - (eye - half_width + 0.01)
    )
    temples = np.maximum(
        np.abs(dy + 0.02) - half_rim * 0.8,
        np.maximum(eye + half_width - w.abs_feature_x, w.abs_x - f["face_half_width"]),
    )
    wire = np.minimum(np.abs(rim) - half_rim, np.minimum(bridge, temples))
    w.paint(w.cover(wire) * opacity, frame)
