from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from ccvae.labels import LabelSpace, MultiClass, MultiLabel
from evaluators.gaussian_process import GPHead
from evaluators.uncertainty import entropy, information_per_label, mutual_information


def random_log_probs(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return (3 * torch.randn(*shape, generator=generator)).log_softmax(-1)


def test_entropy_of_uniform_and_of_certain():
    assert entropy(torch.full((5,), 0.2).log()).item() == pytest.approx(math.log(5))
    assert entropy(torch.tensor([0.0, -math.inf])).item() == 0


@pytest.mark.parametrize("values", [2, 10])
def test_samples_that_are_certain_of_different_values(values):
    """Every draw knows the answer, and each gives another: H[mean] = log V, mean H = 0."""
    log_probs = torch.eye(values).log().view(values, 1, 1, values)
    assert information_per_label(log_probs).item() == pytest.approx(math.log(values))


def test_identical_samples_inform_nothing():
    log_probs = random_log_probs(1, 4, 3, 5).expand(7, -1, -1, -1)
    torch.testing.assert_close(
        information_per_label(log_probs), torch.zeros(4, 3, dtype=torch.float64)
    )


def test_two_bernoullis():
    """Draws p and 1 - p: I = log 2 - H(p)."""
    p = 0.9
    log_probs = torch.tensor([[1 - p, p], [p, 1 - p]]).log().view(2, 1, 1, 2)
    expected = math.log(2) + p * math.log(p) + (1 - p) * math.log(1 - p)
    assert information_per_label(log_probs).item() == pytest.approx(expected, abs=1e-6)


def test_order_of_samples_does_not_matter_and_bounds_hold():
    log_probs = random_log_probs(6, 4, 3, 5)
    found = information_per_label(log_probs)
    assert found.shape == (4, 3)
    assert ((found > 0) & (found < math.log(5))).all()
    torch.testing.assert_close(information_per_label(log_probs.flip(0)), found)


def test_duplicated_samples_change_nothing():
    log_probs = random_log_probs(6, 4, 3, 5)
    torch.testing.assert_close(
        information_per_label(log_probs.repeat(2, 1, 1, 1)),
        information_per_label(log_probs),
    )


class Undecided(GPHead):
    """A head that tosses a coin for label 0 of bright images, and is sure of all else."""

    def __init__(self, labels: LabelSpace) -> None:
        nn.Module.__init__(self)
        self.labels = labels

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def sample_log_probs(self, features: Tensor, n: int) -> Tensor:
        shape = (n, len(features), self.labels.n_factors)
        y = torch.zeros(shape, dtype=torch.long)
        y[..., 0] = (torch.rand(shape[:2]) < 0.5) & (features[:, 0] > 0.5)
        return self.labels.one_hot(y).log()


def test_average_over_images_and_labels():
    labels = MultiLabel(["a", "b"])
    features = torch.tensor([[0.0], [1.0], [1.0], [1.0]])
    result = mutual_information(Undecided(labels), features, samples=4000, seed=0)
    assert result["mutual_information/a"] == pytest.approx(0.75 * math.log(2), abs=1e-3)
    assert result["mutual_information/b"] == 0
    assert result["mutual_information"] == pytest.approx(result["mutual_information/a"] / 2)


def test_seed_and_the_global_generator():
    head = Undecided(MultiClass("ab"))
    features = torch.ones(5, 1)
    before = torch.get_rng_state()
    first = mutual_information(head, features, samples=5, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert list(first) == ["mutual_information"]
    assert mutual_information(head, features, samples=5, seed=1) == first
    assert mutual_information(head, features, samples=5, seed=2) != first
