from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from matplotlib.text import Text

from baselines.vae_classifier import VAEClassifier
from ccvae.errors import InputError
from ccvae.labels import MultiClass, MultiLabel
from ccvae.model import CCVAE
from evaluators.images import ImageSet
from evaluators.locality import label_variance
from tests.tiny import Tiny, scramble
from tests.toys import OFF, ON, PixelJudge, PixelModel, toy_classes, toy_images
from workflow.figures import (
    characteristics,
    confidence,
    digits,
    diversity,
    grids,
    interventions,
    style,
    swaps,
    traversals,
)
from workflow.figures.scene import Scene

LABELS = ("red", "big_nose", "old")
OPTIONS = {
    "traversals": [["red", "old"], ["old", "big_nose"]],
    "more_traversals": [["red", "old"], ["old", "big_nose"], ["big_nose", "red"]],
    "traversal_steps": 3,
    "traversal_deviations": 1,
    "variance_labels": ["old", "red"],
    "corners": ["0", "1", "2", "3"],
    "polytope_steps": 3,
    "rows": 4,
    "columns": 5,
}


def ccvae(labels=None, latents: int = 5, **options) -> CCVAE:
    labels = labels if labels is not None else MultiLabel(LABELS)
    options = {"latents_per_label": 1, "likelihood": "laplace", **options}
    model = CCVAE(labels, Tiny(), latents=latents, **options).eval()
    scramble(model, 0)
    return model


def vae_classifier() -> VAEClassifier:
    options = {"latents": 5, "latents_per_label": 1, "likelihood": "laplace"}
    model = VAEClassifier(MultiLabel(LABELS), Tiny(), **options).eval()
    scramble(model, 0)
    return model


def class_model(style: int = 2) -> CCVAE:
    return ccvae(MultiClass("01234"), latents=3 + style, latents_per_label=3)


def one_pixel_per_latent(model: CCVAE) -> None:
    """Pixel i shows latent i, for the first four latents."""
    with torch.no_grad():
        model.decoder[0].bias.zero_()
        model.decoder[0].weight.zero_()
        model.decoder[0].weight[range(4), range(4)] = 1.0


def tiny_images(model, n: int = 12) -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (n, 1, 2, 2), generator=generator, dtype=torch.uint8)
    space = model.labels
    y = torch.randint(space.n_values, (n, space.n_factors), generator=generator)
    return ImageSet(images, y, space)


def scene(*models, title: str = "title", **more) -> Scene:
    named = {f"model {i}": model for i, model in enumerate(models)}
    return Scene(named, tiny_images(models[0]), title, OPTIONS, **more)


def panels(figure) -> int:
    return len(figure.axes)


def test_limits_lie_deviations_beyond_the_means_of_off_and_on():
    model = ccvae()
    with torch.no_grad():
        model.conditional_prior.loc[:, 0, 0] = torch.tensor([-1.0, 2.0, 0.0])
        model.conditional_prior.loc[:, 1, 0] = torch.tensor([3.0, -2.0, 1.0])
        model.conditional_prior.raw_scale.fill_(np.log(np.expm1(0.5)))
    start, end = traversals.limits(model, 2.0, seed=0)
    torch.testing.assert_close(start[:, 0], torch.tensor([-2.0, 3.0, -1.0]))
    torch.testing.assert_close(end[:, 0], torch.tensor([4.0, -3.0, 2.0]))


def test_a_traversal_moves_its_two_latents_and_nothing_else():
    model = ccvae()
    one_pixel_per_latent(model)
    image = torch.rand(1, 2, 2)
    images = traversals.traverse(model, image, (0, 2), steps=3, deviations=1.0)
    start, end = traversals.limits(model, 1.0, seed=0)
    z = model.posterior(image[None]).loc[0].sigmoid()
    pixels = images.flatten(2)
    assert images.shape == (3, 3, 1, 2, 2)
    across = torch.stack([start[0], (start[0] + end[0]) / 2, end[0]]).sigmoid()
    torch.testing.assert_close(pixels[1, :, 0], across[:, 0])
    up = torch.stack([end[2], (start[2] + end[2]) / 2, start[2]]).sigmoid()
    torch.testing.assert_close(pixels[:, 1, 2], up[:, 0])
    torch.testing.assert_close(pixels[..., 1], z[1].expand(3, 3))
    torch.testing.assert_close(pixels[..., 3], z[3].expand(3, 3))


def test_moments_of_a_model_without_conditional_prior_come_from_its_draws():
    model = vae_classifier()
    model.region = model.region.at(0.5)
    with torch.no_grad():
        model.classifier.weight.fill_(1.0)
        model.classifier.bias.zero_()
    mean, deviation = characteristics.prior_moments(model, seed=1)
    # Above and below zero: half-normal.
    half = torch.tensor([-1.0, 1.0]) * np.sqrt(2 / np.pi)
    torch.testing.assert_close(mean[..., 0], half.float().expand(3, 2), atol=0.06, rtol=0)
    torch.testing.assert_close(
        deviation[..., 0], torch.full((3, 2), np.sqrt(1 - 2 / np.pi)), atol=0.06, rtol=0
    )


def test_a_model_without_characteristics_is_refused_in_a_sentence():
    with pytest.raises(InputError, match="PixelModel has no characteristic latents"):
        characteristics.with_characteristics(PixelModel(MultiLabel(LABELS)))


def test_a_label_that_is_not_there_is_named_with_its_place_in_the_configuration():
    with pytest.raises(InputError, match=r"figures\.corners names 'x'.*red, big_nose, old"):
        characteristics.label_index(MultiLabel(LABELS), "x", "figures.corners")


def test_generations_keep_the_background_of_one_image_and_draw_characteristics_anew():
    model = ccvae()
    one_pixel_per_latent(model)
    background = torch.rand(1, 2, 2)
    y = torch.tensor([[0, 0, 0], [1, 1, 1]])
    images = diversity.diverse_generations(model, y, background, draws=4, seed=3)
    style = model.posterior(background[None]).loc[0, 3].sigmoid()
    torch.testing.assert_close(images[..., 1, 1], style.expand(2, 4, 1))
    assert len(images[..., 0, 0].unique()) == 8
    again = diversity.diverse_generations(model, y, background, draws=4, seed=3)
    assert torch.equal(images, again)


def test_variance_lies_where_the_label_is_and_is_that_of_the_conditional_prior():
    model = ccvae()
    one_pixel_per_latent(model)
    with torch.no_grad():
        model.conditional_prior.loc.zero_()
        model.conditional_prior.raw_scale.fill_(np.log(np.expm1(0.1)))
    variance = label_variance(model, torch.rand(2, 1, 2, 2), [2, 0], draws=4000, seed=0).flatten(2)
    # Near zero the sigmoid has slope 1/4.
    expected = torch.zeros(2, 2, 4)
    expected[:, 0, 2] = expected[:, 1, 0] = (0.1 / 4) ** 2
    torch.testing.assert_close(variance, expected, rtol=0.1, atol=1e-9)


def test_variance_does_not_depend_on_what_is_drawn_beside_it():
    model, images = ccvae(), torch.rand(3, 1, 2, 2)
    every = diversity.variances(model, images, [0, 1, 2], seed=0)
    some = diversity.variances(model, images[:2], [2, 0], seed=0)
    torch.testing.assert_close(some, every[:2, [2, 0]], rtol=0, atol=0)
    assert not torch.equal(every, diversity.variances(model, images, [0, 1, 2], seed=1))


def test_overlay_leaves_grey_where_nothing_varies_and_is_green_where_most_does():
    images = torch.tensor([0.2, 0.4, 0.6])[:, None, None].expand(3, 1, 2)
    laid = diversity.overlay(images, torch.tensor([[0.0, 1.0]]))
    torch.testing.assert_close(laid[:, 0, 0], torch.full((3,), 0.4))
    torch.testing.assert_close(laid[:, 0, 1], torch.tensor(diversity.GREEN))


def test_labels_that_are_on_are_named():
    space = MultiLabel(LABELS)
    assert diversity.describe_labels(torch.tensor([0, 1, 1]), space) == "big nose, old"
    assert diversity.describe_labels(torch.tensor([0, 0, 0]), space) == "no label on"


def test_a_swap_matrix_has_characteristics_along_rows_and_backgrounds_along_columns():
    images = toy_images(5)
    x = torch.cat([x for x, _ in images.batches()])
    first, second = x[:2], x[2:]
    matrix = swaps.swap_matrix(PixelModel(images.space), first, second, seed=0)
    for r in range(2):
        for s in range(3):
            assert torch.equal(matrix[r, s, :, 0], first[r, :, 0])
            assert torch.equal(matrix[r, s, :, 1], second[s, :, 1])
    whole = swaps.with_margins(matrix, first, second)
    assert whole.shape[:2] == (3, 4)
    assert whole[0, 0].isnan().all()
    assert torch.equal(whole[1:, 0], first)
    assert torch.equal(whole[0, 1:], second)


def test_every_label_is_switched_on_and_those_that_were_are_marked():
    images = toy_images(20)
    x = torch.cat([x for x, _ in images.batches()])
    model = PixelModel(images.space)
    switched, was_on = interventions.switched_on(model, x, seed=0)
    assert switched.shape[:2] == (20, 5)
    assert torch.equal(switched[:, 0], x)
    assert not was_on[:, 0].any()
    assert torch.equal(was_on[:, 1:], model.eval().predict(x).bool())
    for label in range(4):
        changed = ~was_on[:, label + 1]
        assert (switched[changed, label + 1, 0, 0, label] == ON / 255).all()
        assert torch.equal(switched[~changed, label + 1], x[~changed])


def test_a_frame_says_where_the_judge_sees_what_it_did_not_see_before():
    images = toy_images(20)
    x = torch.cat([x for x, _ in images.batches()])
    # The model believes labels b and c to be in each other's place, the judge does not.
    model, judge = PixelModel(images.space, order=[0, 2, 1, 3]), PixelJudge(images.space)
    block = interventions.intervention_block(model, x, seed=0, judge=judge, unreadable=["d"])
    assert block.frames is not None
    own = model.eval().predict(x).bool()
    frames = block.frames[:, 2:]
    assert (block.frames[:, :2] == 0).all()
    assert torch.equal(frames == interventions.WAS_ON, own)
    # Of a the judge sees every new one, of b and c none, and of d it is not asked.
    assert torch.equal(frames[:, 0] == interventions.SEEN, ~own[:, 0])
    assert not (frames[:, 1:] == interventions.SEEN).any()
    alone = interventions.intervention_block(model, x, seed=0)
    assert not (alone.frames == interventions.SEEN).any()


def test_many_labels_are_broken_into_blocks_that_all_begin_with_the_original():
    n = 2 * interventions.MOST_LABELS + 1
    names = ["original", "reconstruction", *map(str, range(n))]
    images = torch.arange(n + 2).view(1, -1, 1, 1, 1) / 100
    whole = grids.Block(images, columns=names, frames=torch.arange(n + 2).view(1, -1))
    parts = interventions.broken(whole)
    assert [part.size[1] - 2 for part in parts] == [7, 7, 7]
    assert [name for part in parts for name in part.columns[2:]] == names[2:]
    for part in parts:
        assert part.columns[:2] == names[:2]
        places = [names.index(name) for name in part.columns]
        assert part.frames.flatten().tolist() == places
        torch.testing.assert_close(part.images.flatten(), torch.tensor(places) / 100)
    assert interventions.broken(replace(whole, frames=None))[0].frames is None


def test_every_class_is_made_in_turn():
    images = toy_classes(20)
    x = torch.cat([x for x, _ in images.batches()])
    switched, was_on = interventions.switched_on(PixelModel(images.space), x, seed=0)
    assert switched.shape[:2] == (20, 5)
    assert (was_on.sum(1) == 1).all()
    for target in range(4):
        assert (switched[:, target + 1, 0, 0].argmax(-1) == target).all()


def test_weights_of_four_corners_sum_to_one_and_are_one_there():
    weights = digits.corner_weights(4)
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, 4))
    assert (weights >= 0).all()
    corners = weights[[0, 0, -1, -1], [0, -1, 0, -1]]
    torch.testing.assert_close(corners, torch.eye(4))


def test_corners_of_the_polytope_are_the_means_of_their_classes():
    model = class_model()
    images = digits.interpolate(model, [4, 0, 2, 1], steps=3)
    mean = model.conditional_prior.loc[0, [4, 0, 2, 1]]
    with torch.no_grad():
        corners = model.decode(torch.cat([mean, torch.zeros(4, 2)], dim=1))
        centre = model.decode(torch.cat([mean.mean(0, keepdim=True), torch.zeros(1, 2)], dim=1))
    torch.testing.assert_close(images[[0, 0, -1, -1], [0, -1, 0, -1]], corners)
    torch.testing.assert_close(images[1, 1], centre[0])


def test_classes_are_generated_in_order():
    model = PixelModel(MultiClass("abcd"))
    images = digits.generate_classes(model, 3, seed=0)
    assert images.shape == (4, 3, 1, 2, 4)
    assert (images[:, :, 0, 0].argmax(-1) == torch.arange(4)[:, None]).all()
    assert images[:, :, 0, 0].max().item() == pytest.approx(ON / 255)
    assert images[:, :, 0, 0].min().item() == pytest.approx(OFF / 255)


@pytest.mark.parametrize(
    ("function", "models", "expected"),
    [
        (traversals.draw_few, [ccvae()], 2),
        (traversals.draw_many, [ccvae()], 3),
        (diversity.draw_generations, [ccvae()], 1),
        (diversity.draw_some_variance, [ccvae()], 3),
        (diversity.draw_all_variance, [ccvae()], 5),
        (swaps.draw_pairs, [ccvae(), ccvae(latents=6)], 1),
        (swaps.draw_matrices, [ccvae(), ccvae(latents=6)], 2),
        (interventions.draw_interventions, [ccvae()], 1),
        (digits.draw_polytope, [class_model()], 1),
        (digits.draw_generations, [class_model()], 5),
        (digits.draw_generations, [class_model(style=0)], 5),
        (digits.draw_interventions, [class_model(), class_model()], 2),
    ],
)
def test_every_figure_of_models_has_its_panels_and_its_title(function, models, expected, tmp_path):
    figure = function(scene(*models))
    assert panels(figure) == expected
    assert any(text.get_text().startswith("title") for text in figure.texts)
    again = function(scene(*models))
    for one, two in zip(figure.axes, again.axes, strict=True):
        assert np.array_equal(one.images[0].get_array(), two.images[0].get_array())


def test_drawn_data_show_the_true_swap_beside_the_models():
    calls = []

    def redraw(first, second):
        calls.append((first.tolist(), second.tolist()))
        return torch.zeros(len(first), 1, 2, 2, dtype=torch.uint8)

    figure = swaps.draw_matrices(scene(ccvae(), redraw_swap=redraw))
    assert panels(figure) == 2
    assert calls == [([0] * 4 + [1] * 4 + [2] * 4 + [3] * 4, [4, 5, 6, 7] * 4)]
    shown = swaps.draw_pairs(scene(ccvae(), redraw_swap=redraw)).axes[0]
    assert swaps.TRUTH in {text.get_text() for text in shown.texts}


def test_options_of_the_tests_are_those_of_the_configuration():
    config = yaml.safe_load(
        (Path(__file__).parents[2] / "config" / "config.yaml").read_text(encoding="utf-8")
    )
    assert set(OPTIONS) == set(config["figures"]) - {"supervision_rate", "seed"}


@pytest.mark.parametrize(
    ("name", "colour"),
    [
        ("Big Nose", style.UNREADABLE),
        ("Big Nose →", style.UNREADABLE),
        ("Big", style.NAME),
        ("original", style.NAME),
        ("", style.NAME),
    ],
)
def test_a_label_that_the_judge_cannot_read_is_grey_where_it_is_named(name, colour):
    assert style.name_colour(name, ["Big_Nose"]) == colour
    assert style.name_colour(name, []) == style.NAME


def grey_words(figure) -> set[str]:
    return {
        text.get_text().replace("\n", " ")
        for text in figure.findobj(Text)
        if text.get_color() == style.UNREADABLE and text.get_text()
    }


@pytest.mark.parametrize(
    ("draw", "make", "words"),
    [
        (traversals.draw_few, ccvae, {"old →"}),
        (traversals.draw_many, ccvae, {"old →"}),
        (diversity.draw_some_variance, ccvae, {"old"}),
        (diversity.draw_all_variance, ccvae, {"old"}),
        (interventions.draw_interventions, ccvae, {"old"}),
        (confidence.draw_confident_region, vae_classifier, {"old"}),
        (swaps.draw_pairs, ccvae, set()),
    ],
)
def test_figures_grey_what_the_judge_cannot_read_and_nothing_else(draw, make, words):
    assert grey_words(draw(scene(make(), unreadable=["old"]))) == words
    assert grey_words(draw(scene(make()))) == set()
