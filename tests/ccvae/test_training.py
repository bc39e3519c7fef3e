"""The training loop: losses, resuming, failures, and that it learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from baselines.m2 import M2
from ccvae.batches import Batches, Schedule
from ccvae.errors import InputError
from ccvae.feeding import as_floats
from ccvae.interface import Bound, LabelledVAE
from ccvae.model import CCVAE
from ccvae.training import Trainer, step_loss
from tests.tiny import Tiny, binary_labels

N, N_LABELLED = 60, 20
PLAIN = Schedule("mixed", 1e-2, steps=30, labelled_batch=4, unlabelled_batch=6)


class Normalised(Tiny):
    """With batch normalisation, whose running statistics a resumed training needs too."""

    def trunk(self) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU())


def images_and_labels() -> tuple[Tensor, Tensor]:
    """Two labels that say whether the first and the last pixel are bright."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 2, (N, 2), generator=generator, dtype=torch.uint8)
    images = torch.randint(0, 60, (N, 1, 2, 2), generator=generator, dtype=torch.uint8)
    images[:, 0, 0, 0] += 190 * y[:, 0]
    images[:, 0, 1, 1] += 190 * y[:, 1]
    return images, y


def ccvae(**options: object) -> CCVAE:
    settings = {
        "latents": 3,
        "latents_per_label": 1,
        "likelihood": "bernoulli",
        "label_samples": 10,
        **options,
    }
    return CCVAE(binary_labels(2), Normalised(), **settings)


def m2() -> M2:
    return M2(
        binary_labels(2), Normalised(), latents=3, likelihood="bernoulli", label_estimator="disarm"
    )


def trainer(model: LabelledVAE, schedule: Schedule = PLAIN, intervals: int = 6) -> Trainer:
    batches = Batches(schedule, torch.arange(N_LABELLED), torch.arange(N_LABELLED, N), seed=1)
    return Trainer(model, *images_and_labels(), batches, schedule, intervals)


def finish(training: Trainer) -> None:
    while not training.finished:
        training.run_interval()


def same(a: object, b: object) -> bool:
    """Exact equality of nested states."""
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


SCHEDULES = {
    "mixed": PLAIN,
    "one_cycle": Schedule(
        "mixed", 1e-2, one_cycle=True, steps=30, labelled_batch=4, unlabelled_batch=6
    ),
    "interleaved": Schedule("interleaved", 1e-2, epochs=4, batch_size=8, gradient_clip=1.0),
    "interleaved, one_cycle": Schedule("interleaved", 1e-2, one_cycle=True, epochs=4, batch_size=8),
}
MODELS = {"ccvae": lambda: ccvae(prior_rate=5.0), "m2": m2}


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_resumed_training_equals_one_that_never_stopped(
    make, schedule: Schedule, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    whole = trainer(make(), schedule)
    whole.run_interval()
    whole.run_interval()
    torch.save(whole.state_dict(), tmp_path / "state.pt")
    finish(whole)

    torch.manual_seed(99)
    resumed = trainer(make(), schedule)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert 0 < resumed.step < resumed.total
    finish(resumed)
    assert same(whole.state_dict(), resumed.state_dict())
    assert len(whole.history) == 6


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_same_seed_same_training(make) -> None:
    states = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        training = trainer(make())
        finish(training)
        states.append(training.state_dict())
    assert same(states[0], states[1])
    assert not same(states[0]["model"], states[2]["model"])


def test_one_cycle_warms_up_to_each_groups_peak_and_decays() -> None:
    training = trainer(ccvae(prior_rate=5.0), SCHEDULES["one_cycle"], intervals=30)
    rates = []
    while not training.finished:
        rates.append([group["lr"] for group in training.state_dict()["optimizer"]["param_groups"]])
        training.run_interval()
    for group, peak in enumerate((1e-2, 5e-2)):
        series = [rate[group] for rate in rates]
        assert max(series) == pytest.approx(peak)
        assert series[0] < 0.1 * peak
        assert series[-1] < 0.01 * peak


def test_constant_rate_is_kept() -> None:
    training = trainer(ccvae(prior_rate=5.0))
    finish(training)
    groups = training.state_dict()["optimizer"]["param_groups"]
    assert [group["lr"] for group in groups] == [1e-2, 5e-2]


class Scripted(LabelledVAE):
    """Objective w * mean(x) + the number of labels that are on; can break at a given step."""

    def __init__(self, broken: str = "", at: int = -1) -> None:
        super().__init__()
        self.labels = binary_labels(2)
        self.w = nn.Parameter(torch.tensor(2.0))
        self.broken, self.at, self.progress = broken, at, []

    def set_progress(self, progress: float) -> None:
        self.progress.append(progress)

    def bound(self, x: Tensor, y: Tensor | None = None) -> Bound:
        terms = {
            "reconstruction": self.w * x.flatten(1).mean(1),
            "divergence": torch.zeros(len(x)),
        }
        if y is not None:
            terms["labels"] = y.sum(1).float()
        if len(self.progress) == self.at and self.broken in terms:
            terms[self.broken] = terms[self.broken] * float("nan")
            # Terms that depend on the broken one are listed after it.
            terms["weight"] = terms[self.broken].exp()
        total = torch.stack(list(terms.values())).sum(0)
        return Bound.of(total, **terms)

    def _unused(self, *args: object) -> Tensor:
        raise NotImplementedError

    classify = reconstruct = sample = generate = intervene = swap = _unused


def test_step_loss_is_minus_the_mean_over_all_images() -> None:
    model = Scripted()
    x, y = torch.rand(5, 1, 2, 2), torch.tensor([[1, 1], [0, 1]])
    loss, bounds = step_loss(model, x, y, 2)
    expected = -(2 * x.mean((1, 2, 3)).sum() + 3) / 5
    torch.testing.assert_close(loss, expected.detach(), check_stride=False)
    assert [len(bounds[s].objective) for s in ("labelled", "unlabelled")] == [2, 3]
    assert set(step_loss(model, x[:2], y, 2)[1]) == {"labelled"}
    assert set(step_loss(model, x, y[:0], 0)[1]) == {"unlabelled"}


def test_step_loss_weighs_each_subset() -> None:
    model = Scripted()
    x, y = torch.rand(5, 1, 2, 2), torch.tensor([[1, 1], [0, 1]])
    loss, bounds = step_loss(model, x, y, 2, (0.5, 3.0))
    labelled, unlabelled = (bounds[s].objective.sum() for s in ("labelled", "unlabelled"))
    torch.testing.assert_close(loss, -(0.5 * labelled + 3.0 * unlabelled) / 5)


@pytest.mark.parametrize("n_labelled", [5, 20, 59])
def test_weights_of_equation_6_give_its_mean_over_all_images(n_labelled: int) -> None:
    """Over steps that see every image of a kind equally often: the mean bound of the data."""
    schedule = Schedule(
        "mixed", 0.0, steps=n_labelled * (N - n_labelled), weights="equation6",
        labelled_batch=1, unlabelled_batch=3,
    )  # fmt: skip
    model = Scripted()
    images, y = images_and_labels()
    x = images.float() / 255
    batches = Batches(schedule, torch.arange(n_labelled), torch.arange(n_labelled, N), seed=1)
    losses = []
    for i in range(batches.total):
        step = batches[i]
        chosen = torch.cat([step.labelled, step.unlabelled])
        loss, _ = step_loss(model, x[chosen], y[step.labelled].long(), 1, batches.weights)
        losses.append(loss.item())
    labelled = model.bound(x[:n_labelled], y[:n_labelled]).objective.sum()
    unlabelled = model.bound(x[n_labelled:]).objective.sum()
    assert sum(losses) / len(losses) == pytest.approx(-(labelled + unlabelled).item() / N, rel=1e-5)


def test_history_is_the_mean_over_the_images_of_an_interval() -> None:
    model = Scripted()
    schedule = Schedule("mixed", 0.0, steps=10, labelled_batch=4, unlabelled_batch=6)
    training = trainer(model, schedule, intervals=2)
    assert training.run_interval() == 5
    assert training.run_interval() == 5
    assert training.finished
    images, y = images_and_labels()
    # Five steps of four are one pass over the twenty labelled images.
    x = images[:N_LABELLED].float() / 255
    for step, row in zip((5, 10), training.history, strict=True):
        assert row["step"] == step
        assert row["labelled_labels"] == pytest.approx(y[:N_LABELLED].sum().item() / N_LABELLED)
        assert row["labelled_reconstruction"] == pytest.approx(2 * x.mean().item(), rel=1e-5)
        assert set(row) == {
            "step",
            *(f"labelled_{term}" for term in ("objective", "reconstruction", "divergence")),
            *(f"unlabelled_{term}" for term in ("objective", "reconstruction", "divergence")),
            "labelled_labels",
        }


def test_intervals_cover_every_step_once() -> None:
    training = trainer(Scripted(), intervals=7)
    steps = []
    while not training.finished:
        steps.append(training.run_interval())
    assert sum(steps) == 30
    assert len(steps) <= 7
    assert training.model.progress == [step / 30 for step in range(30)]


@pytest.mark.parametrize("term", ["reconstruction", "divergence", "labels"])
def test_a_loss_that_is_not_finite_is_named(term: str) -> None:
    """The step, and the first term that broke rather than what depends on it."""
    model = Scripted(term, at=8)
    training = trainer(model, intervals=30)
    for _ in range(7):
        training.run_interval()
    with pytest.raises(InputError, match=f"step 8 of 30, first in {term} of the labelled"):
        training.run_interval()
    assert len(training.history) == 7


def test_gradient_clip_limits_the_gradient() -> None:
    norms = {}
    for clip in (0.0, 0.05):
        torch.manual_seed(2)
        schedule = Schedule(
            "mixed", 1e-2, steps=1, labelled_batch=4, unlabelled_batch=6, gradient_clip=clip
        )
        model = ccvae()
        finish(trainer(model, schedule))
        grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        norms[clip] = torch.cat(grads).norm().item()
    assert norms[0.0] > 0.1
    assert norms[0.05] == pytest.approx(0.05, rel=1e-3)


@pytest.mark.parametrize("make", [lambda: ccvae(supervised="detached"), ccvae, m2])
def test_training_improves_the_objective_and_learns_the_labels(make) -> None:
    torch.manual_seed(7)
    model = make()
    schedule = Schedule("mixed", 2e-2, steps=300, labelled_batch=20, unlabelled_batch=20)
    training = trainer(model, schedule, intervals=300)
    finish(training)
    for subset in ("labelled", "unlabelled"):
        objective = [row[f"{subset}_objective"] for row in training.history]
        assert sum(objective[-20:]) / 20 > objective[0] + 0.3
    images, y = images_and_labels()
    model.eval()
    predicted = model.predict(as_floats(images, model.device))
    assert (predicted == y).float().mean() > 0.95


def test_as_floats_scales_bytes() -> None:
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    floats = as_floats(every, torch.device("cpu"))
    assert floats.dtype == torch.float32
    assert torch.equal(floats.flatten(), torch.arange(256).float() / 255)
    colour = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    floats = as_floats(colour, torch.device("cpu"))
    assert floats.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(floats, colour.float() / 255)
    assert colour.dtype == torch.uint8
