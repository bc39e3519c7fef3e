"""The classifier alone: its objective by hand, and that nothing else reaches it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines.supervised import SupervisedClassifier
from ccvae.labels import LabelSpace
from ccvae.training import Batches, Schedule, Trainer
from tests.baselines.checks import check_gradients
from tests.tiny import (
    Tiny,
    all_labels,
    binary_labels,
    classes,
    label_log_prob,
    parameters_of,
    scramble,
)

X = np.array([0.1, 0.8, 0.45, 0.95])


def build(labels: LabelSpace) -> SupervisedClassifier:
    torch.manual_seed(0)
    model = SupervisedClassifier(labels, Tiny(), likelihood="laplace")
    scramble(model, 5)
    return model.double()


@pytest.fixture(params=[binary_labels(2), classes(3)], ids=["binary", "classes"])
def model(request: pytest.FixtureRequest) -> SupervisedClassifier:
    return build(request.param)


def test_objective_is_the_log_probability_of_the_labels(model: SupervisedClassifier) -> None:
    p, x = parameters_of(model), torch.tensor(X).view(1, 1, 2, 2)
    logits = p["head.weight"] @ np.tanh(p["trunk.1.weight"] @ X + p["trunk.1.bias"])
    logits = logits + p["head.bias"]
    for y in all_labels(model.labels):
        expected = label_log_prob(logits, y, model.labels)
        bound = model.bound(x, torch.tensor(y).unsqueeze(0))
        assert bound.objective.item() == pytest.approx(float(expected), rel=1e-9)
    check_gradients(model, x, torch.tensor(y).unsqueeze(0))


def trained(pixels_of_the_rest: int, kind: str) -> dict[str, torch.Tensor]:
    """A model's weights after a training in which half of the images have labels."""
    model = build(classes(3)).float()
    images = torch.full((20, 1, 2, 2), pixels_of_the_rest, dtype=torch.uint8)
    images[:10] = torch.arange(10 * 4).view(10, 1, 2, 2)
    schedule = Schedule(
        kind, 1e-2, steps=3, labelled_batch=4, unlabelled_batch=6, epochs=2, batch_size=5
    )
    batches = Batches(schedule, torch.arange(10), torch.arange(10, 20), seed=0)
    y = (torch.arange(20) % 3).unsqueeze(1)
    trainer = Trainer(model, images, y, batches, schedule, intervals=1)
    while not trainer.finished:
        trainer.run_interval()
    return model.state_dict()


@pytest.mark.parametrize("kind", ["mixed", "interleaved"])
def test_images_without_labels_teach_it_nothing(kind: str) -> None:
    weights, others = trained(0, kind), trained(200, kind)
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    start = build(classes(3)).float().state_dict()
    assert not torch.equal(weights["head.weight"], start["head.weight"])
