r"""Figures 6 and 7: characteristics of one image on the background of another (section 6.4)."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ccvae.feeding import as_floats
from ccvae.interface import LabelledVAE
from evaluators.measuring import measurement, seeded
from workflow.figures.grids import Block
from workflow.figures.scene import Scene

TRUTH = "true swap"
SWAPS = 4
"""Pairs of Figure 6, and images along each side of Figure 7."""


@measurement
def swap_pairs(
    model: LabelledVAE, characteristics: Tensor, background: Tensor, *, seed: int
) -> Tensor:
    """Swap image by image: two (B, C, H, W) to (B, C, H, W)."""
    with seeded(seed, model.device):
        return model.swap(characteristics, background)


def swap_matrix(
    model: LabelledVAE, characteristics: Tensor, background: Tensor, *, seed: int
) -> Tensor:
    """Swap every pair.

    Parameters
    ----------
    model
        The model.
    characteristics, background
        (R, C, H, W) and (S, C, H, W) in [0, 1].
    seed
        For models that draw when they swap.

    Returns
    -------
    Tensor
        (R, S, C, H, W): the characteristics of image r on the background of image s.
    """
    first = characteristics.repeat_interleave(len(background), 0)
    second = background.repeat(len(characteristics), 1, 1, 1)
    swapped = swap_pairs(model, first, second, seed=seed)
    return swapped.unflatten(0, (len(characteristics), len(background)))


def with_margins(matrix: Tensor, characteristics: Tensor, background: Tensor) -> Tensor:
    """Put the images swapped to the left of and above their matrix; the corner stays empty.

    (R, S, C, H, W) becomes (R + 1, S + 1, C, H, W).
    """
    corner = torch.full_like(background[:1], torch.nan)
    head = torch.cat([corner, background]).unsqueeze(0)
    return torch.cat([head, torch.cat([characteristics.unsqueeze(1), matrix], dim=1)])


def draw_pairs(scene: Scene) -> Figure:
    """Figure 6: pairs of test images, and what every model makes of them."""
    x = scene.test_images(2 * SWAPS)
    characteristics, background = x.chunk(2)
    columns = {"characteristics": characteristics, "background": background}
    columns |= {
        title: swap_pairs(model, characteristics, background, seed=scene.seed)
        for title, model in scene.models.items()
    }
    if scene.redraw_swap is not None:
        n = len(characteristics)
        columns[TRUTH] = as_floats(
            scene.redraw_swap(torch.arange(n), torch.arange(n, 2 * n)), x.device
        )
    shape = torch.broadcast_shapes(*(images.shape for images in columns.values()))
    images = torch.stack([images.expand(shape) for images in columns.values()], dim=1)
    return scene.draw([Block(images, columns=list(columns))], largest_tile=0.85)


def draw_matrices(scene: Scene) -> Figure:
    """Figure 7: characteristics along the rows, background along the columns, model by model."""
    x = scene.test_images(2 * SWAPS)
    characteristics, background = x.chunk(2)
    matrices = {}
    if scene.redraw_swap is not None:
        rows, columns = len(characteristics), len(background)
        drawn = scene.redraw_swap(
            torch.arange(rows).repeat_interleave(columns),
            torch.arange(rows, rows + columns).repeat(rows),
        )
        matrices[TRUTH] = as_floats(drawn, x.device).unflatten(0, (rows, columns))
    matrices |= {
        title: swap_matrix(model, characteristics, background, seed=scene.seed)
        for title, model in scene.models.items()
    }
    blocks = [
        Block(
            with_margins(matrix, characteristics, background),
            title=title,
            x_label="backgrounds above",
            y_label="characteristics",
        )
        for title, matrix in matrices.items()
    ]
    return scene.draw(blocks, per_line=3)
