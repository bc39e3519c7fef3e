from __future__ import annotations

import json
import math

import pytest
import torch
from torch import Tensor

from ccvae.labels import LabelSpace, MultiClass, MultiLabel
from evaluators.accuracy import constant_loss, majority
from evaluators.assessment import assess, calibration_error
from evaluators.gates import shortcomings, unreadable
from evaluators.images import ImageSet


class Reader:
    """A judge that reads the truth off the pixels: image i is filled with its number."""

    def __init__(self, labels: LabelSpace, table: Tensor) -> None:
        self.labels, self.table = labels, table

    def features(self, x: Tensor) -> Tensor:
        return x[:, 0, 0, 0]

    def read(self, features: Tensor) -> Tensor:
        return self.table[(features * 255).round().long()]

    def log_probs(self, x: Tensor) -> Tensor:
        return self.read(self.features(x))


def numbered(y: Tensor, labels: LabelSpace) -> ImageSet:
    images = torch.arange(len(y), dtype=torch.uint8).view(-1, 1, 1, 1)
    return ImageSet(images, y, labels)


def certain(y: Tensor, labels: LabelSpace, p: float = 0.99) -> Tensor:
    others = (1 - p) / (labels.n_values - 1)
    return (others + (p - others) * labels.one_hot(y)).log()


Y = torch.tensor([[1, 0], [0, 0], [0, 1], [0, 0], [0, 0]])


def test_a_perfect_judge():
    labels = MultiLabel(["a", "b"])
    record = assess(Reader(labels, certain(Y, labels)), numbered(Y, labels))
    assert record["accuracy"] == record["balanced_accuracy"] == record["auroc"] == 1
    assert record["calibration_error"] == pytest.approx(0.01, abs=1e-6)
    assert record["negative_log_likelihood"] == pytest.approx(-math.log(0.99), abs=1e-6)


def test_a_constant_judge_scores_majority_and_one_half():
    images, prevalence = numbered(Y, MultiLabel(["a", "b"])), torch.tensor([0.2, 0.2])
    labels = MultiLabel(["a", "b"])
    constant = torch.tensor([0.8, 0.2]).log().expand(len(Y), 2, 2)
    record = assess(Reader(labels, constant), numbered(Y, labels))
    assert record["accuracy"] == majority(images, prevalence)["accuracy"] == pytest.approx(0.8)
    assert record["negative_log_likelihood"] == pytest.approx(constant_loss(images, prevalence))
    assert record["balanced_accuracy"] == record["auroc"] == 0.5
    assert record["calibration_error"] == pytest.approx(0, abs=1e-6)


def test_an_inverted_judge_scores_nothing():
    labels = MultiLabel(["a", "b"])
    record = assess(Reader(labels, certain(1 - Y, labels)), numbered(Y, labels))
    assert record["accuracy"] == record["balanced_accuracy"] == record["auroc"] == 0
    assert record["calibration_error/a"] == pytest.approx(0.99)


def test_an_undefined_auroc_is_left_out_of_the_mean():
    labels = MultiLabel(["a", "b"])
    y = Y.clone()
    y[:, 1] = 0
    record = assess(Reader(labels, certain(y, labels)), numbered(y, labels))
    assert "auroc/b" not in record
    assert record["auroc"] == record["auroc/a"] == record["accuracy/b"] == 1
    json.dumps(record, allow_nan=False)


def test_classes():
    labels = MultiClass(["cat", "dog", "owl"])
    y = torch.tensor([[0], [0], [0], [0], [1], [2]])
    said = torch.tensor([[0], [0], [0], [1], [1], [1]])
    record = assess(Reader(labels, certain(said, labels, 0.9)), numbered(y, labels))
    assert record["accuracy"] == pytest.approx(4 / 6)
    assert record["accuracy/cat"] == pytest.approx(0.75)
    assert record["accuracy/owl"] == 0
    assert record["balanced_accuracy"] == pytest.approx((0.75 + 1 + 0) / 3)
    assert record["calibration_error"] == pytest.approx(0.9 - 4 / 6, abs=1e-6)


def test_calibration_error_of_probabilities_that_keep_their_word():
    p = torch.rand(100_000, generator=torch.Generator().manual_seed(0))
    outcome = (torch.rand(100_000, generator=torch.Generator().manual_seed(1)) < p).long()
    assert calibration_error(p, outcome) < 0.01
    assert calibration_error(p, 1 - outcome) > 0.3


@pytest.mark.parametrize(("stated", "error"), [(1.0, 0.25), (0.75, 0.0), (0.0, 0.75)])
def test_calibration_error_of_one_bin(stated, error):
    outcome = torch.tensor([1, 1, 1, 0])
    assert calibration_error(torch.full((4,), stated), outcome) == pytest.approx(error)


def test_what_keeps_a_judge_from_judging():
    metrics = {"accuracy": 0.9, "auroc": 0.7, "negative_log_likelihood": 0.3}
    constant = {"negative_log_likelihood": 0.4}
    assert shortcomings(metrics, constant, {"accuracy": 0.9}) == []
    (weak,) = shortcomings(metrics, constant, {"auroc": 0.75, "accuracy": 0.5})
    assert weak == "its AUROC on test images is 0.7000, below the 0.75 asked of it"
    (missing,) = shortcomings(metrics, constant, {"balanced_accuracy": 0.5})
    assert missing == "its balanced accuracy is not defined on the test images"


def test_a_judge_that_loses_as_many_nats_as_a_constant_answer_has_learnt_nothing():
    metrics = {"accuracy": 0.9, "negative_log_likelihood": 0.4}
    (clause,) = shortcomings(metrics, {"accuracy": 0.8, "negative_log_likelihood": 0.4}, {})
    assert "constant answer" in clause
    # Rare labels: no more accurate than the majority, yet its probabilities tell images apart.
    assert shortcomings(metrics, {"accuracy": 0.9, "negative_log_likelihood": 0.5}, {}) == []


def test_labels_below_the_floor_are_unreadable():
    metrics = {"balanced_accuracy": 0.5, "balanced_accuracy/a": 0.84, "balanced_accuracy/b": 0.85}
    assert unreadable(metrics | {"accuracy/c": 0.1}, {"balanced_accuracy": 0.85}) == ["a"]
    assert unreadable(metrics, {}) == []
