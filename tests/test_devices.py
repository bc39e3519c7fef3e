"""Everything stays on the device of its model, shown on a card that needs no GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from baselines.registry import SYSTEMS
from ccvae.batches import Batches, Schedule
from ccvae.interface import Bound, LabelledVAE
from ccvae.model import CCVAE
from ccvae.networks import Architecture, Conv28, Table3
from ccvae.training import Trainer
from evaluators.assessment import assess
from evaluators.classifier import Judge
from evaluators.counterfactual import counterfactual
from evaluators.gaussian_process import GPHead, GPSettings, assess_gp_head, fit_gp_head
from evaluators.generation import generation
from evaluators.images import ImageSet
from evaluators.inferring import infer_all
from evaluators.learning import JudgeSettings, train_judge
from evaluators.references import Constant, Copier
from evaluators.seen import Seen
from evaluators.style import PROPERTIES
from evaluators.swap import swap
from evaluators.true_swap import TrueSwaps
from evaluators.uncertainty import mutual_information
from tests.card import CARD, OnCard, WrongDeviceError, card, from_card, to_card
from tests.conformance import small_options
from tests.tiny import binary_labels, classes
from workflow.measures import Amounts, measure
from workflow.studies.gradients import gradients_of_draws

N = 6
SPACES = {"multi_label": lambda: binary_labels(3), "multi_class": lambda: classes(4)}
VARIANTS: dict[str, tuple[str, dict[str, object]]] = {
    **{name: (name, {}) for name in SYSTEMS},
    "ccvae, exact": ("ccvae", {"unsupervised": "exact", "label_estimator": "factorised"}),
    "ccvae, sampled": ("ccvae", {"unsupervised": "sampled", "label_estimator": "inclusive"}),
    "ccvae, released": ("ccvae", {"supervised": "released_torch"}),
    "ccvae, detached": ("ccvae", {"supervised": "detached"}),
    "m2, disarm": ("m2", {"label_estimator": "disarm"}),
    "m2, relaxed": ("m2", {"label_estimator": "relaxed", "separate_trunk": True}),
    "diva, label beta": ("diva", {"label_beta": True}),
}
FOR_LABELS_ONLY = ("m2, disarm", "m2, relaxed")
CASES = [
    (space, variant)
    for space in SPACES
    for variant in VARIANTS
    if space == "multi_label" or variant not in FOR_LABELS_ONLY
]
CALLS: dict[str, Callable[[LabelledVAE, Tensor, Tensor], Tensor]] = {
    "labelled": lambda model, x, y: model.bound(x, y).objective,
    "unlabelled": lambda model, x, y: model.bound(x).objective,
    "classify": lambda model, x, y: model.classify(x),
    "predict": lambda model, x, y: model.predict(x),
    "reconstruct": lambda model, x, y: model.reconstruct(x),
    "infer": lambda model, x, y: torch.cat(
        [given.flatten() for given in vars(model.infer(x)).values() if given is not None]
    ),
    "sample": lambda model, x, y: model.sample(N),
    "generate": lambda model, x, y: model.generate(y),
    "intervene": lambda model, x, y: model.intervene(x, y),
    "swap": lambda model, x, y: model.swap(x, x.flip(0)),
}


class Small(Architecture):
    """8x8 grey images, large enough for a judge's pooling."""

    features = 5
    image_shape = (1, 8, 8)

    def trunk(self) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Tanh())

    def decoder(self, latents: int) -> nn.Module:
        return nn.Sequential(nn.Linear(latents, 64), nn.Unflatten(1, self.image_shape))


def make(space: str, variant: str, architecture: Architecture | None = None) -> LabelledVAE:
    """A model in host memory, the same at every call."""
    name, more = VARIANTS[variant]
    torch.manual_seed(0)
    options = {"likelihood": "laplace", **small_options(name), **more}
    return SYSTEMS[name].load()(SPACES[space](), architecture or Small(), **options)


def check(model: LabelledVAE, shape: tuple[int, ...], calls: dict[str, Any]) -> None:
    """Ask a model in host memory and the same one on the card; demand the same bits."""
    x, y = torch.rand(N, *shape), model.labels.sample_prior(N)
    expected = {}
    for name, call in calls.items():
        torch.manual_seed(1)
        expected[name] = call(model, x, y).detach()
    model, x, y = to_card(model), to_card(x), to_card(y)
    with card(only=True):
        for name, call in calls.items():
            torch.manual_seed(1)
            answer = call(model, x, y)
            assert torch.equal(from_card(answer.detach()), expected[name]), name
            if answer.requires_grad:
                answer.sum().backward()


@pytest.mark.parametrize(("space", "variant"), CASES)
def test_models_make_nothing_elsewhere_and_answer_the_same(space: str, variant: str) -> None:
    model = make(space, variant)
    calls = {name: call for name, call in CALLS.items() if name not in model.lacks}
    check(model, Small.image_shape, calls)
    for name, parameter in model.named_parameters():
        assert isinstance(parameter.grad, OnCard), name


@pytest.mark.parametrize("architecture", [Table3(), Conv28()])
def test_networks_make_nothing_elsewhere(architecture: Architecture) -> None:
    model = make("multi_label", "ccvae", architecture)
    check(model, architecture.image_shape, {"unlabelled": CALLS["unlabelled"]})


class Forgetful(CCVAE):
    """Forgets the device in one place."""

    def __init__(self, *args: Any, forgets: Callable[[Tensor], Tensor], **options: Any) -> None:
        super().__init__(*args, **options)
        self.forgets = forgets

    def bound(self, x: Tensor, y: Tensor | None = None) -> Bound:
        bound = super().bound(x, y)
        return Bound.of(bound.objective + self.forgets(x))


@pytest.mark.parametrize(
    ("forgets", "error"),
    [
        (lambda x: torch.zeros(len(x)), "zeros makes a tensor in host memory"),
        (lambda x: torch.randn(len(x)), "randn makes a tensor in host memory"),
        (lambda x: torch.tensor([0.0]), "tensor makes a tensor in host memory"),
        (lambda x: x[:, 0, 0, 0].cpu(), "add mixes a tensor on the card with one in host memory"),
    ],
)
def test_a_forgotten_device_is_found(forgets: Callable[[Tensor], Tensor], error: str) -> None:
    options = {"latents": 9, "latents_per_label": 2, "likelihood": "laplace"}
    model = to_card(Forgetful(binary_labels(3), Small(), forgets=forgets, **options))
    x = to_card(torch.rand(N, *Small.image_shape))
    with card(only=True), pytest.raises(WrongDeviceError, match=error):
        model.bound(x)


def image_set(space: str, n: int = 64) -> ImageSet:
    """Noise with random labels."""
    generator = torch.Generator().manual_seed(2)
    labels = SPACES[space]()
    y = torch.randint(labels.n_values, (n, labels.n_factors), generator=generator)
    images = torch.randint(256, (n, *Small.image_shape), generator=generator)
    return ImageSet(images.to(torch.uint8), y, labels)


def judge_and_head(space: str) -> tuple[Judge, GPHead]:
    torch.manual_seed(3)
    judge = Judge(SPACES[space](), "small_cnn", Small.image_shape).eval().requires_grad_(False)
    return judge, GPHead(judge.labels, judge.n_features, 8).eval().requires_grad_(False)


AMOUNTS = Amounts(
    swap_pairs=20,
    generated_images=12,
    sampled_images=12,
    intervention_images=8,
    probe_images=16,
    counterfactual_images=0,
    information_draws=4,
)


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("space", SPACES)
def test_every_measure_is_the_same_on_the_card(space: str, name: str) -> None:
    images = image_set(space)
    model, (judge, head) = make(space, name).requires_grad_(False), judge_and_head(space)
    styles = PROPERTIES if space == "multi_class" else ()
    expected = measure(model, judge, head, images, AMOUNTS, seed=4, styles=styles)
    # A Gaussian process that has answered keeps a factorisation, and cannot be moved.
    _, head = judge_and_head(space)
    for module in (model, judge, head):
        to_card(module)
    with card():
        measured = measure(model, judge, head, images, AMOUNTS, seed=4, styles=styles)
    assert measured.metrics == expected.metrics
    assert measured.matrices.keys() == expected.matrices.keys()


@pytest.mark.parametrize("space", SPACES)
def test_references_are_measured_the_same_on_the_card(space: str) -> None:
    images, (judge, _) = image_set(space), judge_and_head(space)
    references = [Constant(images), Copier(judge, images, images)]
    expected = [measure(r, judge, None, images, AMOUNTS, seed=4).metrics for r in references]
    assessed = assess(judge, images)
    for module in (judge, *references):
        to_card(module)
    with card():
        measured = [measure(r, judge, None, images, AMOUNTS, seed=4).metrics for r in references]
        assert assess(judge, images) == assessed
    assert measured == expected


def test_measures_beside_drawings_are_the_same_on_the_card() -> None:
    images, (judge, _) = image_set("multi_label"), judge_and_head("multi_label")

    drawn = images.images[:10].clone()
    drawn[:, 0, 0, :3] = 200
    redrawn = drawn[:8].expand(3, -1, -1, -1, -1)
    truth = TrueSwaps(drawn, (drawn != images.images[:10]).any(1))
    model, seen = make("multi_label", "ccvae").requires_grad_(False), []
    for place in (lambda module: module, to_card):
        model, judge = place(model), place(judge)
        with card():
            inferred = infer_all(model, images)
            metrics = counterfactual(model, images, inferred, redrawn, seed=1)
            metrics |= swap(model, judge, images, inferred, n_pairs=10, seed=1, truth=truth)
            seen.append(metrics | generation(model, judge, images, n=10, seed=1, perfect=drawn)[0])
    assert seen[0] == seen[1]


def test_gradients_of_a_study_are_the_same_on_the_card() -> None:
    model, seen = make("multi_label", "ccvae"), []
    assert isinstance(model, CCVAE)
    x, y = torch.rand(N, *Small.image_shape), model.labels.sample_prior(N)
    for place in (lambda value: value, to_card):
        with card():
            seen.append(
                gradients_of_draws(place(model), place(x), place(y), ["eq4", "detached"], 2, 1)
            )
    assert seen[0].equals(seen[1])


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers in host memory, wherever the module is."""
    return {
        name: value.held if isinstance(value, OnCard) else value
        for name, value in ((n, v.detach()) for n, v in module.state_dict().items())
    }


def same_state(a: nn.Module, b: nn.Module) -> bool:
    first, second = state_of(a), state_of(b)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_training_is_the_same_on_the_card(name: str, plain_adam: None) -> None:
    schedule = Schedule(
        "mixed", 1e-2, one_cycle=True, steps=4, labelled_batch=4, unlabelled_batch=6
    )
    batches = Batches(schedule, torch.arange(20), torch.arange(20, 60), seed=1)
    images = image_set("multi_label")
    trainers = []
    for place in (lambda model: model, to_card):
        model = place(make("multi_label", name))
        torch.manual_seed(5)
        with card():
            trainer = Trainer(model, images.images, images.labels, batches, schedule, intervals=2)
            while not trainer.finished:
                trainer.run_interval()
        trainers.append(trainer)
    assert trainers[0].history == trainers[1].history
    assert isinstance(next(trainers[1].model.parameters()), OnCard)
    assert same_state(trainers[0].model, trainers[1].model)


@pytest.mark.parametrize("space", SPACES)
def test_judge_and_gaussian_process_are_trained_the_same_on_the_card(
    space: str, plain_adam: None
) -> None:
    images = image_set(space)
    settings = JudgeSettings(steps=4, check_steps=2, batch_size=32, flip=True, shift=1)
    gp = GPSettings(inducing=8, steps=3, batch_size=16)
    made, scored = [], []
    for device in (torch.device("cpu"), CARD):
        with card():
            judge, _ = train_judge(SPACES[space](), images, images, settings, device)
            head = fit_gp_head(judge, images, gp, device)
            noise = torch.rand(16, *Small.image_shape, generator=torch.Generator().manual_seed(0))
            seen = Seen.of_set(judge, images)
            scores = assess_gp_head(head, seen, images.labels, samples=4, seed=1)
            found = Seen.of_floats(judge, noise).features()
            scores |= mutual_information(head, found, samples=4, seed=1)
        made.append((judge, head))
        scored.append(scores)
    assert all(isinstance(p, OnCard) for module in made[1] for p in module.parameters())
    assert all(same_state(a, b) for a, b in zip(*made, strict=True))
    assert scored[0] == scored[1]
