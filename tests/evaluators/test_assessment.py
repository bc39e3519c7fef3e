from __future__ import annotations

import json
import math

import pytest
import torch
from torch import Tensor

from ccvae.labels import LabelSpace, MultiClass, MultiLabel
from evaluators.assessment import assess, calibration_error, gate
from evaluators.images import ImageSet


class Reader:
    """A judge that reads the truth off the pixels: image i is filled with its number."""

    def __init__(self, labels: LabelSpace, table: Tensor) -> None:
        self.labels, self.table = labels, table

    def log_probs(self, x: Tensor) -> Tensor:
        return self.table[(x[:, 0, 0, 0] * 255).round().long()]


def numbered(y: Tensor, labels: LabelSpace) -> ImageSet:
    images = torch.arange(len(y), dtype=torch.uint8).view(-1, 1, 1, 1)
    return ImageSet(images, y, labels)


def certain(y: Tensor, labels: LabelSpace, p: float = 0.99) -> Tensor:
    others = (1 - p) / (labels.n_values - 1)
    return (others + (p - others) * labels.one_hot(y)).log()


Y = torch.tensor([[1, 0], [0, 0], [0, 1], [0, 0], [0, 0]])


def test_a_perfect_judge():
    labels = MultiLabel(["a", "b"])
    record = assess(
        Reader(labels, certain(Y, labels)), numbered(Y, labels), torch.tensor([0.2, 0.9])
    )
    assert record["accuracy"] == record["balanced_accuracy"] == record["auroc"] == 1
    assert record["calibration_error"] == pytest.approx(0.01, abs=1e-6)
    assert record["negative_log_likelihood"] == pytest.approx(-math.log(0.99), abs=1e-6)
    # Both labels are on in one image of five, but the second was mostly on in training.
    assert record["majority_accuracy"] == pytest.approx((0.8 + 0.2) / 2)


def test_a_constant_judge_scores_majority_and_one_half():
    labels = MultiLabel(["a", "b"])
    constant = torch.tensor([0.8, 0.2]).log().expand(len(Y), 2, 2)
    record = assess(Reader(labels, constant), numbered(Y, labels), torch.tensor([0.2, 0.2]))
    assert record["accuracy"] == record["majority_accuracy"] == pytest.approx(0.8)
    assert record["balanced_accuracy"] == record["auroc"] == 0.5
    assert record["calibration_error"] == pytest.approx(0, abs=1e-6)


def test_an_inverted_judge_scores_nothing():
    labels = MultiLabel(["a", "b"])
    record = assess(Reader(labels, certain(1 - Y, labels)), numbered(Y, labels))
    assert record["accuracy"] == record["balanced_accuracy"] == record["auroc"] == 0
    assert record["calibration_error/a"] == pytest.approx(0.99)
    assert "majority_accuracy" not in record


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
    record = assess(
        Reader(labels, certain(said, labels, 0.9)),
        numbered(y, labels),
        torch.tensor([0.2, 0.5, 0.3]),
    )
    assert record["accuracy"] == pytest.approx(4 / 6)
    assert record["accuracy/cat"] == pytest.approx(0.75)
    assert record["accuracy/owl"] == 0
    assert record["balanced_accuracy"] == pytest.approx((0.75 + 1 + 0) / 3)
    assert record["majority_accuracy"] == pytest.approx(1 / 6)
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


def test_gate():
    record = {"accuracy": 0.9, "majority_accuracy": 0.8, "auroc": 0.7}
    assert gate(record, {"accuracy": 0.9}) == []
    (weak,) = gate(record, {"auroc": 0.75, "accuracy": 0.5})
    assert "auroc is 0.7000, below the 0.75" in weak
    (missing,) = gate(record, {"balanced_accuracy": 0.5})
    assert "balanced_accuracy" in missing
    assert "constant" in gate({**record, "accuracy": 0.8}, {})[0]
