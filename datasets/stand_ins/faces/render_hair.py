"""Hair: behind the head, around the face and over the forehead."""

from __future__ import annotations

import numpy as np

from datasets.stand_ins.drawing import Array, bell, ellipse_distance, smoothstep, spot
from datasets.stand_ins.faces.render_head import Face
from datasets.stand_ins.faces.scene import Scene


class Hair:
    """Fields over the whole image that the back and the front of the hair share.

    Attributes
    ----------
    colour
        RGB with strands, shine and grey hairs, (n, 3, 64, 64).
    wave
        Sideways displacement of the strands, (n, 64, 64).
    cap
        Signed distance to the hair on the skull, (n, 64, 64).
    outer
        Half-width of long hair at each height, (n, 64, 64).
    hem
        Height below the lower end of long hair, (n, 64, 64).
    is_long, present
        0 or 1, (n, 1, 1).
    """

    def __init__(self, scene: Scene) -> None:
        f, w = scene.f, scene.whole
        x, y = w.x, w.y
        waviness, frequency, phase = f["hair_waviness"], f["wave_frequency"], f["wave_phase"]
        width, volume, length = f["face_half_width"], f["hair_volume"], f["hair_length"]

        self.is_long = (length > 0.05).astype(np.float32)
        self.present = 1 - f["baldness"]
        self.wave = waviness * 0.045 * np.sin(frequency * y + phase + 1.5 * np.sign(x))
        ripple = waviness * 0.030 * np.sin(1.9 * frequency * y + 2.1 * phase)
        self.outer = (
            width
            + volume * 0.9
            + (0.03 + 0.14 * waviness + 0.05 * length) * smoothstep(y, -0.3, 0.6)
            + self.wave * 1.2
            + ripple
        )
        self.hem = y - (0.05 + length * 0.95) - 0.03 * np.sin(10 * x + phase)

        angle = np.arctan2(x, -(y + 0.1) + 1e-3)
        skull = ellipse_distance(
            x + 0.25 * self.wave,
            y + 0.10,
            width + volume * (0.95 + 0.25 * self.is_long),
            0.485 + volume,
        )
        curls = 0.020 * np.sin(9 * angle + phase) + 0.010 * np.sin(17 * angle + 2 * phase)
        self.cap = skull - waviness * curls
        self.colour = self._colour(scene)

    def _colour(self, scene: Scene) -> Array:
        f, w = scene.f, scene.whole
        x, y = w.x, w.y
        waviness, frequency, phase = f["hair_waviness"], f["wave_frequency"], f["wave_phase"]
        across = f["strand_frequency"] * (x + 2.2 * self.wave)
        strand = 0.6 * np.sin(across + 3 * phase) + 0.4 * np.sin(1.7 * across + 5 * phase)
        shine = bell(y + 0.43 + 0.25 * x * x + 0.3 * self.wave, 0.09)
        crests = np.sin(frequency * 1.5 * y + 9 * w.abs_x + phase)
        brightness = (
            1
            + f["strand_contrast"] * strand
            + 0.22 * shine * (1 - 0.3 * waviness)
            + 0.26 * waviness * crests
        )
        colour = np.clip(f["hair_colour"] * brightness[:, None], 0, 1)
        grey = f["ageing"] * 0.24 * np.clip(strand, 0, 1) ** 2
        colour += grey[:, None] * (0.75 - colour)
        return colour


def draw_back_hair(scene: Scene, hair: Hair) -> None:
    """Draw the hair that the head and the body will hide in part."""
    w = scene.whole
    mane = np.maximum(np.maximum(w.abs_x - hair.outer, hair.hem), -(w.y + 0.25))
    opacity = np.maximum(w.cover(mane) * hair.is_long, w.cover(hair.cap))
    w.paint(opacity * hair.present, hair.colour * np.float32(0.80))


def draw_front_hair(scene: Scene, hair: Hair, face: Face) -> None:
    """Draw the hair above the hairline, which may part or recede, and its shadow."""
    f, w = scene.f, scene.head
    x, y = w.x, w.y
    cap, wave = w.crop(hair.cap, scene.whole), w.crop(hair.wave, scene.whole)
    top, recession = f["hairline_y"], f["hairline_recession"]
    across = np.clip(face.across, 0, 1.3)
    sideburn = np.where(hair.is_long > 0, np.float32(0.10), np.float32(-0.03))

    parting = 0.05 * f["parting_depth"] * bell(x / f["face_half_width"] - f["parting_x"], 0.22)
    straight = top - parting + (sideburn - top) * smoothstep(across, 0.66, 1.0)
    temples = recession * (0.105 + 0.11 * bell(across - 0.62, 0.22))
    receded = top - temples + (sideburn - top) * smoothstep(across, 0.84, 1.02)
    hairline = straight + (receded - straight) * smoothstep(recession, 0.2, 0.5)

    thinning = 1 - 0.25 * recession * smoothstep(-y, 0.3, 0.5) * (across < 0.7)
    above = np.maximum(cap, (y - hairline - 0.25 * wave) * 0.8)
    w.paint(w.cover(above) * hair.present * thinning, w.crop(hair.colour, scene.whole))
    shadow = bell(y - hairline - 0.02, 0.025) * face.coverage * hair.present * 0.22
    w.paint(shadow * (across < 0.9), scene.skin * np.float32(0.5))


def draw_curtains(scene: Scene, hair: Hair) -> None:
    """Draw the long hair that falls in front of the shoulders on both sides of the face."""
    f, w = scene.f, scene.whole
    inner = (
        f["face_half_width"] * 0.93
        + 0.02 * smoothstep(w.y, 0.3, 0.7)
        - 0.8 * hair.wave
        - 0.12 * ((f["hair_length"] > 0.4) * smoothstep(w.y, 0.42, 0.8))
    )
    sides = np.maximum(inner - w.abs_x, w.abs_x - hair.outer)
    distance = np.maximum(sides, np.maximum(hair.hem, -(w.y + 0.22)))
    w.paint(w.cover(distance) * hair.is_long * hair.present, hair.colour)


def draw_fringe(scene: Scene, hair: Hair, face: Face) -> None:
    """Draw bangs over the forehead, and their shadow."""
    f, w = scene.f, scene.head
    if not f["fringe_opacity"].any():
        return
    x, y = w.x, w.y
    cap, wave = w.crop(hair.cap, scene.whole), w.crop(hair.wave, scene.whole)
    frequency, phase = f["fringe_frequency"], f["fringe_phase"]
    lower_edge = (
        f["fringe_y"]
        + f["fringe_slope"] * x
        + f["fringe_jaggedness"] * np.sin(frequency * (x + wave) + phase)
        + 0.35 * x * x
        - 0.10 * wave
    )
    between = np.sin(frequency * 1.6 * x + 3 * phase) > 0.55
    gaps = 1 - f["fringe_gaps"] * smoothstep(y - lower_edge, -0.12, 0) * between
    distance = np.maximum(
        np.maximum(cap, y - lower_edge),
        np.maximum(f["hairline_y"] - 0.05 - y, (face.across - 0.97) * f["face_half_width"]),
    )
    opacity = w.cover(distance) * f["fringe_opacity"] * gaps * hair.present
    w.paint(opacity, w.crop(hair.colour, scene.whole))
    shadow = bell(y - lower_edge - 0.018, 0.02) * (f["fringe_opacity"] > 0) * face.coverage
    w.paint(shadow * 0.28 * (face.across < 0.9), scene.skin * np.float32(0.45))


def draw_bald_shine(scene: Scene) -> None:
    """Draw the reflection on a bald head."""
    f, w = scene.f, scene.head
    shine = spot(w.x + 0.1 * f["light_x"], w.y + 0.42, 0.14, 0.06)
    w.paint(shine * f["baldness"] * 0.45, np.clip(scene.skin * 1.2 + 0.1, 0, 1))
