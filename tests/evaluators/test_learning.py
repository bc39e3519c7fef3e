from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice, pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ccvae.errors import InputError
from ccvae.labels import MultiClass, MultiLabel
from evaluators import learning
from evaluators.accuracy import constant_loss
from evaluators.classifier import NETWORKS, Judge
from evaluators.images import ImageSet
from evaluators.learning import (
    DECAY,
    DECAYS,
    PLATEAU,
    JudgeSettings,
    augment,
    batches,
    channel_scale,
    train_judge,
    validation_loss,
)

QUICK = JudgeSettings(
    network="tiny", steps=40, check_steps=10, patience=2, batch_size=60, learning_rate=0.005
)


def tiny(image_shape: tuple[int, int, int], dropout: float) -> tuple[nn.Module, int]:
    """Four hidden layers that nothing keeps from dying at too high a rate."""
    layers: list[nn.Module] = [nn.Flatten(), nn.Dropout(dropout)]
    for wide in (math.prod(image_shape), 16, 16, 16):
        layers += [nn.Linear(wide, 16), nn.ReLU()]
    return nn.Sequential(*layers), 16


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    monkeypatch.setitem(NETWORKS, "tiny", tiny)


def halves(n: int, *, labels: MultiLabel | MultiClass, noise: int = 0) -> ImageSet:
    """Bright top half <=> first label, bright left half <=> second, over noise."""
    generator = torch.Generator().manual_seed(n + noise)
    y = (torch.rand(n, 2, generator=generator) < 0.5).long()
    images = torch.randint(0, 120, (n, 1, 28, 28), generator=generator)
    images[:, :, :14] += 60 * y[:, :1, None, None]
    images[:, :, :, :14] += 60 * y[:, 1:, None, None]
    if isinstance(labels, MultiClass):
        y = (2 * y[:, :1] + y[:, 1:]).long()
    return ImageSet(images.to(torch.uint8), y, labels)


def coins(n: int, share: float = 0.3) -> ImageSet:
    """Labels that have nothing to do with the images."""
    generator = torch.Generator().manual_seed(n)
    y = (torch.rand(n, 2, generator=generator) < share).long()
    images = torch.randint(0, 256, (n, 1, 28, 28), generator=generator)
    return ImageSet(images.to(torch.uint8), y, MultiLabel(["first", "second"]))


@pytest.mark.parametrize("labels", [MultiLabel(["first", "second"]), MultiClass("abcd")])
def test_learns_what_can_be_learnt_and_is_frozen(labels):
    judge, learnt = train_judge(
        labels, halves(1200, labels=labels), halves(300, labels=labels), QUICK
    )
    x, y = next(halves(301, labels=labels).batches())
    assert (judge.log_probs(x).argmax(-1) == y).float().mean() > 0.98
    assert not judge.training
    assert not any(parameter.requires_grad for parameter in judge.parameters())
    assert learnt.left_plateau
    assert learnt.best_loss < 0.2 * learnt.constant_loss


def test_the_kept_state_is_the_best_that_was_seen():
    labels = MultiLabel(["first", "second"])
    validation = halves(100, labels=labels)
    settings = replace(QUICK, learning_rate=0.05, steps=60, check_steps=5)
    judge, learnt = train_judge(labels, halves(120, labels=labels), validation, settings)
    losses = [check.loss for check in learnt.checks]
    assert learnt.best_loss == min(losses)
    assert learnt.best_step == 5 * (1 + losses.index(min(losses)))
    judge.temperature.fill_(1)
    assert validation_loss(judge, validation, torch.device("cpu")) == learnt.best_loss


def test_learning_ends_where_the_loss_has_stopped_falling():
    labels = MultiLabel(["first", "second"])
    # Labels that the validation images wear by chance cannot be foretold better and better.
    train, validation = halves(120, labels=labels), halves(60, labels=labels)
    wrong = validation.labels.clone()
    wrong[::4] = 1 - wrong[::4]
    validation = replace(validation, labels=wrong)
    settings = replace(QUICK, steps=2000, check_steps=4, patience=4, learning_rate=0.002)
    _, learnt = train_judge(labels, train, validation, settings)
    assert learnt.stopped == "its validation loss had stopped falling"
    assert learnt.steps < 1000
    assert learnt.restarts == 0
    rates = [check.learning_rate for check in learnt.checks]
    drops = [b / a for a, b in pairwise(rates) if b < 0.5 * a]
    assert drops == pytest.approx([DECAY] * DECAYS, rel=0.05)


def test_the_rate_falls_to_nothing_over_the_budget():
    labels = MultiLabel(["first", "second"])
    images = halves(120, labels=labels)
    _, learnt = train_judge(labels, images, images, replace(QUICK, patience=9))
    assert learnt.stopped == "its budget of steps was spent"
    assert [check.step for check in learnt.checks] == [10, 20, 30, 40]
    shares = [check.learning_rate / QUICK.learning_rate for check in learnt.checks]
    assert shares == pytest.approx([1 - 9 / 40, 1 - 19 / 40, 1 - 29 / 40, 1 - 39 / 40])


def test_a_judge_that_learns_nothing_starts_anew_at_lower_rates_and_says_so():
    settings = replace(QUICK, steps=500, learning_rate=0.02, restarts=2)
    _, learnt = train_judge(coins(1).space, coins(200), coins(400), settings)
    assert (learnt.restarts, learnt.left_plateau) == (2, False)
    assert learnt.stopped == "its validation loss stayed at that of a constant answer"
    assert learnt.steps < settings.steps
    assert learnt.best_loss > PLATEAU * learnt.constant_loss
    first = {c.start: c.learning_rate for c in reversed(learnt.checks)}
    assert list(sorted(first)) == [0, 1, 2]
    # The rate of a start, less what the budget has taken off it by its first look.
    spent = {c.start: 1 - (c.step - 1) / settings.steps for c in reversed(learnt.checks)}
    for start, rate in first.items():
        assert rate == pytest.approx(0.02 * DECAY**start * spent[start])


def test_a_judge_that_dies_at_a_high_rate_is_saved_by_new_starts():
    labels = MultiLabel(["first", "second"])
    train, validation = halves(600, labels=labels), halves(200, labels=labels)
    settings = replace(QUICK, steps=200, learning_rate=0.5, restarts=9)
    judge, learnt = train_judge(labels, train, validation, settings)
    assert learnt.restarts > 0
    assert learnt.left_plateau
    assert learnt.learning_rate == pytest.approx(0.5 * DECAY**learnt.restarts)
    x, y = next(validation.batches())
    assert (judge.log_probs(x).argmax(-1) == y).float().mean() > 0.9


def test_a_loss_that_is_never_finite_is_one_sentence(monkeypatch):
    monkeypatch.setattr(learning, "validation_loss", lambda *_: math.nan)
    images = coins(50)
    with pytest.raises(InputError, match="not finite at any of 3 starts; lower its learning rate"):
        train_judge(images.space, images, images, QUICK)


def test_state_dict_restores_the_judge(tmp_path):
    labels = MultiLabel(["first", "second"])
    images = halves(100, labels=labels)
    judge, _ = train_judge(labels, images, images, QUICK)
    torch.save(judge.state_dict(), tmp_path / "judge.pt")
    fresh = Judge(MultiLabel(["first", "second"]), "tiny", (1, 28, 28)).eval()
    fresh.load_state_dict(torch.load(tmp_path / "judge.pt", weights_only=True))
    x, _ = next(images.batches())
    assert torch.equal(fresh.log_probs(x), judge.log_probs(x))


def test_same_seed_same_judge_and_the_global_generator_is_left_alone():
    labels = MultiLabel(["first", "second"])
    images = halves(100, labels=labels)
    settings = replace(QUICK, steps=6, check_steps=2, flip=True, shift=1)
    torch.manual_seed(5)
    first, course = train_judge(labels, images, images, settings)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)
    again, same = train_judge(labels, images, images, settings)
    other, _ = train_judge(labels, images, images, replace(settings, seed=1))
    assert torch.equal(first.last.weight, again.last.weight)
    assert course == same
    assert not torch.equal(first.last.weight, other.last.weight)


def test_progress_hears_of_every_look():
    labels = MultiClass("abcd")
    images = halves(50, labels=labels)
    calls: list[tuple[int, int, float]] = []
    settings = replace(QUICK, steps=7, check_steps=3, batch_size=20)
    train_judge(labels, images, images, settings, progress=lambda *call: calls.append(call))
    assert [step for step, _, _ in calls] == [3, 6, 7]
    assert all(steps == 7 and math.isfinite(loss) for _, steps, loss in calls)


def test_no_images_is_an_error():
    labels = MultiClass("abcd")
    images = halves(20, labels=labels)
    with pytest.raises(InputError, match="validation"):
        train_judge(labels, images, images.take(torch.arange(0)), JudgeSettings())


@pytest.mark.parametrize("images", [halves(60, labels=MultiClass("abcd")), coins(60)])
def test_the_loss_of_a_constant_answer_is_that_of_the_prevalence(images):
    on = images.prevalence
    if images.space.kind == "multi_class":
        expected = F.cross_entropy(on.log().expand(60, -1), images.labels[:, 0])
    else:
        expected = F.binary_cross_entropy(on.expand(60, -1), images.labels.double())
    assert constant_loss(images, on) == pytest.approx(expected.item())


def test_a_pass_takes_every_image_once_but_for_what_is_left_over():
    torch.manual_seed(0)
    steps = [chosen.tolist() for chosen in islice(batches(10, 4), 4)]
    assert [len(chosen) for chosen in steps] == [4, 4, 4, 4]
    assert len(set(steps[0] + steps[1])) == len(set(steps[2] + steps[3])) == 8
    assert [len(chosen) for chosen in islice(batches(3, 4), 2)] == [3, 3]


def test_channels_are_scaled_by_all_pixels():
    images = torch.randint(0, 256, (700, 3, 4, 5), dtype=torch.uint8)
    images[:, 2] = 77
    mean, deviation = channel_scale(images)
    x = images.double() / 255
    torch.testing.assert_close(mean.double(), x.mean((0, 2, 3)), atol=1e-6, rtol=0)
    expected = x.std((0, 2, 3), correction=0)
    torch.testing.assert_close(deviation[:2].double(), expected[:2], atol=1e-6, rtol=0)
    assert deviation[2] == pytest.approx(1 / 255)


def test_flip_mirrors_about_half_of_the_images():
    ramp = torch.arange(8.0).expand(200, 1, 8, 8)
    torch.manual_seed(0)
    mirrored = augment(ramp, JudgeSettings(flip=True))[:, 0, 0, 0] == 7
    assert 60 < mirrored.sum() < 140


def test_shift_moves_at_most_that_far_and_none_is_the_identity():
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 4, 4] = 1
    assert torch.equal(augment(x, JudgeSettings()), x)
    torch.manual_seed(0)
    places = set()
    for _ in range(200):
        moved = augment(x, JudgeSettings(shift=1))
        assert moved.shape == x.shape
        assert moved.sum() == 1
        places.add(int(moved.flatten().argmax()))
    assert places == {row * 9 + column for row in (3, 4, 5) for column in (3, 4, 5)}
