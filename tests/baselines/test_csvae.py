"""CSVAE's bounds against quadrature over z and enumeration of y, and its game, player by player."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from baselines.csvae import CSVAE
from ccvae.errors import InputError
from ccvae.labels import LabelSpace
from tests.baselines.checks import STEP, average
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
    "two binary labels": (binary_labels(2), (1, 0)),
    "three classes": (classes(3), (2,)),
}


class Case:
    """A tiny CSVAE with two latents for the labels and one for the rest, and its densities."""

    def __init__(self, labels: LabelSpace, y: tuple[int, ...], **options: float) -> None:
        torch.manual_seed(0)
        self.model = CSVAE(
            labels,
            Tiny(),
            latents=3,
            latents_per_label=2 // labels.n_factors,
            likelihood="bernoulli",
            prior_spread=0.7,
            **options,
        )
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
        self.log_joint = np.stack(
            [
                self.reference.log_p_z(self.z, own) + self.reference.log_p_y(own)
                for own in all_labels(labels)
            ]
        )
        """log p(z, y) of every y, jointly over the labels."""

    @property
    def position(self) -> int:
        return [tuple(own) for own in all_labels(self.model.labels)].index(tuple(self.own))

    def supervised(self, alpha: float) -> float:
        own = self.log_joint[self.position]
        log_p_y_given_z = own - log_sum_exp(self.log_joint)
        return float(self.w @ (self.log_p_x + own - self.log_q_z + alpha * log_p_y_given_z))

    def unsupervised(self) -> float:
        return float(self.w @ (self.log_p_x + log_sum_exp(self.log_joint) - self.log_q_z))

    def log_evidence(self) -> list[float]:
        """log p(x, y) of every y."""
        return [self.reference.log_evidence(X, y, NODES) for y in all_labels(self.model.labels)]


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> tuple[LabelSpace, tuple[int, ...]]:
    return SPACES[request.param]


@pytest.mark.parametrize("labelled", [True, False])
def test_objectives(space: tuple, labelled: bool) -> None:
    case = Case(*space, classifier_weight=3.0, adversary_weight=50.0)
    mean, error = average(case.model, case.x, case.y if labelled else None, 40_000)
    assert error < 0.03
    expected = case.supervised(alpha=3) if labelled else case.unsupervised()
    assert abs(mean - expected) < 4 * error


def test_objectives_are_bounds_without_the_classifier_term(space: tuple) -> None:
    """S(x, y) <= log p(x, y), U(x) <= log p(x)."""
    case = Case(*space)
    joint = case.log_evidence()
    assert case.supervised(alpha=0) < joint[case.position]
    assert case.unsupervised() < log_sum_exp(np.array(joint))


def test_labels_are_read_by_bayes_rule(space: tuple) -> None:
    """Against the joint over all labels, p(y | z) = p(z, y) / sum over y, label by label."""
    case = Case(*space)
    labels, z = case.model.labels, case.model.posterior(case.x).loc.detach()
    at = z.numpy()[0]
    joint = np.array(
        [case.reference.log_p_z(at, y) + case.reference.log_p_y(y) for y in all_labels(labels)]
    )
    p = np.exp(joint - log_sum_exp(joint))
    if labels.kind == "multi_label":
        p = [sum(q for q, y in zip(p, all_labels(labels), strict=True) if y[i]) for i in range(2)]
    np.testing.assert_allclose(case.model.classify(case.x)[0].detach().numpy(), p, rtol=1e-6)


def players(case: Case, labelled: bool, weight: float) -> dict[str, Tensor]:
    """The game's share of every parameter's gradient: with the weight, minus without it."""
    case.model.adversary_weight = weight
    torch.manual_seed(2)
    objective = case.model.bound(case.x, case.y if labelled else None).objective.sum()
    named = dict(case.model.named_parameters())
    found = torch.autograd.grad(objective, list(named.values()), allow_unused=True)
    return {
        name: torch.zeros_like(parameter) if gradient is None else gradient
        for (name, parameter), gradient in zip(named.items(), found, strict=True)
    }


@pytest.mark.parametrize("labelled", [True, False])
def test_encoder_raises_the_entropy_of_an_adversary_that_it_cannot_move(
    space: tuple, labelled: bool
) -> None:
    case = Case(*space)
    without, with_game = players(case, labelled, 0.0), players(case, labelled, 7.0)

    def entropy() -> float:
        torch.manual_seed(2)
        return case.model.bound(case.x).terms["adversary_entropy"].item()

    generator = torch.Generator().manual_seed(3)
    for name, parameter in case.model.named_parameters():
        share = with_game[name] - without[name]
        if not name.startswith(("trunk.", "head.")):
            assert (share == 0).all(), name
            continue
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            parameter.add_(STEP * direction)
            above = entropy()
            parameter.sub_(2 * STEP * direction)
            below = entropy()
            parameter.add_(STEP * direction)
        expected = 7 * (above - below) / (2 * STEP)
        assert (share * direction).sum().item() == pytest.approx(expected, rel=1e-5, abs=1e-6)
        assert expected != 0


def test_adversary_learns_the_labels_of_labelled_images_alone(space: tuple) -> None:
    case = Case(*space)

    def log_r() -> float:
        torch.manual_seed(2)
        return case.model.bound(case.x, case.y).terms["adversary_log_r"].item()

    labelled, unlabelled = players(case, True, 7.0), players(case, False, 7.0)
    generator = torch.Generator().manual_seed(3)
    for name, parameter in case.model.adversary.named_parameters(prefix="adversary"):
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            parameter.add_(STEP * direction)
            above = log_r()
            parameter.sub_(2 * STEP * direction)
            below = log_r()
            parameter.add_(STEP * direction)
        expected = (above - below) / (2 * STEP)
        got = (labelled[name] * direction).sum().item()
        assert got == pytest.approx(expected, rel=1e-5, abs=1e-6), name
        assert (unlabelled[name] == 0).all()


def test_adversary_reads_the_style_and_nothing_else(space: tuple) -> None:
    case = Case(*space)
    torch.manual_seed(2)
    z = case.model.posterior(case.x).rsample()
    p = parameters_of(case.model)
    h = case.model.style(z).detach().numpy() @ p["adversary.0.weight"].T + p["adversary.0.bias"]
    logits = np.maximum(h, 0) @ p["adversary.2.weight"].T + p["adversary.2.bias"]
    if case.model.labels.kind == "multi_label":
        each = 1 / (1 + np.exp(-logits[0]))
        entropy = -(each * np.log(each) + (1 - each) * np.log(1 - each)).sum()
        log_r = np.log(np.where(case.own == 1, each, 1 - each)).sum()
    else:
        each = np.exp(logits[0] - log_sum_exp(logits[0]))
        entropy, log_r = -(each * np.log(each)).sum(), np.log(each[case.own[0]])
    torch.manual_seed(2)
    terms = case.model.bound(case.x, case.y).terms
    assert terms["adversary_entropy"].item() == pytest.approx(entropy)
    assert terms["adversary_log_r"].item() == pytest.approx(log_r)


def test_without_a_rest_there_is_nothing_to_empty() -> None:
    with pytest.raises(InputError, match="leave nothing; raise latents"):
        CSVAE(classes(3), Tiny(), latents=4, latents_per_label=4, likelihood="laplace")
