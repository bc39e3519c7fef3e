"""Fréchet distances between sets of images: FID (Table 4), and one in the judge's features.

FID is the Fréchet distance (Dowson and Landau, doi:10.1016/0047-259X(82)90077-X) of two Gaussians
fitted to features of InceptionV3 (Heusel et al., arXiv:1706.08500). torch-fidelity supplies the
network; its weights are a file that the caller names. Without that file only the distance in the
judge's own features can be had, which is a different quantity with a key of its own (deviation:
frechet-in-judge).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ccvae.errors import InputError
from ccvae.shapes import SomeImages
from evaluators import inception

BATCH = 50
"""Images per pass through Inception. Fixed, because the features depend on it in the last bits."""

FEATURE_LAYER = "2048"

Features = Float[Tensor, "_ D"]


def frechet_distance(
    mean_1: np.ndarray, covariance_1: np.ndarray, mean_2: np.ndarray, covariance_2: np.ndarray
) -> float:
    r"""Squared Fréchet distance between two Gaussians.

    |mu_1 - mu_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^{1/2}). The root's trace is that of the symmetric
    (S_1^{1/2} S_2 S_1^{1/2})^{1/2}, whose eigenvalues are the same, so singular covariances need
    no regularisation and nothing complex arises.

    Parameters
    ----------
    mean_1, mean_2
        (D,).
    covariance_1, covariance_2
        (D, D), positive semi-definite.
    """
    values, vectors = np.linalg.eigh(covariance_1)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ covariance_2 @ root)
    shift = mean_1 - mean_2
    spread = np.trace(covariance_1) + np.trace(covariance_2) - 2 * np.sqrt(product.clip(0)).sum()
    return float(shift @ shift + spread)


def feature_statistics(features: Features) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of features.

    Parameters
    ----------
    features
        Of all images, (N, D).

    Returns
    -------
    tuple
        Mean float64 (D,), unbiased covariance float64 (D, D).

    Raises
    ------
    InputError
        If there are fewer than two images.
    """
    if len(features) < 2:
        raise InputError(
            f"a Fréchet distance needs at least 2 images on either side, not {len(features)}"
        )
    table = features.double().numpy()
    return table.mean(0), np.atleast_2d(np.cov(table, rowvar=False))


def to_inception_input(
    batches: Iterable[SomeImages], size: int = BATCH
) -> Iterator[UInt8[Tensor, "_ 3 _ _"]]:
    """Images in [0, 1] (B, 1 or 3, H, W) as uint8 RGB in batches of `size`; the last is smaller.

    Grey values are rounded, as writing a picture would; a single channel is repeated three times.
    """
    waiting: Tensor | None = None
    for batch in batches:
        rgb = (batch * 255).round().clamp(0, 255).to(torch.uint8).expand(-1, 3, -1, -1)
        waiting = rgb if waiting is None else torch.cat([waiting, rgb])
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
    if waiting is not None and len(waiting):
        yield waiting


def distances(sets: Mapping[str, Features], reference: Features) -> dict[str, float]:
    """Fréchet distances of several sets of images from one reference.

    Parameters
    ----------
    sets
        Features on the CPU by name, (M, D) each.
    reference
        Features on the CPU, (N, D).
    """
    mean, covariance = feature_statistics(reference)
    return {
        name: frechet_distance(*feature_statistics(features), mean, covariance)
        for name, features in sets.items()
    }


def inception_fid(
    sets: Mapping[str, Iterable[SomeImages]],
    reference: Iterable[SomeImages],
    weights: Path,
    device: torch.device | str = "cpu",
) -> dict[str, float]:
    """FID between sets of images and reference images.

    Nothing is cached: torch-fidelity's cache goes by name alone and would outlive the data.

    Parameters
    ----------
    sets, reference
        Batches of images (B, 1 or 3, H, W) in [0, 1], of one size, the sets by name; grey ones
        become RGB by repetition.
    weights
        See `evaluators.inception.verify`.
    device
        Where Inception runs.

    Returns
    -------
    dict
        `fid<name>` of each set, and what it depends on: `fid_generated_images<name>`,
        `fid_reference_images`, `fid_batch_size`.

    Raises
    ------
    InputError
        If the weights are not InceptionV3's, or a side has fewer than two images.
    """
    network = inception.load(weights, FEATURE_LAYER, device)

    @torch.no_grad()
    def features(batches: Iterable[SomeImages]) -> Features:
        found = [network(batch).cpu() for batch in to_inception_input(batches)]
        return torch.cat(found) if found else torch.empty(0, int(FEATURE_LAYER))

    tables, real = {name: features(batches) for name, batches in sets.items()}, features(reference)
    return {
        **{f"fid{name}": value for name, value in distances(tables, real).items()},
        **{f"fid_generated_images{name}": float(len(table)) for name, table in tables.items()},
        "fid_reference_images": float(len(real)),
        "fid_batch_size": float(BATCH),
    }


def judge_frechet_distance(sets: Mapping[str, Features], reference: Features) -> dict[str, float]:
    """Fréchet distance in the judge's features; not FID, and comparable only within one judge.

    Parameters
    ----------
    sets, reference
        The judge's features on the CPU, (M, D) by name and (N, D).

    Returns
    -------
    dict
        `frechet_distance_judge<name>` of each set.

    Raises
    ------
    InputError
        If a side has fewer than two images.
    """
    found = distances(sets, reference)
    return {f"frechet_distance_judge{name}": value for name, value in found.items()}
