from __future__ import annotations

import pytest
import torch

from ccvae.errors import InputError
from evaluators.accuracy import accuracy, majority
from evaluators.inferring import infer_all
from evaluators.references import Constant, Copier
from tests.toys import PixelJudge, toy_classes, toy_images


@pytest.mark.parametrize("images", [toy_images(), toy_classes()], ids=["labels", "classes"])
def test_constant_is_the_majority_row(images):
    assert accuracy(infer_all(Constant(images), images), images) == majority(
        images, images.prevalence
    )


def test_constant_draws_the_mean_image():
    images = toy_images()
    model = Constant(images)
    expected = images.images.double().mean(0) / 255
    for drawn in (
        model.sample(2),
        model.generate(images.labels[:2]),
        model.reconstruct(images.images[:2] / 255),
    ):
        torch.testing.assert_close(drawn[1].double(), expected, atol=1e-6, rtol=0)


def test_constant_is_not_trained():
    images = toy_images()
    with pytest.raises(NotImplementedError, match="no objective"):
        Constant(images).bound(images.images / 255)


def test_copier_classifies_as_the_judge_and_samples_real_images():
    images = toy_images(20, spread=0)
    model = Copier(PixelJudge(images.space), images, images)
    assert accuracy(infer_all(model, images), images)["accuracy"] == 1
    real = {bytes(image.flatten().tolist()) for image in images.images}
    sampled = (model.sample(30) * 255).round().to(torch.uint8)
    assert {bytes(image.flatten().tolist()) for image in sampled} <= real


def test_copier_keeps_one_of_two_things():
    images = toy_images(5)
    with pytest.raises(InputError, match="characteristics"):
        Copier(PixelJudge(images.space), images, images, keep="face")


def test_copies_with_given_labels_are_test_images_and_not_the_same_one_again():
    train, test = toy_images(40, seed=1), toy_images(60)
    model = Copier(PixelJudge(test.space), train, test)
    y = test.labels[:1].expand(50, -1)
    torch.manual_seed(0)
    copies = {bytes(i.flatten().tolist()) for i in (model.generate(y) * 255).round().byte()}
    alike = (test.labels == test.labels[0]).all(1)
    expected = {bytes(i.flatten().tolist()) for i in test.images[alike]}
    assert len(expected) > 1
    assert copies == expected
    drawn = {bytes(i.flatten().tolist()) for i in (model.sample(50) * 255).round().byte()}
    assert drawn <= {bytes(i.flatten().tolist()) for i in train.images}
