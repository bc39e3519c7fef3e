"""The canvas of a batch of faces: windows onto the image, each with its coordinates."""

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
)

EYE_Y = -0.045
"""Height of the eyes in the frame of the head."""

_NECK_Y = 0.30  # the head rolls about this point


class Window:
    """A rectangle of the image and its coordinates in several frames, in half-images.

    Parts of the face are drawn in the smallest window that holds them, which halves the time.

    Attributes
    ----------
    rows, columns
        The rectangle, as slices of the image.
    pixels
        The view of the image, (n, 3, height, width).
    screen_x, screen_y
        The frame of the image, (1, 1, width) and (1, height, 1).
    body_x, body_y
        The frame of the shoulders: shifted and scaled.
    x, y, abs_x
        The frame of the head: the same, rolled about the neck.
    feature_x, abs_feature_x
        As x, but slid sideways by the yaw; eyes, nose and mouth are drawn here.
    """

    def __init__(
        self,
        image: Array,
        f: Factors,
        *,
        top: float = -1.0,
        bottom: float = 1.0,
        left: float = -1.0,
        right: float = 1.0,
    ) -> None:
        self.rows = slice(int((top + 1) / PIXEL), int(np.ceil((bottom + 1) / PIXEL)))
        self.columns = slice(int((left + 1) / PIXEL), int(np.ceil((right + 1) / PIXEL)))
        self.pixels = image[:, :, self.rows, self.columns]
        self._ramp = PIXEL / f["scale"] * np.float32(1.1)

        centres = pixel_centres()
        self.screen_x = centres[None, None, self.columns]
        self.screen_y = centres[None, self.rows, None]
        self.body_x = (self.screen_x - f["shift_x"]) / f["scale"]
        self.body_y = (self.screen_y - f["shift_y"]) / f["scale"]
        cosine, sine = np.cos(f["roll"]), np.sin(f["roll"])
        self.x = cosine * self.body_x + sine * (self.body_y - _NECK_Y)
        self.y = -sine * self.body_x + cosine * (self.body_y - _NECK_Y) + _NECK_Y
        self.abs_x = np.abs(self.x)
        self.feature_x = self.x - 0.055 * f["yaw"]
        self.abs_feature_x = np.abs(self.feature_x)

    def paint(self, opacity: Array, paint: Array) -> None:
        """Lay a colour over the window.

        Parameters
        ----------
        opacity
            0 to 1, broadcastable to (n, height, width).
        paint
            RGB, broadcastable to (n, 3, height, width).
        """
        self.pixels += opacity[:, None] * (paint - self.pixels)

    def cover(self, distance: Array, softness: float = 1.0) -> Array:
        """Return the anti-aliased coverage of a shape whose distance is in the face's units."""
        return coverage(distance, self._ramp * np.float32(softness))

    def crop(self, field: Array, source: Window) -> Array:
        """Cut a field that was computed in the larger window `source` to this one."""
        top = self.rows.start - source.rows.start
        left = self.columns.start - source.columns.start
        height, width = self.pixels.shape[2:]
        return field[..., top : top + height, left : left + width]


class Scene:
    """An unpainted batch of faces.

    Attributes
    ----------
    f
        Factors, broadcastable to images.
    image
        float32 (n, 3, 64, 64), RGB in [0, 1] and slightly beyond.
    whole, torso, head, lower, upper
        Windows: the image, shoulders and neck, head, lower and upper half of the face.
    smile
        How pronounced the smile is, 0 to 1, (n, 1, 1).
    wrinkles
        How pronounced the wrinkles are, 0 to 1.1, (n, 1, 1).
    """

    def __init__(self, factors: Factors) -> None:
        self.f = broadcast(factors)
        self.image = np.empty((len(self.f["scale"]), 3, SIZE, SIZE), np.float32)
        self.whole = Window(self.image, self.f)
        self.torso = Window(self.image, self.f, top=-0.10)
        self.head = Window(self.image, self.f, top=-0.95, bottom=0.85, left=-0.85, right=0.85)
        self.lower = Window(self.image, self.f, top=-0.45, bottom=0.80, left=-0.80, right=0.80)
        self.upper = Window(self.image, self.f, top=-0.80, bottom=0.40, left=-0.80, right=0.80)
        self.smile = np.clip(self.f["mouth_corner_lift"] / 0.115, 0, 1)
        self.wrinkles = np.clip((self.f["ageing"] - 0.15) / 0.85, 0, 1.1)
        self.skin = self.f["skin_colour"] * (1 - 0.05 * self.f["ageing"][:, None])

    def lit_skin(self, window: Window) -> Array:
        """Return the colour of skin under the light, (n, 3, height, width)."""
        f = self.f
        slope = f["light_x"] * window.x / 0.45 + f["light_y"] * window.y / 0.6
        return self.skin * (1 + f["light_strength"] * slope)[:, None]
