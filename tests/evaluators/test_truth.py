from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ccvae.interface import Inferred
from evaluators.inferring import infer_all
from evaluators.truth import Drawings, characteristics_r2, factor_r2
from tests.toys import OFF, ON, CharacteristicPixels, PixelModel, toy_images

CHARACTERISTICS = {name: (f"value_{name}", "always_zero") for name in "abcd"}


def drawings(n: int, seed: int) -> Drawings:
    """The pixels of the upper row are the characteristics, those of the lower row nuisances."""
    images = toy_images(n, seed=seed)
    pixels = images.images[:, 0].double().numpy() / 255
    factors = {f"value_{name}": pixels[:, 0, i] for i, name in enumerate("abcd")}
    factors |= {"always_zero": np.zeros(n), "background": pixels[:, 1, :3]}
    return Drawings(images, factors)


FIT, TEST = drawings(600, seed=1), drawings(500, seed=2)


def r2_of(model: PixelModel) -> dict[str, float]:
    inferred = [infer_all(model, side.images) for side in (FIT, TEST)]
    return characteristics_r2(FIT, TEST, inferred, CHARACTERISTICS)


def label_r2() -> float:
    """Share of a characteristic's variance that its label explains: two uniforms apart."""
    within = (101**2 - 1) / 12
    between = ((ON - OFF) / 2) ** 2
    return between / (between + within)


def test_latents_that_are_the_characteristics_explain_them():
    got = r2_of(CharacteristicPixels(TEST.images.space))
    assert got["truth_r2_own"] == pytest.approx(1, abs=1e-4)
    assert got["truth_r2_own/b"] == pytest.approx(1, abs=1e-4)
    assert got["truth_r2_other"] == pytest.approx(0, abs=0.03)
    assert got["truth_r2_rest"] == pytest.approx(0, abs=0.03)
    assert got["truth_r2_label"] == pytest.approx(label_r2(), abs=0.02)
    assert got["truth_r2_pixels"] == pytest.approx(1, abs=1e-2)
    assert got["truth_nuisance_r2_rest"] == pytest.approx(1, abs=1e-4)
    assert got["truth_nuisance_r2_characteristics"] == pytest.approx(0, abs=0.03)


def test_latents_that_are_the_labels_explain_no_more_than_the_labels():
    class Binary(CharacteristicPixels):
        def infer(self, x: Tensor) -> Inferred:
            return super().infer((x > 0.5).float())

    got = r2_of(Binary(TEST.images.space))
    assert got["truth_r2_own"] == pytest.approx(got["truth_r2_label"], abs=1e-3)


def test_latents_that_are_the_characteristics_hold_their_diversity_within_the_classes():
    got = r2_of(CharacteristicPixels(TEST.images.space))
    assert got["truth_r2_within_own"] == pytest.approx(1, abs=1e-3)
    assert got["truth_r2_within_own/b"] == pytest.approx(1, abs=1e-3)
    assert got["truth_r2_within_other"] == pytest.approx(0, abs=0.03)
    assert got["truth_r2_within_ceiling"] == pytest.approx(1)


def test_latents_that_are_the_labels_hold_no_diversity():
    class Binary(CharacteristicPixels):
        def infer(self, x: Tensor) -> Inferred:
            return super().infer((x > 0.5).float())

    got = r2_of(Binary(TEST.images.space))
    assert got["truth_r2_own"] > 0.5
    assert got["truth_r2_within_own"] == pytest.approx(0, abs=0.03)


def test_permuted_latents_leak_within_the_classes():
    got = r2_of(CharacteristicPixels(TEST.images.space, order=[1, 0, 2, 3]))
    assert got["truth_r2_within_own/a"] == pytest.approx(0, abs=0.03)
    assert got["truth_r2_within_other/a"] == pytest.approx(1, abs=1e-3)


def test_one_number_cannot_hold_several_factors():
    sides = [replace(side, factors={**side.factors, "apart": noise(side)}) for side in (FIT, TEST)]
    model = CharacteristicPixels(TEST.images.space)
    inferred = [infer_all(model, side.images) for side in sides]
    several = {name: (f"value_{name}", "apart") for name in "abcd"}
    got = characteristics_r2(*sides, inferred, several)
    # One of two independent factors.
    assert got["truth_r2_within_ceiling"] == pytest.approx(0.5, abs=0.05)
    assert got["truth_r2_within_own"] == pytest.approx(0.5, abs=0.05)
    assert got["truth_r2_within_own/a"] <= got["truth_r2_within_ceiling/a"] + 0.01


def noise(side: Drawings) -> np.ndarray:
    return np.random.default_rng(len(side.images)).normal(size=len(side.images))


def test_permuted_latents_hold_each_others_characteristics():
    got = r2_of(CharacteristicPixels(TEST.images.space, order=[1, 0, 2, 3]))
    assert got["truth_r2_own/a"] == pytest.approx(0, abs=0.03)
    assert got["truth_r2_other/a"] == pytest.approx(1, abs=1e-4)
    assert got["truth_r2_own/c"] == pytest.approx(1, abs=1e-4)


def test_a_model_without_characteristics_has_only_the_rest():
    class OnlyLatents(PixelModel):
        def infer(self, x: Tensor) -> Inferred:
            return replace(super().infer(x), rest=x[:, 0, 0])

    got = r2_of(OnlyLatents(TEST.images.space))
    assert got["truth_r2_rest"] == pytest.approx(1, abs=1e-4)
    assert not {"truth_r2_own", "truth_r2_other", "truth_nuisance_r2_characteristics"} & set(got)


def test_r2_of_noise_of_known_size():
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, 4000, 3, generator=generator).double().numpy()
    factors = {"clean": x[:, 0], "half": x[:, 1] + noise[:, 1], "colour": x + noise}
    halves = ({k: v[:2000] for k, v in factors.items()}, {k: v[2000:] for k, v in factors.items()})
    got = factor_r2(x[:2000], halves[0], x[2000:], halves[1], ["clean", "half", "colour"])
    assert got["clean"] == pytest.approx(1, abs=1e-4)
    assert got["half"] == pytest.approx(0.5, abs=0.05)
    assert got["colour"] == pytest.approx(0.5, abs=0.05)


def test_factors_that_do_not_vary_are_left_out():
    x = np.arange(10.0)[:, None]
    assert factor_r2(x, {"flat": np.ones(10)}, x, {"flat": np.ones(10)}, ["flat"]) == {}
