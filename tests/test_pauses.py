"""The training loop waits for no device, steps can be recorded whole, and neither moves a bit."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import Tensor

import ccvae.capture
from baselines.diva import DIVA
from baselines.registry import SYSTEMS
from ccvae.batches import Batches, Schedule
from ccvae.capture import GRAPHS
from ccvae.errors import InputError
from ccvae.feeding import as_floats
from ccvae.interface import LabelledVAE
from ccvae.training import Trainer, step_loss
from tests.card import CARD, WrongDeviceError, card, to_card
from tests.recording import CardGraphs, Waits, listening
from tests.test_devices import CASES, SPACES, image_set, make, same_state

SCHEDULES = {
    "mixed": Schedule(
        "mixed", 1e-2, one_cycle=True, steps=6, labelled_batch=4, unlabelled_batch=6,
        gradient_clip=1.0,
    ),
    "interleaved": Schedule("interleaved", 1e-2, epochs=2, batch_size=9),
}  # fmt: skip
# Every schedule on one model, and every model on one schedule.
PAIRS = [
    *((space, variant, "mixed") for space, variant in CASES),
    *((space, "ccvae", "interleaved") for space in SPACES),
]
LABELLED, UNLABELLED = torch.arange(20), torch.arange(20, 60)


def trainer(
    model: LabelledVAE, schedule: Schedule, intervals: int, space: str, capture: bool = False
) -> Trainer:
    images = image_set(space)
    pixels, labels = images.images, images.labels
    if model.device == CARD:
        pixels, labels = to_card(pixels), to_card(labels)
    batches = Batches(schedule, LABELLED, UNLABELLED, seed=1)
    torch.manual_seed(5)
    return Trainer(model, pixels, labels, batches, schedule, intervals, capture)


def finish(training: Trainer) -> Trainer:
    while not training.finished:
        training.run_interval()
    return training


def plainly(
    model: LabelledVAE, schedule: Schedule, intervals: int, space: str
) -> list[dict[str, float]]:
    """The same training as one would write it down: each step is looked at when it is done."""
    images = image_set(space)
    batches = Batches(schedule, LABELLED, UNLABELLED, seed=1)
    torch.manual_seed(5)
    optimizer = torch.optim.Adam(model.parameter_groups(schedule.learning_rate), fused=True)
    rates = [group["lr"] for group in optimizer.param_groups]
    scheduler = None
    if schedule.one_cycle:
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, rates, total_steps=batches.total, cycle_momentum=False
        )
    history, interval = [], -(-batches.total // intervals)
    sums: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    model.train()
    for number in range(batches.total):
        step = batches[number]
        x = as_floats(images.images[torch.cat([step.labelled, step.unlabelled])], model.device)
        y = images.labels[step.labelled]
        model.set_progress(number / batches.total)
        loss, bounds = step_loss(model, x, y, len(y), batches.weights)
        assert torch.isfinite(loss)
        optimizer.zero_grad()
        loss.backward()
        if schedule.gradient_clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), schedule.gradient_clip)
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        for subset, bound in bounds.items():
            counts[subset] = counts.get(subset, 0) + len(bound.objective)
            for name, term in bound.terms.items():
                key = f"{subset}_{name}"
                sums[key] = sums.get(key, torch.zeros(())) + term.sum()
        if (number + 1) % interval == 0 or number + 1 == batches.total:
            means = {key: s.item() / counts[key.split("_")[0]] for key, s in sums.items()}
            history.append({"step": number + 1, **means})
            sums, counts = {}, {}
    return history


@pytest.mark.parametrize(("space", "variant", "kind"), PAIRS)
def test_a_training_equals_the_plain_loop_bit_for_bit(space: str, variant: str, kind: str) -> None:
    schedule = SCHEDULES[kind]
    plain = make(space, variant)
    history = plainly(plain, schedule, 3, space)
    trained = finish(trainer(make(space, variant), schedule, 3, space))
    assert trained.history == history
    assert same_state(trained.model, plain)


@pytest.mark.slow
@pytest.mark.parametrize(("space", "variant", "kind"), PAIRS)
def test_the_card_is_waited_for_twice_an_interval(
    space: str, variant: str, kind: str, plain_adam: None
) -> None:
    """Once to send the positions of its images, once to read what its steps have recorded."""
    with card():
        training = trainer(to_card(make(space, variant)), SCHEDULES[kind], 2, space)
        while not training.finished:
            with listening(Waits()) as waits:
                assert training.run_interval() > 2
            assert len(waits.seen) == 2, waits.seen


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let steps be recorded on the card, with an Adam that works there."""
    adam = torch.optim.Adam
    # torch.optim hides the module behind the names that it takes from it.
    module = sys.modules[adam.__module__]
    monkeypatch.setattr(module, "_get_capturable_supported_devices", lambda: ["meta"])
    monkeypatch.setattr(
        torch.optim,
        "Adam",
        lambda groups, capturable, **_: adam(groups, capturable=capturable, foreach=False),
    )
    monkeypatch.setitem(GRAPHS, "meta", CardGraphs)
    monkeypatch.setattr(CardGraphs, "replays", 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("space", "variant", "kind"),
    [
        *(("multi_label", variant, "mixed") for variant in (*SYSTEMS, "m2, disarm")),
        ("multi_class", "ccvae, sampled", "mixed"),
        ("multi_class", "m2", "interleaved"),
    ],
)
def test_recorded_steps_train_as_steps_do(
    space: str, variant: str, kind: str, recording: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, schedule = [], SCHEDULES[kind]
    for warm_up in (1, 1000):
        monkeypatch.setattr(ccvae.capture, "WARM_UP", warm_up)
        with card():
            model = to_card(make(space, variant))
            trained.append(finish(trainer(model, schedule, 3, space, capture=True)))
        # The first step of every size is not recorded.
        assert CardGraphs.replays == trained[0].total - {"mixed": 1, "interleaved": 4}[kind]
    assert trained[0].history == trained[1].history
    assert same_state(trained[0].model, trained[1].model)


def test_a_recorded_training_resumes(recording: None) -> None:
    schedule = SCHEDULES["mixed"]
    with card():
        whole, stopped, resumed = (
            trainer(to_card(make("multi_label", "diva")), schedule, 2, "multi_label", True)
            for _ in range(3)
        )
        torch.manual_seed(5)
        finish(whole)
        torch.manual_seed(5)
        stopped.run_interval()
        state = stopped.state_dict()
        # What this one recorded must not be played on the other's state.
        resumed.run_interval()
        resumed.load_state_dict(state)
        finish(resumed)
    assert resumed.history == whole.history
    assert same_state(resumed.model, whole.model)
    assert CardGraphs.replays > 0


class Thoughtful(DIVA):
    """Decides on the host what the next step does."""

    def bound(self, x: Tensor, y: Tensor | None = None) -> Any:
        bound = super().bound(x, y)
        return bound if bound.objective.mean() < 0 else super().bound(x, y)


def test_a_step_that_waits_is_not_recorded(recording: None) -> None:
    model = make("multi_label", "diva")
    model.__class__ = Thoughtful
    with card():
        training = trainer(to_card(model), SCHEDULES["mixed"], 2, "multi_label", capture=True)
        with pytest.raises(WrongDeviceError, match="_local_scalar_dense waits for the card"):
            finish(training)


def test_a_cpu_captures_nothing() -> None:
    trained = [
        finish(trainer(make("multi_label", "ccvae"), SCHEDULES["mixed"], 3, "multi_label", capture))
        for capture in (False, True)
    ]
    assert trained[0].history == trained[1].history
    assert same_state(trained[0].model, trained[1].model)


def test_a_look_at_gradients_is_not_recorded(recording: None) -> None:
    seen: list[int] = []
    with card():
        model = to_card(make("multi_label", "ccvae"))
        training = trainer(model, SCHEDULES["mixed"], 3, "multi_label", capture=True)
        training.after_backward = seen.append
        finish(training)
    assert seen == list(range(6))
    assert CardGraphs.replays == 0


def test_the_step_that_broke_is_named_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make("multi_label", "vae_classifier")
    original, calls = model.bound, []

    def bound(x: Tensor, y: Tensor | None = None) -> Any:
        calls.append(len(x))
        found = original(x, y)
        if len(calls) == 10:
            assert y is None
            found.terms["divergence"][2] = float("inf")
            object.__setattr__(found, "objective", found.objective + float("inf"))
        return found

    monkeypatch.setattr(model, "bound", bound)
    training = trainer(model, SCHEDULES["mixed"], 1, "multi_label")
    with pytest.raises(InputError, match="step 5 of 6, first in divergence of the unlabelled"):
        training.run_interval()
    assert training.history == []
