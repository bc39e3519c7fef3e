"""A world in which it is known where pixels vary: each label has a pixel of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ccvae.characteristic import CharacteristicVAE
from ccvae.labels import LabelSpace
from evaluators.locality import label_variance, localities, variance_locality
from tests.toys import OFF, ON, toy_images

IMAGES = toy_images(40, spread=0)


class OnePixelPerLabel(CharacteristicVAE):
    """Pixel i of the upper row is z_c of label `order[i]`, the lower row is z_\\c."""

    def __init__(self, space: LabelSpace, order: list[int] | None = None, width: float = 0.1):
        nn.Module.__init__(self)
        self.labels, self.width, self.spread = space, 1, width
        self.characteristic_latents, self.latents = space.n_factors, 2 * space.n_factors
        self.style_latents = space.n_factors
        self.order = order or list(range(space.n_factors))

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def bound(self, x: Tensor, y: Tensor | None = None) -> Any:
        raise NotImplementedError

    def posterior(self, x: Tensor) -> Any:
        upper = torch.empty_like(x[:, 0, 0])
        upper[:, self.order] = x[:, 0, 0]
        return SimpleNamespace(loc=torch.cat([upper, x[:, 0, 1]], dim=1))

    def decode(self, z: Tensor) -> Tensor:
        upper, lower = z.chunk(2, dim=1)
        return torch.stack([upper[:, self.order], lower], dim=1).unsqueeze(1)

    def sample_characteristics(self, y: Tensor) -> Tensor:
        return (y + self.spread * torch.randn(y.shape)).unsqueeze(-1)


def redrawn() -> Tensor:
    """Every image with each label flipped in turn."""
    images = IMAGES.images.repeat(4, 1, 1, 1, 1)
    for label in range(4):
        images[label, :, 0, 0, label] = OFF + ON - images[label, :, 0, 0, label]
    return images


def located(model: OnePixelPerLabel) -> dict[str, float]:
    return variance_locality(model, IMAGES, redrawn(), seed=0)


def test_variance_that_stays_with_its_label_is_all_inside():
    got = located(OnePixelPerLabel(IMAGES.space))
    assert got["variance_locality"] == pytest.approx(1)
    assert got["variance_locality/c"] == pytest.approx(1)
    assert got["variance_locality_other"] == pytest.approx(0)
    # One of eight pixels.
    assert got["variance_locality_chance"] == got["variance_locality_chance/a"] == 1 / 8


def test_permuted_characteristics_vary_in_each_others_places():
    got = located(OnePixelPerLabel(IMAGES.space, order=[1, 0, 2, 3]))
    assert got["variance_locality/a"] == got["variance_locality/b"] == pytest.approx(0)
    assert got["variance_locality/c"] == pytest.approx(1)
    assert got["variance_locality"] == pytest.approx(0.5)
    # Of the three other places, the whole variance of a and of b lies in one.
    assert got["variance_locality_other"] == pytest.approx((1 / 3 + 1 / 3 + 0 + 0) / 4)


def test_characteristics_that_never_vary_have_no_place():
    assert located(OnePixelPerLabel(IMAGES.space, width=0.0)) == {}


def test_even_variance_scores_what_chance_does():
    inside = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0)) < 0.3
    got = localities(torch.ones(5, 3, 8, 8), inside, "abc")
    for name in ("", "/a", "/b", "/c"):
        key = f"variance_locality_chance{name}"
        assert got[f"variance_locality{name}"] == pytest.approx(got[key])
    assert got["variance_locality_other"] == pytest.approx(got["variance_locality"])


def test_labels_that_show_nowhere_are_left_out():
    inside = torch.zeros(2, 2, 4, 4, dtype=torch.bool)
    inside[:, 0, 0] = True
    got = localities(torch.ones(2, 2, 4, 4), inside, "ab")
    assert got == {
        "variance_locality": 0.25,
        "variance_locality/a": 0.25,
        "variance_locality_chance": 0.25,
        "variance_locality_chance/a": 0.25,
    }


def test_the_variance_is_that_of_the_draws():
    x = IMAGES.images[:3] / 255
    got = label_variance(OnePixelPerLabel(IMAGES.space, width=0.2), x, [2], draws=4000, seed=1)
    assert got.shape == (3, 1, 2, 4)
    assert got[:, 0, 0, 2] == pytest.approx(0.04, rel=0.1)
    assert got.sum() == got[:, 0, 0, 2].sum()
