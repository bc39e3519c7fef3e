"""Style measures on drawn strokes whose slant and thickness are known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from ccvae.labels import MultiClass
from evaluators.images import ImageSet
from evaluators.inferring import infer_all
from evaluators.measuring import NEGLIGIBLE
from evaluators.style import (
    BACKGROUND,
    PROPERTIES,
    distance_from_edge,
    intraclass_correlation,
    kept_share,
    shape_properties,
    style,
)
from tests.toys import PixelJudge, PixelModel

SIDE, FINE = 28, 8
CLASSES = 3
MARK = 20
"""Grey value of the pixel in the first row that shows an image's class; darker than any ink."""


def bar(slant: float, thickness: float, height: float = 20) -> Tensor:
    """A bar, `slant` degrees to the right of upright: (28, 28), edges are grey."""
    axis = (torch.arange(SIDE * FINE, dtype=torch.double) + 0.5) / FINE - SIDE / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    # Horizontal sections of a slanted bar are longer than it is thick.
    across = (x + math.tan(math.radians(slant)) * y) * math.cos(math.radians(slant))
    on = (across.abs() <= thickness / 2) & (y.abs() <= height / 2)
    return on.double().unflatten(0, (SIDE, FINE)).unflatten(2, (SIDE, FINE)).mean((1, 3))


def measured(*images: Tensor) -> dict[str, np.ndarray]:
    return shape_properties(torch.stack(images).float().unsqueeze(1))


@pytest.mark.parametrize("slant", [-35.0, -10.0, 0.0, 20.0, 40.0])
def test_slant_of_a_bar_is_its_own_and_its_width_is_that_of_an_upright_one(slant: float) -> None:
    got = measured(bar(slant, 4))
    assert got["slant"][0] == pytest.approx(slant, abs=0.1)
    # Of a section, once sheared back, which blurs it; unsheared it is up to 21 pixels wide.
    assert got["width"][0] == pytest.approx(0.96 * 4 / math.cos(math.radians(slant)), abs=1.3)
    assert got["height"][0] == pytest.approx(0.96 * 20, abs=0.2)


@pytest.mark.parametrize("thickness", [2.0, 3.0, 4.0, 6.0])
@pytest.mark.parametrize("slant", [0.0, 25.0])
def test_thickness_of_a_bar_is_its_own(slant: float, thickness: float) -> None:
    got = measured(bar(slant, thickness), bar(slant, thickness) * 0.3)
    # The ends of a bar are nearer to an edge.
    assert 0.84 * thickness < got["thickness"][0] < thickness
    assert got["thickness"][1] == pytest.approx(got["thickness"][0])


def test_area_and_extents_of_a_square() -> None:
    image = torch.zeros(SIDE, SIDE)
    image[4:14, 8:18] = 0.7
    got = measured(image)
    assert got["area"][0] == 100
    assert got["slant"][0] == pytest.approx(0, abs=1e-9)
    assert got["width"][0] == pytest.approx(9.6)
    assert got["height"][0] == pytest.approx(9.6)


def test_faint_backgrounds_and_blank_images() -> None:
    image = bar(20, 3)
    plain = measured(image)
    haze = measured(image + 0.9 * BACKGROUND * (image == 0))
    for name in PROPERTIES:
        assert haze[name][0] == pytest.approx(plain[name][0])
        assert np.isnan(measured(torch.zeros(SIDE, SIDE))[name][0])
    assert np.isnan(measured(torch.ones(SIDE, SIDE))["thickness"][0])
    assert measured(*[image] * 2)["slant"].shape == (2,)
    assert shape_properties(torch.zeros(0, 1, SIDE, SIDE))["slant"].shape == (0,)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_distances_from_an_edge_are_those_of_scipy(share: float) -> None:
    shapes = np.random.default_rng(0).random((6, 17, 23)) < share
    # A single pixel outside, and a shape that is everywhere.
    shapes[4], shapes[5] = True, True
    shapes[4, 2, 20] = False
    found = distance_from_edge(shapes)
    for own, shape in zip(found[:5], shapes, strict=False):
        assert np.array_equal(own, ndimage.distance_transform_edt(shape))
    assert np.isinf(found[5]).all()


def test_kept_share_is_a_correlation_within_groups() -> None:
    generator = np.random.default_rng(0)
    groups = np.arange(600) % 4
    own, noise = generator.normal(size=(2, 600))
    before = own + 10.0 * groups
    assert kept_share(before, 2 * own - 7.0 * groups, groups) == pytest.approx(1)
    assert kept_share(before, -own, groups) == pytest.approx(-1)
    # Signal and noise of one size each: 1 / sqrt(2).
    assert kept_share(before, own + noise, groups) == pytest.approx(0.71, abs=0.05)
    # What groups look like by themselves counts for nothing.
    assert kept_share(before, noise + 10.0 * groups, groups) == pytest.approx(0, abs=0.1)
    assert kept_share(before, 3.0 * groups, groups) == 0
    assert kept_share(3.0 * groups, before, groups) is None
    assert kept_share(before[:5], own[:5], groups[:5]) is None
    assert kept_share(before[:0], own[:0], groups[:0]) is None
    unknown = np.where(np.arange(600) < 300, np.nan, own)
    assert kept_share(before, unknown, groups) == pytest.approx(1)


def test_intraclass_correlation_is_the_share_of_the_variance_between_groups() -> None:
    generator = np.random.default_rng(1)
    between, within = generator.normal(size=(3, 400, 1)), generator.normal(size=(3, 400, 5))
    classes = 10.0 * np.arange(3)[:, None, None]
    for share in (0.0, 0.3, 0.8, 1.0):
        values = classes + share**0.5 * between + (1 - share) ** 0.5 * within
        assert intraclass_correlation(values) == pytest.approx(share, abs=0.05)
    means = within - within.mean(2, keepdims=True)
    assert intraclass_correlation(means) == pytest.approx(-1 / 4)
    assert intraclass_correlation(classes + np.zeros((3, 4, 5))) is None
    assert intraclass_correlation(np.full((3, 4, 5), np.nan)) is None


class MarkJudge(PixelJudge):
    """Reads the class off the first row."""

    def read(self, features: Tensor) -> Tensor:
        return self.labels.log_probs(500 * features[:, :CLASSES])


class Strokes(PixelModel):
    """Marks the class; `draws` says what becomes of the strokes, images (B, 1, 28, 28)."""

    def __init__(
        self,
        space: MultiClass,
        draws: Callable[[Tensor], Tensor] = lambda x: x,
        swaps: str = "both",
        library: Tensor | None = None,
    ) -> None:
        super().__init__(space, swaps=swaps)
        self.draws, self.library = draws, library
        if library is None:
            self.lacks = dict.fromkeys(("generate", "diversify"), "It has no other strokes.")

    def classify(self, x: Tensor) -> Tensor:
        return self.labels.probabilities(self.labels.log_probs(500 * x[:, 0, 0, :CLASSES]))

    def marked(self, x: Tensor, y: Tensor) -> Tensor:
        x = x.clone()
        x[:, 0, 0, :CLASSES] = MARK / 255 * self.labels.encode(y)
        return x

    def intervene(self, x: Tensor, y_new: Tensor) -> Tensor:
        return self.marked(self.draws(x), y_new)

    def generate(self, y: Tensor) -> Tensor:
        assert self.library is not None
        return self.marked(self.library[torch.randint(len(self.library), (len(y),))], y)

    def swap(self, characteristics: Tensor, background: Tensor) -> Tensor:
        if self.swaps != "both":
            return {"characteristics": characteristics, "background": background}[self.swaps]
        return self.marked(background, self.predict(characteristics))

    def diversify(self, x: Tensor, y: Tensor) -> Tensor:
        return self.marked(self.draws(x), y)


def strokes(n: int = 90) -> ImageSet:
    """Bars of random slant and thickness; class and style have nothing to do with each other."""
    generator = torch.Generator().manual_seed(0)
    slants, thicknesses = torch.rand(2, n, generator=generator)
    bars = [bar(60 * s - 30, 2 + 4 * t) for s, t in torch.stack([slants, thicknesses], 1).tolist()]
    y = (torch.arange(n) % CLASSES).unsqueeze(1)
    space = MultiClass([str(k) for k in range(CLASSES)])
    x = Strokes(space).marked(torch.stack(bars).float().unsqueeze(1), y)
    return ImageSet((255 * x).round().to(torch.uint8), y, space)


IMAGES = strokes()


def ask(model: Strokes, counted: tuple[str, ...] = ("slant", "thickness")) -> dict[str, float]:
    return style(
        model,
        MarkJudge(IMAGES.space),
        IMAGES,
        infer_all(model, IMAGES),
        counted=counted,
        n_images=60,
        n_pairs=100,
        seed=0,
    )


def test_a_perfect_model_keeps_everything() -> None:
    got = ask(Strokes(IMAGES.space))
    for what in ("reconstruction", "interventions", "swaps"):
        for name in ("", "_slant", "_thickness", "_width"):
            assert got[f"style_kept_{what}{name}"] == pytest.approx(1, abs=1e-3), (what, name)
    assert abs(got["style_taken_swaps"]) < 0.35
    assert "style_kept_diversity" not in got


def test_the_mean_is_over_what_counts() -> None:
    got = ask(Strokes(IMAGES.space, lambda x: x.flip(3)), ("slant",))
    assert got["style_kept_interventions"] == pytest.approx(-1, abs=1e-2)
    assert got["style_kept_interventions_thickness"] == pytest.approx(1, abs=1e-2)
    assert "style_kept_interventions" not in ask(Strokes(IMAGES.space), ())


def test_permuted_strokes_keep_nothing() -> None:
    got = ask(Strokes(IMAGES.space, lambda x: x.roll(1, 0)))
    assert abs(got["style_kept_interventions_slant"]) < 0.25
    assert abs(got["style_kept_interventions_thickness"]) < 0.25
    assert got["style_kept_reconstruction"] == pytest.approx(1)


def test_one_stroke_for_all_keeps_nothing() -> None:
    one = bar(0, 3).float().expand(1, 1, SIDE, SIDE)
    got = ask(Strokes(IMAGES.space, lambda x: one.expand(len(x), -1, -1, -1)))
    assert got["style_kept_interventions"] == 0


class Idle(Strokes):
    def intervene(self, x: Tensor, y_new: Tensor) -> Tensor:
        return x


def test_changing_nothing_is_no_way_to_keep_style() -> None:
    got = ask(Idle(IMAGES.space, swaps="background"))
    assert "style_kept_interventions" not in got
    assert "style_kept_swaps" not in got


class Confused(MarkJudge):
    """Sees another class wherever the picture's lower half is bright, whatever the model does."""

    def features(self, x: Tensor) -> Tensor:
        marks, bright = x[:, 0, 0], x[:, 0, SIDE // 2 :].mean((1, 2))
        return marks.where((bright < bright.median()).unsqueeze(1), marks.roll(1, 1))


def test_what_a_judge_sees_wrongly_is_no_change_either() -> None:
    model = Idle(IMAGES.space, swaps="background")
    got = style(
        model,
        Confused(IMAGES.space),
        IMAGES,
        infer_all(model, IMAGES),
        counted=("slant", "thickness"),
        n_images=60,
        n_pairs=100,
        seed=0,
    )
    assert "style_kept_reconstruction" in got
    assert not {"style_kept_interventions", "style_kept_swaps"} & got.keys()


def test_a_swap_that_is_the_donor_takes_its_style() -> None:
    got = ask(Strokes(IMAGES.space, swaps="characteristics"))
    assert got["style_taken_swaps"] == pytest.approx(1)
    assert abs(got["style_kept_swaps"]) < 0.35


def test_new_draws_keep_what_comes_from_the_background() -> None:
    library = IMAGES.images.float() / 255
    whole = ask(Strokes(IMAGES.space, library=library))
    assert whole["style_kept_diversity"] == pytest.approx(1)
    assert whole["style_diversity"] == pytest.approx(0, abs=NEGLIGIBLE)

    def any_of_them(x: Tensor) -> Tensor:
        return library[torch.randint(len(library), (len(x),))]

    nothing = ask(Strokes(IMAGES.space, any_of_them, library=library))
    assert abs(nothing["style_kept_diversity"]) < 0.25
    assert nothing["style_diversity"] > 0.6

    class Generator(Strokes):
        """Draws all of its strokes anew, as M2 does."""

    model = Generator(IMAGES.space, library=library)
    model.lacks = {"diversify": "Nothing of an image stays."}
    assert abs(ask(model)["style_kept_diversity"]) < 0.25


def test_the_same_seed_measures_the_same() -> None:
    library = IMAGES.images.float() / 255
    model = Strokes(IMAGES.space, lambda x: x[torch.randperm(len(x))], library=library)
    assert ask(model) == ask(model)
