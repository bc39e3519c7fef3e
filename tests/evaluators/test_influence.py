"""Influences: against a bootstrap, against the evaluators, and where the answer is known."""

from __future__ import annotations

import math

import pytest
import torch

from evaluators.accuracy import label_scores
from evaluators.generation import generation
from evaluators.images import ImageSet
from evaluators.inferring import infer_all
from evaluators.influence import (
    influences,
    of_balanced_accuracy,
    of_mean,
    of_ratio,
    standard_error,
)
from evaluators.swap import random_pairs, swap
from evaluators.true_swap import TrueSwaps
from tests.toys import PixelJudge, PixelModel, toy_classes, toy_images


def resampled(measure, n: int, times: int = 2000) -> float:
    """Standard deviation of a measure over images drawn anew with replacement."""
    generator = torch.Generator().manual_seed(0)
    values = [measure(torch.randint(n, (n,), generator=generator)) for _ in range(times)]
    return torch.tensor(values).std().item()


def test_the_error_of_a_share_is_the_binomial_one():
    right = torch.tensor([1.0] * 30 + [0.0] * 70, dtype=torch.float64)
    assert standard_error(of_mean(right)) == pytest.approx(math.sqrt(0.3 * 0.7 / 100))


def test_the_error_of_a_quotient_is_that_of_drawing_images_anew():
    generator = torch.Generator().manual_seed(1)
    below = 1 + torch.rand(400, generator=generator, dtype=torch.float64)
    above = 0.5 * below + 0.3 * torch.rand(400, generator=generator, dtype=torch.float64)
    found = of_ratio(above, below)
    assert found.mean().item() == pytest.approx(0, abs=1e-12)
    anew = resampled(lambda rows: (above[rows].mean() / below[rows].mean()).item(), 400)
    assert standard_error(found) == pytest.approx(anew, rel=0.08)
    assert standard_error(of_ratio(2 * below, below)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("images", [toy_images(500), toy_classes(500)])
def test_the_error_of_balanced_accuracy_is_that_of_drawing_images_anew(images: ImageSet):
    generator = torch.Generator().manual_seed(2)
    guess = torch.randint(images.space.n_values, images.labels.shape, generator=generator)
    known = torch.rand(images.labels.shape, generator=generator) < 0.6
    predicted = torch.where(known, images.labels, guess)
    found = of_balanced_accuracy(predicted == images.labels, images.labels, images.space)
    assert found.mean().item() == pytest.approx(0, abs=1e-12)

    def balanced(rows: torch.Tensor) -> float:
        scores = label_scores(predicted[rows], images.labels[rows], images.space)
        return scores["balanced_accuracy"]

    assert standard_error(found) == pytest.approx(resampled(balanced, 500), rel=0.08)


def test_a_value_that_never_occurs_counts_for_nothing():
    images = toy_images(60)
    labels = images.labels.clone()
    labels[:, 0] = 0
    right = torch.rand(labels.shape, generator=torch.Generator().manual_seed(3)) < 0.7
    found = of_balanced_accuracy(right, labels, images.space)
    assert found.isfinite().all()
    assert found.mean().item() == pytest.approx(0, abs=1e-12)


def test_equal_models_differ_by_nothing_and_a_perfect_one_has_no_error():
    images = toy_images()
    right = torch.ones_like(images.labels, dtype=torch.bool)
    found = of_balanced_accuracy(right, images.labels, images.space)
    assert standard_error(found) == 0
    assert standard_error(found - found) == 0


def pieces(model: PixelModel, images: ImageSet) -> dict[str, torch.Tensor]:
    """Influences of a model whose true swaps keep half of what they should."""
    judge, inferred = PixelJudge(images.space), infer_all(model, images)
    a, b = random_pairs(len(images), 200, seed=1).unbind(1)
    drawn = torch.cat([images.images[a][:, :, :1], images.images[b][:, :, 1:]], 2)
    truth = TrueSwaps(drawn, (drawn != images.images[b]).any(1))
    _, *generated = generation(model, judge, images, n=100, seed=1)
    asked = {"generated": tuple(generated), "truth": truth, "seed": 1}
    found = influences(model, images, inferred, **asked)
    scores = swap(model, judge, images, inferred, n_pairs=200, seed=1, truth=truth)
    assert scores["swap_truth_normalised"] == (0 if model.swaps == "both" else 1)
    return found


def test_every_measure_has_as_many_influences_as_it_looked_at():
    images = toy_images(150)
    found = pieces(PixelModel(images.space), images)
    assert {name: len(values) for name, values in found.items()} == {
        "balanced_accuracy": 150,
        "swap_truth_normalised": 200,
        "generation_accuracy": 100,
    }
    # Exact swaps and perfect pictures are exact whichever images are looked at.
    assert found["swap_truth_normalised"].abs().max() == 0
    assert found["generation_accuracy"].abs().max() == 0
    nothing = pieces(PixelModel(images.space, swaps="background"), images)
    assert nothing["swap_truth_normalised"].abs().max() < 1e-12


def test_a_model_that_neither_swaps_nor_generates_has_only_the_first():
    images = toy_images(50)
    model = PixelModel(images.space)
    asked = {"generated": None, "truth": None, "seed": 0}
    assert set(influences(model, images, infer_all(model, images), **asked)) == {
        "balanced_accuracy"
    }
