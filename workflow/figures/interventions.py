"""Figures 11, 13, 15 and 17: single interventions as pictures (Appendix D.1)."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ccvae.interface import LabelledVAE
from evaluators.measuring import measurement, seeded
from workflow.figures.grids import Block
from workflow.figures.scene import Scene
from workflow.reporting.names import readable


@measurement
def switched_on(model: LabelledVAE, x: Tensor, *, seed: int) -> tuple[Tensor, Tensor]:
    """Switch on every label of every image, one at a time; or make it every class.

    Parameters
    ----------
    model
        The model.
    x
        Images, (B, C, H, W).
    seed
        Of new characteristics.

    Returns
    -------
    images
        (B, n_outputs + 1, C, H, W): the reconstruction, then one image per label or class.
    was_on
        Whether the model saw that label or class beforehand, so that nothing was to be done:
        bool (B, n_outputs + 1), False for reconstructions.
    """
    space = model.labels
    before = model.predict(x)
    columns, was_on = [model.reconstruct(x)], [torch.zeros(len(x), dtype=torch.bool)]
    with seeded(seed, model.device):
        for output in range(space.n_outputs):
            factor, value = (output, 1) if space.kind == "multi_label" else (0, output)
            wanted = before.clone()
            wanted[:, factor] = value
            columns.append(model.intervene(x, wanted))
            was_on.append((before[:, factor] == value).cpu())
    return torch.stack(columns, dim=1), torch.stack(was_on, dim=1)


def intervention_block(model: LabelledVAE, x: Tensor, *, seed: int, title: str = "") -> Block:
    """Originals, reconstructions and interventions; labels that were on have a frame."""
    images, was_on = switched_on(model, x, seed=seed)
    frames = torch.cat([torch.zeros(len(x), 1, dtype=torch.bool), was_on], dim=1)
    names = ["original", "reconstruction", *map(readable, model.labels.names)]
    everything = torch.cat([x.unsqueeze(1), images], dim=1)
    return Block(everything, title=title, columns=names, frames=frames)


def draw_interventions(scene: Scene) -> Figure:
    """Figures 11, 13, 15 and 17."""
    x = scene.test_images(scene.options["rows"])
    block = intervention_block(scene.model, x, seed=scene.seed)
    return scene.draw([block])
