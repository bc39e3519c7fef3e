"""MEME's two directions and its mixture against quadrature, its gradient against differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines.meme import MEME
from ccvae.labels import LabelSpace
from ccvae.model import CCVAE
from tests.baselines.checks import average, check_gradients
from tests.tiny import (
    CharacteristicReference,
    Parameters,
    Tiny,
    all_labels,
    binary_labels,
    classes,
    finite_difference,
    gauss_hermite,
    log_normal,
    log_sum_exp,
    parameters_of,
    recorded,
    scramble,
    softplus,
)

X = np.array([0.1, 0.8, 0.45, 0.95])
NODES = 32
SPACES = {
    "two binary labels": (binary_labels(2), (1, 0)),
    "three classes": (classes(3), (2,)),
}


class Case:
    """A tiny MEME with two latents for the labels and one for the rest, and its densities."""

    def __init__(self, labels: LabelSpace, y: tuple[int, ...], **options: float) -> None:
        torch.manual_seed(0)
        self.options = {
            "latents": 3,
            "latents_per_label": 2 // labels.n_factors,
            "likelihood": "bernoulli",
            "prior_spread": 0.7,
        }
        self.model = MEME(labels, Tiny(), **self.options, **{"pseudo_samples": 4, **options})
        scramble(self.model, 3)
        self.model.double()
        self.labels, self.own = labels, np.array(y)
        self.x, self.y = torch.tensor(X).view(1, 1, 2, 2), torch.tensor([y])
        self.reference = CharacteristicReference(parameters_of(self.model), labels, "bernoulli")
        self.loc, self.scale = self.reference.posterior(X)

    def densities(self, z: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "log_p_x": self.reference.log_p_x(X, z),
            "log_q_y": self.reference.log_q_y(z, self.own),
            "log_q_z": self.reference.log_q_z(z, self.loc, self.scale),
            "log_p_z": self.reference.log_p_z(z, self.own),
        }

    def forward(self, a: float) -> float:
        """L(x -> y), equation (4) of CCVAE with log q(y|x) weighed."""
        z, n = gauss_hermite(self.loc, self.scale, NODES)
        d = self.densities(z)
        q_y = n @ np.exp(d["log_q_y"])
        inside = d["log_p_x"] + d["log_p_z"] - d["log_q_y"] - d["log_q_z"]
        log_p_y = self.reference.log_p_y(self.own)
        return float(n @ (np.exp(d["log_q_y"]) / q_y * inside) + a * np.log(q_y) + log_p_y)

    def backward(self, b: float) -> float:
        """L(y -> x)."""
        z, n = gauss_hermite(*self.reference.prior_of_z(self.own, 3), NODES)
        d = self.densities(z)
        p_x = n @ np.exp(d["log_p_x"])
        inside = d["log_q_y"] + d["log_q_z"] - d["log_p_x"] - d["log_p_z"]
        return float(n @ (np.exp(d["log_p_x"]) / p_x * inside) + b * np.log(p_x))

    def log_mixture(self, z: np.ndarray, m_c: int = 2) -> np.ndarray:
        """log of the mean over the pseudo-samples of p(z_c | u_n), for z (n, 3)."""
        p = self.reference.p
        logits = p["pseudo_logits"]
        u = np.exp(logits - log_sum_exp(logits, -1)[..., None])
        scale = np.maximum(softplus(p["conditional_prior.raw_scale"]), 1e-3)
        parts = []
        for one in u:
            loc_u = (one[..., None] * p["conditional_prior.loc"]).sum(1).reshape(-1)
            scale_u = (one[..., None] * scale).sum(1).reshape(-1)
            parts.append(log_normal(z[:, :m_c], loc_u, scale_u).sum(-1))
        return log_sum_exp(np.stack(parts)) - np.log(len(u))

    def unsupervised(self) -> float:
        z, n = gauss_hermite(self.loc, self.scale, NODES)
        prior = self.log_mixture(z) + log_normal(z[:, 2:], 0.0, 1.0).sum(-1)
        d = self.densities(z)
        return float(n @ (d["log_p_x"] + prior - d["log_q_z"]))


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> tuple[LabelSpace, tuple[int, ...]]:
    return SPACES[request.param]


def test_labelled_objective_is_half_of_both_directions(space: tuple) -> None:
    case = Case(
        *space, label_samples=400, image_samples=400, classifier_weight=3.0, generator_weight=2.0
    )
    mean, error = average(case.model, case.x, case.y, 3_000)
    assert error < 0.03
    assert abs(mean - (case.forward(a=3) + case.backward(b=2)) / 2) < 4 * error


def test_unlabelled_objective_has_the_mixture_over_pseudo_samples(space: tuple) -> None:
    case = Case(*space)
    mean, error = average(case.model, case.x, None, 40_000)
    assert error < 0.03
    assert abs(mean - case.unsupervised()) < 4 * error


def test_each_part_is_a_bound(space: tuple) -> None:
    """L(x -> y) <= log p(x, y), L(y -> x) <= log q(y|x), U(x) <= log p(x) under the mixture."""
    case = Case(*space)
    assert case.forward(a=1) < case.reference.log_evidence(X, case.own, NODES)
    assert case.backward(b=1) < np.log(case.reference.q_y_given_x(X, case.own))
    # The evidence under the mixture, by importance sampling from a wide Gaussian.
    z, n = gauss_hermite(np.zeros(3), np.full(3, 1.5), 40)
    prior = case.log_mixture(z) + log_normal(z[:, 2:], 0.0, 1.0).sum(-1)
    log_ratio = case.reference.log_p_x(X, z) + prior - log_normal(z, 0.0, 1.5).sum(-1)
    assert case.unsupervised() < float(np.log(n @ np.exp(log_ratio)))


def test_one_pseudo_sample_of_every_class_is_the_marginal_prior() -> None:
    """Then U(x) is CCVAE's bound with log p(z_c) itself, as p(y) is uniform."""
    case = Case(*SPACES["three classes"], pseudo_samples=3)
    with torch.no_grad():
        case.model.pseudo_logits.copy_(1e3 * torch.eye(3).unsqueeze(1))
    exact = CCVAE(case.labels, Tiny(), **case.options, unsupervised="exact").double()
    state = {k: v for k, v in case.model.state_dict().items() if k != "pseudo_logits"}
    exact.load_state_dict(state)
    objectives = []
    for model in (case.model, exact):
        torch.manual_seed(5)
        objectives.append(model.bound(case.x.expand(50, -1, -1, -1)).objective)
    torch.testing.assert_close(*objectives)


def test_gradient_without_labels_equals_finite_differences(space: tuple) -> None:
    case = Case(*space)
    check_gradients(case.model, case.x, None)


GRADIENTS = (
    "head.linear.weight",
    "decoder.0.weight",
    "classifier.weight",
    "conditional_prior.loc",
    "conditional_prior.raw_scale",
)


def test_gradient_with_labels_is_that_of_the_bound_with_its_weights_held(space: tuple) -> None:
    """Against differences of the densities written again, at the draws that the model made."""
    k, a, b = 3, 3.0, 2.0
    case = Case(*space, label_samples=k, image_samples=k, classifier_weight=a, generator_weight=b)
    with recorded("randn_like") as of_z, recorded("randn") as others:
        case.model.bound(case.x, case.y).objective.sum().backward()
    (noise,), (to_y, to_x) = of_z, others

    def evaluate(p: Parameters, held: tuple[np.ndarray, np.ndarray] | None) -> tuple:
        reference = CharacteristicReference(p, case.labels, "bernoulli")
        loc, scale = reference.posterior(X)
        z = loc + scale * noise[0]
        z_c = loc[:2] + scale[:2] * to_y[:, 0]
        log_q_y = reference.log_q_y(z, case.own)
        all_q = np.append(reference.log_q_y(z_c, case.own), log_q_y)
        log_q_y_x = log_sum_exp(all_q) - np.log(k + 1)
        divergence = reference.log_q_z(z, loc, scale) - reference.log_p_z(z, case.own)
        inside = reference.log_p_x(X, z) - divergence - log_q_y
        prior_loc, prior_scale = reference.prior_of_z(case.own, 3)
        z_back = prior_loc + prior_scale * to_x[:, 0]
        log_p_x = reference.log_p_x(X, z_back)
        log_p_x_y = log_sum_exp(log_p_x) - np.log(k + 1)
        back = reference.log_q_y(z_back, case.own) + reference.log_q_z(z_back, loc, scale)
        back = back - log_p_x - reference.log_p_z(z_back, case.own)
        weights = np.exp(log_q_y - log_q_y_x), np.exp(log_p_x - log_p_x_y) / (k + 1)
        w, share = weights if held is None else held
        forward = w * inside + a * log_q_y_x + reference.log_p_y(case.own)
        return (forward + (share * back).sum() + b * log_p_x_y) / 2, weights

    parameters = parameters_of(case.model)
    value, held = evaluate(parameters, None)
    torch.manual_seed(2)
    named = dict(case.model.named_parameters())
    for name in GRADIENTS:
        expected = finite_difference(lambda p: evaluate(p, held)[0], parameters, name)
        np.testing.assert_allclose(named[name].grad.numpy(), expected, rtol=1e-4, atol=1e-6)
    assert np.isfinite(value)


def test_terms_say_what_the_directions_are_made_of(space: tuple) -> None:
    case = Case(*space)
    terms = case.model.bound(case.x, case.y).terms
    assert {"log_q_y_given_x", "log_p_x_given_y", "weight"} <= set(terms)
    assert len(all_labels(case.labels)) > 1
    assert terms["weight"].item() <= 11


def test_pseudo_samples_start_near_labels_drawn_from_the_prior() -> None:
    """With one value in ten of the first label, about as many of them."""
    labels = binary_labels(2)
    labels.prior.copy_(torch.tensor([[0.9, 0.1], [0.5, 0.5]]))
    torch.manual_seed(0)
    model = MEME(
        labels, Tiny(), latents=3, latents_per_label=1, likelihood="bernoulli", pseudo_samples=2000
    )
    probabilities = model.pseudo_logits.softmax(-1)
    assert probabilities.amax(-1).min() > 0.99
    shares = probabilities[..., 1].round().mean(0)
    torch.testing.assert_close(shares, torch.tensor([0.1, 0.5]), atol=0.03, rtol=0)


def test_pseudo_samples_learn_as_fast_as_the_prior() -> None:
    model = Case(*SPACES["three classes"], prior_rate=10.0).model
    rates = {
        id(parameter): group["lr"]
        for group in model.parameter_groups(0.1)
        for parameter in group["params"]
    }
    assert rates[id(model.pseudo_logits)] == rates[id(model.conditional_prior.loc)] == 1.0
    assert rates[id(model.classifier.weight)] == 0.1
