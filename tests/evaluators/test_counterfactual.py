from __future__ import annotations

import pytest
from torch import Tensor

from evaluators.counterfactual import counterfactual
from evaluators.images import ImageSet
from evaluators.inferring import infer_all
from evaluators.references import Constant
from tests.toys import OFF, ON, PixelModel, toy_images

IMAGES = toy_images(200, spread=0)
STEP = (ON - OFF) / 255


def redrawn(n: int = 150) -> Tensor:
    """The first images with each label flipped in turn."""
    images = IMAGES.images[:n].repeat(4, 1, 1, 1, 1)
    for label in range(4):
        images[label, :, 0, 0, label] = OFF + ON - images[label, :, 0, 0, label]
    return images


def compare(
    model: PixelModel | Constant, images: ImageSet = IMAGES, truth: Tensor | None = None
) -> dict[str, float]:
    truth = redrawn() if truth is None else truth
    return counterfactual(model, images, infer_all(model, images), truth, seed=0)


def test_perfect_interventions_match_the_redrawing():
    got = compare(PixelModel(IMAGES.space))
    assert got["counterfactual_inside"] == pytest.approx(0, abs=1e-6)
    assert got["counterfactual_outside"] == 0
    assert got["counterfactual_inside_nothing"] == pytest.approx(STEP)
    assert got["counterfactual_inside_best"] == 0
    assert got["counterfactual_inside_normalised"] == pytest.approx(0, abs=1e-6)
    assert got["counterfactual_inside_normalised/d"] == pytest.approx(0, abs=1e-6)


def test_doing_nothing_scores_one_inside():
    class Idle(PixelModel):
        def intervene(self, x: Tensor, y_new: Tensor) -> Tensor:
            return x

    got = compare(Idle(IMAGES.space))
    assert got["counterfactual_inside_normalised"] == pytest.approx(1)
    assert got["counterfactual_outside"] == 0


def test_permuted_interventions_spoil_both_sides():
    got = compare(PixelModel(IMAGES.space, order=[1, 0, 2, 3]))
    assert got["counterfactual_inside_normalised/c"] == pytest.approx(0, abs=1e-6)
    assert got["counterfactual_inside_normalised/a"] > 0.4
    # Of the seven pixels that should stay, at most one moves, by one step.
    assert 0 < got["counterfactual_outside/a"] <= STEP / 7
    assert got["counterfactual_outside/c"] == 0


def test_wrong_predictions_of_other_labels_are_not_held_against_the_intervention():
    mislabelled = IMAGES.images.clone()
    mislabelled[:, 0, 0, 3] = 255 - mislabelled[:, 0, 0, 3]
    images = ImageSet(mislabelled, IMAGES.labels, IMAGES.space)

    truth = redrawn()
    truth[..., 0, 3] = 255 - truth[..., 0, 3]
    got = compare(PixelModel(IMAGES.space), images, truth)
    for name in "abc":
        assert got[f"counterfactual_inside/{name}"] == pytest.approx(0, abs=1e-6)
        assert got[f"counterfactual_outside/{name}"] == 0
    assert got["counterfactual_inside/d"] == pytest.approx(STEP)


def test_a_constant_model_is_as_good_as_doing_nothing():
    got = compare(Constant(IMAGES))
    assert got["counterfactual_inside"] == pytest.approx(got["counterfactual_inside_nothing"])
    assert "counterfactual_inside_normalised" not in got


def test_labels_that_show_nothing_are_left_out():
    unmoved = IMAGES.images[:10].expand(4, -1, -1, -1, -1)
    assert compare(PixelModel(IMAGES.space), truth=unmoved) == {}
