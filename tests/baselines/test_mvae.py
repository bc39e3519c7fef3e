"""MVAE's three ELBOs against quadrature over z, and its tasks on experts set by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

import baselines.mvae
from baselines.mvae import MVAE, product_of_experts
from ccvae.distributions import Gaussian
from ccvae.labels import LabelSpace
from tests.baselines.checks import average, check_gradients
from tests.tiny import (
    Tiny,
    all_labels,
    binary_labels,
    classes,
    gauss_hermite,
    label_log_prob,
    log_image,
    log_normal,
    log_sum_exp,
    parameters_of,
    scramble,
    softplus,
)

X = np.array([0.1, 0.8, 0.45, 0.95])
NODES = 40


@pytest.fixture(autouse=True)
def small_label_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines.mvae, "HIDDEN", 7)


class Reference:
    """The densities of an MVAE on `Tiny` images, written again in numpy."""

    def __init__(self, model: MVAE) -> None:
        self.p, self.labels = parameters_of(model), model.labels

    def linear(self, name: str, h: np.ndarray) -> np.ndarray:
        return h @ self.p[f"{name}.weight"].T + self.p[f"{name}.bias"]

    def head(self, name: str, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        loc, raw = np.split(self.linear(f"{name}.linear", h), 2)
        return loc, softplus(raw)

    def posterior(
        self, x: np.ndarray | None, y: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Multiply the experts into N(0, I) one after the other."""
        loc, variance = np.zeros(2), np.ones(2)
        experts = []
        if x is not None:
            experts.append(self.head("image_head", np.tanh(self.linear("trunk.1", x))))
        if y is not None:
            bits = y if self.labels.kind == "multi_label" else np.eye(self.labels.n_values)[y[0]]
            h = np.maximum(self.linear("label_trunk.0", bits), 0)
            experts.append(self.head("label_head", np.maximum(self.linear("label_trunk.2", h), 0)))
        for own, scale in experts:
            gain = variance / (variance + scale**2)
            loc, variance = loc + gain * (own - loc), variance * (1 - gain)
        return loc, np.sqrt(variance)

    def log_p_x(self, z: np.ndarray) -> np.ndarray:
        return log_image(X, self.linear("decoder.0", z), "bernoulli")

    def log_p_y(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        h = np.maximum(self.linear("label_decoder.0", z), 0)
        h = np.maximum(self.linear("label_decoder.2", h), 0)
        return label_log_prob(self.linear("label_decoder.4", h), y, self.labels)

    def elbo(
        self,
        image: bool,
        y: np.ndarray | None,
        label_weight: float = 1.0,
        kl_weight: float = 1.0,
    ) -> float:
        loc, scale = self.posterior(X if image else None, y)
        z, w = gauss_hermite(loc, scale, NODES)
        divergence = log_normal(z, loc, scale).sum(-1) - log_normal(z, 0.0, 1.0).sum(-1)
        value = -kl_weight * divergence
        if image:
            value = value + self.log_p_x(z)
        if y is not None:
            value = value + label_weight * self.log_p_y(z, y)
        return float(w @ value)

    def log_evidence(self, image: bool, y: np.ndarray | None) -> float:
        z, w = gauss_hermite(np.zeros(2), np.ones(2), NODES)
        value = np.zeros(len(z))
        if image:
            value = value + self.log_p_x(z)
        if y is not None:
            value = value + self.log_p_y(z, y)
        return float(np.log(w @ np.exp(value)))


@dataclass(frozen=True)
class Case:
    labels: LabelSpace
    y: tuple[int, ...]

    def model(self, **options: float) -> MVAE:
        torch.manual_seed(0)
        model = MVAE(self.labels, Tiny(), latents=2, likelihood="bernoulli", **options)
        scramble(model, 4)
        return model.double()

    @property
    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor(X).view(1, 1, 2, 2), torch.tensor([self.y])


CASES = {"binary": Case(binary_labels(2), (1, 0)), "classes": Case(classes(3), (2,))}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def test_product_of_experts_is_the_renormalised_product_of_densities() -> None:
    loc, scale = np.array([0.7, -1.2]), np.array([0.5, 1.6])
    experts = [
        Gaussian(torch.tensor([[m]]), torch.tensor([[s]])) for m, s in zip(loc, scale, strict=True)
    ]
    z = np.linspace(-8, 8, 4001)
    product = np.exp(log_normal(z[:, None], loc, scale).sum(1) + log_normal(z, 0.0, 1.0))
    product /= product.sum() * (z[1] - z[0])
    joint = product_of_experts(*experts)
    got = np.exp(log_normal(z, joint.loc.item(), joint.scale.item()))
    np.testing.assert_allclose(got, product, atol=1e-9)


def test_the_prior_is_an_expert() -> None:
    """One expert N(1, 1) makes N(1/2, 1/2); an expert that knows nothing leaves N(0, I)."""
    one = product_of_experts(Gaussian(torch.ones(1, 1), torch.ones(1, 1)))
    assert one.loc.item() == pytest.approx(0.5)
    assert one.scale.item() ** 2 == pytest.approx(0.5)
    vague = product_of_experts(Gaussian(torch.full((1, 1), 3.0), torch.full((1, 1), 1e6)))
    assert vague.loc.item() == pytest.approx(0, abs=1e-6)
    assert vague.scale.item() == pytest.approx(1)


@pytest.mark.parametrize("labelled", [True, False])
def test_objective_is_the_sum_of_elbos(case: Case, labelled: bool) -> None:
    model = case.model(label_weight=3.0)
    model.set_progress(0.1)
    x, y = case.batch
    reference, own = Reference(model), np.array(case.y)
    expected = reference.elbo(True, None, kl_weight=0.5)
    if labelled:
        expected += reference.elbo(True, own, label_weight=3, kl_weight=0.5)
        expected += reference.elbo(False, own, label_weight=3, kl_weight=0.5)
    mean, error = average(model, x, y if labelled else None, 40_000)
    assert error < 0.03
    assert abs(mean - expected) < 4 * error


def test_each_elbo_is_a_bound(case: Case) -> None:
    """With weights of 1, on log p(x, y), log p(x) and log p(y); that of y sums to below 1."""
    reference, y = Reference(case.model(label_weight=1.0)), np.array(case.y)
    for image, labels in ((True, y), (True, None), (False, y)):
        assert reference.elbo(image, labels) < reference.log_evidence(image, labels)
    evidence = [reference.log_evidence(True, own) for own in all_labels(case.labels)]
    assert log_sum_exp(np.array(evidence)) == pytest.approx(reference.log_evidence(True, None))


def test_terms_are_the_parts_of_the_objective(case: Case) -> None:
    model = case.model(label_weight=5.0)
    model.set_progress(0.04)
    x, y = case.batch
    t = model.bound(x, y).terms
    reconstruction = t["reconstruction"] + t["joint_reconstruction"]
    log_p_y = t["joint_log_p_y_given_z"] + t["labels_only_log_p_y_given_z"]
    divergence = t["divergence"] + t["joint_divergence"] + t["labels_only_divergence"]
    torch.testing.assert_close(
        t["objective"], reconstruction + 5 * log_p_y - 0.2 * divergence, rtol=1e-9, atol=0
    )


@pytest.mark.parametrize("labelled", [True, False])
def test_gradients_equal_finite_differences(case: Case, labelled: bool) -> None:
    model = case.model()
    model.set_progress(0.15)
    x, y = case.batch
    check_gradients(model, x, y if labelled else None)


def set_expert(head: torch.nn.Module, loc: list[float], scale: float) -> None:
    with torch.no_grad():
        head.linear.weight.zero_()
        raw = torch.tensor(scale, dtype=torch.float64).expm1().log()
        head.linear.bias.copy_(torch.cat([torch.tensor(loc), raw.expand(2)]))


def test_classify_reads_the_mean_of_the_image_posterior(case: Case) -> None:
    model, (x, _) = case.model(), case.batch
    reference = Reference(model)
    mean = reference.posterior(X, None)[0]
    each = [np.exp(reference.log_p_y(mean, y)) for y in all_labels(case.labels)]
    if case.labels.kind == "multi_label":
        each = [
            sum(p for p, y in zip(each, all_labels(case.labels), strict=True) if y[i])
            for i in range(2)
        ]
    np.testing.assert_allclose(model.classify(x)[0].detach().numpy(), each, rtol=1e-6)


def test_generate_draws_from_the_label_posterior(case: Case) -> None:
    model, (_, y) = case.model(), case.batch
    loc, scale = Reference(model).posterior(None, np.array(case.y))
    torch.manual_seed(0)
    logits = model.generate(y.expand(40_000, -1)).logit().flatten(1).detach().numpy()
    weight, bias = (model.decoder[0].weight, model.decoder[0].bias)
    weight, bias = weight.detach().numpy(), bias.detach().numpy()
    np.testing.assert_allclose(logits.mean(0), weight @ loc + bias, atol=0.02)
    np.testing.assert_allclose(np.cov(logits.T), weight * scale**2 @ weight.T, atol=0.02)


def test_intervention_weighs_image_and_new_labels_by_precision(case: Case) -> None:
    """N(1, 1/4) from the image, N(-2, 1/16) from the labels: mean (4 - 32) / 21."""
    model, (x, y) = case.model(), case.batch
    set_expert(model.image_head, [1.0, 1.0], 0.5)
    set_expert(model.label_head, [-2.0, -2.0], 0.25)
    weight, bias = model.decoder[0].weight, model.decoder[0].bias
    expected = weight.sum(1) * (4 - 32) / 21 + bias
    got = model.intervene(x, y).logit().flatten()
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)


def test_swap_with_a_precise_image_expert_reconstructs_the_background(case: Case) -> None:
    """Then no characteristic is transferred, which is where the paper's MVAE scores."""
    model = case.model()
    images = torch.rand(2, 1, 1, 2, 2, dtype=torch.float64)
    with torch.no_grad():
        model.image_head.linear.weight[2:] = 0
        model.image_head.linear.bias[2:] = -30
    swapped = model.swap(*images)
    torch.testing.assert_close(swapped, model.reconstruct(images[1]), atol=5e-3, rtol=0)


def test_swap_with_a_vague_image_expert_generates_from_the_predicted_labels(case: Case) -> None:
    model = case.model()
    images = torch.rand(2, 1, 1, 2, 2, dtype=torch.float64)
    with torch.no_grad():
        model.label_head.linear.weight[2:] = 0
        model.label_head.linear.bias[2:] = -30
        model.image_head.linear.bias[2:] = 1000
    swapped = model.swap(*images)
    expected = model.generate(model.predict(images[0]))
    torch.testing.assert_close(swapped, expected, atol=5e-3, rtol=0)


def test_sample_draws_from_the_prior() -> None:
    model = CASES["binary"].model().float()
    torch.manual_seed(0)
    logits = model.sample(40_000).logit().flatten(1)
    weight, bias = model.decoder[0].weight, model.decoder[0].bias
    torch.testing.assert_close(logits.mean(0), bias, atol=0.03, rtol=0)
    torch.testing.assert_close(logits.T.cov(), weight @ weight.T, atol=0.03, rtol=0)
