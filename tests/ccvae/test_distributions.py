from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Bernoulli, Laplace, Normal, kl_divergence

from ccvae.distributions import (
    LIKELIHOODS,
    Gaussian,
    bernoulli_log_prob,
    laplace_log_prob,
    normal_log_prob,
    standard_normal_log_prob,
)


@pytest.fixture
def gaussian() -> Gaussian:
    torch.manual_seed(0)
    return Gaussian(torch.randn(6, 4), torch.rand(6, 4) + 0.1)


def test_normal_log_prob(gaussian: Gaussian) -> None:
    z = 2 * torch.randn(6, 4)
    reference = Normal(gaussian.loc, gaussian.scale).log_prob(z)
    torch.testing.assert_close(normal_log_prob(z, gaussian.loc, gaussian.scale), reference)
    torch.testing.assert_close(gaussian.log_prob(z), reference.sum(-1))


def test_normal_log_prob_broadcasts() -> None:
    z, loc, scale = torch.randn(5, 1, 2), torch.randn(3, 2), torch.rand(3, 2) + 0.5
    result = normal_log_prob(z, loc, scale)
    assert result.shape == (5, 3, 2)
    torch.testing.assert_close(result, Normal(loc, scale).log_prob(z))


def test_standard_normal_log_prob() -> None:
    z = torch.randn(50)
    torch.testing.assert_close(standard_normal_log_prob(z), Normal(0.0, 1.0).log_prob(z))


def test_kl_to_the_standard_normal(gaussian: Gaussian) -> None:
    reference = kl_divergence(Normal(gaussian.loc, gaussian.scale), Normal(0.0, 1.0))
    torch.testing.assert_close(gaussian.kl(), reference)
    assert Gaussian(torch.zeros(1, 2), torch.ones(1, 2)).kl().abs().max() == 0


def test_kl_to_another_gaussian_and_its_gradient(gaussian: Gaussian) -> None:
    gradients, values = [], []
    for ours in (True, False):
        loc = torch.linspace(-1, 1, 4).requires_grad_()
        scale = torch.linspace(0.3, 2, 4).requires_grad_()
        if ours:
            kl = gaussian.kl(loc, scale)
        else:
            kl = kl_divergence(Normal(gaussian.loc, gaussian.scale), Normal(loc, scale))
        values.append(kl.detach())
        gradients.append(torch.stack(torch.autograd.grad(kl.sum(), (loc, scale))))
    torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_rsample_has_the_moments_and_the_pathwise_gradient() -> None:
    loc = torch.tensor([[1.0, -2.0]]).expand(40_000, 2).clone().requires_grad_()
    scale = torch.tensor([[0.5, 3.0]]).expand(40_000, 2).clone().requires_grad_()
    torch.manual_seed(1)
    z = Gaussian(loc, scale).rsample()
    assert ((z.mean(0) - loc[0]) / scale[0]).abs().max() < 4 / 200
    assert (z.std(0) / scale[0] - 1).abs().max() < 4 / math.sqrt(80_000)
    by_loc, by_scale = torch.autograd.grad(z.sum(), (loc, scale))
    assert (by_loc == 1).all()
    torch.testing.assert_close(by_scale, ((z - loc) / scale).detach(), rtol=1e-4, atol=1e-5)


def test_slice_is_the_marginal(gaussian: Gaussian) -> None:
    z = torch.randn(6, 4)
    parts = gaussian.slice(None, 3).log_prob(z[:, :3]) + gaussian.slice(3, None).log_prob(z[:, 3:])
    torch.testing.assert_close(parts, gaussian.log_prob(z))


def test_laplace_keeps_its_normaliser() -> None:
    x, logits = torch.rand(5, 3, 8, 8), 2 * torch.randn(5, 3, 8, 8)
    reference = Laplace(logits.sigmoid(), 1.0).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(laplace_log_prob(x, logits), reference)
    at_the_mean = laplace_log_prob(logits.sigmoid(), logits)
    torch.testing.assert_close(at_the_mean, torch.full((5,), -192 * math.log(2)))


def test_bernoulli_at_grey_values() -> None:
    x, logits = torch.rand(5, 1, 8, 8), 2 * torch.randn(5, 1, 8, 8)
    reference = Bernoulli(logits=logits, validate_args=False).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(bernoulli_log_prob(x, logits), reference)
    m = logits.sigmoid()
    by_hand = (x * m.log() + (1 - x) * (1 - m).log()).flatten(1).sum(1)
    torch.testing.assert_close(bernoulli_log_prob(x, logits), by_hand)


@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS.keys())
def test_likelihoods_do_not_depend_on_memory_layout(likelihood) -> None:
    x, logits = torch.rand(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    other = likelihood(x.to(memory_format=torch.channels_last), logits)
    torch.testing.assert_close(other, likelihood(x, logits))


@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS.keys())
def test_likelihoods_are_finite_at_saturated_pixels(likelihood) -> None:
    x = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    logits = torch.tensor([200.0, -200.0]).view(1, 1, 1, 2).requires_grad_()
    value = likelihood(x, logits)
    assert torch.isfinite(value).all()
    assert torch.isfinite(torch.autograd.grad(value.sum(), logits)[0]).all()
