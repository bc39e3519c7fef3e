"""The drawn faces and X-rays: identity of the images, counterfactuals, labels and factors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import ccvae
from ccvae.errors import InputError
from datasets.stand_ins import drawn, faces, xrays
from datasets.stand_ins.drawn import BATCH, Recipe

GENERATORS = pytest.mark.parametrize("generator", [faces, xrays], ids=["faces", "xrays"])
EACH_LABEL = pytest.mark.parametrize(
    ("generator", "label"), [(g, label) for g in (faces, xrays) for label in g.LABELS]
)

# CelebA, all images.
TARGET_PREVALENCE = {
    "Arched_Eyebrows": 0.267,
    "Bags_Under_Eyes": 0.205,
    "Bangs": 0.152,
    "Black_Hair": 0.239,
    "Blond_Hair": 0.148,
    "Brown_Hair": 0.205,
    "Bushy_Eyebrows": 0.142,
    "Chubby": 0.058,
    "Eyeglasses": 0.065,
    "Heavy_Makeup": 0.387,
    "Male": 0.417,
    "No_Beard": 0.835,
    "Pale_Skin": 0.043,
    "Receding_Hairline": 0.080,
    "Smiling": 0.482,
    "Wavy_Hair": 0.320,
    "Wearing_Necktie": 0.073,
    "Young": 0.774,
}


def sample_many_faces(n: int = 200_000) -> np.ndarray:
    # The labels read only the first columns of the dice.
    return faces.recipe().sample_labels(np.random.default_rng(0).random((n, 24)))


def flipped(generator: ModuleType, labels: np.ndarray, label: str, value: int) -> np.ndarray:
    changed = labels.copy()
    changed[:, generator.LABELS.index(label)] = value
    return changed


def pair(generator: ModuleType, label: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The same n images without and with a label, as signed integers."""
    sampled = generator.draw(n, seed=2, split="test").labels
    off, on = (
        generator.draw(n, seed=2, split="test", labels=flipped(generator, sampled, label, v))
        for v in (0, 1)
    )
    return off.images.astype(int), on.images.astype(int)


@GENERATORS
def test_shapes_and_types(generator):
    drawn = generator.draw(5, seed=0, split="train")
    assert drawn.images.shape == (5, 3, 64, 64)
    assert drawn.images.dtype == np.uint8
    assert drawn.labels.shape == (5, len(generator.LABELS))
    assert drawn.labels.dtype == np.uint8
    assert set(np.unique(drawn.labels)) <= {0, 1}
    for name, value in drawn.factors.items():
        assert value.shape in {(5,), (5, 3)}, name
        assert value.dtype == np.float64, name
        assert np.isfinite(value).all(), name


def test_labels_are_those_of_the_paper_in_its_order():
    assert len(faces.LABELS) == 18
    assert list(faces.LABELS) == sorted(faces.LABELS)
    assert xrays.LABELS == (
        "Cardiomegaly",
        "Edema",
        "Consolidation",
        "Atelectasis",
        "Pleural Effusion",
    )


def test_xrays_are_grey():
    images = xrays.draw(8, seed=0, split="train").images
    assert (images == images[:, :1]).all()


@GENERATORS
def test_first_images_do_not_depend_on_how_many_follow(generator):
    many = generator.draw(21, seed=3, split="train")
    for n in (1, 5, 8, 13):
        few = generator.draw(n, seed=3, split="train")
        assert (few.images == many.images[:n]).all()
        assert (few.labels == many.labels[:n]).all()
        for name, value in few.factors.items():
            assert (value == many.factors[name][:n]).all(), name


@GENERATORS
def test_slices_equal_the_whole(generator):
    whole = generator.draw(44, seed=4, split="validation")
    part = generator.draw(9, seed=4, split="validation", start=16)
    assert (part.images == whole.images[16:25]).all()
    assert (part.labels == whole.labels[16:25]).all()
    for name, value in part.factors.items():
        assert (value == whole.factors[name][16:25]).all(), name


@GENERATORS
def test_a_slice_costs_the_same_wherever_it_lies(generator):
    # A table of uniforms up to these rows would not fit into any memory.
    assert generator.draw(8, seed=0, split="train", start=8 * 10**12).images.any()


@GENERATORS
def test_nothing_to_draw(generator):
    assert generator.draw(0, seed=0, split="train").images.shape == (0, 3, 64, 64)


@GENERATORS
def test_seed_split_and_number_decide_the_image(generator):
    drawn = generator.draw(16, seed=0, split="train").images
    assert (drawn == generator.draw(16, seed=0, split="train").images).all()
    others = [
        generator.draw(8, seed=1, split="train").images,
        generator.draw(8, seed=0, split="validation").images,
        generator.draw(8, seed=0, split="test").images,
        drawn[8:],
    ]
    for other in others:
        assert (drawn[:8] != other).reshape(8, -1).any(1).all()


@GENERATORS
def test_labels_do_not_move_the_noise(generator):
    recipe = generator.recipe()
    dice = np.random.default_rng(0).random((8, recipe.dice))
    states = []
    for value in (0, 1):
        labels = np.full((8, len(generator.LABELS)), value)
        rng = np.random.default_rng(1)
        recipe.render(recipe.sample_factors(labels, dice), rng)
        states.append(rng.bit_generator.state)
    assert states[0] == states[1]
    assert states[0] != np.random.default_rng(1).bit_generator.state


@GENERATORS
def test_own_labels_give_the_same_images(generator):
    drawn = generator.draw(13, seed=5, split="test", start=8)
    again = generator.draw(13, seed=5, split="test", start=8, labels=drawn.labels.astype(bool))
    assert (again.images == drawn.images).all()
    assert (again.labels == drawn.labels).all()


@EACH_LABEL
def test_each_label_changes_its_images(generator, label):
    off, on = pair(generator, label, 16)
    changed = np.abs(off - on).reshape(16, -1).max(1) > 8
    # A bald man shows no hairline, and one colour of hair can hide another.
    assert changed.mean() > (0.5 if "Hair" in label else 0.8)


@pytest.mark.parametrize(
    ("label", "first_row", "last_row"),
    [("Eyeglasses", 16, 40), ("Smiling", 18, 54), ("Wearing_Necktie", 42, 63)],
)
def test_local_attributes_leave_the_rest_of_the_face(label, first_row, last_row):
    off, on = pair(faces, label, 32)
    rows = np.abs(off - on).max((0, 1, 3)).nonzero()[0]
    assert first_row <= rows.min()
    assert rows.max() <= last_row


def test_consolidation_leaves_the_other_lung():
    off, on = pair(xrays, "Consolidation", 32)
    sampled = xrays.draw(32, seed=2, split="test").labels
    labels = flipped(xrays, sampled, "Consolidation", 1)
    side = xrays.draw(32, seed=2, split="test", labels=labels).factors["consolidation_side"]
    for change, where in zip(np.abs(off - on).max(1), side, strict=True):
        # The patient's left (1) is the right of the image, give or take the rotation.
        other = change[:, :20] if where > 0 else change[:, 44:]
        assert other.max() == 0


def test_marginals_of_faces():
    prevalence = sample_many_faces().mean(0)
    for label, share in zip(faces.LABELS, prevalence, strict=True):
        assert share == pytest.approx(TARGET_PREVALENCE[label], abs=0.01), label


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ("Male", "Heavy_Makeup", -0.75, -0.55),
        ("Male", "No_Beard", -0.60, -0.45),
        ("Male", "Wearing_Necktie", 0.25, 0.40),
        ("Male", "Wavy_Hair", -0.40, -0.25),
        ("Young", "Eyeglasses", -0.30, -0.15),
        ("Bangs", "Receding_Hairline", -0.20, -0.05),
        ("Smiling", "Bushy_Eyebrows", -0.10, 0.0),
    ],
)
def test_correlations_of_faces(one, other, low, high):
    labels = sample_many_faces()
    columns = [labels[:, faces.LABELS.index(label)] for label in (one, other)]
    assert low < np.corrcoef(columns)[0, 1] < high


def test_hair_has_at_most_one_colour():
    labels = sample_many_faces(20_000)
    colours = [faces.LABELS.index(f"{colour}_Hair") for colour in ("Black", "Blond", "Brown")]
    assert labels[:, colours].sum(1).max() == 1


@GENERATORS
def test_every_label_has_characteristics(generator):
    assert tuple(sorted(generator.CHARACTERISTICS)) == tuple(sorted(generator.LABELS))
    for label, names in generator.CHARACTERISTICS.items():
        assert names, label
        assert len(set(names)) == len(names), label


@EACH_LABEL
def test_characteristics_are_exactly_what_the_label_moves(generator, label):
    recipe = generator.recipe()
    dice = np.random.default_rng(1).random((8_000, recipe.dice))
    sampled = recipe.sample_labels(dice)
    off, on = (
        recipe.sample_factors(flipped(generator, sampled, label, value), dice) for value in (0, 1)
    )
    moved = {name for name in off if (off[name] != on[name]).any()}
    assert moved == set(generator.CHARACTERISTICS[label])
    for name in moved:
        gap = max(
            largest_gap(a, b)
            for a, b in zip(np.atleast_2d(off[name].T), np.atleast_2d(on[name].T), strict=True)
        )
        assert gap > 0.002, name


def largest_gap(a: np.ndarray, b: np.ndarray) -> float:
    """The Kolmogorov-Smirnov distance between two samples."""
    at = np.concatenate([a, b])
    shares = [np.searchsorted(np.sort(sample), at, side="right") / len(sample) for sample in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max())


def certain(generator: ModuleType) -> Recipe:
    """The generator without uncertain findings: what is denied is not there."""
    return xrays.recipe("drop") if generator is xrays else generator.recipe()


def factors_with(generator: ModuleType, label: str, value: int) -> dict[str, np.ndarray]:
    recipe = certain(generator)
    dice = np.random.default_rng(2).random((BATCH, recipe.dice))
    labels = flipped(generator, recipe.sample_labels(dice), label, value)
    return recipe.sample_factors(labels, dice)


def rendered(generator: ModuleType, factors: dict[str, np.ndarray]) -> np.ndarray:
    return certain(generator).render(factors, np.random.default_rng(3))


@EACH_LABEL
def test_characteristics_show_in_the_image(generator, label):
    # These are told by other factors, such as the hue by the colour of the hair.
    told_twice = {
        "hair_hue",
        "hair_saturation",
        "hair_value",
        "hair_is_grey",
        "hair_is_red",
        "skin_tone",
    }
    off, on = (factors_with(generator, label, value) for value in (0, 1))
    for name in set(generator.CHARACTERISTICS[label]) - told_twice:
        shown = [
            (rendered(generator, f) != rendered(generator, f | {name: 0.7 * f[name] + 0.1})).any()
            for f in (off, on)
        ]
        assert any(shown), name


@pytest.mark.parametrize(
    ("generator", "label", "presence"),
    [
        (faces, "Bangs", {"fringe_opacity", "baldness", "hair_length"}),
        (faces, "Eyeglasses", {"glasses_opacity"}),
        (
            faces,
            "Wearing_Necktie",
            {"tie_opacity", "suit", "collar", "bare_shoulders", "neckline_depth"},
        ),
        (xrays, "Consolidation", {"consolidation_density"}),
        (xrays, "Pleural Effusion", {"effusion_right", "effusion_left"}),
    ],
)
def test_what_is_absent_does_not_show(generator, label, presence):
    off, on = (factors_with(generator, label, value) for value in (0, 1))
    # One image keeps the thing, so that it is drawn at all.
    for name in generator.CHARACTERISTICS[label]:
        off[name][0] = on[name][0]
    details = set(generator.CHARACTERISTICS[label]) - presence
    assert details
    described = off | {name: on[name] for name in details}
    assert (rendered(generator, off) == rendered(generator, described)).all()


@GENERATORS
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"split": "val"}, "no split is called 'val'"),
        ({"start": BATCH + 1}, "start is 9"),
        ({"start": -BATCH}, "start is -8"),
        ({"n": -1}, "asked for -1"),
        ({"seed": -1}, "the seed is -1"),
        ({"seed": 2**64}, "the seed is"),
        ({"labels": np.zeros((3, 2))}, r"the labels have shape \(3, 2\)"),
        ({"labels": "twos"}, "neither 0 nor 1"),
        ({"labels": "halves"}, "neither 0 nor 1"),
    ],
)
def test_errors(generator, wrong, message):
    given = {"n": 3, "seed": 0, "split": "train"} | wrong
    named = {"twos": 2.0, "halves": 0.5}
    if isinstance(given.get("labels"), str):
        given["labels"] = np.full((3, len(generator.LABELS)), named[given["labels"]])
    with pytest.raises(InputError, match=message):
        generator.draw(given.pop("n"), **given)


def test_drawing_does_not_load_torch():
    code = (
        "import sys; from datasets.stand_ins import faces, xrays; sys.exit('torch' in sys.modules)"
    )
    root = Path(ccvae.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


@GENERATORS
def test_factors_can_be_had_without_the_images(generator: ModuleType) -> None:
    drawn_too = generator.draw(13, seed=2, split="test").factors
    alone = drawn.factors(generator.recipe(), 13, seed=2, split="test")
    assert alone.keys() == drawn_too.keys()
    for name, values in alone.items():
        np.testing.assert_array_equal(values, drawn_too[name], err_msg=name)
