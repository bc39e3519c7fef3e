"""Mixtures and products of views against quadrature, and against the models that are settings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import baselines.mopoe
import baselines.mvae
from baselines.mopoe import BOTH, IMAGE, LABELS, SUBSETS, MoPoE
from baselines.mvae import MVAE
from ccvae.errors import InputError
from ccvae.labels import LabelSpace
from tests.baselines.checks import average, check_gradients
from tests.baselines.test_mvae import NODES, Reference, X
from tests.tiny import (
    Tiny,
    binary_labels,
    classes,
    gauss_hermite,
    log_normal,
    log_sum_exp,
    scramble,
    softplus,
)

SPACES = {
    "binary": (binary_labels(2), (1, 0)),
    "classes": (classes(3), (2,)),
}
FAMILY = {
    "MoPoE": {},
    "MMVAE": {"subsets": [IMAGE, LABELS], "mixture_density": True},
    "JMVAE": {"subsets": [BOTH], "joint": "network", "pull": 0.3},
    "TELBO": {"subsets": [BOTH], "joint": "network", "alone": 1.0},
    "MVAE": {"subsets": [BOTH], "alone": 1.0},
    "all at once": {"joint": "network", "mixture_density": True, "alone": 0.5, "pull": 0.2},
}


@pytest.fixture(autouse=True)
def small_label_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines.mvae, "HIDDEN", 7)
    monkeypatch.setattr(baselines.mopoe, "HIDDEN", 7)


class Case:
    """A tiny model with two latents, and its objective by quadrature over z."""

    def __init__(self, labels: LabelSpace, y: tuple[int, ...], **options: object) -> None:
        torch.manual_seed(0)
        self.options = options
        self.model = MoPoE(labels, Tiny(), latents=2, likelihood="bernoulli", **options)
        scramble(self.model, 4)
        self.model.double()
        self.x, self.y, self.own = torch.tensor(X).view(1, 1, 2, 2), torch.tensor([y]), np.array(y)
        self.reference = Reference(self.model)

    def posterior(self, subset: str) -> tuple[np.ndarray, np.ndarray]:
        image, label = subset != LABELS, subset != IMAGE
        if subset == BOTH and self.options.get("joint") == "network":
            p, own = self.reference, self.own
            is_class = p.labels.kind == "multi_class"
            bits = np.eye(p.labels.n_values)[own[0]] if is_class else own
            features = np.tanh(p.linear("trunk.1", X))
            h = np.maximum(p.linear("joint.0", np.concatenate([features, bits])), 0)
            loc, raw = np.split(p.linear("joint.2.linear", h), 2)
            return loc, np.maximum(softplus(raw), 1e-3)
        return self.reference.posterior(X if image else None, self.own if label else None)

    def labelled(self, label_weight: float, kl_weight: float) -> float:
        subsets = self.options.get("subsets", SUBSETS)
        parts = [self.posterior(name) for name in subsets]
        value = 0.0
        for loc, scale in parts:
            z, w = gauss_hermite(loc, scale, NODES)
            log_q = log_normal(z, loc, scale).sum(-1)
            if self.options.get("mixture_density"):
                log_q = log_sum_exp(np.stack([log_normal(z, *part).sum(-1) for part in parts]))
                log_q = log_q - np.log(len(parts))
            inside = self.reference.log_p_x(z) + label_weight * self.reference.log_p_y(z, self.own)
            inside = inside - kl_weight * (log_q - log_normal(z, 0.0, 1.0).sum(-1))
            value += float(w @ inside) / len(parts)
        weights = {"label_weight": label_weight, "kl_weight": kl_weight}
        for view, own in ((True, None), (False, self.own)):
            value += self.options.get("alone", 0.0) * self.reference.elbo(view, own, **weights)
        loc, scale = self.posterior(BOTH)
        z, w = gauss_hermite(loc, scale, NODES)
        for name in (IMAGE, LABELS):
            gap = log_normal(z, loc, scale) - log_normal(z, *self.posterior(name))
            value -= self.options.get("pull", 0.0) * float(w @ gap.sum(-1))
        return value


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> tuple[LabelSpace, tuple[int, ...]]:
    return SPACES[request.param]


@pytest.mark.parametrize("member", FAMILY)
def test_labelled_objective(space: tuple, member: str) -> None:
    case = Case(*space, label_weight=3.0, **FAMILY[member])
    case.model.set_progress(0.1)
    mean, error = average(case.model, case.x, case.y, 30_000)
    assert error < 0.03
    assert abs(mean - case.labelled(3.0, 0.5)) < 4 * error


def test_unlabelled_objective_is_the_elbo_of_the_image(space: tuple) -> None:
    case = Case(*space)
    case.model.set_progress(0.1)
    mean, error = average(case.model, case.x, None, 30_000)
    assert abs(mean - case.reference.elbo(True, None, kl_weight=0.5)) < 4 * error


def test_bounds_are_ordered(space: tuple) -> None:
    """Mean of the parts' KL <= KL of the mixture's in the objective <= log p(x, y)."""
    loose, tight = (
        Case(*space, mixture_density=density).labelled(1.0, 1.0) for density in (False, True)
    )
    assert loose < tight < Case(*space).reference.log_evidence(True, Case(*space).own)


def test_a_product_with_both_views_alone_is_mvae(space: tuple) -> None:
    """The same parameters and draws, the same objective; here z of both is drawn first."""
    case = Case(*space, **FAMILY["MVAE"])
    mvae = MVAE(space[0], Tiny(), latents=2, likelihood="bernoulli").double()
    mvae.load_state_dict(case.model.state_dict())
    x, y = case.x.expand(20_000, -1, -1, -1), case.y.expand(20_000, -1)
    means = []
    for model in (case.model, mvae):
        torch.manual_seed(1)
        draws = model.bound(x, y).objective.detach()
        means.append((draws.mean().item(), draws.std().item() / np.sqrt(len(draws))))
    assert abs(means[0][0] - means[1][0]) < 4 * (means[0][1] + means[1][1])
    for task in (
        lambda model: model.classify(case.x),
        lambda model: model.generate(case.y),
        lambda model: model.intervene(case.x, case.y),
    ):
        answers = []
        for model in (case.model, mvae):
            torch.manual_seed(6)
            answers.append(task(model))
        torch.testing.assert_close(*answers)


@pytest.mark.parametrize("member", FAMILY)
def test_gradients_equal_finite_differences(space: tuple, member: str) -> None:
    case = Case(*space, **FAMILY[member])
    case.model.set_progress(0.15)
    check_gradients(case.model, case.x, case.y)


def test_intervention_of_a_mixture_draws_from_one_view_at_a_time() -> None:
    """Experts far apart and sharp: z is at one of them, each half of the time, never between."""
    case = Case(*SPACES["binary"], **FAMILY["MMVAE"])
    with torch.no_grad():
        for head, loc in ((case.model.image_head, 4.0), (case.model.label_head, -4.0)):
            head.linear.weight.zero_()
            head.linear.bias.copy_(torch.tensor([loc, loc, -8.0, -8.0]))
    seen = []
    case.model.decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    torch.manual_seed(0)
    case.model.intervene(case.x.expand(4_000, -1, -1, -1), case.y.expand(4_000, -1))
    assert (seen[0].abs() > 3.9).all()
    assert (seen[0][:, 0] * seen[0][:, 1] > 0).all()
    assert (seen[0][:, 0] > 0).double().mean().item() == pytest.approx(0.5, abs=0.04)


def test_one_subset_may_be_named_without_a_list() -> None:
    model = MoPoE(classes(3), Tiny(), latents=2, likelihood="laplace", subsets=BOTH)
    assert model.subsets == (BOTH,)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"subsets": ["sound"]}, "use some of"),
        ({"subsets": [IMAGE, IMAGE]}, "each once"),
        ({"subsets": [LABELS]}, "none of which has the image"),
        ({"subsets": []}, "none of which has the image"),
        ({"joint": "sum"}, "use one of"),
    ],
)
def test_what_cannot_be_mixed_is_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        MoPoE(classes(3), Tiny(), latents=2, likelihood="laplace", **options)
