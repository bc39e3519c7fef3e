"""Draw a batch of faces, back to front."""

from __future__ import annotations

import numpy as np

from datasets.stand_ins.drawing import Array, Factors, photograph, spot
from datasets.stand_ins.faces import render_body as body
from datasets.stand_ins.faces import render_hair as hair
from datasets.stand_ins.faces import render_head as head
from datasets.stand_ins.faces import render_lower as lower
from datasets.stand_ins.faces import render_upper as upper
from datasets.stand_ins.faces.scene import Scene


def render(factors: Factors, rng: np.random.Generator) -> Array:
    """Draw one batch.

    Parameters
    ----------
    factors
        As returned by `sample_factors`, (n,) or (n, 3).
    rng
        Source of the texture of beards and of the camera's noise. What is drawn from it depends
        on n alone, so that counterfactuals share their noise.

    Returns
    -------
    Array
        uint8 (n, 3, 64, 64).
    """
    scene = Scene(factors)
    locks = hair.Hair(scene)
    draw_background(scene)
    hair.draw_back_hair(scene, locks)
    body.draw_body(scene)
    face = head.draw_head(scene)
    lower.draw_lower_face(scene, face, rng)
    upper.draw_upper_face(scene, face)
    hair.draw_front_hair(scene, locks, face)
    hair.draw_curtains(scene, locks)
    hair.draw_fringe(scene, locks, face)
    hair.draw_bald_shine(scene)
    head.draw_glasses(scene)
    return _camera(scene, rng)


def draw_background(scene: Scene) -> None:
    """Draw a gradient with one soft blob."""
    f, w = scene.f, scene.whole
    angle = f["background_angle"]
    along = 0.5 + 0.5 * (np.cos(angle) * w.screen_x + np.sin(angle) * w.screen_y)
    near, far = f["background_colour"], f["background_far_colour"]
    scene.image[:] = near + (far - near) * along[:, None]
    dx, dy = w.screen_x - f["blob_x"], w.screen_y - f["blob_y"]
    blob = spot(dx, dy, f["blob_radius"], f["blob_radius"])
    w.paint(blob * f["blob_opacity"], f["blob_colour"])


def _camera(scene: Scene, rng: np.random.Generator) -> Array:
    """Apply exposure and colour temperature, then blur, noise and rounding."""
    f = scene.f
    warmth = f["colour_temperature"]
    gains = (1 + f["exposure"]) * np.concatenate([1 + warmth, np.ones_like(warmth), 1 - warmth], 1)
    scene.image *= gains[..., None]
    return photograph(scene.image, f["blur"][:, None], f["noise_level"][:, None], rng)
