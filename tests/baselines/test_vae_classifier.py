"""Equation (2) against quadrature, and App. A's tasks on a decoder that shows its latents."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from baselines.vae_classifier import VAEClassifier
from ccvae.interface import TASKS
from ccvae.labels import LabelSpace
from tests.baselines.checks import average, check_gradients
from tests.tiny import (
    CharacteristicReference,
    Parameters,
    Tiny,
    binary_labels,
    classes,
    gauss_hermite,
    log_normal,
    parameters_of,
    scramble,
)

X = np.array([0.1, 0.8, 0.45, 0.95])
NODES = 30


class Reference(CharacteristicReference):
    """The same densities without a conditional prior: p(z) = N(0, I)."""

    def __init__(self, p: Parameters, labels: LabelSpace) -> None:
        self.p, self.labels, self.likelihood = p, labels, "bernoulli"
        self.factors, self.width, _ = p["classifier.weight"].shape
        self.m_c = self.factors * self.width


def build(labels: LabelSpace, m_c: int = 2, style: int = 1, **options: float) -> VAEClassifier:
    torch.manual_seed(0)
    model = VAEClassifier(
        labels,
        Tiny(),
        latents=m_c + style,
        latents_per_label=m_c // labels.n_factors,
        likelihood="bernoulli",
        **options,
    )
    scramble(model, 3)
    return model


CASES = {"two binary labels": (binary_labels(2), (1, 0)), "three classes": (classes(3), (2,))}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[LabelSpace, tuple[int, ...]]:
    return CASES[request.param]


@pytest.mark.parametrize("labelled", [True, False])
def test_objective_is_equation_2(case: tuple[LabelSpace, tuple[int, ...]], labelled: bool) -> None:
    labels, y = case
    model = build(labels, classifier_weight=3.0).double()
    reference = Reference(parameters_of(model), labels)
    loc, scale = reference.posterior(X)
    z, w = gauss_hermite(loc, scale, NODES)
    log_p_z = log_normal(z, 0.0, 1.0).sum(-1)
    elbo = w @ (reference.log_p_x(X, z) + log_p_z - reference.log_q_z(z, loc, scale))
    expected = elbo + 3 * labelled * (w @ reference.log_q_y(z, np.array(y)))
    x = torch.tensor(X).view(1, 1, 2, 2)
    mean, error = average(model, x, torch.tensor([y]) if labelled else None, 40_000)
    assert error < 0.02
    assert abs(mean - expected) < 4 * error
    prior_z, prior_w = gauss_hermite(np.zeros(3), np.ones(3), NODES)
    assert elbo < np.log(prior_w @ np.exp(reference.log_p_x(X, prior_z)))


@pytest.mark.parametrize("labelled", [True, False])
def test_gradients_equal_finite_differences(
    case: tuple[LabelSpace, tuple[int, ...]], labelled: bool
) -> None:
    labels, y = case
    model = build(labels, classifier_weight=20.0).double()
    x = torch.tensor(X).view(1, 1, 2, 2)
    check_gradients(model, x, torch.tensor([y]) if labelled else None)


def showing(labels: LabelSpace, weight: Tensor, **options: float) -> VAEClassifier:
    """A model whose pixel logits are z and whose posterior mean is the first pixels times 4 - 2."""
    m_c = labels.n_factors * weight.shape[1]
    model = build(labels, m_c, 4 - m_c, **options)
    with torch.no_grad():
        model.classifier.weight.copy_(weight)
        model.classifier.bias.zero_()
        model.decoder[0].weight.copy_(torch.eye(4))
        model.decoder[0].bias.zero_()
        model.trunk[1].weight.zero_()
        model.trunk[1].weight[:4] = 1e-3 * torch.eye(4)
        model.trunk[1].bias.zero_()
        model.head.linear.weight.zero_()
        model.head.linear.weight[:4, :4] = 4e3 * torch.eye(4)
        model.head.linear.bias[:4] = -2
    return model


def image_of(*z: float) -> Tensor:
    """The image whose posterior mean is z."""
    return (torch.tensor([z]).view(1, 1, 2, 2) + 2) / 4


def latents_in(image: Tensor) -> Tensor:
    return image.logit().flatten(1).detach()


def two_labels() -> VAEClassifier:
    """Logits 2 z_1 and -z_2."""
    return showing(binary_labels(2), torch.tensor([2.0, -1.0]).view(2, 1, 1))


def triangle() -> VAEClassifier:
    """Three classes at 0, 120 and 240 degrees of the first two latents."""
    angles = torch.tensor([0.0, 2 * math.pi / 3, 4 * math.pi / 3])
    return showing(classes(3), 3 * torch.stack([angles.cos(), angles.sin()]).unsqueeze(0))


IMAGE = (0.5, 0.8, -1.0, 1.5)
OTHER = (-1.2, -0.6, 0.9, 0.2)


def test_reconstruction_shows_the_posterior_mean() -> None:
    torch.testing.assert_close(
        latents_in(two_labels().reconstruct(image_of(*IMAGE))),
        torch.tensor([IMAGE]),
        atol=2e-4,
        rtol=0,
    )


def test_classify_is_the_classifier_at_the_posterior_mean() -> None:
    expected = torch.tensor([[1.0, -0.8]]).sigmoid()
    got = two_labels().classify(image_of(*IMAGE))
    torch.testing.assert_close(got, expected, atol=1e-3, rtol=0)


def test_swap_takes_characteristics_from_one_and_style_from_the_other() -> None:
    swapped = two_labels().swap(image_of(*IMAGE), image_of(*OTHER))
    expected = torch.tensor([[*IMAGE[:2], *OTHER[2:]]])
    torch.testing.assert_close(latents_in(swapped), expected, atol=2e-4, rtol=0)


@pytest.mark.parametrize("make", [two_labels, triangle])
def test_generated_images_are_of_the_wanted_labels(make: object) -> None:
    model = make()
    torch.manual_seed(1)
    y = model.labels.sample_prior(2_000)
    z = latents_in(model.generate(y))
    log_q = model.label_log_probs(model.characteristics(z))
    confidence = (log_q.exp() * model.labels.one_hot(y)).sum(-1)
    assert (confidence > 0.9 - 1e-3).all()
    style = z[:, 2:]
    torch.testing.assert_close(style.mean(0), torch.zeros(2), atol=0.1, rtol=0)
    torch.testing.assert_close(style.std(0), torch.ones(2), atol=0.1, rtol=0)


def test_sample_is_the_prior() -> None:
    torch.manual_seed(1)
    z = latents_in(triangle().sample(20_000))
    torch.testing.assert_close(z.mean(0), torch.zeros(4), atol=0.03, rtol=0)
    torch.testing.assert_close(z.T.cov(), torch.eye(4), atol=0.04, rtol=0)


def test_intervention_redraws_only_the_labels_that_change() -> None:
    """The image has labels (1, 0); (1, 1) leaves z_1 and the style."""
    model = two_labels()
    x = image_of(*IMAGE).expand(2_000, -1, -1, -1)
    torch.manual_seed(2)
    z = latents_in(model.intervene(x, torch.tensor([[1, 1]]).expand(2_000, -1)))
    kept = torch.tensor(IMAGE)[[0, 2, 3]].expand(2_000, -1)
    torch.testing.assert_close(z[:, [0, 2, 3]], kept, atol=2e-4, rtol=0)
    assert (-z[:, 1] > math.log(9) - 1e-3).all()
    assert z[:, 1].std() > 0.2


def test_within_class_keeps_the_labels_and_varies_the_characteristics() -> None:
    model = two_labels()
    x = image_of(*IMAGE).expand(2_000, -1, -1, -1)
    torch.manual_seed(3)
    z = latents_in(model.within_class(x))
    torch.testing.assert_close(
        z[:, 2:], torch.tensor(IMAGE[2:]).expand(2_000, -1), atol=2e-4, rtol=0
    )
    assert (2 * z[:, 0] > math.log(9) - 1e-3).all()
    assert (z[:, 1] > math.log(9) - 1e-3).all()
    assert z[:, :2].std(0).min() > 0.2


def test_closest_flip_moves_one_binary_label_to_the_threshold() -> None:
    z = latents_in(two_labels().closest_flip(image_of(*IMAGE), 0))
    expected = torch.tensor([[-math.log(9) / 2, *IMAGE[1:]]])
    torch.testing.assert_close(z, expected, atol=1e-3, rtol=0)


def test_closest_flip_to_a_class_is_no_farther_than_any_confident_draw() -> None:
    model = triangle()
    start = torch.tensor(IMAGE[:2])
    z = latents_in(model.closest_flip(image_of(*IMAGE), 2))
    assert model.label_log_probs(model.characteristics(z)).exp()[0, 0, 2].item() == pytest.approx(
        0.9, abs=1e-3
    )
    torch.testing.assert_close(z[0, 2:], torch.tensor(IMAGE[2:]), atol=2e-4, rtol=0)
    torch.manual_seed(4)
    draws = model.region.sample(torch.full((5_000, 1), 2)).squeeze(1)
    distance = (z[0, :2] - start).norm()
    nearest = (draws - start).norm(dim=1).min()
    assert distance < nearest + 1e-3
    assert nearest < distance + 0.15


def test_supports_every_task() -> None:
    assert two_labels().supports == frozenset(TASKS)
