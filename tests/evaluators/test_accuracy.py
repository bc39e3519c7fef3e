from __future__ import annotations

import pytest
import torch
from torch import nn

from ccvae.interface import Inferred
from ccvae.labels import MultiClass, MultiLabel
from evaluators.accuracy import accuracy, label_scores, majority
from evaluators.images import ImageSet


def read(images: ImageSet, order: list[int]) -> Inferred:
    """Label i read off pixel i, through a permutation."""
    pixels = images.images.flatten(1)[:, order] / 255
    return Inferred(pixels, torch.empty(len(images), 0))


def multi_label_images(n: int = 400) -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    y = (torch.rand(n, 4, generator=generator) < torch.tensor([0.5, 0.1, 0.8, 0.3])).long()
    return ImageSet((y * 255).to(torch.uint8).view(n, 1, 2, 2), y, MultiLabel("abcd"))


def multi_class_images() -> ImageSet:
    y = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 2]).unsqueeze(1)
    pixels = nn.functional.one_hot(y[:, 0], 4) * 255
    return ImageSet(pixels.to(torch.uint8).view(-1, 1, 2, 2), y, MultiClass("0123"))


def test_perfect_predictions_score_one_everywhere():
    images = multi_label_images()
    scores = accuracy(read(images, [0, 1, 2, 3]), images)
    assert set(scores) == {
        *("accuracy", "balanced_accuracy"),
        *(f"{kind}accuracy/{name}" for kind in ("", "balanced_") for name in "abcd"),
    }
    assert set(scores.values()) == {1.0}


def test_inverted_predictions_score_zero():
    images = multi_label_images()
    scores = label_scores(1 - images.labels, images.labels, images.space)
    assert set(scores.values()) == {0.0}


def test_permuted_labels_score_their_chance_agreement():
    images = multi_label_images()
    scores = accuracy(read(images, [1, 0, 2, 3]), images)
    agreement = (images.labels[:, 0] == images.labels[:, 1]).double().mean().item()
    assert scores["accuracy/a"] == pytest.approx(agreement)
    assert scores["accuracy/b"] == pytest.approx(agreement)
    assert scores["accuracy/c"] == 1.0
    assert scores["accuracy"] == pytest.approx((2 * agreement + 2) / 4)


def test_majority_scores_the_commoner_value_and_half_when_balanced():
    images = multi_label_images()
    scores = majority(images, images.prevalence)
    share = images.labels.double().mean(0)
    assert scores["accuracy"] == pytest.approx(torch.maximum(share, 1 - share).mean().item())
    assert scores["balanced_accuracy"] == pytest.approx(0.5)
    assert scores["accuracy/c"] == pytest.approx(share[2].item())


def test_majority_uses_the_training_prevalence():
    images = multi_label_images()
    scores = majority(images, torch.tensor([0.9, 0.9, 0.9, 0.9]))
    assert scores["accuracy"] == pytest.approx(images.labels.double().mean().item())


def test_classes_score_overall_and_per_class_that_occurs():
    images = multi_class_images()
    scores = accuracy(read(images, [0, 2, 1, 3]), images)
    assert scores == pytest.approx(
        {
            "accuracy": 0.6,
            "balanced_accuracy": 1 / 3,
            "accuracy/0": 1.0,
            "accuracy/1": 0.0,
            "accuracy/2": 0.0,
        }
    )


def test_majority_class():
    images = multi_class_images()
    scores = majority(images, images.prevalence)
    assert scores["accuracy"] == pytest.approx(0.6)
    assert scores["balanced_accuracy"] == pytest.approx(1 / 3)
