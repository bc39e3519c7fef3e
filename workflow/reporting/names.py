"""What data sets and labels are called for readers; cheap to import."""

from __future__ import annotations

STAND_INS = {"synthetic_faces": "celeba", "synthetic_xrays": "chexpert"}
"""Drawn stand-ins, and the data sets whose place they take."""

NAMES = {
    "celeba": "CelebA",
    "chexpert": "CheXpert",
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "synthetic_faces": "synthetic_faces (drawn)",
    "synthetic_xrays": "synthetic_xrays (drawn)",
}


def dataset_name(dataset: str) -> str:
    """Name of a data set for readers; a stand-in is called one."""
    return NAMES.get(dataset, dataset)


def original_name(stand_in: str) -> str:
    """Name for readers of the data set whose place a stand-in takes; vague if not one of ours."""
    return NAMES[STAND_INS[stand_in]] if stand_in in STAND_INS else "real images"


def readable(name: str) -> str:
    """Name of a label with spaces."""
    return name.replace("_", " ")
