"""Draws where a classifier is confident: exact against rejection, and the closest such point."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.optimize import minimize
from torch import Tensor

from baselines.confident_region import ConfidentRegion, truncated_normal
from ccvae.errors import InputError
from ccvae.labels import LabelSpace
from ccvae.networks import Diagonal
from tests.tiny import binary_labels, classes


def region_of(
    labels: LabelSpace, width: int, weight: Tensor, bias: Tensor, confidence: float = 0.9
) -> ConfidentRegion:
    classifier = Diagonal(labels, width)
    with torch.no_grad():
        classifier.weight.copy_(weight)
        classifier.bias.copy_(bias)
    return ConfidentRegion(labels, classifier, confidence, max_tries=10_000)


def two_labels(confidence: float = 0.9) -> ConfidentRegion:
    """Logits 2 z_1 + 0.5 and -1.5 z_2 - 1."""
    weight, bias = torch.tensor([2.0, -1.5]).view(2, 1, 1), torch.tensor([0.5, -1.0]).view(2, 1)
    return region_of(binary_labels(2), 1, weight, bias, confidence)


def probability(region: ConfidentRegion, z_c: Tensor, y: Tensor) -> Tensor:
    """q(y_f | z_c^f), (B, F)."""
    log_q = region.labels.log_probs(region.classifier(z_c))
    return (log_q.exp() * region.labels.one_hot(y)).sum(-1)


@pytest.mark.parametrize("threshold", [-40.0, -1.0, 0.0, 2.0, 6.0, 12.0, 36.0])
def test_truncated_normal_has_the_moments_of_the_law(threshold: float) -> None:
    torch.manual_seed(0)
    drawn = truncated_normal(torch.full((50_000,), threshold, dtype=torch.float64)).numpy()
    law = stats.truncnorm(threshold, np.inf)
    assert (drawn >= threshold).all()
    assert abs(drawn.mean() - law.mean()) < 4 * law.std() / math.sqrt(len(drawn))
    assert drawn.std() == pytest.approx(law.std(), rel=0.03)
    assert stats.kstest(drawn, law.cdf).pvalue > 0.01


def test_truncated_normal_stays_finite_far_out() -> None:
    """Beyond the underflow of Phi the excess over t is exponential with rate t, nearly."""
    torch.manual_seed(0)
    for threshold in (38.0, 1e3, 1e6):
        drawn = truncated_normal(torch.full((20_000,), threshold, dtype=torch.float64))
        excess = ((drawn - threshold) * threshold).numpy()
        assert np.isfinite(excess).all()
        assert excess.mean() == pytest.approx(1, abs=0.03)
        assert excess.std() == pytest.approx(1, abs=0.05)
    assert torch.isfinite(truncated_normal(torch.tensor([-1e6, 1e6, 1e12]))).all()


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.2])
@pytest.mark.parametrize("y", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_exact_draws_follow_the_law_of_rejection(y: tuple[int, int], confidence: float) -> None:
    region = two_labels(confidence)
    many = torch.tensor(y).expand(4_000, -1)
    torch.manual_seed(1)
    exact, rejected = region.sample(many), region.rejection_sample(many)
    assert rejected.accepted.all()
    for z_c in (exact, rejected.z_c):
        assert (probability(region, z_c, many) > confidence - 1e-6).all()
    for i in range(2):
        pair = (z_c[:, i, 0].detach().numpy() for z_c in (exact, rejected.z_c))
        assert stats.ks_2samp(*pair).pvalue > 1e-3


@pytest.mark.parametrize("y", [(0, 1), (1, 0)])
def test_acceptance_rate_is_that_of_the_loop(y: tuple[int, int]) -> None:
    """2 z + 0.5 > logit 0.9 has probability Phi(-(log 9 - 0.5) / 2)."""
    region = two_labels()
    many = torch.tensor(y).expand(20_000, -1)
    torch.manual_seed(2)
    rejected = region.rejection_sample(many)
    expected = region.acceptance()[range(2), y]
    if y[0] == 1:
        assert expected[0].item() == pytest.approx(stats.norm.cdf(-(math.log(9) - 0.5) / 2))
    error = expected * torch.sqrt((1 - expected) / len(many))
    assert ((rejected.rate - expected).abs() < 4 * error).all()
    assert (rejected.tries >= 1).all()
    # The number of tries is geometric.
    once = (rejected.tries == 1).double().mean(0)
    assert ((once - expected).abs() < 0.015).all()


def test_binary_label_with_several_latents_is_truncated_along_the_weight() -> None:
    weight = torch.tensor([[1.0, -2.0], [0.5, 0.3]]).unsqueeze(-1)
    region = region_of(binary_labels(2), 2, weight, torch.tensor([[0.3], [0.2]]), 0.7)
    many = torch.tensor([1, 0]).expand(4_000, -1)
    torch.manual_seed(3)
    exact = region.sample(many).detach().numpy()
    rejected = region.rejection_sample(many).z_c.numpy()
    directions = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
    for label in range(2):
        for direction in directions:
            pair = exact[:, label] @ direction, rejected[:, label] @ direction
            assert stats.ks_2samp(*pair).pvalue > 1e-3


def test_classifier_that_ignores_a_label_gives_finite_draws() -> None:
    region = region_of(binary_labels(1), 1, torch.zeros(1, 1, 1), torch.zeros(1, 1))
    assert torch.isfinite(region.sample(torch.tensor([[0], [1]]))).all()
    assert (region.acceptance() == 0).all()


def triangle(confidence: float = 0.9, size: float = 2.0) -> ConfidentRegion:
    """Three classes in the plane, whose regions are images of each other by rotation."""
    angles = torch.tensor([0.0, 2 * math.pi / 3, 4 * math.pi / 3])
    weight = size * torch.stack([angles.cos(), angles.sin()]).unsqueeze(0)
    return region_of(classes(3), 2, weight, torch.zeros(1, 3), confidence)


def test_class_draws_are_the_prior_in_the_region() -> None:
    """Against importance sampling on a grid."""
    region = triangle()
    many = torch.zeros(20_000, 1, dtype=torch.long)
    torch.manual_seed(4)
    rejected = region.rejection_sample(many)
    assert rejected.accepted.all()
    axis = torch.linspace(-6, 6, 601)
    grid = torch.cartesian_prod(axis, axis)
    inside = probability(region, grid.unsqueeze(1), many[:1].expand(len(grid), -1))[:, 0] > 0.9
    weight = torch.exp(-0.5 * (grid**2).sum(1))
    rate = weight[inside].sum() / weight.sum()
    mean = (weight[inside, None] * grid[inside]).sum(0) / weight[inside].sum()
    assert rejected.rate.item() == pytest.approx(rate.item(), rel=0.03)
    torch.testing.assert_close(rejected.z_c.mean((0, 1)), mean, atol=0.02, rtol=0)
    assert (probability(region, rejected.z_c, many) > 0.9).all()


def test_rejection_falls_back_on_the_surest_draw() -> None:
    """No point has probability 0.9 of a class that the classifier ties with another."""
    weight = torch.tensor([[[1.0, 1.0, -1.0]]])
    region = region_of(classes(3), 1, weight, torch.zeros(1, 3))
    y = torch.tensor([[0], [2], [1]])
    torch.manual_seed(5)
    many = region.rejection_sample(y, max_tries=500)
    assert many.accepted.flatten().tolist() == [False, True, False]
    assert many.tries[0].item() == many.tries[2].item() == 500
    assert many.tries[1].item() < 500
    # The surest of 500 draws of N(0, 1) is the largest one.
    assert (many.z_c[[0, 2]] > 2).all()
    torch.manual_seed(5)
    few = region.rejection_sample(y, max_tries=1)
    assert (few.tries == 1).all()
    assert (few.z_c != 0).all()


def test_loop_in_many_rounds_equals_one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of candidates are for speed: the law does not depend on their size."""
    monkeypatch.setattr("baselines.confident_region.CANDIDATES", 1)
    region, many = triangle(), torch.ones(3_000, 1, dtype=torch.long)
    torch.manual_seed(6)
    one_by_one = region.rejection_sample(many)
    monkeypatch.undo()
    at_once = region.rejection_sample(many)
    assert one_by_one.rate.item() == pytest.approx(at_once.rate.item(), rel=0.1)
    for i in range(2):
        pair = one_by_one.z_c[:, 0, i].numpy(), at_once.z_c[:, 0, i].numpy()
        assert stats.ks_2samp(*pair).pvalue > 1e-3


def test_closest_flip_of_a_binary_label_in_closed_form() -> None:
    """(+-logit(lambda) - b) / a, and nothing moves that is confident already."""
    region = two_labels()
    z_c = torch.tensor([[[0.1], [0.2]], [[3.0], [3.0]]])
    t = math.log(9)
    on = region.closest(z_c, torch.ones(2, 2, dtype=torch.long)).squeeze(-1)
    expected = torch.tensor([[(t - 0.5) / 2, (t + 1) / -1.5], [3.0, (t + 1) / -1.5]])
    torch.testing.assert_close(on, expected)
    off = region.closest(z_c, torch.zeros(2, 2, dtype=torch.long)).squeeze(-1)
    expected = torch.tensor([[(-t - 0.5) / 2, (-t + 1) / -1.5], [(-t - 0.5) / 2, 3.0]])
    torch.testing.assert_close(off, expected)


def test_closest_point_of_a_class_with_two_classes_is_a_projection() -> None:
    """Then the region is the half-space (w_0 - w_1) . z >= log 9."""
    weight = torch.tensor([[[1.0, 0.0], [0.5, -1.5]]])
    region = region_of(classes(2), 2, weight, torch.zeros(1, 2))
    difference = torch.tensor([1.0, 2.0])
    start = torch.tensor([[[-1.0, 0.7]]])
    closest = region.closest(start, torch.tensor([[0]]))
    missing = (math.log(9) - start[0, 0] @ difference) / 5
    torch.testing.assert_close(closest[0, 0], start[0, 0] + missing * difference)


@pytest.mark.parametrize("size", [0.5, 2.0, 8.0])
def test_closest_point_of_a_class_beats_a_general_solver(size: float) -> None:
    torch.manual_seed(7)
    weight, bias = size * torch.randn(1, 6, 5), torch.randn(1, 5)
    region = region_of(classes(5), 6, weight, bias)
    start, y = 2 * torch.randn(8, 1, 6), torch.arange(8).view(-1, 1) % 5
    closest = region.closest(start, y)
    distance = (closest - start).flatten(1).norm(dim=1)
    assert (probability(region, closest, y) > 0.9 - 1e-4).all()
    w, b = weight[0].T.double().numpy(), bias[0].double().numpy()
    for i in range(8):
        own = y[i].item()
        others = np.arange(5) != own

        def slack(z: np.ndarray, own: int = own, others: np.ndarray = others) -> float:
            scores = w @ z + b
            return -np.logaddexp.reduce(scores[others] - scores[own]) - math.log(9)

        z = start[i, 0].double().numpy()
        solver = minimize(
            lambda point, z=z: ((point - z) ** 2).sum(),
            z,
            method="SLSQP",
            constraints={"type": "ineq", "fun": slack},
            options={"maxiter": 300},
        )
        if solver.success:
            assert distance[i].item() < math.sqrt(max(solver.fun, 0)) * 1.001 + 1e-4


def test_closest_point_stays_where_the_classifier_is_confident() -> None:
    start = torch.tensor([[[3.0, 0.0]]])
    assert torch.equal(triangle().closest(start, torch.tensor([[0]])), start)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 90.0])
def test_confidence_is_a_probability(confidence: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        two_labels(confidence)


def test_drawing_takes_a_try() -> None:
    one = triangle()
    with pytest.raises(InputError, match="max_tries is 0"):
        ConfidentRegion(one.labels, one.classifier, 0.9, 0)


def test_classes_have_no_half_spaces() -> None:
    with pytest.raises(InputError, match="rejection_sample"):
        triangle().half_spaces(torch.zeros(1, 1, dtype=torch.long))


def test_acceptance_falls_with_the_confidence_and_sums_to_one_at_a_half() -> None:
    """At 1/2 two regions share the line between them; the classifier stays the same."""
    torch.manual_seed(8)
    region = two_labels()
    torch.testing.assert_close(region.at(0.5).acceptance().sum(1), torch.ones(2))
    for each in (region, triangle()):
        prices = torch.stack([each.at(c).acceptance() for c in (0.5, 0.9, 0.99)])
        assert prices.shape == (3, each.labels.n_factors, each.labels.n_values)
        assert (prices[:-1] > prices[1:]).all()
        assert each.at(0.5).classifier is each.classifier
    # Three regions that are images of each other by rotation, and most of the plane at 1/2.
    assert prices[0].std() < 0.15 * prices[0].mean()
    assert 0.5 < prices[0].sum() < 1
