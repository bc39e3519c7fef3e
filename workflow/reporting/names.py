"""What data sets and labels are called for readers; cheap to import."""

from __future__ import annotations

from collections.abc import Iterable

from datasets.readers import READERS

STAND_INS = {
    name: reader.spec.stands_for for name, reader in READERS.items() if reader.spec.stand_in
}
"""Drawn stand-ins, and the data sets whose place they take."""

NAMES = {
    "celeba": "CelebA",
    "chexpert": "CheXpert",
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
}


def dataset_name(dataset: str) -> str:
    """Name of a data set for readers; a stand-in is called one."""
    return f"{dataset} (drawn)" if dataset in STAND_INS else NAMES.get(dataset, dataset)


def original_name(stand_in: str) -> str:
    """Name for readers of the data set whose place a stand-in takes; vague if not one of ours."""
    return NAMES[STAND_INS[stand_in]] if stand_in in STAND_INS else "real images"


def readable(name: str) -> str:
    """Name of a label with spaces."""
    return name.replace("_", " ")


def in_a_row(words: Iterable[str]) -> str:
    """Join words: "a", "a and b", "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
