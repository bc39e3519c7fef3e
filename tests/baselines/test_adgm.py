"""ADGM's bounds against quadrature over a and z and enumeration of y."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import baselines.adgm
import baselines.m2
from baselines.adgm import ADGM
from ccvae.labels import LabelSpace
from tests.baselines.checks import average, check_gradients
from tests.tiny import (
    Array,
    Tiny,
    all_labels,
    binary_labels,
    classes,
    gauss_hermite,
    label_log_prob,
    log_image,
    log_normal,
    log_prior,
    log_sum_exp,
    parameters_of,
    scramble,
    softplus,
)

X = np.array([0.1, 0.8, 0.45, 0.95])
NODES = 32
SPACES = {
    "two binary labels": (binary_labels(2), (1, 0)),
    "three classes": (classes(3), (2,)),
}


@pytest.fixture(autouse=True)
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines.m2, "HIDDEN", 6)
    monkeypatch.setattr(baselines.adgm, "HIDDEN", 6)


class Case:
    """A tiny ADGM with one latent z and one auxiliary a, and its densities in numpy."""

    def __init__(self, labels: LabelSpace, y: tuple[int, ...], **options: object) -> None:
        torch.manual_seed(0)
        self.model = ADGM(
            labels,
            Tiny(),
            latents=1 + labels.n_outputs,
            likelihood="bernoulli",
            auxiliary_latents=1,
            **options,
        )
        scramble(self.model, 3, size=0.25)
        self.model.double()
        self.labels, self.own, self.p = labels, np.array(y), parameters_of(self.model)
        self.x, self.y = torch.tensor(X).view(1, 1, 2, 2), torch.tensor([y])
        self.h = np.tanh(self.linear("label_trunk.1", X))
        loc, scale = self.gaussian("auxiliary_head.linear", self.h)
        self.a, self.w = gauss_hermite(loc, scale, NODES)
        self.log_q_a = log_normal(self.a, loc, scale).sum(-1)

    def linear(self, name: str, inputs: Array) -> Array:
        return inputs @ self.p[f"{name}.weight"].T + self.p[f"{name}.bias"]

    def gaussian(self, name: str, inputs: Array) -> tuple[Array, Array]:
        loc, raw = np.split(self.linear(name, inputs), 2, axis=-1)
        return loc, np.maximum(softplus(raw), 1e-3)

    def code(self, y: Array) -> Array:
        return np.eye(self.labels.n_outputs)[y[0]] if len(y) == 1 else y.astype(float)

    def log_q_y(self, a: Array, y: Array) -> float:
        hidden = np.maximum(self.linear("label_head.0", np.concatenate([self.h, a])), 0)
        return float(label_log_prob(self.linear("label_head.2", hidden), y, self.labels))

    def log_p_x(self, z: Array, y: Array) -> Array:
        inputs = np.concatenate([z, np.tile(self.code(y), (len(z), 1))], -1)
        return log_image(X, self.linear("decoder.0", inputs), "bernoulli")

    def given_a(self, index: int, y: Array) -> float:
        """The bound at one node of a: E_q(z|a,x,y) of everything, and log p(y)."""
        a = self.a[index]
        inputs = np.concatenate([self.h, a, self.code(y)])
        hidden = np.maximum(self.linear("joint.0", inputs), 0)
        loc, scale = self.gaussian("latent_head.linear", hidden)
        z, w = gauss_hermite(loc, scale, NODES)
        row = np.tile(np.concatenate([self.h, self.code(y)]), (len(z), 1))
        hidden = np.maximum(self.linear("auxiliary_prior.0", np.concatenate([row, z], -1)), 0)
        log_p_a = log_normal(a, *self.gaussian("auxiliary_prior.2.linear", hidden)).sum(-1)
        kl = (log_normal(z, loc, scale) - log_normal(z, 0.0, 1.0)).sum(-1)
        value = w @ (self.log_p_x(z, y) + log_p_a - kl)
        return float(value) - self.log_q_a[index] + log_prior(self.p, y)

    def labelled(self, alpha: float) -> float:
        return sum(
            w * (self.given_a(i, self.own) + alpha * self.log_q_y(self.a[i], self.own))
            for i, w in enumerate(self.w)
        )

    def unlabelled(self) -> float:
        total = 0.0
        for i, w in enumerate(self.w):
            for y in all_labels(self.labels):
                log_q = self.log_q_y(self.a[i], y)
                total += w * np.exp(log_q) * (self.given_a(i, y) - log_q)
        return total

    def log_evidence(self, y: Array) -> float:
        """log p(x, y), in which a has been integrated out by being ignored."""
        z, w = gauss_hermite(np.zeros(1), np.ones(1), 60)
        return float(np.log(w @ np.exp(self.log_p_x(z, y)))) + log_prior(self.p, y)


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> tuple[LabelSpace, tuple[int, ...]]:
    return SPACES[request.param]


def test_labelled_objective(space: tuple) -> None:
    case = Case(*space, classifier_weight=2.5)
    mean, error = average(case.model, case.x, case.y, 60_000)
    assert error < 0.03
    assert abs(mean - case.labelled(alpha=2.5)) < 4 * error


ESTIMATORS = [(name, "enum") for name in SPACES] + [("two binary labels", "disarm")]


@pytest.mark.parametrize(("name", "estimator"), ESTIMATORS)
def test_unlabelled_objective(name: str, estimator: str) -> None:
    case = Case(*SPACES[name], label_estimator=estimator)
    mean, error = average(case.model, case.x, None, 60_000)
    assert error < 0.03
    assert abs(mean - case.unlabelled()) < 4 * error


def test_objectives_bound_the_evidence_of_m2(space: tuple) -> None:
    """The auxiliary variable is none of the generative model's image and labels."""
    case = Case(*space)
    joint = np.array([case.log_evidence(y) for y in all_labels(case.labels)])
    assert case.labelled(alpha=0) < case.log_evidence(case.own)
    assert case.unlabelled() < log_sum_exp(joint)


@pytest.mark.parametrize("labelled", [True, False])
def test_gradients_equal_finite_differences(space: tuple, labelled: bool) -> None:
    case = Case(*space, classifier_weight=2.0)
    check_gradients(case.model, case.x, case.y if labelled else None)


def test_classify_reads_the_labels_at_the_mean_of_a(space: tuple) -> None:
    case = Case(*space)
    loc, _ = case.gaussian("auxiliary_head.linear", case.h)
    each = [np.exp(case.log_q_y(loc, y)) for y in all_labels(case.labels)]
    if case.labels.kind == "multi_label":
        each = [
            sum(q for q, y in zip(each, all_labels(case.labels), strict=True) if y[i])
            for i in range(2)
        ]
    np.testing.assert_allclose(case.model.classify(case.x)[0].detach().numpy(), each, rtol=1e-6)


def test_decoding_is_without_chance(space: tuple) -> None:
    case = Case(*space)
    first, second = case.model.reconstruct(case.x), case.model.reconstruct(case.x)
    assert torch.equal(first, second)
    kept = case.model.intervene(case.x, case.model.predict(case.x))
    torch.testing.assert_close(kept, first)
    torch.testing.assert_close(case.model.swap(case.x, case.x), first)
