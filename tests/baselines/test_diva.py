"""Modified DIVA's objectives against quadrature over z and enumeration of y."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines.diva import DIVA
from ccvae.labels import LabelSpace
from ccvae.model import CCVAE
from tests.baselines.checks import average, check_gradients
from tests.tiny import (
    CharacteristicReference,
    Tiny,
    all_labels,
    binary_labels,
    classes,
    gauss_hermite,
    log_sum_exp,
    parameters_of,
    scramble,
)

X = np.array([0.1, 0.8, 0.45, 0.95])
NODES = 30
SPACES = {
    "two binary labels": (binary_labels(2), 2, (1, 0)),
    "three classes": (classes(3), 2, (2,)),
}


class Case:
    """A tiny DIVA with m = 3, and its reference densities."""

    def __init__(self, labels: LabelSpace, m_c: int, y: tuple[int, ...], **options: object) -> None:
        torch.manual_seed(0)
        self.options = {
            "latents": m_c + 1,
            "latents_per_label": m_c // labels.n_factors,
            "likelihood": "bernoulli",
            "prior_spread": 0.7,
        }
        self.model = DIVA(labels, Tiny(), **self.options, **options)
        scramble(self.model, 3)
        self.model.double()
        self.own = np.array(y)
        self.x = torch.tensor(X).view(1, 1, 2, 2)
        self.y = torch.tensor([y])
        self.reference = CharacteristicReference(parameters_of(self.model), labels, "bernoulli")
        self.loc, self.scale = self.reference.posterior(X)
        self.z, self.w = gauss_hermite(self.loc, self.scale, NODES)
        self.log_p_x = self.reference.log_p_x(X, self.z)
        self.log_q_z = self.reference.log_q_z(self.z, self.loc, self.scale)

    def supervised(self, beta: float, alpha: float) -> float:
        divergence = self.log_q_z - self.reference.log_p_z(self.z, self.own)
        log_q_y = self.reference.log_q_y(self.z, self.own)
        return float(self.w @ (self.log_p_x - beta * divergence + alpha * log_q_y))

    def unsupervised(self, beta: float, label_beta: float) -> float:
        value = self.log_p_x - beta * self.log_q_z
        for y in all_labels(self.model.labels):
            log_q_y = self.reference.log_q_y(self.z, y)
            inner = beta * self.reference.log_p_z(self.z, y)
            inner += label_beta * (self.reference.log_p_y(y) - log_q_y)
            value = value + np.exp(log_q_y) * inner
        return float(self.w @ value)


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> tuple[LabelSpace, int, tuple[int, ...]]:
    return SPACES[request.param]


def test_supervised_objective(space: tuple) -> None:
    case = Case(*space, classifier_weight=3.0)
    case.model.set_progress(0.06)
    mean, error = average(case.model, case.x, case.y, 40_000)
    assert error < 0.03
    assert abs(mean - case.supervised(beta=0.3, alpha=3)) < 4 * error


@pytest.mark.parametrize(("label_beta", "weight"), [(False, 1.0), (True, 0.3)])
def test_unsupervised_objective(space: tuple, label_beta: bool, weight: float) -> None:
    case = Case(*space, label_beta=label_beta)
    case.model.set_progress(0.06)
    mean, error = average(case.model, case.x, None, 40_000)
    assert error < 0.03
    assert abs(mean - case.unsupervised(0.3, weight)) < 4 * error


def test_objectives_are_bounds_without_their_weights(space: tuple) -> None:
    """beta = 1 and alpha = 0: S(x, y) <= log p(x|y), U(x) <= log p(x)."""
    case = Case(*space)
    joint = {
        tuple(y): case.reference.log_evidence(X, y, NODES) for y in all_labels(case.model.labels)
    }
    log_p_x_given_y = joint[tuple(case.own)] - case.reference.log_p_y(case.own)
    assert case.supervised(beta=1, alpha=0) < log_p_x_given_y
    assert case.unsupervised(beta=1, label_beta=1) < log_sum_exp(np.array([*joint.values()]))


def test_classifier_weight_acts_on_labelled_images_only(space: tuple) -> None:
    weak, strong = (Case(*space, classifier_weight=weight) for weight in (0.0, 50.0))
    bounds = []
    for case in (weak, strong):
        torch.manual_seed(4)
        bounds.append((case.model.bound(case.x, case.y), case.model.bound(case.x)))
    (labelled, unlabelled), (labelled_strong, unlabelled_strong) = bounds
    expected = labelled.objective + 50 * labelled.terms["log_q_y_given_z"]
    torch.testing.assert_close(labelled_strong.objective, expected)
    assert labelled.terms["log_q_y_given_z"].item() < -0.05
    assert torch.equal(unlabelled.objective, unlabelled_strong.objective)


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("label_beta", [True, False])
def test_gradients_equal_finite_differences(space: tuple, labelled: bool, label_beta: bool) -> None:
    case = Case(*space, classifier_weight=20.0, label_beta=label_beta)
    case.model.set_progress(0.12)
    check_gradients(case.model, case.x, case.y if labelled else None)


def test_networks_are_those_of_ccvae(space: tuple) -> None:
    """With equal parameters the two models do every task alike; only the objective differs."""
    case = Case(*space)
    ccvae = CCVAE(space[0], Tiny(), **case.options).double()
    ccvae.load_state_dict(case.model.state_dict())
    assert ccvae.supports == case.model.supports
    images = torch.rand(2, 5, 1, 2, 2, dtype=torch.float64)
    y = space[0].sample_prior(5)
    for task in (
        lambda model: model.classify(images[0]),
        lambda model: model.generate(y),
        lambda model: model.intervene(images[0], y),
        lambda model: model.swap(*images),
    ):
        torch.manual_seed(6)
        first = task(ccvae)
        torch.manual_seed(6)
        assert torch.equal(first, task(case.model))
