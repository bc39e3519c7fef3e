from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ccvae.labels import LabelSpace
from evaluators.images import ImageSet
from evaluators.inferring import infer_all
from evaluators.intervention import Interventions, Matrix, describe, intervention, true_redrawing
from evaluators.references import Constant
from tests.toys import (
    OFF,
    ON,
    SHARPNESS,
    PixelJudge,
    PixelModel,
    one_hot_rows,
    toy_classes,
    toy_images,
)

LOGIT = SHARPNESS * (2 * ON / 255 - 1)
"""The judge's logit of a pixel at ON; OFF is as far below zero, because ON + OFF = 255."""


def log_sigmoid(logit: float) -> float:
    return -math.log1p(math.exp(-logit))


STEP = log_sigmoid(LOGIT) - log_sigmoid(-LOGIT)
"""Change of log p(y = 1) from OFF to ON, in nats."""


def act(model: PixelModel | Constant, images: ImageSet, n: int = 10_000) -> Interventions:
    inferred = infer_all(model, images)
    return intervention(model, PixelJudge(images.space), images, inferred, n_images=n, seed=0)


def test_the_step_is_the_logit():
    assert OFF + ON == 255
    assert pytest.approx(LOGIT) == STEP


def test_perfect_interventions_give_a_diagonal_of_known_steps():
    images = toy_images(spread=0)
    got = act(PixelModel(images.space), images)
    for matrix in got.matrices.values():
        np.testing.assert_allclose(matrix.values, STEP * np.eye(4), atol=1e-6)
        assert matrix.rows == matrix.columns == ("a", "b", "c", "d")
    for prefix in ("intervention", "intervention_switch_on"):
        assert got.metrics[f"{prefix}_condition"] == pytest.approx(1)
        assert got.metrics[f"{prefix}_log_condition"] == pytest.approx(0, abs=1e-6)
        assert got.metrics[f"{prefix}_dominance"] == pytest.approx(1)
        assert got.metrics[f"{prefix}_diagonal"] == pytest.approx(STEP)
        assert got.metrics[f"{prefix}_diagonal/c"] == pytest.approx(STEP)
        assert got.metrics[f"{prefix}_off_diagonal"] == pytest.approx(0, abs=1e-6)
    assert got.metrics["intervention_success"] == 1


def test_permuted_labels_permute_the_matrix():
    images = toy_images(spread=0)
    order = [1, 2, 0, 3]
    got = act(PixelModel(images.space, order), images)
    np.testing.assert_allclose(
        got.matrices["flip"].values, STEP * one_hot_rows(order).numpy(), atol=1e-6
    )
    assert got.metrics["intervention_condition"] == pytest.approx(1)
    assert got.metrics["intervention_dominance"] == pytest.approx(0.25)
    assert got.metrics["intervention_success/d"] == 1
    # What the judge sees without any change is no success, however often model and judge disagree.
    assert got.metrics["intervention_success/a"] == 0


def test_true_redrawings_are_scored_as_perfect_interventions():
    images = toy_images(spread=0)
    redrawn = images.images.repeat(4, 1, 1, 1, 1)
    for label in range(4):
        redrawn[label, :, 0, 0, label] = 255 - redrawn[label, :, 0, 0, label]
    got = true_redrawing(PixelJudge(images.space), images, redrawn)
    expected = act(PixelModel(images.space), images)
    assert got.metrics == pytest.approx(expected.metrics, abs=1e-5)
    nothing = true_redrawing(PixelJudge(images.space), images, images.images.repeat(4, 1, 1, 1, 1))
    assert nothing.metrics["intervention_success"] == 0
    assert nothing.metrics["intervention_off_diagonal"] == 0


class Idle(PixelModel):
    """Changes nothing, and believes labels to be where the judge does not look for them."""

    def intervene(self, x: Tensor, y_new: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize("images", [toy_images(), toy_classes()], ids=["labels", "classes"])
def test_who_changes_nothing_is_never_seen_to(images):
    got = act(Idle(images.space, [1, 2, 3, 0]), images)
    assert got.metrics["intervention_success"] == 0


class Given(PixelModel):
    """Darkens pixel d as soon as any label is given, like a model that fuses labels into z."""

    def intervene(self, x: Tensor, y_new: Tensor) -> Tensor:
        x = super().intervene(x, y_new)
        x[:, 0, 0, 3] *= 0.5
        return x


def test_what_moves_without_a_change_is_no_effect_of_it():
    images = toy_images(spread=0)
    flips = act(Given(images.space, [0, 1, 2, 2]), images).matrices["flip"].values
    np.testing.assert_allclose(flips[:3, 3], 0, atol=1e-6)


class Entangled(PixelModel):
    """Intervening on label a also darkens pixel d of the image, to 0."""

    def intervene(self, x: Tensor, y_new: Tensor) -> Tensor:
        changed = (self.predict(x) != y_new)[:, 0]
        x = super().intervene(x, y_new)
        x[changed, 0, 0, 3] = 0
        return x


def test_side_effects_stand_off_the_diagonal_with_the_sign_of_the_flip():
    images = toy_images(spread=0)
    got = act(Entangled(images.space), images)
    darkest = log_sigmoid(-SHARPNESS)
    on = images.labels[:, 3].double()
    change = darkest - (on * log_sigmoid(LOGIT) + (1 - on) * log_sigmoid(-LOGIT))
    off_before = images.labels[:, 0] == 0
    sign = torch.where(off_before, 1.0, -1.0).double()
    assert got.matrices["flip"].values[0, 3] == pytest.approx((sign * change).mean().item())
    assert got.matrices["switch_on"].values[0, 3] == pytest.approx(
        change[off_before].mean().item(), rel=1e-5
    )
    assert got.metrics["intervention_switch_on_dominance"] < 0.9


def test_only_the_first_images_are_used():
    images = toy_images(spread=50)
    few = act(PixelModel(images.space), images, n=20)
    same = act(PixelModel(images.space), images.take(torch.arange(20)))
    np.testing.assert_array_equal(few.matrices["flip"].values, same.matrices["flip"].values)


def test_a_constant_model_moves_nothing_and_has_no_condition_number():
    images = toy_images()
    got = act(Constant(images), images)
    np.testing.assert_allclose(got.matrices["flip"].values, 0, atol=1e-7)
    assert got.metrics["intervention_diagonal"] == pytest.approx(0, abs=1e-7)
    assert not {"intervention_condition", "intervention_dominance"} & set(got.metrics)


def test_a_label_that_is_never_off_cannot_be_switched_on():
    images = toy_images(spread=0)
    kept = images.take((images.labels[:, 1] == 1).nonzero()[:, 0])
    got = act(PixelModel(images.space), kept)
    assert np.isnan(got.matrices["switch_on"].values[1]).all()
    assert "intervention_switch_on_condition" not in got.metrics
    assert "intervention_switch_on_diagonal/b" not in got.metrics
    assert got.metrics["intervention_switch_on_diagonal/a"] == pytest.approx(STEP)
    assert got.metrics["intervention_condition"] == pytest.approx(1)


def test_classes_are_switched_on_in_the_images_of_other_classes():
    images = toy_classes()

    class Wholesale(PixelModel):
        def intervene(self, x: Tensor, y_new: Tensor) -> Tensor:
            changed = (self.predict(x) != y_new)[:, 0]
            x = x.clone()
            x[changed, 0, 0] = OFF / 255 + (ON - OFF) / 255 * self.labels.encode(y_new[changed])
            return x

    got = act(Wholesale(images.space), images)
    assert set(got.matrices) == {"switch_on"}
    log_p = expected_log_p(images.space)
    base = PixelJudge(images.space).log_probs(images.images / 255)[:, 0].double().numpy()
    for k in range(4):
        others = (images.labels[:, 0] != k).numpy()
        expected = log_p[k] - base[others].mean(0)
        np.testing.assert_allclose(
            got.matrices["switch_on"].values[k], expected, rtol=1e-5, atol=1e-5
        )
        assert got.metrics[f"intervention_success/{k}"] == 1
    assert "intervention_condition" not in got.metrics


def expected_log_p(space: LabelSpace) -> np.ndarray:
    """log p(class j) of the perfect image of class k, (K, K)."""
    pixels = OFF / 255 + (ON - OFF) / 255 * np.eye(space.n_outputs)
    logits = SHARPNESS * (2 * pixels - 1)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def test_descriptions_of_known_matrices():
    names = ("a", "b")
    got = describe(Matrix(np.array([[3.0, -1.0], [0.0, 2.0]]), names, names), "m")
    assert got["m_diagonal"] == 2.5
    assert got["m_off_diagonal"] == 0.5
    assert got["m_dominance"] == pytest.approx(5 / 6)
    # Singular values of [[3, -1], [0, 2]]: squares are 7 +- sqrt(13).
    assert got["m_condition"] == pytest.approx(math.sqrt((7 + 13**0.5) / (7 - 13**0.5)))
    singular = describe(Matrix(np.ones((2, 2)), names, names), "m")
    assert "m_condition" not in singular
    assert singular["m_dominance"] == 0.5
