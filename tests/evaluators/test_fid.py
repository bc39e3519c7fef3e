from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor
from torch.utils.data import Dataset

from ccvae.errors import InputError
from evaluators import fid
from evaluators.fid import (
    feature_statistics,
    frechet_distance,
    inception_fid,
    judge_frechet_distance,
    to_inception_input,
)
from tests.inception import random_weights


def covariance(seed: int, size: int = 6, rank: int | None = None) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(size, rank or size))
    return root @ root.T


def test_identical_gaussians():
    mean, s = np.arange(6.0), covariance(0)
    assert frechet_distance(mean, s, mean, s) == pytest.approx(0, abs=1e-6)


def test_shifted_gaussians_are_the_squared_shift_apart():
    s, shift = covariance(0), np.arange(6.0)
    found = frechet_distance(np.ones(6), s, np.ones(6) + shift, s)
    assert found == pytest.approx(shift @ shift, abs=1e-6)


def test_diagonal_covariances():
    a, b = np.array([1.0, 4.0, 9.0, 0.0]), np.array([4.0, 4.0, 0.0, 0.0])
    zero = np.zeros(4)
    found = frechet_distance(zero, np.diag(a), zero, np.diag(b))
    assert found == pytest.approx(((np.sqrt(a) - np.sqrt(b)) ** 2).sum())


def test_agrees_with_the_matrix_square_root_and_is_symmetric():
    s1, s2, zero = covariance(1), covariance(2), np.zeros(6)
    expected = np.trace(s1 + s2 - 2 * sqrtm(s1 @ s2).real)
    assert frechet_distance(zero, s1, zero, s2) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(zero, s2, zero, s1) == pytest.approx(expected, rel=1e-9)


def test_singular_covariances():
    """Rank one each: tr (S1 S2)^{1/2} = |u . v| for S1 = u u^T and S2 = v v^T."""
    u, v, zero = np.array([3.0, 0, 0]), np.array([1.0, 2, 0]), np.zeros(3)
    found = frechet_distance(zero, np.outer(u, u), zero, np.outer(v, v))
    assert found == pytest.approx(9 + 5 - 2 * 3, abs=1e-6)
    s = covariance(3, size=20, rank=4)
    assert frechet_distance(np.zeros(20), s, np.zeros(20), s) == pytest.approx(0, abs=1e-5)


def test_feature_statistics():
    rows = torch.randn(17, 3, generator=torch.Generator().manual_seed(0)) + 100
    mean, s = feature_statistics(rows)
    np.testing.assert_allclose(mean, rows.double().mean(0))
    np.testing.assert_allclose(s, torch.cov(rows.double().T))
    assert mean.dtype == s.dtype == np.float64


@pytest.mark.parametrize("images", [0, 1])
def test_too_few_images(images):
    with pytest.raises(InputError, match="at least 2"):
        feature_statistics(torch.zeros(images, 3))


def test_inception_input_is_rounded_rgb_in_whole_batches():
    grey = torch.tensor([0.0, 0.5, 1.0, 2.0, -1.0, 0.499 / 255, 0.501 / 255]).view(7, 1, 1, 1)
    batches = list(to_inception_input(grey.expand(-1, -1, 2, 2).split(2), size=3))
    assert [tuple(b.shape) for b in batches] == [(3, 3, 2, 2), (3, 3, 2, 2), (1, 3, 2, 2)]
    assert all(b.dtype == torch.uint8 for b in batches)
    values = torch.cat(batches)
    assert values[:, 0, 0, 0].tolist() == [0, 128, 255, 255, 0, 0, 1]
    assert torch.equal(values[:, 0], values[:, 2])


def test_colours_keep_their_channels():
    colours = torch.tensor([0.0, 0.2, 1.0]).view(1, 3, 1, 1)
    (batch,) = to_inception_input([colours])
    assert batch.flatten().tolist() == [0, 51, 255]


class Pictures(Dataset):
    """uint8 pictures as torch-fidelity wants them."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(random_weights(), path)
    return path


def noise(n: int, seed: int, contrast: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, 16, 16), generator=generator) / 255 * contrast


def reference_fid(first: Tensor, second: Tensor, path, layer: str) -> float:
    from torch_fidelity import calculate_metrics

    pictures = [Pictures((x * 255).round().to(torch.uint8)) for x in (first, second)]
    metrics = calculate_metrics(
        input1=pictures[0],
        input2=pictures[1],
        fid=True,
        feature_layer_fid=layer,
        feature_extractor_weights_path=str(path),
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        batch_size=50,
        verbose=False,
    )
    return metrics["frechet_inception_distance"]


def test_agrees_with_torch_fidelity_in_its_shallowest_layer(weights, monkeypatch):
    monkeypatch.setattr(fid, "FEATURE_LAYER", "64")
    bright, dark = noise(5, 0), noise(4, 1, contrast=0.4)
    found = inception_fid({"": bright.split(2)}, [dark], weights)
    assert found["fid"] == pytest.approx(reference_fid(bright, dark, weights, "64"), rel=1e-4)
    assert found["fid"] > 0.01
    assert (found["fid_generated_images"], found["fid_reference_images"]) == (5, 4)
    assert found["fid_batch_size"] == 50
    assert inception_fid({"": [dark]}, [dark], weights)["fid"] < 1e-6 * found["fid"]


@pytest.mark.slow
def test_agrees_with_torch_fidelity(weights):
    bright, dark = noise(8, 0), noise(8, 1, contrast=0.4)
    found = inception_fid({"": [bright]}, [dark], weights)["fid"]
    assert found == pytest.approx(reference_fid(bright, dark, weights, "2048"), rel=1e-3)


def test_distance_in_the_judges_features_has_a_name_of_its_own():
    generator = torch.Generator().manual_seed(0)
    same, other = torch.rand(2, 30, 8, generator=generator) * torch.tensor([1, 0.3]).view(2, 1, 1)
    zero = judge_frechet_distance({"": same}, same)
    assert list(zero) == ["frechet_distance_judge"]
    apart = judge_frechet_distance({"": other}, same)["frechet_distance_judge"]
    assert abs(zero["frechet_distance_judge"]) < 1e-3 * apart
