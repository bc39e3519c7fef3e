"""CCVAE's bounds against quadrature over z and enumeration of y."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from ccvae.distributions import Gaussian
from ccvae.model import CCVAE, SUPERVISED_GRADIENTS
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

SAME_VALUE = ("paper_eq8", "eq4", "detached")
ANALYTIC = ("released_torch", "weight_detached")


@dataclass(frozen=True)
class Case:
    """A tiny model: how many labels or classes, latents, likelihood and quadrature nodes."""

    kind: str
    count: int
    m_c: int
    style: int
    likelihood: str
    y: tuple[int, ...]
    x: tuple[float, ...]
    nodes: int

    def model(self, seed: int = 3, **options: object) -> CCVAE:
        torch.manual_seed(0)
        labels = binary_labels(self.count) if self.kind == "binary" else classes(self.count)
        settings = {
            "latents": self.m_c + self.style,
            "latents_per_label": self.m_c // labels.n_factors,
            "likelihood": self.likelihood,
            "prior_spread": 0.7,
            **options,
        }
        model = CCVAE(labels, Tiny(), **settings)
        scramble(model, seed)
        return model.eval()

    def batch(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.tensor(self.x).view(1, 1, 2, 2).expand(n, -1, -1, -1)
        return x, torch.tensor(self.y).expand(n, -1)

    def reference(self, model: CCVAE) -> tuple[CharacteristicReference, np.ndarray, np.ndarray]:
        reference = CharacteristicReference(parameters_of(model), model.labels, self.likelihood)
        return reference, np.array(self.x), np.array(self.y)


GREY = (0.1, 0.8, 0.45, 0.95)
CASES = {
    "two binary labels": Case("binary", 2, 2, 1, "bernoulli", (1, 0), GREY, 32),
    "two latents per label": Case("binary", 2, 4, 0, "bernoulli", (0, 1), GREY, 14),
    "three classes": Case("classes", 3, 2, 1, "bernoulli", (2,), GREY, 32),
    # Black and white pixels keep |x - mean| smooth, as quadrature needs.
    "laplace": Case("binary", 2, 2, 1, "laplace", (1, 1), (0.0, 1.0, 1.0, 0.0), 32),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def average(model: CCVAE, case: Case, n: int, batch: int, labelled: bool) -> tuple[float, float]:
    """Mean of the objective over `n` draws and its standard error."""
    x, y = case.batch(batch)
    torch.manual_seed(11)
    with torch.no_grad():
        draws = torch.cat(
            [model.bound(x, y if labelled else None).objective for _ in range(n // batch)]
        ).double()
    return draws.mean().item(), draws.std().item() / math.sqrt(len(draws))


def supervised_quadrature(case: Case, model: CCVAE, analytic_kl: bool = False) -> float:
    """Equation (4), or with its sampled KL replaced by the closed form's expectation."""
    reference, x, y = case.reference(model)
    loc, scale = reference.posterior(x)
    z, w = gauss_hermite(loc, scale, case.nodes)
    log_q_y = reference.log_q_y(z, y)
    q_y = w @ np.exp(log_q_y)
    divergence = reference.log_q_z(z, loc, scale) - reference.log_p_z(z, y)
    if analytic_kl:
        divergence = w @ divergence
    log_ratio = reference.log_p_x(x, z) - divergence - log_q_y
    return w @ (np.exp(log_q_y) / q_y * log_ratio) + np.log(q_y) + reference.log_p_y(y)


def unsupervised_quadrature(case: Case, model: CCVAE, exact: bool) -> float:
    """Equation (5) with y enumerated jointly, or the ELBO with the marginal p(z)."""
    reference, x, _ = case.reference(model)
    loc, scale = reference.posterior(x)
    z, w = gauss_hermite(loc, scale, case.nodes)
    outside = reference.log_p_x(x, z) - reference.log_q_z(z, loc, scale)
    values = all_labels(model.labels)
    joint = np.stack([reference.log_p_z(z, y) + reference.log_p_y(y) for y in values])
    if exact:
        return w @ (outside + log_sum_exp(joint))
    log_q = np.stack([reference.log_q_y(z, y) for y in values])
    return w @ (outside + (np.exp(log_q) * (joint - log_q)).sum(0))


def log_evidence(case: Case, model: CCVAE, labelled: bool) -> float:
    reference, x, y = case.reference(model)
    if labelled:
        return reference.log_evidence(x, y, case.nodes)
    every = [reference.log_evidence(x, y, case.nodes) for y in all_labels(model.labels)]
    return float(log_sum_exp(np.array(every)))


def test_supervised_objective_is_equation_4(case: Case) -> None:
    """The other readings of `SAME_VALUE` equal this one draw by draw, see below."""
    model = case.model(supervised=SAME_VALUE[0], label_samples=400)
    expected = supervised_quadrature(case, model)
    mean, error = average(model, case, n=20_000, batch=500, labelled=True)
    assert error < 0.04
    assert abs(mean - expected) < 4 * error
    assert expected < log_evidence(case, model, labelled=True)


def test_analytic_readings_replace_the_sampled_divergence(case: Case) -> None:
    model = case.model(supervised=ANALYTIC[0], label_samples=400)
    mean, error = average(model, case, n=10_000, batch=500, labelled=True)
    assert error < 0.04
    assert abs(mean - supervised_quadrature(case, model, analytic_kl=True)) < 4 * error


def test_analytic_divergence_is_biased_because_the_weight_depends_on_z() -> None:
    case = CASES["two binary labels"]
    model = case.model()
    gap = supervised_quadrature(case, model, True) - supervised_quadrature(case, model)
    assert abs(gap) > 0.02


def test_quadrature_has_converged(case: Case) -> None:
    model = case.model()
    finer = Case(**{**case.__dict__, "nodes": case.nodes + 3})
    for value in (
        lambda c: supervised_quadrature(c, model),
        lambda c: unsupervised_quadrature(c, model, exact=True),
        lambda c: log_evidence(c, model, labelled=False),
    ):
        assert value(case) == pytest.approx(value(finer), abs=1e-3)


@pytest.mark.parametrize("readings", [SAME_VALUE, ANALYTIC])
def test_readings_share_the_value_of_every_draw(case: Case, readings: tuple[str, ...]) -> None:
    x, y = case.batch(50)
    values = []
    for reading in readings:
        model = case.model(supervised=reading, label_samples=7)
        torch.manual_seed(5)
        values.append(model.bound(x, y).objective)
    assert all(torch.equal(values[0], value) for value in values[1:])


@pytest.mark.parametrize("reading", SUPERVISED_GRADIENTS)
def test_bound_is_tight_when_the_posterior_is_the_prior(reading: str) -> None:
    """With an image and labels that ignore z, and q(z|x) = p(z|y), every draw is log p(x, y)."""
    case = CASES["two binary labels"]
    model = case.model(supervised=reading, label_samples=3)
    x, y = case.batch(20)
    with torch.no_grad():
        model.decoder[0].weight.zero_()
        model.classifier.weight.zero_()
        model.head.linear.weight.zero_()
        loc, _ = model.conditional_prior.parameters_given(model.labels.one_hot(y[:1]))
        raw = (model.conditional_prior.raw_scale * model.labels.one_hot(y[0])[..., None]).sum(1)
        one = math.log(math.e - 1)
        rows = [loc.flatten(), torch.zeros(1), raw.flatten(), torch.tensor([one])]
        model.head.linear.bias.copy_(torch.cat(rows))
        objective = model.bound(x, y).objective
    expected = torch.full((20,), log_evidence(case, model, labelled=True))
    torch.testing.assert_close(objective, expected, rtol=0, atol=1e-4)


def test_classifier_weight_multiplies_log_q_y_given_x() -> None:
    case = CASES["three classes"]
    x, y = case.batch(30)
    bounds = []
    for weight in (1.0, 4.0):
        model = case.model(classifier_weight=weight, label_samples=5)
        torch.manual_seed(1)
        bounds.append(model.bound(x, y))
    extra = bounds[1].objective - bounds[0].objective
    torch.testing.assert_close(extra, 3 * bounds[0].terms["log_q_y_given_x"])


def test_characteristic_beta_multiplies_what_z_c_adds_to_the_divergence(case: Case) -> None:
    """The same draws with beta 1 and 3 differ by 2 w (log q(z_c|x) - log p(z_c|y)), or its mean."""
    x, y = case.batch(10_000)
    plain = case.model(label_samples=50)
    weighed = case.model(label_samples=50, characteristic_beta=3.0)
    reference, own_x, own_y = case.reference(plain)
    loc, scale = reference.posterior(own_x)
    loc, scale = loc[: reference.m_c], scale[: reference.m_c]
    z, w = gauss_hermite(loc, scale, case.nodes)
    log_q_z = reference.log_q_z(z, loc, scale)
    q = {tuple(each): np.exp(reference.log_q_y(z, each)) for each in all_labels(plain.labels)}
    surplus = {each: log_q_z - reference.log_p_z(z, np.array(each)) for each in q}
    own = tuple(own_y)
    labelled = 2 * w @ (q[own] / (w @ q[own]) * surplus[own])
    unlabelled = 2 * w @ sum(q[each] * surplus[each] for each in q)
    for labels, expected in ((y, labelled), (None, unlabelled)):
        bounds = []
        for model in (plain, weighed):
            torch.manual_seed(11)
            with torch.no_grad():
                bounds.append(model.bound(x, labels))
        difference = (bounds[0].objective - bounds[1].objective).double()
        error = difference.std().item() / math.sqrt(len(x))
        assert abs(difference.mean().item() - expected) < 4 * error + 0.02 * abs(expected)
        assert torch.equal(bounds[0].terms["divergence"], bounds[1].terms["divergence"])


@pytest.mark.parametrize("estimator", ["joint", "factorised"])
def test_label_estimates_are_unbiased_for_any_k(case: Case, estimator: str) -> None:
    model = case.model(label_estimator=estimator, label_samples=3)
    reference, x_one, y_one = case.reference(model)
    x, y = case.batch(60_000)
    torch.manual_seed(2)
    with torch.no_grad():
        estimates = model.bound(x, y).terms["log_q_y_given_x"].exp().double()
    error = estimates.std().item() / math.sqrt(len(estimates))
    exact = reference.q_y_given_x(x_one, y_one, n=case.nodes)
    assert error < 0.01 * exact
    assert abs(estimates.mean().item() - exact) < 4 * error


@pytest.mark.parametrize("estimator", ["joint", "factorised", "inclusive"])
def test_label_estimates_converge_with_k(case: Case, estimator: str) -> None:
    model = case.model(label_estimator=estimator, label_samples=40_000)
    reference, x_one, y_one = case.reference(model)
    x, y = case.batch(6)
    torch.manual_seed(3)
    with torch.no_grad():
        estimates = model.bound(x, y).terms["log_q_y_given_x"]
    exact = math.log(reference.q_y_given_x(x_one, y_one, n=case.nodes))
    assert (estimates - exact).abs().max() < 0.02
    assert abs(estimates.mean().item() - exact) < 0.008


def test_inclusive_estimate_bounds_the_weight() -> None:
    case = CASES["two binary labels"]
    largest = {}
    for estimator in ("joint", "inclusive"):
        model = case.model(label_estimator=estimator, label_samples=4)
        with torch.no_grad():
            model.classifier.weight.fill_(6.0)
            model.classifier.bias.fill_(-12.0)
            x, y = case.batch(5000)
            torch.manual_seed(4)
            largest[estimator] = model.bound(x, y).terms["weight"].max().item()
    assert largest["joint"] > 5
    assert 4 < largest["inclusive"] <= 5 * (1 + 1e-5)


@pytest.mark.parametrize("form", ["enum", "exact", "sampled"])
def test_unsupervised_objective_equals_quadrature(case: Case, form: str) -> None:
    model = case.model(unsupervised=form)
    expected = unsupervised_quadrature(case, model, exact=form == "exact")
    mean, error = average(model, case, n=60_000, batch=20_000, labelled=False)
    assert error < 0.02
    assert abs(mean - expected) < 4 * error


def test_unsupervised_bounds_are_ordered(case: Case) -> None:
    """Per draw of z, enum <= exact; in expectation both are below log p(x)."""
    x, _ = case.batch(500)
    draws = {}
    for form in ("enum", "exact"):
        model = case.model(unsupervised=form)
        torch.manual_seed(6)
        draws[form] = model.bound(x).objective
    assert (draws["exact"] >= draws["enum"] - 1e-5).all()
    assert (draws["exact"] > draws["enum"] + 1e-3).any()
    exact = unsupervised_quadrature(case, model, exact=True)
    assert unsupervised_quadrature(case, model, exact=False) < exact
    assert exact < log_evidence(case, model, labelled=False)


def test_sampled_labels_have_the_mean_of_enumerated_ones(case: Case) -> None:
    """Paired on z, which is drawn first, so that only the draw of y differs."""
    x, _ = case.batch(40_000)
    draws = {}
    for form in ("enum", "sampled"):
        model = case.model(unsupervised=form)
        torch.manual_seed(7)
        draws[form] = model.bound(x).objective.double()
    gap = draws["sampled"] - draws["enum"]
    error = gap.std().item() / math.sqrt(len(gap))
    assert 0 < error < 0.02
    assert abs(gap.mean().item()) < 4 * error


def test_terms_add_up_to_the_objective(case: Case) -> None:
    model = case.model(label_samples=5)
    x, y = case.batch(10)
    t = model.bound(x).terms
    torch.testing.assert_close(t["objective"], t["reconstruction"] - t["divergence"])
    assert not any(term.requires_grad for term in model.bound(x, y).terms.values())


def test_swapping_an_image_with_itself_is_its_reconstruction(case: Case) -> None:
    model = case.model()
    x = torch.rand(4, 1, 2, 2)
    if case.style == 0:
        with pytest.raises(NotImplementedError, match="nothing is left of the background"):
            model.swap(x, x)
        return
    torch.testing.assert_close(model.swap(x, x), model.reconstruct(x))
    assert not torch.allclose(model.swap(x, x.flip(0)), model.reconstruct(x))


def test_intervention_redraws_only_the_labels_that_change() -> None:
    case = CASES["two binary labels"]
    model = case.model()
    x = torch.rand(6, 1, 2, 2)
    predicted = model.predict(x)
    torch.testing.assert_close(model.intervene(x, predicted), model.reconstruct(x))
    flipped = predicted.clone()
    flipped[:, 1] = 1 - flipped[:, 1]
    seen = []
    model.decoder.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    model.intervene(x, flipped)
    mean = model.posterior(x).loc
    assert torch.equal(seen[0][:, [0, 2]], mean[:, [0, 2]])
    assert (seen[0][:, 1] != mean[:, 1]).all()


def test_generated_characteristics_follow_the_conditional_prior(case: Case) -> None:
    model = case.model()
    reference, _, y = case.reference(model)
    torch.manual_seed(8)
    drawn = model.sample_characteristics(torch.tensor(y).expand(40_000, -1)).flatten(1)
    loc, scale = reference.prior_of_z(y, case.m_c)
    # Five standard errors of the mean and of the standard deviation.
    assert np.all(np.abs(drawn.mean(0).detach().numpy() - loc) < 5 * scale / 200)
    assert np.all(np.abs(drawn.std(0).detach().numpy() / scale - 1) < 5 / math.sqrt(80_000))


def test_conditional_prior_has_its_own_learning_rate() -> None:
    model = CASES["two binary labels"].model(prior_rate=10.0)
    rest, prior = model.parameter_groups(0.01)
    assert (rest["lr"], prior["lr"]) == (0.01, pytest.approx(0.1))
    assert {id(p) for p in prior["params"]} == {id(p) for p in model.conditional_prior.parameters()}
    assert len(rest["params"]) + len(prior["params"]) == len(list(model.parameters()))


def test_posterior_of_the_model_is_the_reference(case: Case) -> None:
    model = case.model()
    reference, x, _ = case.reference(model)
    posterior = model.posterior(case.batch(1)[0])
    assert isinstance(posterior, Gaussian)
    loc, scale = reference.posterior(x)
    np.testing.assert_allclose(posterior.loc[0].detach().numpy(), loc, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(posterior.scale[0].detach().numpy(), scale, rtol=1e-5)
