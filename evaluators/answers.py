"""What a perfect model would answer on a stand-in: drawn once, for every model of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Bool, Integer, UInt8
from torch import Tensor

from ccvae.errors import InputError
from ccvae.files import atomic_path
from ccvae.shapes import Bytes
from datasets.stand_ins.truth import Truth
from datasets.store import Store
from evaluators.generation import even_labels
from evaluators.images import BATCH, ImageSet, to_unit
from evaluators.regions import changed
from evaluators.swap import random_pairs
from evaluators.true_swap import TrueSwaps

ASKED = ("swap_pairs", "generated_images", "counterfactual_images")
"""Amounts that the answers depend on."""


@dataclass(frozen=True)
class Answers:
    """Perfect drawings, uint8, and what they change.

    Attributes
    ----------
    swaps
        The true swaps of the `random_pairs`, (swap_pairs, C, H, W).
    swap_regions
        Where they truly differ from the background's image, (swap_pairs, H, W).
    generated
        New images with the `even_labels`, (generated_images, C, H, W).
    counterfactuals
        The first test images with one label changed, (L, counterfactual_images, C, H, W).
    """

    swaps: Bytes
    swap_regions: Bool[Tensor, "N H W"]
    generated: UInt8[Tensor, "n C H W"]
    counterfactuals: UInt8[Tensor, "L m C H W"]

    @property
    def true_swaps(self) -> TrueSwaps:
        """The true swaps with their regions."""
        return TrueSwaps(self.swaps, self.swap_regions)


def draw_answers(store: Store, images: ImageSet, settings: dict[str, Any]) -> Answers:
    """Draw the answers to what the models of a stand-in are asked.

    Parameters
    ----------
    store, images
        The stand-in, and its test images.
    settings
        Of the evaluation: `seed` and `amounts`.
    """
    truth, seed = Truth(store), settings["seed"]
    n_pairs, n_generated, n_changed = (settings["amounts"][name] for name in ASKED)
    pairs = random_pairs(len(images), n_pairs, seed)
    rows = torch.arange(min(n_changed, len(images)))
    redrawn = []
    for label in range(images.space.n_factors):
        y = images.labels[rows]
        y[:, label] = 1 - y[:, label]
        redrawn.append(truth.redraw(rows, y))
    swaps = draw_swaps(truth, pairs)
    return Answers(
        swaps=swaps.images,
        swap_regions=swaps.regions,
        generated=truth.draw(even_labels(images.space, n_generated, seed)),
        counterfactuals=torch.stack(redrawn),
    )


def draw_swaps(truth: Truth, pairs: Integer[Tensor, "P 2"]) -> TrueSwaps:
    """Draw the true swaps of pairs of a stand-in's images, (P, 2) indices."""
    swaps, regions = [], []
    for some in pairs.split(BATCH):
        # The noise of a true swap is a function of its place in its batch, so that the background
        # is drawn again with the same noise to see what truly changes.
        donor, background = some.unbind(1)
        swaps.append(truth.redraw_swap(donor, background))
        unchanged = truth.redraw_swap(background, background)
        regions.append(changed(to_unit(swaps[-1]), to_unit(unchanged)))
    return TrueSwaps(torch.cat(swaps), torch.cat(regions))


def save_answers(answers: Answers, path: Path, store: Store, settings: dict[str, Any]) -> None:
    """Write answers, and what they are answers to, to an .npz file."""
    arrays = {name: values.numpy() for name, values in vars(answers).items()}
    with atomic_path(path) as temporary:
        np.savez(temporary, question=_question(store, settings), **arrays)


def load_answers(path: Path, store: Store, settings: dict[str, Any]) -> Answers:
    """Read answers back.

    Raises
    ------
    InputError
        If the file is damaged, or holds answers about another store or to other settings.
    """
    again = "delete it, and the workflow draws it again"
    try:
        # numpy would leave a file open that it cannot read.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        question = str(found.pop("question"))
        answers = Answers(**{name: torch.from_numpy(values) for name, values in found.items()})
    except (BadZipFile, ValueError, KeyError, TypeError, EOFError) as error:
        raise InputError(f"the drawings in {path} cannot be read ({error}); {again}") from error
    if question != _question(store, settings):
        raise InputError(
            f"the drawings in {path} are {question}, but {_question(store, settings)} was "
            f"expected; {again}"
        )
    return answers


def _question(store: Store, settings: dict[str, Any]) -> str:
    """All that the answers depend on, as JSON."""
    amounts = {name: settings["amounts"][name] for name in ASKED}
    return json.dumps({"store": store.checksum, "seed": settings["seed"], **amounts})
