"""What a drawing function is given: trained models, test images, and words for titles."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ccvae.interface import LabelledVAE
from datasets.stand_ins.truth import RedrawSwap
from evaluators.classifier import Judge
from evaluators.images import ImageSet
from workflow.figures.grids import Block, draw_blocks


@dataclass(frozen=True)
class Scene:
    """Models of one data set at one supervision rate.

    Attributes
    ----------
    models
        Title -> model; one for figures of a single model.
    images
        Test images.
    title
        Of the figure.
    options
        The section `figures` of the configuration, for this data set.
    seed
        Of everything that is drawn at random.
    redraw_swap
        Draws true swaps by the indices of test images, where the images are drawings.
    unreadable
        Labels that the judge cannot be relied on to read.
    judge
        Says what pictures show, where figures ask it.
    """

    models: Mapping[str, LabelledVAE]
    images: ImageSet
    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    redraw_swap: RedrawSwap | None = None
    unreadable: Collection[str] = ()
    judge: Judge | None = None

    @property
    def model(self) -> LabelledVAE:
        """The only model."""
        (model,) = self.models.values()
        return model

    def test_images(self, n: int, start: int = 0) -> Tensor:
        """Return test images `start` to `start + n`, nobody's choice: (n, C, H, W) in [0, 1]."""
        chosen = self.images.take(torch.arange(start, min(start + n, len(self.images))))
        device = next(iter(self.models.values())).device
        return torch.cat([x for x, _ in chosen.batches(device)])

    def draw(self, blocks: Sequence[Block], *, remark: str = "", **layout: Any) -> Figure:
        """Lay blocks out under the figure's title and a remark, as `grids.draw_blocks` does."""
        title = f"{self.title} ({remark})" if remark else self.title
        return draw_blocks(blocks, title=title, unreadable=self.unreadable, **layout)
