"""What is known of a data set before it is prepared; needs no torch."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ccvae.errors import InputError
from datasets.readers import Reader

COUNTS = {
    "mnist": {"train": 50_000, "validation": 10_000, "test": 10_000},
    "fashion_mnist": {"train": 50_000, "validation": 10_000, "test": 10_000},
    "celeba": {"train": 152_770, "validation": 10_000, "test": 19_962},
    # The shares of 223,414 images of all views; which patient is where decides the rest.
    "chexpert": {"train": 178_700, "validation": 22_350, "test": 22_350},
}
"""Images of the data sets that are not drawn, by reader."""

LABELS = {
    "celeba": "datasets.celeba",
    "chexpert": "datasets.chexpert",
    "synthetic_faces": "datasets.stand_ins.faces",
    "synthetic_xrays": "datasets.stand_ins.xrays",
}
"""Modules with the labels of multi-label data sets, by reader."""
CLASSES = tuple("0123456789")


def label_names(reader: Reader) -> tuple[str, ...]:
    """Names of labels, or of as many classes as there will be."""
    if reader.kind == "multi_class":
        return CLASSES
    return tuple(import_module(LABELS[reader.name]).LABELS)


def image_shape(reader: Reader) -> tuple[int, int, int]:
    """(C, H, W) of the images."""
    return (1, 28, 28) if reader.kind == "multi_class" else (3, 64, 64)


def image_counts(data: dict[str, Any]) -> dict[str, int]:
    """Images per split that a data set will have; none for a data set that is not known.

    Parameters
    ----------
    data
        From `workflow.config.Config.data_settings`.

    Raises
    ------
    InputError
        If the options give no numbers.
    """
    options = data["options"]
    counts = options.get("sizes") or COUNTS.get(data["reader"], {})
    limit = options.get("limit") or {}
    found = {}
    for split in ("train", "validation", "test"):
        try:
            count = int(counts.get(split, 0))
            found[split] = min(count, int(limit.get(split, count)))
        except (AttributeError, TypeError, ValueError):
            raise InputError(
                f"data.{data['name']}.options gives no number of {split} images; sizes and limit "
                "look like {train: 1000, validation: 100, test: 100}"
            ) from None
    return found
