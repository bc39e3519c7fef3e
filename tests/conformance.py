"""What every registered model owes, as checks that run on any of them.

tests/baselines/test_every_model.py runs them over the configuration, so that a new entry is tested
without anyone remembering.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections import defaultdict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from baselines.registry import SYSTEMS
from ccvae.batches import Batches, Schedule
from ccvae.feeding import as_floats
from ccvae.interface import LabelledVAE
from ccvae.tasks import TASKS
from ccvae.training import Trainer

N = 12
Check = Callable[[LabelledVAE, Tensor], None]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Put a check among those that every model has to pass."""
    CHECKS[function.__name__] = function
    return function


def small_options(system: str) -> dict[str, object]:
    """Latents for a handful of labels or classes, with a z_\\c where there is a z_c."""
    known = inspect.signature(SYSTEMS[system].load()).parameters
    if "latents_per_label" in known:
        return {"latents": 9, "latents_per_label": 2}
    return {"latents": 8} if "latents" in known else {}


def random_images(shape: tuple[int, ...]) -> Tensor:
    """Random bytes, (N, C, H, W)."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(256, (N, *shape), dtype=torch.uint8, generator=generator)


def asked(model: LabelledVAE, x: Tensor, y: Tensor) -> dict[str, Callable[[], Tensor]]:
    """The tasks that are methods, as they are asked for."""
    return {
        "classify": lambda: model.classify(x),
        "reconstruct": lambda: model.reconstruct(x),
        "sample": lambda: model.sample(N),
        "generate": lambda: model.generate(y),
        "intervene": lambda: model.intervene(x, y),
        "swap": lambda: model.swap(x, x.flip(0)),
        "diversify": lambda: model.diversify(x, y),
    }


def inputs(model: LabelledVAE, images: Tensor) -> tuple[Tensor, Tensor]:
    torch.manual_seed(2)
    return as_floats(images, torch.device("cpu")), model.labels.sample_prior(N)


@check
def two_steps_reach_every_parameter(model: LabelledVAE, images: Tensor) -> None:
    _, y = inputs(model, images)
    schedule = Schedule("mixed", 1e-3, steps=2, labelled_batch=4, unlabelled_batch=4)
    batches = Batches(schedule, torch.arange(N // 2), torch.arange(N // 2, N), seed=0)
    before = copy.deepcopy(dict(model.named_parameters()))
    trainer = Trainer(model, images, y.to(torch.uint8), batches, schedule, intervals=1)
    assert trainer.run_interval() == 2
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert (parameter.grad != 0).any(), name
        assert (parameter != before[name]).any(), name


@check
def bounds_are_finite_and_their_terms_named(model: LabelledVAE, images: Tensor) -> None:
    x, known = inputs(model, images)
    for y in (known, None):
        bound = model.bound(x, y)
        assert bound.objective.shape == (N,)
        assert bound.objective.requires_grad
        assert "objective" in bound.terms
        if "reconstruct" in model.supports:
            assert {"reconstruction", "divergence"} <= set(bound.terms)
        for name, term in bound.terms.items():
            assert term.shape == (N,), name
            assert torch.isfinite(term).all(), name
            assert not term.requires_grad, name
        assert torch.equal(bound.terms["objective"], bound.objective)


@check
def parameter_groups_hold_every_parameter_once(model: LabelledVAE, _images: Tensor) -> None:
    grouped = [id(p) for group in model.parameter_groups(1e-3) for p in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(p) for p in model.parameters()}


@check
def what_is_lacking_is_said_in_sentences(model: LabelledVAE, _images: Tensor) -> None:
    assert model.supports == set(TASKS) - set(model.lacks)
    assert set(model.lacks) < set(TASKS)
    for sentence in model.lacks.values():
        assert re.fullmatch(r"[A-Z][^\n]+\.", sentence), sentence


@check
@torch.no_grad()
def tasks_are_done_or_refused_in_that_sentence(model: LabelledVAE, images: Tensor) -> None:
    x, y = inputs(model.eval(), images)
    for task, ask in asked(model, x, y).items():
        if task in model.lacks:
            with pytest.raises(NotImplementedError, match=re.escape(model.lacks[task])):
                ask()
            continue
        answer = ask()
        shape = (N, model.labels.n_outputs) if task == "classify" else x.shape
        assert answer.shape == shape, task
        assert ((answer >= 0) & (answer <= 1)).all(), task
        if task == "classify" and model.labels.kind == "multi_class":
            torch.testing.assert_close(answer.sum(1), torch.ones(N))
        if task == "classify":
            assert model.predict(x).shape == y.shape


@check
@torch.no_grad()
def characteristics_are_there_if_they_are_promised(model: LabelledVAE, images: Tensor) -> None:
    x, y = inputs(model.eval(), images)
    found = model.infer(x).characteristics
    if {"diversify", "traverse"} & model.supports:
        assert found is not None
        assert found.shape[:2] == (N, model.labels.n_factors)
        assert found.shape == model.sample_characteristics(y).shape
    elif found is None:
        assert not hasattr(model, "sample_characteristics")


@check
@torch.no_grad()
def one_pass_infers_what_each_method_answers(model: LabelledVAE, images: Tensor) -> None:
    x, _ = inputs(model.eval(), images)
    passes: dict[nn.Module, int] = defaultdict(int)
    for layer in model.modules():
        if not list(layer.children()):
            layer.register_forward_hook(lambda own, *_: passes.update({own: passes[own] + 1}))
    inferred = model.infer(x)
    assert set(passes.values()) == {1}
    for task in ("classify", "reconstruct"):
        answer = inferred.probabilities if task == "classify" else inferred.reconstruction
        if task in model.supports:
            assert torch.equal(answer, getattr(model, task)(x))
    if inferred.rest is not None:
        assert len(inferred.rest) == N


@check
@torch.no_grad()
def seeds_reproduce_and_weights_are_the_whole_state(model: LabelledVAE, images: Tensor) -> None:
    x, y = inputs(model.eval(), images)
    clone = copy.deepcopy(model)
    for parameter in clone.parameters():
        parameter.add_(1)
    clone.load_state_dict(model.state_dict())

    def answers(of: LabelledVAE, seed: int) -> list[Tensor]:
        torch.manual_seed(seed)
        done = [ask() for task, ask in asked(of, x, y).items() if task in of.supports]
        return [*done, of.bound(x, y).objective, of.bound(x).objective]

    first = answers(model, 3)
    for again in (answers(model, 3), answers(clone, 3)):
        assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    draws = "reconstruct" in model.supports
    assert draws != torch.equal(first[-1], answers(model, 4)[-1])
