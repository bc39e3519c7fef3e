"""Stores of drawn images, the stand-ins for CelebA and CheXpert where those cannot be had.

Their numbers are never comparable with those of the originals (deviation: stand-ins).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from tqdm import tqdm

from ccvae.errors import InputError
from datasets.parallel import ordered_map
from datasets.source import Source
from datasets.spec import SPLITS, StoreSpec, split_counts
from datasets.stand_ins.drawn import Recipe, draw
from datasets.writer import StoreWriter

# A multiple of the generators' batch, so that a slice can be drawn alone.
SLICE = 256
GENERATORS = {
    "synthetic_faces": "datasets.stand_ins.faces",
    "synthetic_xrays": "datasets.stand_ins.xrays",
}
"""From a reader's name to the module that draws."""


@dataclass(frozen=True, eq=False)
class Drawing(Source):
    """Images that a generator will draw.

    Row i of a split in the store is image i of the generator's split, so that the store's options
    suffice to draw any of its images again, for instance with one label changed.

    Attributes
    ----------
    recipe
        The generator.
    """

    recipe: Recipe

    def check(self) -> tuple[str, ...]:
        """There is nothing to look at."""
        return ("will be drawn",)

    def fill(self, writer: StoreWriter, workers: int) -> None:
        """Draw what is not there yet."""
        work = partial(_draw, self.recipe, self.spec.options["seed"])
        tasks = _slices(self.spec.counts, writer.done)
        # `disable=None` keeps the bar out of logs: it is drawn on a terminal only.
        with tqdm(
            total=self.spec.total,
            initial=writer.done,
            desc=self.spec.name,
            unit="image",
            disable=None,
        ) as bar:
            for images, labels in ordered_map(work, tasks, workers=workers):
                writer.write(images, labels)
                bar.update(len(images))


def find_faces(spec: StoreSpec, *, seed: int, sizes: Mapping[str, int]) -> Drawing:
    """Say which faces will be drawn; see `find_drawn` for the parameters."""
    return find_drawn(spec, seed=seed, sizes=sizes)


def find_xrays(
    spec: StoreSpec, *, seed: int, sizes: Mapping[str, int], uncertain: str = "zeros"
) -> Drawing:
    """Say which X-rays will be drawn; see `find_drawn` and `datasets.stand_ins.xrays.recipe`."""
    return find_drawn(spec, seed=seed, sizes=sizes, uncertain=uncertain)


def find_drawn(spec: StoreSpec, *, seed: int, sizes: Mapping[str, int], **options: Any) -> Drawing:
    """Say what will be drawn.

    Parameters
    ----------
    spec
        What is known of the data set.
    seed
        Seed of the generator, not negative.
    sizes
        Number of images in `train`, `validation` and `test`.
    **options
        Of the generator.

    Returns
    -------
    Drawing
        Images uint8 (N, 3, 64, 64), labels uint8 (N, L).

    Raises
    ------
    InputError
        If `seed`, `sizes` or an option cannot be used.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise InputError(
            f"option 'seed' is {seed!r}, but a whole number of at least 0 and below 2^64 was "
            "expected."
        )
    counts = split_counts(sizes, option="sizes")
    generator = import_module(GENERATORS[spec.name])
    recipe = generator.recipe(**options)
    options |= {"seed": seed, "sizes": counts, "generator_version": generator.VERSION}
    return Drawing(replace(spec, counts=counts, options=options), recipe)


def _slices(counts: Mapping[str, int], done: int) -> Iterator[tuple[str, int, int]]:
    """Yield (split, start, n) of the slices that follow the first `done` rows of the store."""
    for split in SPLITS:
        for start in range(min(done, counts[split]), counts[split], SLICE):
            yield split, start, min(SLICE, counts[split] - start)
        done = max(done - counts[split], 0)


def _draw(recipe: Recipe, seed: int, task: tuple[str, int, int]) -> tuple[np.ndarray, np.ndarray]:
    split, start, size = task
    drawn = draw(recipe, size, seed=seed, split=split, start=start)
    return drawn.images, drawn.labels
