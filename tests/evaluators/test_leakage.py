from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from torch import Tensor

from ccvae.interface import Inferred
from evaluators.images import ImageSet
from evaluators.inferring import infer_all
from evaluators.leakage import leakage, probe, probe_label
from tests.toys import CharacteristicPixels, PixelModel, toy_classes, toy_images

FIT, TEST = toy_images(1500, seed=1), toy_images(1000, seed=2)
NOISE = 0.06
"""Twice the standard error of a balanced accuracy on 1000 images, and some more."""


class OnlyLatents(PixelModel):
    """A model without characteristics, whose latents are one pixel of each row."""

    def infer(self, x: Tensor) -> Inferred:
        return replace(super().infer(x), rest=x[:, 0, :, 0])


def probe_all(model: PixelModel, fit: ImageSet = FIT, test: ImageSet = TEST) -> dict[str, float]:
    return leakage(fit, test, [infer_all(model, side) for side in (fit, test)])


def test_isolated_characteristics_know_their_label_and_no_other():
    got = probe_all(CharacteristicPixels(FIT.space))
    assert got["leakage_own"] == pytest.approx(0.5)
    assert got["leakage_other"] == pytest.approx(0, abs=NOISE)
    assert got["leakage_rest"] == pytest.approx(0, abs=NOISE)
    assert got["leakage_other_reference"] == pytest.approx(0, abs=NOISE)
    assert {f"leakage_own/{name}" for name in "abcd"} < set(got)


def test_permuted_latents_know_each_others_labels():
    got = probe_all(CharacteristicPixels(FIT.space, order=[1, 0, 2, 3]))
    assert got["leakage_own/a"] == pytest.approx(0, abs=NOISE)
    assert got["leakage_own/c"] == pytest.approx(0.5)
    # One of the three others is known in full.
    assert got["leakage_other/a"] == pytest.approx(0.5 / 3, abs=NOISE)
    assert got["leakage_other/c"] == pytest.approx(0, abs=NOISE)


def test_style_that_holds_the_labels_is_found():
    class Swapped(CharacteristicPixels):
        def infer(self, x: Tensor) -> Inferred:
            return super().infer(x.flip(2))

    got = probe_all(Swapped(FIT.space))
    assert got["leakage_rest"] == pytest.approx(0.5, abs=0.01)
    assert got["leakage_own"] == pytest.approx(0, abs=NOISE)


def test_labels_that_depend_on_each_other_show_in_the_reference_too():
    def tied(images: ImageSet) -> ImageSet:
        pixels, y = images.images.clone(), images.labels.clone()
        pixels[..., 1], y[:, 1] = pixels[..., 0], y[:, 0]
        return ImageSet(pixels, y, images.space)

    got = probe_all(CharacteristicPixels(FIT.space), tied(FIT), tied(TEST))
    assert got["leakage_other/a"] == pytest.approx(0.5 / 3, abs=NOISE)
    assert got["leakage_other_reference/a"] == pytest.approx(got["leakage_other/a"], abs=0.02)


def test_a_model_without_characteristics_has_only_the_rest():
    got = probe_all(OnlyLatents(FIT.space))
    assert set(got) == {"leakage_rest", *(f"leakage_rest/{name}" for name in "abcd")}
    assert got["leakage_rest/a"] == pytest.approx(0.5)
    assert got["leakage_rest/b"] == pytest.approx(0, abs=NOISE)


def test_a_label_with_one_value_is_left_out():
    pixels, y = TEST.images, TEST.labels.clone()
    y[:, 2] = 1
    got = probe_all(CharacteristicPixels(FIT.space), test=ImageSet(pixels, y, TEST.space))
    assert "leakage_own/c" not in got
    assert got["leakage_own"] == pytest.approx(0.5)


def test_classes():
    fit, test = toy_classes(800, seed=1), toy_classes(600, seed=2)
    got = probe_all(CharacteristicPixels(fit.space), fit, test)
    assert set(got) == {"leakage_own", "leakage_rest"}
    assert got["leakage_own"] == pytest.approx(0.75)
    assert got["leakage_rest"] == pytest.approx(0, abs=NOISE)


def test_probe_counts_values_equally():
    rng = np.random.default_rng(0)
    y = (rng.random(4000) < 0.05).astype(int)
    informative = y + 0.01 * rng.standard_normal(4000)
    assert probe(informative[:, None], y, informative[:, None], y) == pytest.approx(0.5)
    noise = rng.standard_normal((4000, 1))
    assert probe(noise[:2000], y[:2000], noise[2000:], y[2000:]) == pytest.approx(0, abs=0.08)


@pytest.mark.parametrize("seed", range(20))
def test_the_closed_form_between_labels_is_the_fitted_probe(seed: int):
    generator = np.random.default_rng(seed)
    prevalence, given_off, given_on = generator.uniform(0.1, 0.9, 3)

    def pairs(n: int) -> np.ndarray:
        known = generator.random(n) < prevalence
        asked = generator.random(n) < np.where(known, given_on, given_off)
        return np.stack([known, asked], axis=1).astype(int)

    fit, test = pairs(300), pairs(200)
    fitted = probe(fit[:, :1], fit[:, 1], test[:, :1], test[:, 1])
    assert probe_label(fit, test) == pytest.approx(fitted, abs=1e-12)
