"""Test images, and their true redrawings, as sheets of pictures that a page can hold."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import torch
from PIL import Image

from datasets.stand_ins.truth import Truth
from datasets.store import Store
from evaluators.images import ImageSet

QUALITY = 80
"""Of the redrawings, which are many; what the models are shown stays exact."""


def describe_images(store: Store, shown: ImageSet) -> dict[str, Any]:
    """Pack the first test images; of drawn ones, each label switched and every swap as well.

    Parameters
    ----------
    store
        The data set.
    shown
        Its first n test images.

    Returns
    -------
    dict
        `sheet`, n tiles in a row; with a truth also `redrawn`, n rows of a tile per label, and
        `true_swaps`, n rows (characteristics) of n tiles (backgrounds). Each is a data URL.
    """
    described = {"sheet": _sheet(shown.images.unsqueeze(0), exact=True)}
    if store.stand_in and shown.space.kind == "multi_label":
        truth, rows = Truth(store), torch.arange(len(shown))
        redrawn = []
        for label in range(shown.space.n_factors):
            labels = shown.labels.clone()
            labels[:, label] = 1 - labels[:, label]
            redrawn.append(truth.redraw(rows, labels))
        donors, backgrounds = rows.repeat_interleave(len(rows)), rows.repeat(len(rows))
        swaps = truth.redraw_swap(donors, backgrounds).unflatten(0, (len(rows), len(rows)))
        described["redrawn"] = _sheet(torch.stack(redrawn, dim=1), exact=False)
        described["true_swaps"] = _sheet(swaps, exact=False)
    return described


def _sheet(tiles: torch.Tensor, *, exact: bool) -> str:
    """uint8 tiles (R, C, channels, H, W) as one picture."""
    canvas = tiles.permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2).numpy()
    canvas = np.ascontiguousarray(canvas.squeeze(-1) if canvas.shape[-1] == 1 else canvas)
    buffer = io.BytesIO()
    kind = "png" if exact else "webp"
    options: dict[str, Any] = {"optimize": True} if exact else {"quality": QUALITY, "method": 6}
    Image.fromarray(canvas).save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
