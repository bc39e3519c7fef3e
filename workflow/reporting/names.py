"""What data sets and labels are called for readers; cheap to import."""

from __future__ import annotations

STAND_INS = {"synthetic_faces": "CelebA", "synthetic_xrays": "CheXpert"}
"""Drawn stand-ins, and what they stand in for."""

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


def readable(name: str) -> str:
    """Name of a label with spaces."""
    return name.replace("_", " ")
