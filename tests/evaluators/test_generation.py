from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ccvae.labels import MultiClass, MultiLabel
from evaluators.generation import agreement, data_labels, even_labels, generate_images, generation
from evaluators.images import ImageSet
from evaluators.references import Constant, Copier
from evaluators.seen import Seen
from tests.toys import OFF, ON, PixelJudge, PixelModel, toy_classes, toy_images

N = 800


def drawn(y: Tensor) -> Tensor:
    upper = OFF + (ON - OFF) * y
    return torch.stack([upper, torch.zeros_like(upper)], 1).unsqueeze(1).to(torch.uint8)


def test_binary_labels_are_fair_coins():
    y = even_labels(MultiLabel("abcd"), 20_000, seed=3)
    assert y.shape == (20_000, 4)
    assert y.double().mean(0).sub(0.5).abs().max() < 0.015
    assert torch.corrcoef(y.T.double()).fill_diagonal_(0).abs().max() < 0.03
    assert torch.equal(y, even_labels(MultiLabel("abcd"), 20_000, seed=3))


def test_classes_are_exactly_balanced():
    y = even_labels(MultiClass("xyz"), 30, seed=3)
    assert torch.bincount(y[:, 0]).tolist() == [10, 10, 10]


def test_data_labels_are_whole_rows_of_the_data():
    space = MultiLabel("abcd")
    rows = torch.tensor([[0, 1, 1, 0], [1, 0, 0, 1]])
    y = data_labels(ImageSet(drawn(rows), rows, space), 500, seed=0)
    kinds, counts = y.unique(dim=0, return_counts=True)
    assert torch.equal(kinds, rows)
    assert counts.min() > 200


def test_generated_images_have_the_given_labels_and_leave_the_generator_alone():
    images = toy_images()
    y = even_labels(images.space, N, seed=0)
    state = torch.get_rng_state()
    generated = generate_images(PixelModel(images.space), y, seed=7)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(generated.labels, y)
    assert torch.equal(generated.images[:, 0, 0].long(), OFF + (ON - OFF) * y)
    again = generate_images(PixelModel(images.space), y, seed=7)
    assert torch.equal(generated.images, again.images)
    other = generate_images(PixelModel(images.space), y, seed=8)
    assert not torch.equal(generated.images, other.images)


@pytest.mark.parametrize("images", [toy_images(spread=0), toy_classes()], ids=["labels", "classes"])
def test_a_perfect_generator_is_always_recognised(images: ImageSet):
    got, generated, _ = generation(
        PixelModel(images.space), PixelJudge(images.space), images, n=N, seed=0
    )
    assert len(generated) == N
    assert set(got.values()) == {1.0}
    assert ("generation_data_accuracy" in got) == (images.space.kind == "multi_label")


def test_a_constant_generator_guesses():
    images = toy_images()
    got, *_ = generation(Constant(images), PixelJudge(images.space), images, n=N, seed=0)
    y = even_labels(images.space, N, seed=0)
    answer = images.space.predict(images.images.double().mean(0)[0, 0] / 255)
    assert got["generation_accuracy"] == pytest.approx((y == answer).double().mean().item())
    assert got["generation_accuracy"] == pytest.approx(0.5, abs=0.05)
    assert got["generation_balanced_accuracy"] == pytest.approx(0.5)


def test_permuted_labels_agree_by_chance():
    images = toy_images()
    model = PixelModel(images.space, order=[1, 0, 2, 3])
    got, *_ = generation(model, PixelJudge(images.space), images, n=N, seed=0)
    y = even_labels(images.space, N, seed=0)
    same = (y[:, 0] == y[:, 1]).double().mean().item()
    assert got["generation_accuracy/a"] == pytest.approx(same)
    assert got["generation_accuracy/c"] == 1
    assert got["generation_accuracy"] == pytest.approx((2 + 2 * same) / 4)


def test_ceilings_come_from_real_images_and_from_perfect_drawings():
    images = toy_images(spread=0)
    mislabelled = ImageSet(images.images, images.labels.roll(1, dims=1), images.space)
    share = (mislabelled.labels == images.labels).double().mean().item()
    model, judge = Constant(images), PixelJudge(images.space)

    def draw(y: Tensor) -> Tensor:
        impossible = (y[:, :2] == 1).all(1)
        shown = y.clone()
        shown[impossible, 0] = 0
        return drawn(shown)

    y = even_labels(images.space, N, seed=0)
    got, *_ = generation(model, judge, mislabelled, n=N, seed=0, perfect=draw(y))
    both = (y[:, :2] == 1).all(1).double().mean().item()
    assert got["generation_real_accuracy"] == pytest.approx(share)
    assert got["generation_ceiling_accuracy"] == pytest.approx(1 - both / 4)


def test_a_copier_generates_the_nearest_real_image():
    images = toy_images(spread=0)
    model = Copier(PixelJudge(images.space), images, images)
    y = images.labels.unique(dim=0)
    generated = generate_images(model, y, seed=0)
    assert agreement(Seen.of_set(PixelJudge(images.space), generated), generated)["accuracy"] == 1


def test_labels_of_the_data_are_scored_apart_from_even_ones():
    images = toy_images(spread=0)
    y = images.labels.clone()
    y[:, 1] = y[:, 0]
    tied = ImageSet(drawn(y), y, images.space)
    model = PixelModel(images.space, order=[1, 0, 2, 3])
    got, *_ = generation(model, PixelJudge(images.space), tied, n=N, seed=0)
    assert got["generation_data_accuracy"] == 1
    assert got["generation_accuracy"] == pytest.approx(0.75, abs=0.05)
