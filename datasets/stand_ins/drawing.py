"""Implicit shapes on a pixel grid: what the drawn faces and the drawn X-rays share.

A shape is a signed distance (negative inside, in units of the half-image) evaluated at every
pixel of a whole batch, and its anti-aliased coverage is a ramp one pixel wide. Nothing is
super-sampled, so soft shading costs as much as a hard edge. Everything is single precision: a
stray float64 doubles the time, which is why constants stay Python floats or arrays float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

SIZE = 64
"""Height and width of every drawn image, in pixels."""

PIXEL = 2.0 / SIZE
"""One pixel in units of the half-image: the image spans -1 to 1, x to the right and y down."""

Array: TypeAlias = NDArray[Any]
Factors: TypeAlias = dict[str, Array]


class Dice:
    """Uniform numbers handed out column by column.

    The k-th call reads the k-th column, so the order of the calls is part of a generator's
    identity: changing it changes every image and calls for a new generator version.

    Parameters
    ----------
    uniforms
        Numbers in [0, 1), shape (n, columns): one row per image.
    first
        The first column to hand out.
    """

    def __init__(self, uniforms: Array, first: int) -> None:
        self._uniforms = uniforms
        self._next = first

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Array:
        """Return (n,) numbers uniform between `low` and `high`."""
        column: Array = self._uniforms[:, self._next]
        self._next += 1
        return low + (high - low) * column

    def triangular(self, low: float, high: float) -> Array:
        """Return (n,) numbers with a triangular density between `low` and `high`."""
        return low + (high - low) * 0.5 * (self.uniform() + self.uniform())

    def chance(self, probability: float) -> Array:
        """Return (n,) booleans that are true with `probability`."""
        return self.uniform() < probability

    def side(self) -> Array:
        """Return (n,) numbers that are 1 or -1 with equal probability."""
        return np.where(self.chance(0.5), 1.0, -1.0)


def hsv(hue: ArrayLike, saturation: Array, value: Array) -> Array:
    """Turn hue (turns), saturation and value, each (n,), into RGB in [0, 1], shape (n, 3)."""
    sextant = np.asarray(hue) * 6.0
    ramp = np.stack([(5 + sextant) % 6, (3 + sextant) % 6, (1 + sextant) % 6], 1)
    peak = value[:, None]
    return peak - peak * saturation[:, None] * np.clip(np.minimum(ramp, 4 - ramp), 0, 1)


def only_where(present: Array, factors: Mapping[str, Array]) -> Factors:
    """Set every factor of an absent thing to 0.

    A thing that is not there has no width and no colour. The probes of the latents rely on it:
    a factor listed as a characteristic of a label differs between images with and without it.

    Parameters
    ----------
    present
        Which images show the thing, shape (n,).
    factors
        Numbers (n,) or colours (n, 3) that describe it.
    """
    return {
        name: np.where(present if value.ndim == 1 else present[:, None], value, 0.0)
        for name, value in factors.items()
    }


def broadcast(factors: Mapping[str, Array]) -> Factors:
    """Shape factors for arithmetic with images: (n,) to (n, 1, 1) and (n, 3) to (n, 3, 1, 1)."""
    return {
        name: np.asarray(value, np.float32).reshape(*value.shape, 1, 1)
        for name, value in factors.items()
    }


def pixel_centres() -> Array:
    """Return the coordinates of the pixel centres along one axis, shape (SIZE,)."""
    return ((np.arange(SIZE) + 0.5) * PIXEL - 1).astype(np.float32)


def colour(red: float, green: float, blue: float) -> Array:
    """Return one RGB colour that broadcasts over a batch of images, shape (1, 3, 1, 1)."""
    return np.array([red, green, blue], np.float32).reshape(1, 3, 1, 1)


def coverage(distance: Array, ramp: ArrayLike) -> Array:
    """Return how much of a pixel lies inside a shape: 1 inside, 0 outside, linear over `ramp`.

    Parameters
    ----------
    distance
        Signed distance to the edge, negative inside.
    ramp
        Width of the transition, about one pixel; more gives a softer edge.
    """
    return np.clip(0.5 - distance / np.asarray(ramp, np.float32), 0, 1)


def smoothstep(value: Array, low: ArrayLike, high: ArrayLike) -> Array:
    """Rise from 0 at `low` to 1 at `high` with zero slope at both ends."""
    width = np.subtract(high, low, dtype=np.float32)
    t = np.clip((value - low) * (1 / width), 0, 1)
    return t * t * (3 - 2 * t)


def bell(value: Array, width: ArrayLike) -> Array:
    """Return exp(-(value / width)^2): a soft line where `value` is 0."""
    scaled = value * (1 / np.asarray(width, np.float32))
    return np.exp(-(scaled * scaled))


def spot(dx: Array, dy: Array, width: ArrayLike, height: ArrayLike) -> Array:
    """Return exp(-(dx / width)^2 - (dy / height)^2): a soft round mark."""
    u = dx / np.asarray(width, np.float32)
    v = dy / np.asarray(height, np.float32)
    return np.exp(-(u * u + v * v))


def ellipse_distance(x: Array, y: Array, half_width: ArrayLike, half_height: ArrayLike) -> Array:
    """Approximate the signed distance to an ellipse about the origin, negative inside.

    The implicit function divided by the length of its gradient: exact on the axes of a circle
    and within a fraction of a pixel near the edge, where coverage reads it.
    """
    a, b = np.asarray(half_width, np.float32), np.asarray(half_height, np.float32)
    u, v = x / a, y / b
    radius = np.sqrt(u * u + v * v) + np.float32(1e-6)
    u, v = u / a, v / b
    return radius * (radius - 1) / (np.sqrt(u * u + v * v) + np.float32(1e-6))


def photograph(image: Array, blur: Array, noise_level: Array, rng: np.random.Generator) -> Array:
    """Blur with three taps along both axes, add Gaussian noise and round to 8 bits.

    Parameters
    ----------
    image
        Intensities, nominally in [0, 1], shape (..., SIZE, SIZE); overwritten.
    blur
        Blur in [0, 1], broadcastable to `image`; 1 gives the taps (1/4, 1/2, 1/4).
    noise_level
        Standard deviation of the noise, broadcastable to `image`.
    rng
        Source of the noise.

    Returns
    -------
    Array
        uint8, the shape of `image`.
    """
    tap = blur * 0.25
    for axis in (-2, -1):
        last = image.shape[axis] - 1
        before = np.take(image, [0, *range(last)], axis)
        after = np.take(image, [*range(1, last + 1), last], axis)
        image = image + tap * (before + after - 2 * image)
    image += rng.standard_normal(image.shape, dtype=np.float32) * noise_level
    return (np.clip(image, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
