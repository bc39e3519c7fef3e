"""M2's bounds against quadrature over z and enumeration of y, its estimators against their mean."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from baselines.m2 import M2
from ccvae.errors import InputError
from ccvae.labels import LabelSpace, MultiLabel
from tests.tiny import (
    Array,
    Parameters,
    Tiny,
    all_labels,
    binary_labels,
    classes,
    finite_difference,
    gauss_hermite,
    label_log_prob,
    log_image,
    log_normal,
    log_prior,
    log_sum_exp,
    parameters_of,
    recorded,
    scramble,
    softplus,
)

GREY = (0.1, 0.8, 0.45, 0.95)
LATENTS = 2
SPACES = {"two labels": (binary_labels(2), (1, 0)), "three classes": (classes(3), (2,))}


@pytest.fixture(params=SPACES.values(), ids=SPACES.keys())
def space(request: pytest.FixtureRequest) -> tuple[LabelSpace, tuple[int, ...]]:
    return request.param


def make(labels: LabelSpace, **options: object) -> M2:
    torch.manual_seed(0)
    model = M2(
        labels, Tiny(), latents=LATENTS + labels.n_outputs, likelihood="bernoulli", **options
    )
    # Wide layers need small noise, the labels' own parameters larger.
    scramble(model, 3, size=0.1)
    scramble(model.label_head, 4)
    scramble(model.decoder, 5)
    return model.eval()


def batch(n: int) -> Tensor:
    return torch.tensor(GREY).view(1, 1, 2, 2).expand(n, -1, -1, -1)


class Reference:
    """M2 in numpy for one image; y is one label vector (F,)."""

    def __init__(self, p: Parameters, labels: LabelSpace, x: Array | tuple[float, ...]) -> None:
        self.p, self.labels, self.x = p, labels, np.array(x)

    def _features(self, trunk: str) -> Array:
        return np.tanh(self.p[f"{trunk}.1.weight"] @ self.x + self.p[f"{trunk}.1.bias"])

    def code(self, y: Array) -> Array:
        return y if isinstance(self.labels, MultiLabel) else np.eye(self.labels.n_outputs)[y[0]]

    def log_q_y(self, y: Array) -> float:
        h = self._features("label_trunk")
        logits = self.p["label_head.weight"] @ h + self.p["label_head.bias"]
        return float(label_log_prob(logits, y, self.labels))

    def posterior(self, y: Array) -> tuple[Array, Array]:
        p = self.p
        h = np.concatenate([self._features("latent_trunk"), self.code(y)])
        h = np.maximum(p["joint.0.weight"] @ h + p["joint.0.bias"], 0)
        out = p["latent_head.linear.weight"] @ h + p["latent_head.linear.bias"]
        return out[:LATENTS], np.maximum(softplus(out[LATENTS:]), 1e-3)

    def log_p_x(self, z: Array, y: Array) -> Array:
        p = self.p
        code = np.broadcast_to(self.code(y), (*z.shape[:-1], self.labels.n_outputs))
        inputs = np.concatenate([z, code], -1)
        logits = inputs @ p["decoder.0.weight"].T + p["decoder.0.bias"]
        return log_image(self.x, logits, "bernoulli")

    def image_bound(self, y: Array) -> float:
        """E_q(z|x,y)[log p(x|y,z) + log p(z) - log q(z|x,y)] by quadrature."""
        loc, scale = self.posterior(y)
        z, w = gauss_hermite(loc, scale, 40)
        kl = (log_normal(z, loc, scale) - log_normal(z, 0.0, 1.0)).sum(-1)
        return float(w @ (self.log_p_x(z, y) - kl))

    def labelled(self, y: Array) -> float:
        return self.image_bound(y) + log_prior(self.p, y)

    def unlabelled(self) -> float:
        """E_q(y|x)[L(x, y)] + H(q(y|x))."""
        total = 0.0
        for y in all_labels(self.labels):
            log_q = self.log_q_y(y)
            total += math.exp(log_q) * (self.labelled(y) - log_q)
        return total

    def log_evidence(self, y: Array) -> float:
        z, w = gauss_hermite(np.zeros(LATENTS), np.ones(LATENTS), 60)
        return float(np.log(w @ np.exp(self.log_p_x(z, y)))) + log_prior(self.p, y)


def mean_and_error(values: Tensor) -> tuple[float, float]:
    values = values.detach().double()
    return values.mean().item(), values.std().item() / math.sqrt(len(values))


@pytest.mark.parametrize("separate", [False, True])
def test_labelled_bound_equals_quadrature(
    space: tuple[LabelSpace, tuple[int, ...]], separate: bool
) -> None:
    labels, y = space
    model = make(labels, classifier_weight=2.5, separate_trunk=separate)
    reference, y = Reference(parameters_of(model), labels, GREY), np.array(y)
    torch.manual_seed(1)
    bound = model.bound(batch(60_000), torch.tensor(y).expand(60_000, -1))
    mean, error = mean_and_error(bound.objective)
    exact = reference.labelled(y)
    assert error < 0.01
    assert abs(mean - exact - 2.5 * reference.log_q_y(y)) < 4 * error
    assert exact < reference.log_evidence(y)


@pytest.mark.parametrize("separate", [False, True])
def test_unlabelled_bound_equals_enumeration_and_quadrature(
    space: tuple[LabelSpace, tuple[int, ...]], separate: bool
) -> None:
    labels, _ = space
    model = make(labels, separate_trunk=separate)
    reference = Reference(parameters_of(model), labels, GREY)
    torch.manual_seed(1)
    mean, error = mean_and_error(model.bound(batch(20_000)).objective)
    exact = reference.unlabelled()
    assert error < 0.01
    assert abs(mean - exact) < 4 * error
    every = np.array([reference.log_evidence(y) for y in all_labels(labels)])
    assert exact < log_sum_exp(every)


def test_a_separate_trunk_is_another_network() -> None:
    shared, separate = make(binary_labels(2)), make(binary_labels(2), separate_trunk=True)
    trunk = sum(p.numel() for p in Tiny().trunk().parameters())
    totals = [sum(p.numel() for p in model.parameters()) for model in (shared, separate)]
    assert totals[1] - totals[0] == trunk
    features = separate.features(batch(1))
    assert not torch.allclose(*features)


def test_enumeration_of_five_labels_equals_a_loop() -> None:
    labels = binary_labels(5)
    model = make(labels)
    x = torch.rand(3, 1, 2, 2)
    with recorded("randn_like") as noise:
        torch.manual_seed(2)
        objective = model.bound(x).objective.detach().numpy()
    noise = noise[0].reshape(3, 32, LATENTS)
    for b in range(3):
        reference = Reference(parameters_of(model), labels, x[b].flatten().numpy())
        total = 0.0
        for index, y in enumerate(all_labels(labels)):
            loc, scale = reference.posterior(y)
            kl = 0.5 * (scale**2 + loc**2 - 1 - 2 * np.log(scale)).sum()
            bound = reference.log_p_x(loc + scale * noise[b, index], y) - kl
            log_q = reference.log_q_y(y)
            total += math.exp(log_q) * (bound + log_prior(reference.p, y) - log_q)
        assert objective[b] == pytest.approx(total, abs=2e-5)


class Logits(nn.Module):
    """Stands in for the label head, so that every draw's gradient can be read off."""

    def __init__(self, values: Tensor, n: int) -> None:
        super().__init__()
        self.leaf = values.expand(n, -1).clone().requires_grad_()

    def forward(self, features: Tensor) -> Tensor:
        return self.leaf


def test_disarm_is_unbiased_in_value_and_gradient() -> None:
    labels, n = binary_labels(3), 100_000
    model = make(labels, label_estimator="disarm")
    with torch.no_grad():
        # Make the labels matter to the image.
        model.decoder[0].weight.mul_(3)
    reference = Reference(parameters_of(model), labels, GREY)
    logits = model.label_head(model.label_trunk(batch(1))).detach()
    model.label_head = Logits(logits, n)
    torch.manual_seed(3)
    objective = model.bound(batch(n)).objective
    mean, error = mean_and_error(objective)
    assert abs(mean - reference.unlabelled()) < 4 * error

    (draws,) = torch.autograd.grad(objective.sum(), model.label_head.leaf)
    # The bias of the label head is where a change of the logits enters.
    exact = finite_difference(
        lambda p: Reference(p, labels, GREY).unlabelled(), reference.p, "label_head.bias"
    )
    errors = draws.double().std(0).numpy() / math.sqrt(n)
    assert np.all(errors < 0.05 * np.abs(exact).max())
    assert np.all(np.abs(draws.double().mean(0).numpy() - exact) < 4 * errors)
    assert np.any(np.abs(without_score(reference, labels) - exact) > 8 * errors)


def without_score(reference: Reference, labels: LabelSpace) -> Array:
    """Gradient of the label divergence alone, which a broken estimator would return."""

    def divergence(p: Parameters) -> float:
        moved, total = Reference(p, labels, GREY), 0.0
        for y in all_labels(labels):
            log_q = moved.log_q_y(y)
            total += math.exp(log_q) * (log_prior(p, y) - log_q)
        return total

    return finite_difference(divergence, reference.p, "label_head.bias")


def test_disarm_leaves_the_other_gradients_to_the_two_decoded_labels() -> None:
    """The score term has no gradient for decoder and encoder: their mean is enum's."""
    labels = binary_labels(2)
    gradients = {}
    for estimator in ("disarm", "enum"):
        model = make(labels, label_estimator=estimator)
        torch.manual_seed(4)
        parameters = [model.decoder[0].bias, model.latent_head.linear.bias]
        parts = []
        for _ in range(30):
            mean = model.bound(batch(1000)).objective.mean()
            parts.append(torch.cat(torch.autograd.grad(mean, parameters)))
        stacked = torch.stack(parts)
        gradients[estimator] = (stacked.mean(0), stacked.std(0) / math.sqrt(30))
    (a, error_a), (b, error_b) = gradients["disarm"], gradients["enum"]
    assert ((a - b).abs() < 4.5 * (error_a**2 + error_b**2).sqrt() + 1e-6).all()
    assert b.abs().max() > 0.05


@pytest.mark.parametrize("name", ["label_head.bias", "label_head.weight", "label_trunk.1.bias"])
def test_enumerated_gradient_reaches_the_classifier(name: str) -> None:
    labels = binary_labels(2)
    model = make(labels, separate_trunk=True)
    p = parameters_of(model)
    exact = finite_difference(lambda p: Reference(p, labels, GREY).unlabelled(), p, name)
    parameter = dict(model.named_parameters())[name]
    torch.manual_seed(5)
    parts = torch.stack(
        [
            torch.autograd.grad(model.bound(batch(1000)).objective.mean(), parameter)[0]
            for _ in range(20)
        ]
    )
    error = parts.std(0) / math.sqrt(20)
    distance = (parts.mean(0) - torch.tensor(exact)).abs()
    assert (distance < 5 * error + 1e-6).all()
    assert np.abs(exact).max() > 0.02


@pytest.mark.parametrize("estimator", ["relaxed", "disarm", "enum"])
@pytest.mark.parametrize("size", [1.0, 60.0])
def test_estimators_stay_finite_when_the_classifier_is_certain(estimator: str, size: float) -> None:
    model = make(binary_labels(4), label_estimator=estimator)
    with torch.no_grad():
        model.label_head.bias.copy_(size * torch.tensor([1.0, -1.0, 1.0, -1.0]))
    bound = model.bound(torch.rand(50, 1, 2, 2))
    bound.objective.sum().backward()
    assert torch.isfinite(bound.objective).all()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    assert model.label_head.bias.grad.abs().max() > 0


def test_certain_classifier_makes_the_estimators_agree() -> None:
    """With q(y|x) on one value there is nothing to estimate but z."""
    values = {}
    for estimator in ("relaxed", "disarm", "enum"):
        model = make(binary_labels(2), label_estimator=estimator)
        with torch.no_grad():
            model.label_head.weight.zero_()
            model.label_head.bias.copy_(torch.tensor([30.0, -30.0]))
        torch.manual_seed(6)
        values[estimator] = mean_and_error(model.bound(batch(20_000)).objective)
    for estimator in ("relaxed", "disarm"):
        gap = abs(values[estimator][0] - values["enum"][0])
        assert gap < 4 * math.hypot(values[estimator][1], values["enum"][1])


def test_terms_add_up_to_the_objective() -> None:
    model = make(binary_labels(2), label_estimator="disarm")
    t = model.bound(batch(20)).terms
    total = t["reconstruction"] - t["divergence"]
    torch.testing.assert_close(t["objective"], total)


def test_classification_is_q_of_y(space: tuple[LabelSpace, tuple[int, ...]]) -> None:
    labels, _ = space
    model = make(labels)
    reference = Reference(parameters_of(model), labels, GREY)
    probabilities = model.classify(batch(1))[0]
    if isinstance(labels, MultiLabel):
        on = [np.array([1, 0]), np.array([1, 1])], [np.array([0, 1]), np.array([1, 1])]
    else:
        on = tuple([y] for y in all_labels(labels))
    expected = [sum(math.exp(reference.log_q_y(y)) for y in ys) for ys in on]
    torch.testing.assert_close(probabilities, torch.tensor(expected))


def test_intervention_keeps_z_and_swap_moves_labels_only() -> None:
    model = make(binary_labels(2))
    x = torch.rand(6, 1, 2, 2)
    predicted = model.predict(x)
    torch.testing.assert_close(model.intervene(x, predicted), model.reconstruct(x))
    torch.testing.assert_close(model.swap(x, x), model.reconstruct(x))
    other = x.flip(0)
    torch.testing.assert_close(model.swap(other, x), model.intervene(x, model.predict(other)))
    assert not torch.allclose(model.intervene(x, 1 - predicted), model.reconstruct(x))


def test_estimators_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="binary labels"):
        make(classes(3), label_estimator="disarm")
    with pytest.raises(InputError, match="knows no label_estimator"):
        make(binary_labels(3), label_estimator="guess")
    with pytest.raises(InputError, match="sampling estimator"):
        make(binary_labels(18)).bound(torch.rand(2, 1, 2, 2))
