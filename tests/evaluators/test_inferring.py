"""What measures share is what the model would have told each of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ccvae.interface import Inferred
from ccvae.labels import MultiLabel
from ccvae.tasks import TASKS
from evaluators.images import BATCH, ImageSet
from evaluators.inferring import as_features, infer_all, part_of
from evaluators.reconstruction import reconstruction
from tests.toys import CharacteristicPixels, PixelModel, toy_classes, toy_images

IMAGES = toy_images(BATCH + 30)


@pytest.mark.parametrize("images", [IMAGES, toy_classes(BATCH + 30)], ids=["labels", "classes"])
def test_all_batches_are_joined_in_order(images: ImageSet):
    model, x = CharacteristicPixels(images.space).eval(), images.images / 255
    inferred = infer_all(model, images)
    assert torch.equal(inferred.probabilities, model.classify(x))
    assert torch.equal(inferred.reconstruction, x)
    assert inferred.characteristics is not None
    assert inferred.rest is not None
    assert torch.equal(inferred.characteristics.flatten(1), x[:, 0, 0])
    assert torch.equal(inferred.rest, x[:, 0, 1])


def test_a_model_keeps_its_latents_to_itself_unless_it_says_what_they_are():
    inferred = infer_all(PixelModel(IMAGES.space), IMAGES)
    assert inferred.characteristics is None
    assert inferred.rest is None


def test_a_model_is_not_asked_for_what_it_does_not_support():
    class Classifier(PixelModel):
        lacks = dict.fromkeys(set(TASKS) - {"classify"}, "It classifies.")

        def reconstruct(self, x: Tensor) -> Tensor:
            raise NotImplementedError

    inferred = infer_all(Classifier(IMAGES.space), IMAGES)
    assert inferred.probabilities.shape == (len(IMAGES), 4)
    assert inferred.reconstruction.shape == (len(IMAGES), 0)


def test_the_model_is_in_evaluation_mode_and_keeps_its_own():
    class Dropping(PixelModel):
        def __init__(self) -> None:
            super().__init__(MultiLabel("abcd"))
            self.kept, self.dropout = nn.Dropout(0.5), nn.Dropout(0.5)

        def reconstruct(self, x: Tensor) -> Tensor:
            return self.dropout(x)

    model = Dropping().train()
    model.kept.eval()
    assert torch.equal(infer_all(model, IMAGES).reconstruction, IMAGES.images / 255)
    assert (model.training, model.dropout.training, model.kept.training) == (True, True, False)


def test_a_part_is_of_the_same_images():
    model = CharacteristicPixels(IMAGES.space)
    middle = part_of(infer_all(model, IMAGES), 10, 30)
    alone = infer_all(model, IMAGES.take(torch.arange(10, 30)))
    assert all(torch.equal(a, vars(alone)[name]) for name, a in vars(middle).items())
    assert part_of(infer_all(PixelModel(IMAGES.space), IMAGES), 10, 30).rest is None


def test_features_are_flat_and_double():
    found = as_features(torch.arange(12.0).view(2, 3, 2))
    assert found.dtype == "float64"
    assert found.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


def test_reconstruction_error_is_the_mean_over_pixels_and_images():
    x = IMAGES.images / 255
    shifted = Inferred(torch.empty(len(x), 0), x + torch.tensor([0.1, 0.3]).view(1, 1, 2, 1))
    assert reconstruction(shifted, IMAGES) == {"reconstruction_l1": pytest.approx(0.2)}
    assert reconstruction(infer_all(PixelModel(IMAGES.space), IMAGES), IMAGES) == {
        "reconstruction_l1": 0
    }
