r"""Figures 4, 5 and 20: what varies when labels stay as they are (section 6.2)."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ccvae.characteristic import CharacteristicVAE
from ccvae.labels import LabelSpace
from evaluators.measuring import measurement, seeded
from workflow.figures.characteristics import decode, label_index, with_characteristics
from workflow.figures.grids import Block, draw_blocks
from workflow.figures.scene import Scene
from workflow.figures.style import wrap
from workflow.reporting.names import readable

GREEN = (0.0, 0.75, 0.25)
DRAWS = 50
"""Draws of one label's characteristics per image."""

BRIGHTEST = 0.995
"""Share of pixels whose variance the scale of the overlay covers."""


@measurement
def diverse_generations(
    model: CharacteristicVAE, y: Tensor, background: Tensor, *, draws: int, seed: int
) -> Tensor:
    r"""Draw z_c ~ p(z_c | y) anew for every image, with the z_\c of one image throughout.

    Parameters
    ----------
    model
        A model with characteristic latents.
    y
        Labels of the rows, (R, F).
    background
        The image that z_\c comes from, (C, H, W).
    draws
        Images per row.
    seed
        Of the draws.

    Returns
    -------
    Tensor
        (R, draws, C, H, W).
    """
    style = model.style(model.posterior(background.unsqueeze(0)).loc)
    with seeded(seed, model.device):
        z_c = model.sample_characteristics(y.repeat_interleave(draws, 0))
    return decode(model, z_c, style.expand(len(z_c), -1)).unflatten(0, (len(y), draws))


@measurement
def label_variance(
    model: CharacteristicVAE, images: Tensor, labels: list[int], *, draws: int, seed: int
) -> Tensor:
    """Variance of each pixel when one label is switched on and its z_c drawn again and again.

    The rest of z stays at the posterior mean.

    Parameters
    ----------
    model
        A model of binary labels with characteristic latents.
    images
        (B, C, H, W) in [0, 1].
    labels
        Which labels, by position; n of them.
    draws
        Draws per image and label.
    seed
        Of the draws.

    Returns
    -------
    Tensor
        (B, n, H, W), the mean over the colours; squared pixel values.
    """
    z = model.posterior(images).loc
    style = model.style(z).repeat_interleave(draws, 0)
    maps = []
    with seeded(seed, model.device):
        for label in labels:
            z_c = model.characteristics(z).repeat_interleave(draws, 0).clone()
            on = torch.ones(len(z_c), model.labels.n_factors, dtype=torch.long, device=z.device)
            z_c[:, label] = model.sample_characteristics(on)[:, label]
            drawn = decode(model, z_c, style).unflatten(0, (len(images), draws))
            maps.append(drawn.var(dim=1).mean(dim=1))
    return torch.stack(maps, dim=1)


def overlay(images: Tensor, strength: Tensor) -> Tensor:
    """Lay green over grey versions of images.

    Parameters
    ----------
    images
        (..., C, H, W) in [0, 1].
    strength
        (..., H, W) in [0, 1]: 0 leaves the image, 1 is green alone.

    Returns
    -------
    Tensor
        (..., 3, H, W).
    """
    grey = images.mean(dim=-3, keepdim=True).expand(*images.shape[:-3], 3, -1, -1)
    alpha = strength.unsqueeze(-3)
    green = torch.tensor(GREEN, device=images.device)[:, None, None]
    return (1 - alpha) * grey + alpha * green


def describe_labels(y: Tensor, space: LabelSpace, width: int = 30) -> str:
    """Name the labels that are on, in short lines: y (F,)."""
    names = [readable(name) for name, on in zip(space.names, y.tolist(), strict=True) if on]
    return "\n".join(wrap(", ".join(names) or "no label on", width))


def draw_generations(scene: Scene) -> Figure:
    """Figure 4: rows have the labels of test images, columns are draws of z_c."""
    model = with_characteristics(scene.model)
    rows = scene.options["rows"]
    y = scene.images.labels[1 : rows + 1].to(model.device)
    background = scene.test_images(1)[0]
    images = diverse_generations(
        model, y, background, draws=scene.options["columns"], seed=scene.seed
    )
    names = [describe_labels(row, model.labels) for row in y.cpu()]
    columns = [f"draw {i + 1}" for i in range(images.shape[1])]
    return draw_blocks([Block(images, rows=names, columns=columns)], title=scene.title)


def draw_variance(scene: Scene, labels: list[int], rows: int) -> Figure:
    """Draw reconstructions and, for each label, where pixels vary."""
    model = with_characteristics(scene.model)
    x = scene.test_images(rows)
    with torch.no_grad():
        reconstructions = model.reconstruct(x)
    variance = label_variance(model, x, labels, draws=DRAWS, seed=scene.seed)
    # One scale per label: a necktie moves fewer and a hair colour more pixels.
    scales = torch.stack(
        [variance[:, i].quantile(BRIGHTEST).clamp_min(1e-12) for i in range(len(labels))]
    )
    strength = (variance / scales[None, :, None, None]).clamp(0, 1)
    overlaid = overlay(reconstructions.unsqueeze(1).expand(-1, len(labels), -1, -1, -1), strength)
    colour = reconstructions.unsqueeze(1).expand(-1, 1, 3, -1, -1)
    names = ["reconstruction", *(readable(model.labels.names[label]) for label in labels)]
    block = Block(torch.cat([colour, overlaid], dim=1), columns=names)
    return draw_blocks([block], title=scene.title, largest_tile=0.8)


def draw_some_variance(scene: Scene) -> Figure:
    """Figure 5: the labels that the paper shows."""
    space = scene.images.space
    chosen = scene.options["variance_labels"] or space.names
    labels = [label_index(space, name, "figures.variance_labels") for name in chosen]
    return draw_variance(scene, labels, rows=2)


def draw_all_variance(scene: Scene) -> Figure:
    """Figure 20: every label."""
    labels = list(range(scene.images.space.n_outputs))
    return draw_variance(scene, labels, rows=scene.options["rows"])
