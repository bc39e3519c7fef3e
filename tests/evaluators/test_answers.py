"""What a perfect model answers on a stand-in, drawn, kept and read back."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ccvae.errors import InputError
from datasets.labels import UNCERTAIN
from datasets.readers import prepare
from datasets.stand_ins import drawn, xrays
from datasets.stand_ins.truth import Truth
from datasets.store import Store
from evaluators.answers import Answers, draw_answers, load_answers, save_answers
from evaluators.generation import even_labels
from evaluators.images import ImageSet
from evaluators.swap import random_pairs
from tests.workflow.running import assert_one_sentence, step

AMOUNTS = {"swap_pairs": 5, "generated_images": 6, "counterfactual_images": 3}
SETTINGS: dict[str, Any] = {"seed": 7, "amounts": AMOUNTS}


def stand_in(folder: Path, seed: int, **options: Any) -> Store:
    options |= {"seed": seed, "sizes": {"train": 8, "validation": 8, "test": 16}}
    return prepare("synthetic_xrays", options, folder / f"store{seed}", raw=folder, workers=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return stand_in(tmp_path_factory.mktemp("xrays"), seed=0)


@pytest.fixture(scope="module")
def images(store: Store) -> ImageSet:
    return ImageSet.read(store, "test")


@pytest.fixture(scope="module")
def answers(store: Store, images: ImageSet) -> Answers:
    return draw_answers(store, images, SETTINGS)


def test_answers_are_those_to_the_questions_of_the_measures(
    store: Store, images: ImageSet, answers: Answers
) -> None:
    truth = Truth(store)
    a, b = random_pairs(16, 5, seed=7).unbind(1)
    assert torch.equal(answers.swaps, truth.redraw_swap(a, b))
    # Signs of findings cover part of a chest, and the noise around them is none of them.
    again = truth.redraw_swap(b, b)
    differs = (answers.swaps.short() - again.short()).abs().amax(1)
    assert answers.swap_regions[differs > 4].all()
    assert not answers.swap_regions[differs < 4].any()
    assert answers.true_swaps.regions.double().mean() < 0.9
    assert torch.equal(answers.generated, truth.draw(even_labels(images.space, 6, seed=7)))
    assert answers.counterfactuals.shape == (5, 3, 3, 64, 64)
    for label in range(5):
        flipped = images.labels[:3].clone()
        flipped[:, label] = 1 - flipped[:, label]
        again = truth.redraw(torch.arange(3), flipped)
        assert torch.equal(answers.counterfactuals[label], again)
        assert not torch.equal(again, images.images[:3])


@pytest.mark.parametrize("uncertain", UNCERTAIN)
def test_the_truth_draws_what_is_stored_under_each_policy(uncertain: str, tmp_path: Path) -> None:
    store = stand_in(tmp_path, seed=0, uncertain=uncertain)
    images, truth = ImageSet.read(store, "test"), Truth(store)
    # A run of rows inside a batch, with the labels that they have.
    rows = torch.arange(3, 14)
    assert torch.equal(truth.redraw(rows, images.labels[rows]), images.images[rows])
    # Changing one label moves its characteristics alone, however uncertain the others are.
    changed = images.labels.clone()
    changed[:, 0] = 1 - changed[:, 0]
    generator = xrays.recipe(uncertain)
    before, after = (
        drawn.draw(generator, 16, seed=0, split="test", labels=labels.numpy()).factors
        for labels in (images.labels, changed)
    )
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved == {"cardiothoracic_ratio"}
    for name, values in truth.factors(0, 16).items():
        np.testing.assert_array_equal(values, before[name])


def test_a_store_of_another_generator_is_refused(tmp_path: Path) -> None:
    store = stand_in(tmp_path, seed=0)
    store.meta["options"]["generator_version"] -= 1
    with pytest.raises(InputError, match=r"drawn by version 1 of their generator.*prepare"):
        Truth(store)


def test_no_more_images_are_changed_than_there_are(store: Store, images: ImageSet) -> None:
    settings = {"seed": 7, "amounts": {**AMOUNTS, "counterfactual_images": 50}}
    assert draw_answers(store, images, settings).counterfactuals.shape[1] == 16


@pytest.fixture
def written(store: Store, tmp_path: Path) -> Path:
    """The answers as the workflow's step writes them."""
    path = tmp_path / "judges" / "answers.npz"
    arguments = ("--settings", json.dumps(SETTINGS), "--store", store.folder, "--out", path)
    done = step("draw_answers", *arguments)
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "answers.npz",
        "answers.settings.json",
    ]
    return path


def test_answers_are_read_back_as_they_were_written(
    store: Store, answers: Answers, written: Path
) -> None:
    again = load_answers(written, store, SETTINGS)
    for name, values in vars(answers).items():
        assert vars(again)[name].dtype == values.dtype
        assert torch.equal(vars(again)[name], values)


def test_answers_to_other_questions_are_refused(
    store: Store, answers: Answers, tmp_path: Path
) -> None:
    path = tmp_path / "answers.npz"
    save_answers(answers, path, store, SETTINGS)
    for name, place in (("seed", ()), *((name, ("amounts",)) for name in AMOUNTS)):
        other = copy.deepcopy(SETTINGS)
        inner = other
        for key in place:
            inner = inner[key]
        inner[name] += 1
        with pytest.raises(InputError, match="delete it"):
            load_answers(path, store, other)
    with pytest.raises(InputError, match="was expected"):
        load_answers(path, stand_in(tmp_path, seed=1), SETTINGS)
    # What the answers do not depend on may change.
    more = {"seed": 7, "amounts": {**AMOUNTS, "sampled_images": 9}}
    load_answers(path, store, more)


@pytest.mark.parametrize("damage", ["cut", "foreign", "incomplete", "pickled"])
def test_damaged_answers_are_refused(
    damage: str, store: Store, answers: Answers, tmp_path: Path
) -> None:
    path = tmp_path / "answers.npz"
    save_answers(answers, path, store, SETTINGS)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-2000])
    elif damage == "foreign":
        path.write_bytes(b"not drawings")
    elif damage == "incomplete":
        np.savez(path, question=np.array("{}"), swaps=np.zeros(3, np.uint8))
    else:
        np.savez(path, question=np.array([{}], dtype=object), swaps=np.zeros(3, np.uint8))
    with pytest.raises(InputError, match="cannot be read"):
        load_answers(path, store, SETTINGS)


def test_the_step_names_a_store_that_is_missing(tmp_path: Path) -> None:
    arguments = ("--settings", json.dumps(SETTINGS), "--store", tmp_path / "nowhere")
    done = step("draw_answers", *arguments, "--out", tmp_path / "answers.npz")
    assert_one_sentence(done, "nowhere")
