from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from baselines.vae_classifier import VAEClassifier
from ccvae.labels import MultiLabel
from evaluators.confident_region import CONFIDENCES, confident_region
from evaluators.images import ImageSet
from evaluators.inferring import infer_all
from tests.tiny import Tiny
from tests.toys import OFF, ON, PixelJudge, PixelModel, toy_classes, toy_images


class Region:
    """Accepts 1 - lambda of the draws, but none that turn the last label on."""

    def __init__(self, shape: tuple[int, int], confidence: float = 0.75) -> None:
        self.shape, self.confidence = shape, confidence

    def at(self, confidence: float) -> Region:
        return Region(self.shape, confidence)

    def acceptance(self) -> Tensor:
        accepted = torch.full(self.shape, 1 - self.confidence)
        accepted[-1, -1] = 0
        return accepted


class Pixels(PixelModel):
    """Moves the pixel of a label just over grey, and varies pixels on their own side of it."""

    def __init__(self, images: ImageSet, closest: int = 1, within: int = 10) -> None:
        super().__init__(images.space)
        self.closest, self.within = closest, within
        self.region = Region((images.space.n_factors, images.space.n_values))

    def closest_flip(self, x: Tensor, label: int) -> Tensor:
        assert not self.training
        x = x.clone()
        if self.labels.kind == "multi_label":
            was_on = x[:, 0, 0, label] > 0.5
            x[:, 0, 0, label] = 0.5 + torch.where(was_on, -1, 1) * self.closest / 255
        else:
            x[:, 0, 0] = OFF / 255
            x[:, 0, 0, label] = (OFF + self.closest) / 255
        return x

    def within_class(self, x: Tensor) -> Tensor:
        x = x.clone()
        x[:, 0, 0] += self.within / 255
        return x


def score(model: Pixels, images: ImageSet, n: int = 50) -> dict[str, float]:
    inferred = infer_all(model, images)
    return confident_region(model, PixelJudge(images.space), images, inferred, n_images=n, seed=0)


def test_perfect_interventions_succeed_and_the_closest_moves_least():
    images = toy_images(spread=0)
    got = score(Pixels(images), images)
    assert got["region_redraw_success"] == got["region_closest_success"] == 1
    assert got["region_within_success"] == 1
    # One of eight pixels changes; from OFF or ON, which lie 76.5 bytes from grey.
    assert got["region_redraw_change"] == pytest.approx((ON - OFF) / 255 / 8)
    assert got["region_closest_change"] == pytest.approx(77.5 / 255 / 8)
    assert got["region_within_change"] == pytest.approx(10 / 255 / 2)


def test_moves_that_do_not_reach_or_go_too_far_are_no_success():
    images = toy_images(spread=0)
    assert score(Pixels(images, closest=-1), images)["region_closest_success"] == 0
    moved = score(Pixels(images, within=120), images)["region_within_success"]
    assert moved == pytest.approx(images.labels[:50].double().mean().item())


def test_acceptance_is_a_mean_over_values_and_a_product_over_labels():
    images = toy_images(n=40)
    got = score(Pixels(images), images)
    for confidence in CONFIDENCES:
        mean = (1 - confidence) * 7 / 8
        assert got[f"region_acceptance_{confidence}"] == pytest.approx(mean, rel=1e-5)
    off = (images.labels[:, -1] == 0).double().mean().item()
    assert got["region_acceptance_all"] == pytest.approx(off * 0.25**4, rel=1e-5)


def test_classes_are_changed_to_every_other_class():
    images = toy_classes()
    got = score(Pixels(images, closest=1, within=0), images)
    assert got["region_redraw_success"] == got["region_closest_success"] == 1
    assert score(Pixels(images, closest=-1), images)["region_closest_success"] == 0


def test_the_model_of_equation_2_has_the_prices_of_its_classifier():
    """Logits 2 z: the half-space begins at logit(lambda) / 2 for both values."""
    model = VAEClassifier(
        MultiLabel("ab"), Tiny(), latents=4, latents_per_label=1, likelihood="laplace"
    )
    with torch.no_grad():
        model.classifier.weight.fill_(2.0)
        model.classifier.bias.zero_()
    generator = torch.Generator().manual_seed(0)
    images = ImageSet(
        torch.randint(256, (12, 1, 2, 2), generator=generator, dtype=torch.uint8),
        torch.randint(2, (12, 2), generator=generator),
        model.labels,
    )

    class Judge(PixelJudge):
        def read(self, features: Tensor) -> Tensor:
            return model.labels.log_probs(features * 2 - 1)

    inferred = infer_all(model, images)
    got = [
        confident_region(model, Judge(model.labels), images, inferred, n_images=n, seed=3)
        for n in (12, 99)
    ]
    assert got[0] == got[1]
    for confidence in CONFIDENCES:
        threshold = math.log(confidence / (1 - confidence)) / 2
        price = 0.5 * math.erfc(threshold / math.sqrt(2))
        assert got[0][f"region_acceptance_{confidence}"] == pytest.approx(price, rel=1e-5)
    own = 0.5 * math.erfc(math.log(9) / 2 / math.sqrt(2))
    assert got[0]["region_acceptance_all"] == pytest.approx(own**2, rel=1e-5)
