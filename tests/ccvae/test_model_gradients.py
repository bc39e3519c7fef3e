"""Which parts of equation (4) carry a gradient, against finite differences of a numpy objective.

The numpy objective takes two sets of parameters: the live ones, which are moved, and the ones at
which whatever a reading stops was computed. The noise is recorded from the model's own draw.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import ccvae.model
from ccvae.labels import LabelSpace
from ccvae.model import CCVAE, SUPERVISED_GRADIENTS
from tests.tiny import (
    CharacteristicReference,
    Parameters,
    Tiny,
    all_labels,
    binary_labels,
    classes,
    finite_difference,
    log_sum_exp,
    parameters_of,
    recorded,
    scramble,
)

K = 4
ENCODER = ("trunk.1.weight", "trunk.1.bias", "head.linear.weight", "head.linear.bias")
CLASSIFIER = ("classifier.weight", "classifier.bias")
DECODER = ("decoder.0.weight", "decoder.0.bias")
PRIOR = ("conditional_prior.loc", "conditional_prior.raw_scale")
EVERY = ENCODER + CLASSIFIER + DECODER + PRIOR

SPACES: dict[str, tuple[Callable[[], LabelSpace], int, list[list[int]]]] = {
    "binary": (lambda: binary_labels(2), 2, [[1, 0], [0, 0], [1, 1]]),
    "two latents per label": (lambda: binary_labels(2), 4, [[1, 0], [0, 0], [1, 1]]),
    "classes": (lambda: classes(3), 2, [[2], [0], [1]]),
}


class Setting:
    """A float64 model with a batch of three images, and what one seeded draw of it used."""

    def __init__(self, space: str, labelled: bool = True, **options: object) -> None:
        make, m_c, y = SPACES[space]
        torch.manual_seed(1)
        labels = make()
        self.model = CCVAE(
            labels,
            Tiny(),
            latents=m_c + 1,
            latents_per_label=m_c // labels.n_factors,
            likelihood="bernoulli",
            label_samples=K,
            **options,
        )
        scramble(self.model, 5)
        self.model.double()
        self.x = torch.rand(3, 1, 2, 2, dtype=torch.float64)
        self.y = torch.tensor(y) if labelled else None
        self.at = parameters_of(self.model)
        with (
            recorded("randn_like") as z_noise,
            recorded("randn") as label_noise,
            recorded("draw_category", ccvae.model) as drawn,
        ):
            torch.manual_seed(2)
            self.value = self.model.bound(self.x, self.y).objective.mean()
        self.z_noise, self.label_noise, self.drawn = z_noise, label_noise, drawn

    def gradient(self, name: str) -> np.ndarray:
        parameter = dict(self.model.named_parameters())[name]
        (gradient,) = torch.autograd.grad(
            self.value, parameter, retain_graph=True, allow_unused=True
        )
        return np.zeros(parameter.shape) if gradient is None else gradient.numpy()

    def reference(self, p: Parameters) -> CharacteristicReference:
        return CharacteristicReference(p, self.model.labels, "bernoulli")

    def images(self) -> np.ndarray:
        return self.x.flatten(1).numpy()

    def log_q_y_given_x(self, p: Parameters, b: int) -> float:
        """The k-draw estimate for image `b`; the estimator is read off the model."""
        live, y = self.reference(p), self.y[b].numpy()
        loc, scale = live.posterior(self.images()[b])
        draws = loc[: live.m_c] + scale[: live.m_c] * self.label_noise[0][:, b]
        if self.model.label_estimator == "factorised":
            return sum(float(log_sum_exp(term)) - np.log(K) for term in live.log_q_y_each(draws, y))
        terms = live.log_q_y(draws, y)
        if self.model.label_estimator == "inclusive":
            terms = np.append(terms, live.log_q_y(loc + scale * self.z_noise[0][b], y))
        return float(log_sum_exp(terms)) - np.log(len(terms))

    def weight(self, p: Parameters, b: int) -> float:
        live, y = self.reference(p), self.y[b].numpy()
        loc, scale = live.posterior(self.images()[b])
        log_q = live.log_q_y(loc + scale * self.z_noise[0][b], y)
        return float(np.exp(log_q - self.log_q_y_given_x(p, b)))

    def supervised(self, reading: str, p: Parameters, stopped: Parameters) -> float:
        """Mean objective where `reading` takes what it stops from the parameters `stopped`."""
        live, then = self.reference(p), self.reference(stopped)
        total = 0.0
        for b, x in enumerate(self.images()):
            y = self.y[b].numpy()
            loc, scale = live.posterior(x)
            z = loc + scale * self.z_noise[0][b]
            old_loc, old_scale = then.posterior(x)
            z_bar = old_loc + old_scale * self.z_noise[0][b]
            log_q_y_given_x = self.log_q_y_given_x(p, b)
            numerator = {
                "eq4": live.log_q_y(z, y),
                "paper_eq8": live.log_q_y(z_bar, y),
                "released_torch": live.log_q_y(z_bar, y),
            }
            if reading in numerator:
                weight = np.exp(numerator[reading] - log_q_y_given_x)
            else:
                weight = self.weight(stopped, b)
            inner = {
                "paper_eq8": live.log_q_y(z_bar, y),
                "detached": then.log_q_y(z_bar, y),
            }.get(reading, live.log_q_y(z, y))
            if reading in ("released_torch", "weight_detached"):
                prior_loc, prior_scale = live.prior_of_z(y, len(z))
                ratio = scale / prior_scale
                shift = (loc - prior_loc) / prior_scale
                divergence = ((ratio**2 + shift**2 - 1) / 2 - np.log(ratio)).sum()
            else:
                divergence = live.log_q_z(z, loc, scale) - live.log_p_z(z, y)
            log_ratio = live.log_p_x(x, z) - divergence - inner
            alpha = self.model.classifier_weight
            total += weight * log_ratio + alpha * log_q_y_given_x + live.log_p_y(y)
        return total / len(self.x)

    def unsupervised(self, form: str, p: Parameters) -> float:
        live, total = self.reference(p), 0.0
        values = all_labels(self.model.labels)
        for b, x in enumerate(self.images()):
            loc, scale = live.posterior(x)
            z = loc + scale * self.z_noise[0][b]
            log_joint = np.array([live.log_p_z(z, y) + live.log_p_y(y) for y in values])
            log_q = np.array([live.log_q_y(z, y) for y in values])
            if form == "exact":
                log_p_z = log_sum_exp(log_joint)
            elif form == "enum":
                log_p_z = (np.exp(log_q) * (log_joint - log_q)).sum()
            else:
                y = self.drawn[0].reshape(len(self.x), -1)[b].astype(int)
                log_p_z = live.log_p_z(z, y) + live.log_p_y(y) - live.log_q_y(z, y)
            total += live.log_p_x(x, z) - live.log_q_z(z, loc, scale) + log_p_z
        return total / len(self.x)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("reading", SUPERVISED_GRADIENTS)
def test_gradient_is_that_of_the_documented_reading(space: str, reading: str) -> None:
    setting = Setting(space, supervised=reading, classifier_weight=1.7)
    value = setting.supervised(reading, setting.at, setting.at)
    assert setting.value.item() == pytest.approx(value, rel=1e-12)
    for name in EVERY:
        expected = finite_difference(
            lambda p: setting.supervised(reading, p, setting.at), setting.at, name
        )
        np.testing.assert_allclose(setting.gradient(name), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("estimator", ["factorised", "inclusive"])
@pytest.mark.parametrize("reading", ["eq4", "paper_eq8"])
def test_gradient_with_the_other_label_estimators(estimator: str, reading: str) -> None:
    setting = Setting("binary", supervised=reading, label_estimator=estimator)
    value = setting.supervised(reading, setting.at, setting.at)
    assert setting.value.item() == pytest.approx(value, rel=1e-12)
    for name in ENCODER + CLASSIFIER:
        expected = finite_difference(
            lambda p: setting.supervised(reading, p, setting.at), setting.at, name
        )
        np.testing.assert_allclose(setting.gradient(name), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("form", ["enum", "exact", "sampled"])
def test_unsupervised_gradient_equals_finite_differences(space: str, form: str) -> None:
    """`sampled` has no score-function term: its gradient keeps the drawn y."""
    setting = Setting(space, labelled=False, unsupervised=form)
    value = setting.unsupervised(form, setting.at)
    assert setting.value.item() == pytest.approx(value, rel=1e-12)
    for name in EVERY:
        expected = finite_difference(lambda p: setting.unsupervised(form, p), setting.at, name)
        np.testing.assert_allclose(setting.gradient(name), expected, rtol=1e-5, atol=1e-7)


def test_exact_marginal_has_no_gradient_for_the_classifier() -> None:
    setting = Setting("binary", labelled=False, unsupervised="exact")
    assert all(np.all(setting.gradient(name) == 0) for name in CLASSIFIER)


def test_readings_differ_only_in_encoder_and_classifier() -> None:
    """The decoder's and the prior's gradients are those of equation (4) in every sampled reading.

    Equation (8) stops z, which the classifier's parameters do not act through, so their gradient
    is equation (4)'s too, draw by draw.
    """
    plain = Setting("binary", supervised="eq4")
    paper = Setting("binary", supervised="paper_eq8")
    stopped = Setting("binary", supervised="detached")
    for other in (paper, stopped):
        for name in DECODER + PRIOR:
            np.testing.assert_allclose(other.gradient(name), plain.gradient(name), rtol=1e-12)
        for name in ENCODER:
            assert np.abs(other.gradient(name) - plain.gradient(name)).max() > 1e-3
    for name in CLASSIFIER:
        np.testing.assert_allclose(paper.gradient(name), plain.gradient(name), rtol=1e-12)
        assert np.abs(stopped.gradient(name) - plain.gradient(name)).max() > 1e-3


class WithConstant(Setting):
    """A setting whose log p(x|z) has a constant added, as a likelihood's normaliser does."""

    def __init__(self, constant: float, **options: object) -> None:
        super().__init__("binary", **options)
        plain = self.model.log_likelihood
        self.model.log_likelihood = lambda x, logits: plain(x, logits) + constant
        torch.manual_seed(2)
        self.value = self.model.bound(self.x, self.y).objective.mean()


def change_by_constant(reading: str, constant: float, name: str) -> np.ndarray:
    with_constant = WithConstant(constant, supervised=reading).gradient(name)
    return with_constant - WithConstant(0.0, supervised=reading).gradient(name)


def test_constant_of_the_likelihood_scales_equation_8s_classification_gradient() -> None:
    """Seeded: -C * mean_b w_b * grad log q(y_b|x_b), so a normaliser C < 0 adds weight |C|."""
    constant = -1000.0
    setting = Setting("binary", supervised="paper_eq8")
    weights = [setting.weight(setting.at, b) for b in range(3)]

    def pressure(p: Parameters) -> float:
        return np.mean([w * setting.log_q_y_given_x(p, b) for b, w in enumerate(weights)])

    for name in ENCODER:
        expected = -constant * finite_difference(pressure, setting.at, name)
        change = change_by_constant("paper_eq8", constant, name)
        assert np.abs(expected).max() > 10
        np.testing.assert_allclose(change, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("reading", ["detached", "weight_detached"])
def test_constant_of_the_likelihood_does_not_reach_stopped_readings(reading: str) -> None:
    for name in ENCODER + CLASSIFIER:
        assert np.abs(change_by_constant(reading, -1000.0, name)).max() < 1e-10


def test_constant_cancels_in_expectation_only_when_reparameterised() -> None:
    """On average C moves equation (8)'s gradient by -C grad log q(y|x), equation (4)'s by 0."""
    image = torch.tensor([0.1, 0.8, 0.45, 0.95], dtype=torch.float64)
    name, constant, groups, size = "head.linear.bias", -100.0, 40, 500
    changes = {}
    for reading in ("paper_eq8", "eq4"):
        setting = Setting("binary", supervised=reading)
        model = setting.model
        model.label_samples = 200
        x, y = image.view(1, 1, 2, 2).expand(size, -1, -1, -1), setting.y[:1].expand(size, -1)
        torch.manual_seed(9)
        gradients = []
        for _ in range(groups):
            weight = weight_with_gradient(model, x, y)
            total = constant * weight.mean()
            gradients.append(torch.autograd.grad(total, model.head.linear.bias)[0])
        stacked = torch.stack(gradients).numpy()
        changes[reading] = (stacked.mean(0), stacked.std(0, ddof=1) / np.sqrt(groups))

    setting = Setting("binary")

    def exact(p: Parameters) -> float:
        return np.log(setting.reference(p).q_y_given_x(image.numpy(), setting.y[0].numpy()))

    expected = -constant * finite_difference(exact, setting.at, name)
    assert np.abs(expected).max() > 10
    mean, error = changes["paper_eq8"]
    assert np.all(np.abs(mean - expected) <= 4 * error + 0.02 * np.abs(expected).max())
    mean, error = changes["eq4"]
    assert np.all(np.abs(mean) <= 4 * error + 0.02 * np.abs(expected).max())


def weight_with_gradient(model: CCVAE, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The weight of one draw with its graph: what a constant 1 in log p(x|z) adds."""
    objectives = []
    state = torch.get_rng_state()
    plain = model.log_likelihood
    for constant in (1.0, 0.0):
        torch.set_rng_state(state)
        model.log_likelihood = lambda x, logits, c=constant: torch.full_like(x[:, 0, 0, 0], c)
        objectives.append(model.bound(x, y).objective)
    model.log_likelihood = plain
    return objectives[0] - objectives[1]
