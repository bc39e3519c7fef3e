"""Fréchet distances between sets of images: FID (Table 4), and one in the judge's features.

FID is the Fréchet distance (Dowson and Landau, doi:10.1016/0047-259X(82)90077-X) of two Gaussians
fitted to features of InceptionV3 (Heusel et al., arXiv:1706.08500). torch-fidelity supplies the
network; its weights are a file that the caller names. Without that file only the distance in the
judge's own features can be had, which is a different quantity with a key of its own (deviation:
frechet-in-judge).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from ccvae.errors import InputError
from ccvae.shapes import Images, SomeImages
from evaluators import inception
from evaluators.classifier import Judge
from evaluators.measuring import device_of, measurement

BATCH = 50
"""Images per pass through Inception. Fixed, because the features depend on it in the last bits."""

FEATURE_LAYER = "2048"

Batch = Shaped[Tensor, "_ ..."]
Features = Callable[[Batch], Float[Tensor, "_ D"]]


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


@torch.no_grad()
def feature_statistics(
    features: Features, batches: Iterable[Batch]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean, covariance and number of the features of all images.

    Parameters
    ----------
    features
        Maps a batch (B, ...) to (B, D).
    batches
        The images.

    Returns
    -------
    tuple
        Mean float64 (D,), unbiased covariance float64 (D, D), number of images.

    Raises
    ------
    InputError
        If there are fewer than two images.
    """
    rows = [features(batch).cpu() for batch in batches]
    count = sum(len(row) for row in rows)
    if count < 2:
        raise InputError(f"a Fréchet distance needs at least 2 images on either side, not {count}")
    table = torch.cat(rows).double().numpy()
    return table.mean(0), np.atleast_2d(np.cov(table, rowvar=False)), count


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


def distances(
    features: Features,
    sets: Mapping[str, Iterable[Batch]],
    reference: Iterable[Batch],
) -> tuple[dict[str, float], dict[str, int]]:
    """Fréchet distances of several sets of images from one reference, which is passed over once.

    Parameters
    ----------
    features
        Maps a batch (B, ...) to (B, D).
    sets
        Batches of images by name.
    reference
        Batches of images.

    Returns
    -------
    tuple
        Distances, and numbers of images, by name; the reference's number under `reference`.
    """
    mean, covariance, count = feature_statistics(features, reference)
    found, counts = {}, {"reference": count}
    for name, batches in sets.items():
        own_mean, own_covariance, counts[name] = feature_statistics(features, batches)
        found[name] = frechet_distance(own_mean, own_covariance, mean, covariance)
    return found, counts


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
    features = inception.load(weights, FEATURE_LAYER, device)
    inputs = {name: to_inception_input(batches) for name, batches in sets.items()}
    found, counts = distances(features, inputs, to_inception_input(reference))
    return {
        **{f"fid{name}": value for name, value in found.items()},
        **{f"fid_generated_images{name}": float(counts[name]) for name in sets},
        "fid_reference_images": float(counts["reference"]),
        "fid_batch_size": float(BATCH),
    }


@measurement
def judge_frechet_distance(
    judge: Judge, sets: Mapping[str, Iterable[SomeImages]], reference: Iterable[SomeImages]
) -> dict[str, float]:
    """Fréchet distance in the judge's features; not FID, and comparable only within one judge.

    Parameters
    ----------
    judge
        The classifier whose last hidden layer is used.
    sets, reference
        Batches of images (B, C, H, W) in [0, 1], the sets by name.

    Returns
    -------
    dict
        `frechet_distance_judge<name>` of each set.

    Raises
    ------
    InputError
        If a side has fewer than two images.
    """

    def features(batch: Images) -> Float[Tensor, "B D"]:
        return judge.features(batch.to(device_of(judge)))

    found, _ = distances(features, sets, reference)
    return {f"frechet_distance_judge{name}": value for name, value in found.items()}
