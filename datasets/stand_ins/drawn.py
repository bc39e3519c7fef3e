"""Drawn data sets: numbered images, each a function of seed, split and its number alone.

The images of a generator form one endless list per seed and split. Any aligned slice can be
drawn alone and the first n images are the same whatever is drawn after them. All randomness is
Philox (Salmon et al. 2011, doi:10.1145/2063384.2063405), a counter-based generator that can
start anywhere: row i of the table of uniforms decides the labels and the factors of image i,
and noise is drawn for a whole batch of 8 images, so that the size of the batch is part of the
data's identity. The labels and factors are exact everywhere; pixels may differ by one grey level
between processors because the vector instructions for exp and sin differ in the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ccvae.errors import InputError
from datasets.stand_ins.drawing import SIZE, Array, Factors

BATCH = 8
"""Images that share one stream of noise; also the fastest batch, as it fits the cache."""

SPLITS = {"train": 1, "validation": 2, "test": 3}

_DICE, _NOISE = 0, 1
_WORDS_PER_COUNT = 4


@dataclass(frozen=True)
class Drawn:
    """Drawn images and what they show.

    Attributes
    ----------
    images
        uint8 (n, 3, 64, 64).
    labels
        uint8 (n, L), values 0 and 1.
    factors
        Ground truth of every characteristic and nuisance: float (n,), or (n, 3) for colours.
    """

    images: Array
    labels: Array
    factors: Factors


@dataclass(frozen=True)
class Recipe:
    """What distinguishes one generator of images from another.

    Attributes
    ----------
    name
        For messages.
    stream
        Keeps the random numbers of different generators apart; unique to each.
    labels
        Names of the labels.
    dice
        Uniform numbers per image, a multiple of 4.
    sample_labels
        Uniforms (n, dice) to labels uint8 (n, L).
    sample_factors
        Labels (n, L) and uniforms (n, dice) to factors.
    render
        Factors of one batch and its source of noise to images uint8 (n, C, 64, 64), C = 1 or 3.
    """

    name: str
    stream: int
    labels: tuple[str, ...]
    dice: int
    sample_labels: Callable[[Array], Array]
    sample_factors: Callable[[Array, Array], Factors]
    render: Callable[[Factors, np.random.Generator], Array]


def draw(
    recipe: Recipe,
    n: int,
    *,
    seed: int,
    split: str,
    start: int = 0,
    labels: Array | None = None,
) -> Drawn:
    """Draw images `start` to `start + n`.

    Parameters
    ----------
    recipe
        The generator.
    n
        Number of images.
    seed
        Identity of the data set, 0 to 2^64 - 1.
    split
        "train", "validation" or "test"; the splits share no random number.
    start
        Number of the first image, a multiple of BATCH.
    labels
        Labels (n, L) to draw instead of the sampled ones, with the same dice: everything the
        changed labels do not drive stays as it was, which makes exact counterfactuals.

    Raises
    ------
    InputError
        If the split is unknown, the seed, n or start is out of range or not aligned, or the
        labels have the wrong shape or values other than 0 and 1.
    """
    _check(recipe, n, seed, split)
    if start < 0 or start % BATCH:
        raise InputError(
            f"{recipe.name}: start is {start}, but noise is drawn per batch; "
            f"give 0 or a multiple of {BATCH}."
        )
    # Whole batches are drawn and cut, so that no image depends on where its slice ends.
    complete = -(-n // BATCH) * BATCH
    first_count = start * recipe.dice // _WORDS_PER_COUNT
    dice = _philox(recipe, seed, split, _DICE, (first_count, 0))
    numbers = dice.random((complete, recipe.dice))
    shown = recipe.sample_labels(numbers)
    if labels is not None:
        shown[:n] = _checked_labels(recipe, labels, n)
    factors = recipe.sample_factors(shown, numbers)

    images = np.empty((complete, 3, SIZE, SIZE), np.uint8)
    for first in range(0, complete, BATCH):
        rows = slice(first, first + BATCH)
        noise = _philox(recipe, seed, split, _NOISE, (0, (start + first) // BATCH))
        images[rows] = recipe.render({k: v[rows] for k, v in factors.items()}, noise)
    return Drawn(images[:n], shown[:n], {name: value[:n] for name, value in factors.items()})


def factors(recipe: Recipe, n: int, *, seed: int, split: str) -> Factors:
    """Factors of the first `n` images, as `draw` gives them, without drawing the images.

    Raises
    ------
    InputError
        If the split is unknown, or the seed or n is out of range.
    """
    _check(recipe, n, seed, split)
    dice = _philox(recipe, seed, split, _DICE, (0, 0))
    numbers = dice.random((-(-n // BATCH) * BATCH, recipe.dice))
    found = recipe.sample_factors(recipe.sample_labels(numbers), numbers)
    return {name: values[:n] for name, values in found.items()}


def _philox(
    recipe: Recipe, seed: int, split: str, purpose: int, counter: tuple[int, int]
) -> np.random.Generator:
    """Start Philox at `counter` (low and high word) of the stream with this purpose.

    One step of the low word is four numbers of 64 bits; batches of noise differ in the high
    word, so that no batch can run into the next.
    """
    key = np.array([seed, recipe.stream * 16 + SPLITS[split] * 2 + purpose], np.uint64)
    words = np.array([counter[0], 0, 0, counter[1]], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=words))


def _check(recipe: Recipe, n: int, seed: int, split: str) -> None:
    """Refuse an unknown split, and a count or a seed that is out of range."""
    if split not in SPLITS:
        raise InputError(
            f"{recipe.name}: no split is called {split!r}; choose one of {', '.join(SPLITS)}."
        )
    if n < 0:
        raise InputError(f"{recipe.name}: asked for {n} images; give a count of at least 0.")
    if not 0 <= seed < 2**64:
        raise InputError(
            f"{recipe.name}: the seed is {seed}; give a whole number from 0 to 2^64 - 1."
        )


def _checked_labels(recipe: Recipe, labels: Array, n: int) -> Array:
    """Return the given labels as uint8 (n, L)."""
    given = np.asarray(labels)
    expected = (n, len(recipe.labels))
    if given.shape != expected:
        raise InputError(
            f"{recipe.name}: the labels have shape {given.shape}; give {expected}, "
            "one row per image and one column per label."
        )
    if not np.isin(given, (0, 1)).all():
        raise InputError(f"{recipe.name}: a label is neither 0 nor 1; give only 0 and 1.")
    return given.astype(np.uint8)
