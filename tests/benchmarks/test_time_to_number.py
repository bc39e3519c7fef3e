"""Time to the paper's number: its two recipes, going on where one stopped, and its page."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import time_to_number
from benchmarks.curves import Cell, Curve, reached, targets
from benchmarks.released_recipe import ReleasedRecipe
from benchmarks.time_to_number import CELLS, left, measure_cell, read_curves, settings_of
from benchmarks.time_to_number_page import lines_of, write_page
from ccvae.model import CCVAE
from ccvae.networks import Conv28
from ccvae.training import step_loss
from datasets.spec import StoreSpec
from datasets.writer import StoreWriter
from tests.tiny import classes, scramble

MNIST = Cell("mnist", "0.06")
TINY = [
    "settings={classes: {training: {steps: 8, labelled_batch: 4, unlabelled_batch: 4, epochs: 1, "
    "batch_size: 40}}}",
    "model_settings={ccvae: {classes: {latents: 6, latents_per_label: 4, label_samples: 5}}}",
]
CLOSE = {"rtol": 1e-5, "atol": 1e-4}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A preset's folder with two hundred digits of noise."""
    folder = tmp_path_factory.mktemp("results")
    counts = {"train": 200, "validation": 20, "test": 20}
    spec = StoreSpec("mnist", "multi_class", tuple("0123456789"), (1, 28, 28), counts, "noise")
    draw = np.random.default_rng(0)
    labels = np.arange(240, dtype=np.uint8)[:, None] % 10
    images = draw.integers(0, 256, (240, 1, 28, 28), dtype=np.uint8)
    store = folder / "data" / "mnist"
    with StoreWriter(store, spec) as writer:
        writer.write(images, labels)
    return folder


def asked(results: Path, most: float = 1000.0) -> Namespace:
    return Namespace(results=results, config=TINY, most=most)


@pytest.mark.parametrize("labelled", [True, False])
def test_the_released_recipe_bounds_classes_as_the_suite_does(labelled: bool) -> None:
    torch.manual_seed(0)
    model = CCVAE(
        classes(10), Conv28(), latents=9, latents_per_label=6, likelihood="laplace",
        label_samples=7,
    )  # fmt: skip
    # The released recipe passes images through the encoder twice; here, with one set of statistics.
    scramble(model.eval(), 1, 0.05)
    x, y = torch.rand(5, 1, 28, 28), torch.randint(10, (5, 1))
    torch.manual_seed(5)
    torch.randn(5, 9)
    noise = torch.cat([torch.randn(7, 5, 6), torch.randn(7, 5, 3)], dim=-1)
    recipe = ReleasedRecipe(model, 7).eval()
    torch.manual_seed(5)
    expected = recipe.loss(x, y if labelled else None, noise)
    torch.manual_seed(5)
    found, _ = step_loss(model, x, y if labelled else y[:0], len(y) if labelled else 0)
    torch.testing.assert_close(found, expected, **CLOSE)
    gradients = [
        torch.autograd.grad(loss, model.head.linear.weight)[0] for loss in (found, expected)
    ]
    torch.testing.assert_close(*gradients, **CLOSE)


def test_recipes_differ_in_schedule_and_draws_and_not_in_networks() -> None:
    suite, released = (settings_of(MNIST, recipe, []) for recipe in ("suite", "released"))
    # Where posteriors start belongs to the recipe.
    assert suite["architecture"].pop("posterior_scale") == 0.05
    assert suite["architecture"] == released["architecture"]
    assert suite["torch_seed"] == released["torch_seed"]
    assert suite["training"]["kind"] == "mixed"
    assert released["training"]["kind"] == "interleaved"
    assert (released["training"]["epochs"], released["training"]["learning_rate"]) == (100, 2e-4)
    assert released["options"]["label_samples"] == 100
    assert suite["options"]["latents"] == released["options"]["latents"]


def test_targets_are_the_papers() -> None:
    assert targets(MNIST, None) == {"accuracy": 0.974}
    faces, end = CELLS[-1], Curve("", "suite", 1, [{"swap": 3.5}])
    assert targets(faces, end) == {"balanced_accuracy": 0.9, "swap": 3.5}
    assert reached({"balanced_accuracy": 0.91, "swap": 3.4}, targets(faces, end))
    assert not reached({"balanced_accuracy": 0.91, "swap": 3.6}, targets(faces, end))
    assert not reached({"balanced_accuracy": 0.89, "swap": 3.4}, targets(faces, end))


@pytest.mark.parametrize("recipe", ["suite", "released"])
def test_a_training_that_was_cut_off_goes_on(
    recipe: str, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_to_number, "SAVE_EVERY_S", -1.0)
    monkeypatch.setattr(time_to_number, "LOOKS", {"suite": 4, "released": 6})
    monkeypatch.setattr(time_to_number, "reached", lambda *_: False)
    whole = measure_cell(MNIST, recipe, asked(results), tmp_path, None)
    assert whole.complete
    assert whole.points[-1]["step"] == whole.steps
    assert not list(tmp_path.glob("*.pt"))

    looked, looks = time_to_number.look, []

    def look_twice(*given: object) -> dict[str, float]:
        looks.append(1)
        if len(looks) == 3:
            raise KeyboardInterrupt
        return looked(*given)

    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setattr(time_to_number, "look", look_twice)
    with pytest.raises(KeyboardInterrupt):
        measure_cell(MNIST, recipe, asked(results), other, None)
    assert not read_curves(other)
    monkeypatch.setattr(time_to_number, "look", looked)
    resumed = measure_cell(MNIST, recipe, asked(results), other, None)
    assert resumed.complete
    seconds = [point.pop("cpu_s") for point in resumed.points]
    assert seconds == sorted(seconds)
    assert resumed.points == [
        {name: value for name, value in point.items() if name != "cpu_s"} for point in whole.points
    ]


def test_a_training_ends_with_what_was_asked_for_or_its_budget(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_to_number, "targets", lambda *_: {"accuracy": 0.0})
    enough = measure_cell(MNIST, "released", asked(results), tmp_path, None)
    assert len(enough.points) == 1
    spent = measure_cell(MNIST, "suite", asked(results, most=0.0), tmp_path, None)
    assert len(spent.points) == 1
    assert spent.points[0]["step"] < spent.steps
    assert set(read_curves(tmp_path)) == {(MNIST.name, "suite"), (MNIST.name, "released")}
    record = json.loads((tmp_path / "mnist-0.06.suite.json").read_text())
    assert record["machine"]["cores"]


def test_what_is_left_is_what_has_data_and_no_curve(results: Path, tmp_path: Path) -> None:
    assert list(left(CELLS[:2], results, tmp_path)) == [
        (cell, recipe) for cell in CELLS[:2] for recipe in ("suite", "released")
    ]
    assert list(left(CELLS[-1:], results, tmp_path)) == []


def curve(cell: Cell, recipe: str, *points: tuple[float, float]) -> Curve:
    looks = [{"step": s, "cpu_s": s, "accuracy": accuracy} for s, accuracy in points]
    return Curve(cell.name, recipe, 100, looks, {"processor": "a processor"}, complete=True)


def test_the_page_says_how_many_times_and_what_was_not_measured(tmp_path: Path) -> None:
    slow, never = CELLS[0], CELLS[1]
    curves = {
        (slow.name, "suite"): curve(slow, "suite", (10, 0.9), (20, 0.975)),
        (slow.name, "released"): curve(slow, "released", (100, 0.9), (300, 0.98)),
        (never.name, "suite"): curve(never, "suite", (10, 0.8), (20, 0.93)),
        (never.name, "released"): curve(never, "released", (100, 0.7), (500, 0.79)),
    }
    lines = lines_of(CELLS, curves, targets, reached)
    text = "\n".join(lines)
    assert "| mnist, f = 0.06 | accuracy 0.974 | 20 | 300 | 15.0 | 0.980: not in 20 (0.975" in text
    assert "(0.975, cut off at 20%) | 0: suite does not reach it |" in text
    assert "| 20 | not in 500 (0.790) | more than 25.0 | 0.790: 10 | 50.0 |" in text
    assert "Median over 2 cells to the released recipe's best: 25.0 times." in text
    assert text.count("not measured") == 5 * (len(CELLS) - 2)
    assert "Median over 2 cells to this: at least 20.0 times." in text
    write_page(tmp_path / "page.md", CELLS, curves, targets, reached)
    assert (tmp_path / "page.png").exists()
    assert "Measured on a processor." in (tmp_path / "page.md").read_text()


def test_an_empty_page_says_that_nothing_was_measured(tmp_path: Path) -> None:
    write_page(tmp_path / "page.md", CELLS, {}, targets, reached)
    text = (tmp_path / "page.md").read_text()
    assert text.count("not measured") == 5 * len(CELLS)
    assert not (tmp_path / "page.png").exists()
