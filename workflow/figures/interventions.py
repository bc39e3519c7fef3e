"""Figures 11, 13, 15 and 17: single interventions as pictures (Appendix D.1)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from ccvae.interface import LabelledVAE
from evaluators.classifier import Judge
from evaluators.measuring import measurement, most_probable, seeded
from workflow.figures.grids import Block
from workflow.figures.scene import Scene
from workflow.reporting.names import readable

MOST_LABELS = 10
"""Labels beside each other, which are as many as a page shows legibly."""

WAS_ON, SEEN = 1, 2
"""Frames: nothing was to be done; the judge sees the label, and did not before."""


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


@measurement
def seen(judge: Judge, images: Tensor, unreadable: Collection[str] = ()) -> Tensor:
    """Whether a judge sees a label where it was switched on, and not in the reconstruction.

    Parameters
    ----------
    judge
        The judge, of binary labels.
    images
        Reconstructions, then one image per label, as `switched_on` returns them.
    unreadable
        Labels that the judge is not asked for.

    Returns
    -------
    Tensor
        bool (B, L + 1), False for reconstructions.
    """
    space = judge.labels
    table = judge.log_probs(images.flatten(0, 1))
    read = most_probable(table, space).unflatten(0, images.shape[:2]).bool().cpu()
    news = read[:, 1:].diagonal(dim1=1, dim2=2) & ~read[:, 0]
    news &= torch.tensor([name not in unreadable for name in space.names])
    return F.pad(news, (1, 0))


def intervention_block(
    model: LabelledVAE,
    x: Tensor,
    *,
    seed: int,
    title: str = "",
    judge: Judge | None = None,
    unreadable: Collection[str] = (),
) -> Block:
    """Originals, reconstructions and interventions; frames say `WAS_ON` and, by a judge, `SEEN`."""
    images, was_on = switched_on(model, x, seed=seed)
    frames = WAS_ON * was_on.int()
    if judge is not None:
        frames[seen(judge, images, unreadable) & ~was_on] = SEEN
    names = ["original", "reconstruction", *map(readable, model.labels.names)]
    return Block(
        torch.cat([x.unsqueeze(1), images], dim=1),
        title=title,
        columns=names,
        frames=F.pad(frames, (1, 0)),
    )


def broken(block: Block) -> list[Block]:
    """Break a block of many labels into several of at most `MOST_LABELS`, under each other.

    Each begins with the original and the reconstruction.
    """
    labels = torch.arange(2, block.size[1])
    parts = -(-len(labels) // MOST_LABELS)
    blocks = []
    for some in labels.tensor_split(parts):
        chosen = torch.cat([torch.arange(2), some])
        columns = [block.columns[column] for column in chosen.tolist()]
        frames = None if block.frames is None else block.frames[:, chosen]
        blocks.append(
            replace(block, images=block.images[:, chosen], columns=columns, frames=frames)
        )
    return blocks


def draw_interventions(scene: Scene) -> Figure:
    """Figures 11, 13, 15 and 17."""
    x = scene.test_images(scene.options["rows"])
    block = intervention_block(
        scene.model, x, seed=scene.seed, judge=scene.judge, unreadable=scene.unreadable
    )
    return scene.draw(broken(block))
