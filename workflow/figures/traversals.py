r"""Figures 3, 18 and 19: two characteristics of one image moved continuously (section 6.1).

One image is encoded; z_c^i and z_c^j run over a grid whose ends lie a number of standard deviations
beyond the conditional prior's means of y = 0 and y = 1 (5 of them in the released code), and the
rest of z stays at the posterior mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ccvae.characteristic import CharacteristicVAE
from evaluators.measuring import measurement
from workflow.figures.characteristics import (
    decode,
    label_index,
    prior_moments,
    with_characteristics,
)
from workflow.figures.grids import Block
from workflow.figures.scene import Scene
from workflow.figures.style import ARROW
from workflow.reporting.names import readable


def limits(model: CharacteristicVAE, deviations: float, seed: int) -> tuple[Tensor, Tensor]:
    """Ends of the traversal of every label, from off to on: two (L, d).

    Parameters
    ----------
    model
        A model of binary labels.
    deviations
        How many standard deviations the ends lie beyond the conditional prior's means.
    seed
        Of the draws, where the model needs them.
    """
    mean, deviation = prior_moments(model, seed)
    beyond = deviations * (mean[:, 1] - mean[:, 0]).sign()
    return mean[:, 0] - beyond * deviation[:, 0], mean[:, 1] + beyond * deviation[:, 1]


@measurement
def traverse(
    model: CharacteristicVAE,
    image: Tensor,
    pair: tuple[int, int],
    *,
    steps: int,
    deviations: float,
    seed: int = 0,
) -> Tensor:
    """Move two characteristics of one image.

    Parameters
    ----------
    model
        A model of binary labels with characteristic latents.
    image
        (C, H, W) in [0, 1].
    pair
        Labels along the columns and along the rows.
    steps
        Images along each side.
    deviations, seed
        See `limits`.

    Returns
    -------
    Tensor
        (steps, steps, C, H, W); off is left and at the bottom.
    """
    start, end = limits(model, deviations, seed)
    z = model.posterior(image.unsqueeze(0)).loc
    z_c = model.characteristics(z).repeat(steps * steps, 1, 1)
    t = torch.linspace(0, 1, steps, device=z.device)
    up, across = torch.meshgrid(t.flip(0), t, indexing="ij")
    for label, place in zip(pair, (across, up), strict=True):
        z_c[:, label] = torch.lerp(start[label], end[label], place.reshape(-1, 1))
    images = decode(model, z_c, model.style(z).expand(steps * steps, -1))
    return images.unflatten(0, (steps, steps))


def draw_pairs(scene: Scene, pairs: Sequence[Sequence[str]], per_line: int) -> Figure:
    """Draw a block per pair of labels, all of the same image, the first of the test set."""
    model = with_characteristics(scene.model)
    image, options = scene.test_images(1)[0], scene.options
    blocks = []
    for pair in pairs:
        across, up = (label_index(model.labels, name, "figures.traversals") for name in pair)
        images = traverse(
            model,
            image,
            (across, up),
            steps=options["traversal_steps"],
            deviations=options["traversal_deviations"],
            seed=scene.seed,
        )
        blocks.append(
            Block(
                images,
                x_label=readable(pair[0]) + ARROW,
                y_label=readable(pair[1]) + ARROW,
            )
        )
    return scene.draw(blocks, per_line=per_line)


def draw_few(scene: Scene) -> Figure:
    """Draw the pairs of Figure 3."""
    return draw_pairs(scene, scene.options["traversals"], per_line=2)


def draw_many(scene: Scene) -> Figure:
    """Draw the pairs of Figures 18 and 19."""
    return draw_pairs(scene, scene.options["more_traversals"], per_line=3)
