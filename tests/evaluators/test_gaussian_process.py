from __future__ import annotations

import dataclasses

import gpytorch
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from ccvae.errors import InputError
from ccvae.labels import LabelSpace, MultiClass, MultiLabel
from evaluators.classifier import Judge
from evaluators.gaussian_process import (
    GPHead,
    GPSettings,
    assess_gp_head,
    fit_gp_head,
    gate_gp_head,
)
from evaluators.images import ImageSet
from evaluators.seen import Seen

SPACES = [MultiLabel(["bright", "right"]), MultiClass("abcd")]
SETTINGS = GPSettings(inducing=12, steps=150, batch_size=100, learning_rate=5e-2)


class PixelJudge(Judge):
    """Features are the two pixels; the labels are whether each is brighter than one half."""

    n_features = 2

    def __init__(self, labels: LabelSpace) -> None:
        nn.Module.__init__(self)
        self.labels = labels

    def features(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def read(self, features: Tensor) -> Tensor:
        return (0.98 * self.labels.one_hot(corner(features > 0.5, self.labels)) + 0.005).log()


def corner(on: Tensor, labels: LabelSpace) -> Tensor:
    return on.long() if isinstance(labels, MultiLabel) else (2 * on[:, :1] + on[:, 1:]).long()


def pixels(n: int, labels: LabelSpace, seed: int) -> ImageSet:
    """Two pixels that keep a distance of 0.1 from one half."""
    generator = torch.Generator().manual_seed(seed)
    on = torch.rand(n, 2, generator=generator) < 0.5
    grey = torch.where(on, 0.6, 0.1) + 0.3 * torch.rand(n, 2, generator=generator)
    images = (255 * grey).to(torch.uint8).view(n, 1, 1, 2)
    return ImageSet(images, corner(on, labels), labels)


@pytest.fixture(scope="module", params=SPACES, ids=["labels", "classes"])
def fitted(request):
    judge = PixelJudge(request.param)
    return fit_gp_head(judge, pixels(400, request.param, 0), SETTINGS), judge


def random_head(labels: LabelSpace, features: int = 3, inducing: int = 5) -> GPHead:
    """A head whose posterior is neither the prior nor degenerate."""
    torch.manual_seed(0)
    head = GPHead(labels, features, inducing)
    strategy = head.gps.variational_strategy
    with torch.no_grad():
        strategy.inducing_points.normal_()
        distribution = strategy._variational_distribution
        distribution.variational_mean.normal_()
        distribution.chol_variational_covar.add_(0.3 * torch.randn(inducing, inducing).tril(-1))
        strategy.variational_params_initialized.fill_(1)
        head.gps.mean_module.constant.normal_()
        head.gps.covar_module.outputscale = torch.rand(labels.n_outputs) + 1
    return head


def kl(head: GPHead) -> Tensor:
    """KL of the whitened inducing values, (n_outputs,), without gpytorch."""
    q = head.gps.variational_strategy._variational_distribution
    root = q.chol_variational_covar.tril()
    m = root.shape[-1]
    return kl_divergence(
        MultivariateNormal(q.variational_mean, covariance_matrix=root @ root.mT),
        MultivariateNormal(torch.zeros(m), torch.eye(m)),
    )


@pytest.mark.parametrize("labels", SPACES, ids=["labels", "classes"])
@pytest.mark.parametrize("batch", [1, 2, 4, 7])
def test_shapes_for_any_batch_size(labels, batch):
    """2 and 4 are the numbers of outputs, where a transposed batch would go unnoticed."""
    head = random_head(labels).eval()
    features = torch.randn(batch, 3)
    mean, variance = head.posterior(features)
    assert mean.shape == variance.shape == (batch, labels.n_outputs)
    assert (variance > 0).all()
    draws = head.sample_log_probs(features, 6)
    assert draws.shape == (6, batch, labels.n_factors, labels.n_values)
    torch.testing.assert_close(draws.exp().sum(-1), torch.ones(6, batch, labels.n_factors))
    assert head.log_probs(features, 6).shape == (batch, labels.n_factors, labels.n_values)


@pytest.mark.parametrize("batch", [2, 5])
def test_bound_of_labels_by_quadrature(batch):
    labels = MultiLabel(["a", "b"])
    head = random_head(labels)
    features, y = torch.randn(batch, 3), torch.randint(0, 2, (batch, 2))
    mean, variance = head.posterior(features)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    f = mean + variance.sqrt() * torch.tensor(nodes).view(-1, 1, 1)
    log_p = torch.special.log_ndtr(torch.where(y == 1, f, -f))
    expected = (torch.tensor(weights / weights.sum()).view(-1, 1, 1) * log_p).sum(0)
    loss = kl(head).sum() / 1000 - expected.sum(1).mean()
    torch.testing.assert_close(
        head.negative_bound(features, y, 1000).double(), loss.double(), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("batch", [4, 5])
def test_bound_of_classes_by_sampling(batch):
    labels = MultiClass("abcd")
    head = random_head(labels)
    features, y = torch.randn(batch, 3), torch.randint(0, 4, (batch, 1))
    mean, variance = head.posterior(features)
    f = Normal(mean, variance.sqrt()).sample((20_000,))
    expected = f.log_softmax(-1).gather(-1, y.expand(len(f), -1, -1)).mean()
    loss = kl(head).sum() / 1000 - expected
    with gpytorch.settings.num_likelihood_samples(20_000):
        found = head.negative_bound(features, y, 1000)
    torch.testing.assert_close(found, loss, atol=0.03, rtol=0)


@pytest.mark.parametrize("labels", SPACES, ids=["labels", "classes"])
def test_posterior_at_an_inducing_point_is_the_inducing_value(labels):
    """f(Z) = m(Z) + L u for whitened u ~ q, with L the root of the prior covariance."""
    head = random_head(labels, inducing=5).eval()
    strategy = head.gps.variational_strategy
    z = strategy.inducing_points
    mean, _ = head.posterior(z)
    root = torch.linalg.cholesky(head.gps.covar_module(z).to_dense() + 1e-4 * torch.eye(5))
    u = strategy._variational_distribution.variational_mean.unsqueeze(-1)
    expected = head.gps.mean_module.constant.unsqueeze(-1) + (root @ u).squeeze(-1)
    torch.testing.assert_close(mean, expected.T, atol=2e-2, rtol=0)


def test_predictive_probability_of_labels_has_the_probit_closed_form():
    head = random_head(MultiLabel(["a", "b"])).eval()
    features = torch.randn(4, 3)
    mean, variance = head.posterior(features)
    torch.manual_seed(0)
    found = head.log_probs(features, 40_000)[..., 1].exp()
    expected = torch.special.ndtr(mean / (1 + variance).sqrt())
    torch.testing.assert_close(found, expected, atol=0.01, rtol=0)


def test_learns_as_well_as_the_judge_and_is_frozen(fitted):
    head, judge = fitted
    images = pixels(300, judge.labels, 1)
    record = assess_gp_head(head, Seen.of_set(judge, images), images.labels, samples=64, seed=0)
    assert record["accuracy_judge"] == 1
    assert record["accuracy_gp"] > 0.98
    assert not head.training
    assert not any(parameter.requires_grad for parameter in head.parameters())


def test_far_from_the_data_the_posterior_is_wide(fitted):
    head, judge = fitted
    near = head.posterior(judge.features(torch.tensor([[[[0.25, 0.75]]]])))[1]
    far = head.posterior(torch.full((1, 2), 50.0))[1]
    assert (far > 2 * near).all()


def test_state_dict_restores_the_head(fitted, tmp_path):
    head, judge = fitted
    torch.save(head.state_dict(), tmp_path / "head.pt")
    fresh = GPHead(judge.labels, 2, SETTINGS.inducing).eval().requires_grad_(False)
    fresh.load_state_dict(torch.load(tmp_path / "head.pt", weights_only=True))
    features = torch.rand(5, 2)
    for found, expected in zip(fresh.posterior(features), head.posterior(features), strict=True):
        assert torch.equal(found, expected)


def test_same_seed_same_head_and_the_global_generator_is_left_alone():
    labels = SPACES[1]
    images, judge = pixels(60, labels, 0), PixelJudge(labels)
    settings = GPSettings(inducing=8, steps=3, batch_size=20)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = fit_gp_head(judge, images, settings)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    again = fit_gp_head(judge, images, settings)
    for key, value in first.state_dict().items():
        assert torch.equal(again.state_dict()[key], value)


def test_features_are_standardised_and_silent_ones_are_not_blown_up():
    labels = SPACES[0]
    images = pixels(60, labels, 0)

    class Silent(PixelJudge):
        n_features = 3

        def features(self, x: Tensor) -> Tensor:
            loud = 1000 * x.flatten(1)
            return torch.cat([loud, torch.zeros(len(x), 1)], dim=1)

    head = fit_gp_head(Silent(labels), images, GPSettings(inducing=8, steps=1, batch_size=20))
    x, _ = next(images.batches())
    standard = (Silent(labels).features(x) - head.location) / head.scale
    torch.testing.assert_close(standard[:, :2].std(0), torch.ones(2))
    assert head.scale[2] > 100


def test_more_inducing_points_than_images_is_an_error():
    labels = SPACES[0]
    with pytest.raises(InputError, match="inducing points"):
        fit_gp_head(PixelJudge(labels), pixels(10, labels, 0), GPSettings(inducing=11))


def test_gate():
    assert gate_gp_head({"accuracy_gp": 0.986, "accuracy_judge": 0.99}) == []
    (warning,) = gate_gp_head({"accuracy_gp": 0.984, "accuracy_judge": 0.99})
    assert "0.9840" in warning


@pytest.mark.parametrize("labels", SPACES, ids=["labels", "classes"])
def test_a_covariance_that_cannot_be_decomposed_is_one_sentence(labels):
    settings = dataclasses.replace(SETTINGS, learning_rate=1e30)
    with pytest.raises(InputError, match=r"broke down \(.*\); look at .*learning_rate"):
        fit_gp_head(PixelJudge(labels), pixels(100, labels, 0), settings)


def test_features_that_are_not_finite_are_blamed_on_the_judge():
    class Broken(PixelJudge):
        def features(self, x: Tensor) -> Tensor:
            return x.flatten(1) / 0

    with pytest.raises(InputError, match="features of the training images are not finite"):
        fit_gp_head(Broken(SPACES[0]), pixels(100, SPACES[0], 0), SETTINGS)
