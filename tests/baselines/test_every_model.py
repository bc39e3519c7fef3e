"""The contract of `LabelledVAE`, for every model on both label spaces."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from baselines.diva import DIVA
from baselines.m2 import M2
from baselines.mvae import MVAE
from baselines.vae_classifier import VAEClassifier
from ccvae.interface import TASKS, LabelledVAE
from ccvae.labels import LabelSpace, MultiClass, MultiLabel
from ccvae.model import CCVAE
from ccvae.networks import Architecture, Conv28, Table3
from ccvae.training import Batches, Schedule, Trainer

SPACES: dict[str, tuple[Callable[[], LabelSpace], Callable[[], Architecture]]] = {
    "multi_label": (lambda: MultiLabel(["arched eyebrows", "bangs", "chubby"]), Table3),
    "multi_class": (lambda: MultiClass(["0", "1", "2", "3"]), Conv28),
}
WITH_CHARACTERISTICS = {"latents": 9, "latents_per_label": 2}
MODELS: dict[str, tuple[type[LabelledVAE], dict[str, int], set[str]]] = {
    "ccvae": (CCVAE, WITH_CHARACTERISTICS, set(TASKS)),
    "diva": (DIVA, WITH_CHARACTERISTICS, set(TASKS)),
    "vae_classifier": (VAEClassifier, {**WITH_CHARACTERISTICS, "max_tries": 50}, set(TASKS)),
    "m2": (M2, {"latents": 8}, set(TASKS[:6])),
    "mvae": (MVAE, {"latents": 8}, set(TASKS[:6])),
}


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest, space: str) -> LabelledVAE:
    system, options, _ = MODELS[request.param]
    labels, architecture = (make() for make in SPACES[space])
    torch.manual_seed(0)
    return system(labels, architecture, likelihood="laplace", **options)


@pytest.fixture
def images(space: str) -> Tensor:
    """Random bytes, (12, C, H, W)."""
    shape = (12, *SPACES[space][1].image_shape)
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_two_steps_reach_every_parameter(model: LabelledVAE, images: Tensor) -> None:
    y = model.labels.sample_prior(12)
    schedule = Schedule("mixed", 1e-3, steps=2, labelled_batch=4, unlabelled_batch=4)
    batches = Batches(schedule, torch.arange(6), torch.arange(6, 12), seed=0)
    before = copy.deepcopy(dict(model.named_parameters()))
    trainer = Trainer(model, images, y.to(torch.uint8), batches, schedule, intervals=1)
    assert trainer.run_interval() == 2
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert (parameter.grad != 0).any(), name
        assert (parameter != before[name]).any(), name
    for subset in ("labelled", "unlabelled"):
        row = trainer.history[0]
        assert {f"{subset}_objective", f"{subset}_reconstruction", f"{subset}_divergence"} <= set(
            row
        )


def test_parameter_groups_hold_every_parameter_once(model: LabelledVAE) -> None:
    grouped = [id(p) for group in model.parameter_groups(1e-3) for p in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(p) for p in model.parameters()}


def test_tasks_return_images_and_probabilities(model: LabelledVAE, images: Tensor) -> None:
    model.eval()
    x = images / 255
    y = model.labels.sample_prior(12)
    with torch.no_grad():
        probabilities = model.classify(x)
        made = [
            model.reconstruct(x),
            model.sample(12),
            model.generate(y),
            model.intervene(x, y),
            model.swap(x, x.flip(0)),
        ]
    assert probabilities.shape == (12, model.labels.n_outputs)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    if isinstance(model.labels, MultiClass):
        torch.testing.assert_close(probabilities.sum(1), torch.ones(12))
    for image in made:
        assert image.shape == x.shape
        assert ((image >= 0) & (image <= 1)).all()
    assert model.predict(x).shape == y.shape


def test_bounds_are_per_image_and_their_terms_carry_no_graph(
    model: LabelledVAE, images: Tensor
) -> None:
    for y in (model.labels.sample_prior(12), None):
        bound = model.bound(images / 255, y)
        assert bound.objective.shape == (12,)
        assert bound.objective.requires_grad
        for term in bound.terms.values():
            assert term.shape == (12,)
            assert not term.requires_grad
        assert torch.equal(bound.terms["objective"], bound.objective)


def test_state_is_complete(model: LabelledVAE, images: Tensor) -> None:
    """Weights alone restore what a model answers."""
    clone = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in clone.parameters():
            parameter.add_(1)
    clone.load_state_dict(model.state_dict())
    x = images / 255
    y = model.labels.sample_prior(12)
    answers = []
    for each in (model.eval(), clone.eval()):
        torch.manual_seed(3)
        with torch.no_grad():
            answers.append((each.classify(x), each.generate(y), each.bound(x, y).objective))
    assert all(torch.equal(*pair) for pair in zip(*answers, strict=True))


@torch.no_grad()
def test_one_pass_infers_what_each_method_answers(model: LabelledVAE, images: Tensor) -> None:
    x, labels = images / 255, model.eval().labels
    classified, reconstruction = model.classify(x), model.reconstruct(x)
    passes = []
    trunk = model.get_submodule("label_trunk" if isinstance(model, M2) else "trunk")
    trunk.register_forward_hook(lambda *_: passes.append(1))
    inferred = model.infer(x)
    assert len(passes) == 1
    assert torch.equal(inferred.probabilities, classified)
    assert torch.equal(inferred.reconstruction, reconstruction)
    assert inferred.rest is not None
    assert inferred.rest.shape[0] == 12
    if hasattr(model, "sample_characteristics"):
        assert inferred.characteristics is not None
        assert inferred.characteristics.shape == (12, labels.n_factors, 2)
        z = torch.cat([inferred.characteristics.flatten(1), inferred.rest], dim=1)
        assert torch.equal(z, model.posterior(x).loc)
    else:
        assert inferred.characteristics is None


@pytest.mark.parametrize("name", MODELS)
def test_supports_says_what_the_model_can_do(name: str) -> None:
    """Section 6.1: no traversals for M2 and MVAE; section 6.2: no diversity at fixed z for them."""
    system, _, tasks = MODELS[name]
    assert system.supports == tasks
    can_draw = hasattr(system, "sample_characteristics")
    assert can_draw == ({"diversify", "traverse"} <= tasks)
