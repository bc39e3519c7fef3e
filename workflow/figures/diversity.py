r"""Figures 4, 5 and 20: what varies when labels stay as they are (section 6.2)."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ccvae.characteristic import CharacteristicVAE
from ccvae.labels import LabelSpace
from evaluators.locality import label_variance
from evaluators.measuring import measurement, seeded
from workflow.figures.characteristics import decode, label_index, with_characteristics
from workflow.figures.grids import Block
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
    return scene.draw([Block(images, rows=names, columns=columns)])


def variances(model: CharacteristicVAE, x: Tensor, labels: list[int], *, seed: int) -> Tensor:
    """Variance of each pixel, (B, n, H, W), as `evaluators.locality.label_variance`.

    Draws of one picture do not depend on which other images and labels are beside it, so that two
    figures say the same of it.
    """
    rows = [
        [label_variance(model, image, [label], draws=DRAWS, seed=seed) for label in labels]
        for image in x.split(1)
    ]
    return torch.cat([torch.cat(row, dim=1) for row in rows])


def draw_variance(scene: Scene, labels: list[int], rows: int) -> Figure:
    """Draw reconstructions and, for each image and label, where pixels vary and how much."""
    model = with_characteristics(scene.model)
    x = scene.test_images(rows)
    with torch.no_grad():
        reconstructions = model.reconstruct(x)
    variance = variances(model, x, labels, seed=scene.seed)
    # One scale per picture: labels move pixels more in one face than in another, and glasses more
    # than a necktie.
    ends = variance.flatten(2).quantile(BRIGHTEST, dim=2).clamp_min(1e-12)
    strength = (variance / ends[..., None, None]).clamp(0, 1)
    overlaid = overlay(reconstructions.unsqueeze(1).expand(-1, len(labels), -1, -1, -1), strength)
    colour = reconstructions.unsqueeze(1).expand(-1, 1, 3, -1, -1)
    pictures = torch.cat([colour, overlaid], dim=1)
    names = ["reconstruction", *(readable(model.labels.names[label]) for label in labels)]
    blocks = [
        Block(
            pictures[row : row + 1],
            columns=names if row == 0 else (),
            below=["", *(f"{end:#.2g}" for end in ends[row].sqrt().tolist())],
        )
        for row in range(rows)
    ]
    figure = scene.draw(blocks, largest_tile=0.8)
    _draw_scale(figure)
    return figure


def _draw_scale(figure: Figure) -> None:
    """Put a bar from grey to green below the pictures, with what its ends mean."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0.06 / width, -0.16 / height, 0.8 / width, 0.09 / height))
    shades = overlay(torch.full((3, 1, 64), 0.5), torch.linspace(0, 1, 64).unsqueeze(0))
    axes.imshow(shades.permute(1, 2, 0).numpy(), aspect="auto")
    axes.set_axis_off()
    axes.text(-1, 0, "0 ", ha="right", va="center", clip_on=False)
    end = "end of the scale: the standard deviation below each picture, in pixel values of 0 to 1"
    axes.text(64, 0, f" {end}", ha="left", va="center", clip_on=False)


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
