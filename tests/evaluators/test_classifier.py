from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from ccvae.errors import InputError
from ccvae.labels import MultiClass, MultiLabel
from evaluators.classifier import (
    NETWORKS,
    Judge,
    JudgeSettings,
    augment,
    fit_temperature,
    train_judge,
)
from evaluators.images import ImageSet

SHAPES = [(1, 28, 28), (3, 64, 64)]


def halves(n: int, *, labels: MultiLabel | MultiClass, rare: bool = False) -> ImageSet:
    """Bright top half <=> first label, bright left half <=> second; noise elsewhere."""
    generator = torch.Generator().manual_seed(n)
    y = (torch.rand(n, 2, generator=generator) < (0.1 if rare else 0.5)).long()
    images = torch.randint(0, 120, (n, 1, 28, 28), generator=generator)
    images[:, :, :14] += 60 * y[:, :1, None, None]
    images[:, :, :, :14] += 60 * y[:, 1:, None, None]
    if isinstance(labels, MultiClass):
        y = (2 * y[:, :1] + y[:, 1:]).long()
    return ImageSet(images.to(torch.uint8), y, labels)


@pytest.mark.parametrize("network", sorted(NETWORKS))
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("labels", [MultiLabel("abc"), MultiClass("abcd")])
def test_shapes_and_normalisation(network, shape, labels):
    judge = Judge(labels, network, shape).eval()
    x = torch.rand(2, *shape)
    assert judge.features(x).shape == (2, judge.n_features)
    assert judge.logits(x).shape == (2, labels.n_outputs)
    log_probs = judge.log_probs(x)
    assert log_probs.shape == (2, labels.n_factors, labels.n_values)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(2, labels.n_factors))


def test_unknown_network_is_refused():
    with pytest.raises(InputError, match="choose one of"):
        Judge(MultiClass("ab"), "vgg", (1, 28, 28))


def test_temperature_divides_the_logits():
    judge = Judge(MultiLabel("ab"), "small_cnn", (1, 28, 28)).eval()
    x = torch.rand(3, 1, 28, 28)
    before = judge.logits(x)
    judge.temperature.copy_(torch.tensor([1.0, 4.0]))
    torch.testing.assert_close(judge.logits(x), before / torch.tensor([1.0, 4.0]))
    torch.testing.assert_close(judge.last(judge.features(x)), before)


@pytest.mark.parametrize("labels", [MultiLabel(["first", "second"]), MultiClass("abcd")])
def test_learns_what_can_be_learnt_and_is_frozen(labels):
    judge = train_judge(
        labels,
        halves(1200, labels=labels),
        halves(300, labels=labels),
        JudgeSettings(epochs=2, batch_size=60),
    )
    test = halves(301, labels=labels)
    x, y = next(test.batches())
    assert (judge.log_probs(x).argmax(-1) == y).float().mean() > 0.98
    assert not judge.training
    assert not any(parameter.requires_grad for parameter in judge.parameters())


def test_state_dict_restores_the_judge(tmp_path):
    labels = MultiLabel(["first", "second"])
    images = halves(100, labels=labels)
    judge = train_judge(labels, images, images, JudgeSettings(epochs=1))
    torch.save(judge.state_dict(), tmp_path / "judge.pt")
    fresh = Judge(MultiLabel(["first", "second"]), "small_cnn", (1, 28, 28)).eval()
    fresh.load_state_dict(torch.load(tmp_path / "judge.pt", weights_only=True))
    x, _ = next(images.batches())
    assert torch.equal(fresh.log_probs(x), judge.log_probs(x))


def test_same_seed_same_judge_and_the_global_generator_is_left_alone():
    labels = MultiLabel(["first", "second"])
    images = halves(100, labels=labels)
    torch.manual_seed(5)
    first = train_judge(labels, images, images, JudgeSettings(epochs=1))
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)
    again = train_judge(labels, images, images, JudgeSettings(epochs=1))
    other = train_judge(labels, images, images, JudgeSettings(epochs=1, seed=1))
    assert torch.equal(first.last.weight, again.last.weight)
    assert not torch.equal(first.last.weight, other.last.weight)


def test_weighting_rare_positives_keeps_probabilities_those_of_the_data():
    """Images that say nothing: the calibrated answer is the prevalence, weighted or not."""
    labels = MultiLabel(["rare"])
    y = (torch.arange(2000) % 10 == 0).long().view(-1, 1)
    images = ImageSet(torch.zeros(2000, 1, 28, 28, dtype=torch.uint8), y, labels)
    settings = JudgeSettings(epochs=2, balanced=True, dropout=0.0)
    judge = train_judge(labels, images, images, settings)
    p = judge.log_probs(torch.zeros(1, 1, 28, 28))[0, 0, 1].exp()
    assert 0.07 < p < 0.14


def test_progress_ends_with_the_last_step():
    labels = MultiClass("abcd")
    images = halves(50, labels=labels)
    calls: list[tuple[int, int, float]] = []
    settings = JudgeSettings(epochs=2, batch_size=20)
    train_judge(labels, images, images, settings, progress=lambda *call: calls.append(call))
    assert [step for step, _, _ in calls] == [1, 2, 3, 4, 5, 6]
    assert all(steps == 6 and math.isfinite(loss) for _, steps, loss in calls)


def test_no_images_is_an_error():
    labels = MultiClass("abcd")
    images = halves(20, labels=labels)
    with pytest.raises(InputError, match="validation"):
        train_judge(labels, images, images.take(torch.arange(0)), JudgeSettings())


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


def test_temperature_is_recovered_per_label():
    """Labels drawn from sigmoid(l): logits 3 l need temperature 3, and l / 2 is clamped to 1."""
    generator = torch.Generator().manual_seed(0)
    true = 2 * torch.randn(200_000, 3, generator=generator)
    y = (torch.rand(true.shape, generator=generator) < true.sigmoid()).long()
    stated = true * torch.tensor([3.0, 1.0, 0.5])
    found = fit_temperature(MultiLabel("abc"), stated, y)
    torch.testing.assert_close(found, torch.tensor([3.0, 1.0, 1.0]), atol=0.05, rtol=0)


def test_temperature_of_classes_is_one_number():
    generator = torch.Generator().manual_seed(0)
    true = 2 * torch.randn(50_000, 4, generator=generator)
    y = torch.multinomial(F.softmax(true, -1), 1, generator=generator)
    found = fit_temperature(MultiClass("abcd"), 2.5 * true, y)
    torch.testing.assert_close(found, torch.tensor([2.5]), atol=0.1, rtol=0)


def test_separable_labels_are_not_sharpened():
    logits = torch.tensor([[1.0], [-1.0]])
    assert fit_temperature(MultiLabel("a"), logits, torch.tensor([[1], [0]])).item() == 1.0
