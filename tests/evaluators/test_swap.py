from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ccvae.errors import InputError
from evaluators.images import ImageSet
from evaluators.inferring import infer_all
from evaluators.references import Constant, Copier
from evaluators.regions import changed
from evaluators.swap import _logit_change, random_pairs, swap, true_swap
from evaluators.true_swap import TrueSwaps
from tests.toys import PixelJudge, PixelModel, toy_classes, toy_images


def scores(
    model: PixelModel | Constant | Copier, images: ImageSet, **options: object
) -> dict[str, float]:
    inferred, judge = infer_all(model, images), PixelJudge(images.space)
    return swap(model, judge, images, inferred, n_pairs=700, seed=1, **options)


def expected_no_transfer(images: ImageSet) -> Tensor:
    """|log p(y_i = 1 | A) - log p(y_i = 1 | B)| of the 700 pairs, written out again."""
    a, b = random_pairs(len(images), 700, seed=1).unbind(1)
    log_p = PixelJudge(images.space).log_probs(images.images / 255)[..., 1].double()
    return (log_p[a] - log_p[b]).abs()


def test_pairs_are_ordered_distinct_and_reproducible():
    pairs = random_pairs(3, 6000, seed=4)
    counts = torch.bincount(pairs[:, 0] * 3 + pairs[:, 1], minlength=9).view(3, 3)
    assert counts.diagonal().sum() == 0
    # Six ordered pairs, a thousand each; the standard deviation is 29.
    assert counts[~torch.eye(3, dtype=torch.bool)].sub(1000).abs().max() < 150
    assert torch.equal(pairs, random_pairs(3, 6000, seed=4))
    assert not torch.equal(pairs, random_pairs(3, 6000, seed=5))


def test_one_image_cannot_be_swapped():
    with pytest.raises(InputError, match="at least 2"):
        random_pairs(1, 10, seed=0)


def test_perfect_transfer_onto_a_kept_background():
    images = toy_images()
    got = scores(PixelModel(images.space), images)
    assert got["swap"] == 0
    assert got["swap_self"] == 0
    assert got["swap_normalised"] == 0
    assert got["swap_positives"] == 0
    assert got["swap_true_label"] == 0
    assert got["swap_no_transfer"] == pytest.approx(expected_no_transfer(images).mean().item())
    # Half of the image is characteristics: the change of a perfect swap is theirs alone.
    a, b = random_pairs(len(images), 700, seed=1).unbind(1)
    apart = (images.images[a].double() - images.images[b].double()).abs().mean((0, 1, 3))
    assert got["swap_background_change"] == pytest.approx((apart[0] / apart.sum()).item())


def test_no_transfer_scores_the_other_end():
    images = toy_images()
    got = scores(PixelModel(images.space, swaps="background"), images)
    per_label = expected_no_transfer(images)
    assert got["swap"] == pytest.approx(per_label.mean().item())
    assert got["swap"] == pytest.approx(got["swap_no_transfer"])
    assert got["swap_normalised"] == pytest.approx(1)
    assert got["swap_background_change"] == 0
    for i, name in enumerate("abcd"):
        assert got[f"swap/{name}"] == pytest.approx(per_label[:, i].mean().item())
        assert got[f"swap_no_transfer/{name}"] == pytest.approx(got[f"swap/{name}"])
        assert got[f"swap_self/{name}"] == 0


def test_losing_the_background_wins_the_score_but_not_the_second_figure():
    images = toy_images()
    got = scores(PixelModel(images.space, swaps="characteristics"), images)
    assert got["swap_normalised"] == 0
    assert got["swap_background_change"] == pytest.approx(1)


def test_other_definitions_of_the_difference():
    images = toy_images()
    a, b = random_pairs(len(images), 700, seed=1).unbind(1)
    log_p = PixelJudge(images.space).log_probs(images.images / 255).double()
    assert scores(PixelModel(images.space), images)["swap_signed"] == 0
    assert scores(PixelModel(images.space), images)["swap_logit"] == 0
    got = scores(PixelModel(images.space, swaps="background"), images)
    own = images.space.one_hot(images.labels[a]).double()
    loss = ((log_p[a] - log_p[b]) * own).sum(-1)
    assert got["swap_signed"] == pytest.approx(loss.mean().item())
    assert 0 < got["swap_signed"] < got["swap_true_label"]
    logits = log_p[..., 1] - log_p[..., 0]
    assert got["swap_logit"] == pytest.approx((logits[a] - logits[b]).abs().mean().item(), rel=1e-5)


def test_log_odds_of_a_certain_judge_are_not_those_of_rounding():
    space = toy_classes().space
    logits = torch.zeros(2, 1, space.n_values)
    logits[0, 0, 1] = 20
    sure, unsure = logits.log_softmax(-1)
    assert sure.exp().max() == 1, "in single precision"
    found = _logit_change(unsure[None], sure[None], space)[0]
    others = space.n_values - 1
    assert found[1].item() == pytest.approx(20, rel=1e-6)
    odds = -math.log(math.exp(20) + others - 1) + math.log(others)
    assert found[0].item() == pytest.approx(abs(odds), rel=1e-6)


def test_a_certain_judge_leaves_log_odds_finite():
    images = toy_classes()
    got = scores(PixelModel(images.space, swaps="background"), images)
    assert 0 < got["swap_logit"] < 100


def test_secondary_scores_count_the_donors_values():
    images = toy_images()
    a, b = random_pairs(len(images), 700, seed=1).unbind(1)
    log_probs = PixelJudge(images.space).log_probs(images.images / 255).double()
    change = (log_probs[a] - log_probs[b]).abs()
    own = change.gather(-1, images.labels[a].unsqueeze(-1)).squeeze(-1)
    got = scores(PixelModel(images.space, swaps="background"), images)
    assert got["swap_true_label"] == pytest.approx(own.mean().item())
    assert got["swap_positives"] == pytest.approx(own[images.labels[a] == 1].mean().item())


def test_permuted_characteristics_permute_the_scores_per_label():
    images = toy_images()

    class Shuffled(PixelModel):
        def swap(self, characteristics: Tensor, background: Tensor) -> Tensor:
            swapped = super().swap(characteristics, background)
            swapped[:, 0, 0] = swapped[:, 0, 0, [1, 0, 2, 3]]
            return swapped

    got = scores(Shuffled(images.space), images)
    assert got["swap/c"] == got["swap/d"] == 0
    assert got["swap/a"] > 0.5 * got["swap_no_transfer/a"]
    assert got["swap"] == pytest.approx((got["swap/a"] + got["swap/b"]) / 4)


def true_swaps(images: ImageSet) -> TrueSwaps:
    """The upper row of A over the lower row of B, and the pixels of the upper row that differ."""
    a, b = random_pairs(len(images), 700, seed=1).unbind(1)
    truth = torch.cat([images.images[a][:, :, :1], images.images[b][:, :, 1:]], dim=2)
    return TrueSwaps(truth, changed(truth / 255, images.images[b] / 255))


def test_true_swaps_are_scored_as_a_perfect_model():
    images = toy_images()
    truth = true_swaps(images)
    perfect = scores(PixelModel(images.space), images, truth=truth)
    assert perfect["swap_truth"] == 0
    assert perfect["swap_truth_l1"] == 0
    assert perfect["swap_truth_l1_reconstruction"] == 0
    assert perfect["swap_truth_normalised"] == 0
    assert perfect["swap_truth_inside_normalised"] == 0
    assert perfect["swap_outside_change"] == pytest.approx(0, abs=0.01)
    assert perfect["swap_background_distance"] == pytest.approx(0)
    assert perfect["swap_truth_background_change"] == pytest.approx(
        perfect["swap_background_change"]
    )
    row = true_swap(PixelJudge(images.space), images, truth, seed=1)
    assert row == pytest.approx(perfect)


def test_transferring_nothing_is_not_close_to_the_true_swap():
    images = toy_images()
    truth = true_swaps(images)
    idle = scores(PixelModel(images.space, swaps="background"), images, truth=truth)
    assert idle["swap_truth_l1"] == pytest.approx(idle["swap_truth_l1_no_transfer"])
    assert idle["swap_truth_l1"] > 0.1
    assert idle["swap_truth"] == 0
    assert idle["swap_truth_normalised"] == pytest.approx(1)
    assert idle["swap_truth_inside_normalised"] == pytest.approx(1)
    assert idle["swap_outside_change"] == 0
    # It keeps more of the background than a perfect swap does.
    assert idle["swap_background_distance"] == pytest.approx(idle["swap_truth_background_change"])
    b = random_pairs(len(images), 700, seed=1)[:, 1]
    moved = (truth.images.double() - images.images[b].double()).abs()[:, 0][truth.regions] / 255
    assert idle["swap_truth_inside"] == pytest.approx(moved.mean().item(), rel=1e-6)


def test_carrying_the_whole_picture_over_is_no_true_swap():
    images = toy_images()
    donor = scores(
        PixelModel(images.space, swaps="characteristics"), images, truth=true_swaps(images)
    )
    assert donor["swap"] == donor["swap_truth_inside_normalised"] == 0
    assert donor["swap_truth_normalised"] > 0.5
    assert donor["swap_outside_change"] == pytest.approx(1)


def test_permuted_characteristics_land_where_others_should():
    images = toy_images()

    class Shuffled(PixelModel):
        def swap(self, characteristics: Tensor, background: Tensor) -> Tensor:
            swapped = super().swap(characteristics, background).clone()
            swapped[:, 0, 0] = swapped[:, 0, 0, [1, 0, 3, 2]]
            return swapped

    got = scores(Shuffled(images.space), images, truth=true_swaps(images))
    # Another label's pixel is as far off as the pixel that should have been replaced.
    assert got["swap_truth_normalised"] == pytest.approx(1, abs=0.1)


def test_swaps_that_change_nothing_have_no_region():
    images = toy_images()
    truth = true_swaps(images)
    nothing = TrueSwaps(truth.images, torch.zeros_like(truth.regions))
    got = scores(PixelModel(images.space), images, truth=nothing)
    assert not {name for name in got if "inside" in name}
    assert got["swap_truth_normalised"] == 0


def test_a_constant_model_has_no_normalised_score():
    images = toy_images()
    got = scores(Constant(images), images)
    assert got["swap"] == pytest.approx(got["swap_self"])
    assert got["swap"] == pytest.approx(got["swap_no_transfer"])
    assert not {"swap_normalised", "swap_background_change"} & set(got)


def test_copiers_are_the_two_ends():
    images = toy_images()
    judge = PixelJudge(images.space)
    donor = scores(Copier(judge, images, images, "characteristics"), images)
    assert (donor["swap"], donor["swap_background_change"]) == (0, pytest.approx(1))
    idle = scores(Copier(judge, images, images, "background"), images)
    assert (idle["swap_normalised"], idle["swap_background_change"]) == (pytest.approx(1), 0)


def test_classes_average_over_all_log_probabilities():
    images = toy_classes()
    a, b = random_pairs(len(images), 700, seed=1).unbind(1)
    log_probs = PixelJudge(images.space).log_probs(images.images / 255)[:, 0].double()
    change = (log_probs[a] - log_probs[b]).abs()
    got = scores(PixelModel(images.space, swaps="background"), images)
    assert got["swap"] == pytest.approx(change.mean().item())
    own = change.gather(1, images.labels[a]).mean().item()
    assert got["swap_true_label"] == pytest.approx(own)
    assert got["swap_positives"] == pytest.approx(own)
    assert scores(PixelModel(images.space), images)["swap"] == 0
