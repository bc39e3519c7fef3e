r"""Figures 21 to 24: one label of several classes (Appendix D.6)."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ccvae.characteristic import CharacteristicVAE
from ccvae.interface import LabelledVAE
from evaluators.measuring import measurement, seeded
from workflow.figures.characteristics import (
    decode,
    label_index,
    prior_moments,
    with_characteristics,
)
from workflow.figures.diversity import diverse_generations
from workflow.figures.grids import Block
from workflow.figures.interventions import intervention_block
from workflow.figures.scene import Scene

SIDE = 5
"""Images along each side of a class in Figures 22 and 23."""

SYSTEMS_BESIDE_EACH_OTHER = 2

NOTHING_KEPT = "all of z is z_c, nothing is kept"


def corner_weights(steps: int) -> Tensor:
    """Bilinear weights of four corners on a grid: (steps, steps, 4).

    The corners are, in order, top left, top right, bottom left and bottom right; each point's
    weights are non-negative and sum to one.
    """
    t = torch.linspace(0, 1, steps)
    down, across = torch.meshgrid(t, t, indexing="ij")
    return torch.stack(
        [(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across],
        dim=-1,
    )


@measurement
def interpolate(
    model: CharacteristicVAE, corners: list[int], *, steps: int, seed: int = 0
) -> Tensor:
    r"""Images on the polytope between four classes' means of p(z_c | y); z_\c is at its mean, 0.

    Parameters
    ----------
    model
        A model of classes with characteristic latents.
    corners
        Four classes, in the order of `corner_weights`.
    steps
        Images along each side.
    seed
        Of the draws that stand in for the mean, where the model has no formula for it.

    Returns
    -------
    Tensor
        (steps, steps, C, H, W).
    """
    mean, _ = prior_moments(model, seed)
    weights = corner_weights(steps).to(mean.device)
    z_c = torch.einsum("rcv,fvd->rcfd", weights, mean[:, corners]).flatten(0, 1)
    style = torch.zeros(len(z_c), model.style_latents, device=mean.device)
    return decode(model, z_c, style).unflatten(0, (steps, steps))


@measurement
def generate_classes(model: LabelledVAE, n: int, *, seed: int) -> Tensor:
    """Generate `n` images of every class: (K, n, C, H, W)."""
    classes = torch.arange(model.labels.n_values, device=model.device)
    with seeded(seed, model.device):
        images = model.generate(classes.repeat_interleave(n).unsqueeze(1))
    return images.unflatten(0, (len(classes), n))


def draw_polytope(scene: Scene) -> Figure:
    """Figure 21."""
    model = with_characteristics(scene.model)
    names = scene.options["corners"]
    corners = [label_index(model.labels, name, "figures.corners") for name in names]
    images = interpolate(model, corners, steps=scene.options["polytope_steps"], seed=scene.seed)
    empty = [""] * (len(images) - 2)
    block = Block(
        images,
        columns=[names[0], *empty, names[1]],
        below=[names[2], *empty, names[3]],
    )
    return scene.draw([block], largest_tile=0.4)


def draw_generations(scene: Scene) -> Figure:
    r"""Figures 22 and 23: five by five per class.

    A model with characteristic latents keeps one z_\c, that of the first test image, if it has one;
    any other draws all its latents.
    """
    model, remark = scene.model, ""
    if isinstance(model, CharacteristicVAE):
        classes = torch.arange(model.labels.n_values, device=model.device).unsqueeze(1)
        background = scene.test_images(1)[0]
        images = diverse_generations(model, classes, background, draws=SIDE**2, seed=scene.seed)
        if model.style_latents == 0:
            remark = NOTHING_KEPT
    else:
        images = generate_classes(model, SIDE**2, seed=scene.seed)
    blocks = [
        Block(of_class.unflatten(0, (SIDE, SIDE)), title=name)
        for of_class, name in zip(images, model.labels.names, strict=True)
    ]
    return scene.draw(blocks, remark=remark, per_line=5)


def draw_interventions(scene: Scene) -> Figure:
    """Figure 24: every class in turn, model beside model."""
    x = scene.test_images(scene.options["rows"])

    def heading(title: str, model: LabelledVAE) -> str:
        keeps_nothing = isinstance(model, CharacteristicVAE) and model.style_latents == 0
        return f"{title} ({NOTHING_KEPT})" if keeps_nothing else title

    blocks = [
        intervention_block(model, x, seed=scene.seed, title=heading(title, model))
        for title, model in scene.models.items()
    ]
    return scene.draw(blocks, per_line=SYSTEMS_BESIDE_EACH_OTHER)
