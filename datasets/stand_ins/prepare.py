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
from datasets.writer import StoreWriter

# A multiple of the generators' batch, so that a slice can be drawn alone.
SLICE = 256
GENERATORS = {
    "synthetic_faces": "datasets.stand_ins.faces",
    "synthetic_xrays": "datasets.stand_ins.xrays",
}
"""From a reader's name to the module that draws: `draw`, `LABELS` and `VERSION`."""


@dataclass(frozen=True, eq=False)
class Drawing(Source):
    """Images that a generator will draw.

    Row i of a split in the store is image i of the generator's split, so that `seed` suffices to
    draw any stored image again, for instance with one label changed.

    Attributes
    ----------
    generator
        One of `GENERATORS`' modules.
    seed
        Seed of the generator.
    """

    generator: str
    seed: int

    def check(self) -> tuple[str, ...]:
        """There is nothing to look at."""
        return ("will be drawn",)

    def fill(self, writer: StoreWriter, workers: int) -> None:
        """Draw what is not there yet."""
        draw = partial(_draw, self.generator, self.seed)
        tasks = _slices(self.spec.counts, writer.done)
        # `disable=None` keeps the bar out of logs: it is drawn on a terminal only.
        with tqdm(
            total=self.spec.total,
            initial=writer.done,
            desc=self.spec.name,
            unit="image",
            disable=None,
        ) as bar:
            for images, labels in ordered_map(draw, tasks, workers=workers):
                writer.write(images, labels)
                bar.update(len(images))


def find_drawn(spec: StoreSpec, *, seed: int, sizes: Mapping[str, int]) -> Drawing:
    """Say what will be drawn.

    Parameters
    ----------
    spec
        What is known of the data set.
    seed
        Seed of the generator, not negative.
    sizes
        Number of images in `train`, `validation` and `test`.

    Returns
    -------
    Drawing
        Images uint8 (N, 3, 64, 64), labels uint8 (N, L).

    Raises
    ------
    InputError
        If `seed` or `sizes` cannot be used.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise InputError(
            f"option 'seed' is {seed!r}, but a whole number of at least 0 and below 2^64 was "
            "expected."
        )
    counts = split_counts(sizes, option="sizes")
    generator = GENERATORS[spec.name]
    version = import_module(generator).VERSION
    options = {"seed": seed, "sizes": counts, "generator_version": version}
    spec = replace(spec, counts=counts, options=options)
    return Drawing(spec, generator, seed)


def _slices(counts: Mapping[str, int], done: int) -> Iterator[tuple[str, int, int]]:
    """Yield (split, start, n) of the slices that follow the first `done` rows of the store."""
    for split in SPLITS:
        for start in range(min(done, counts[split]), counts[split], SLICE):
            yield split, start, min(SLICE, counts[split] - start)
        done = max(done - counts[split], 0)


def _draw(generator: str, seed: int, task: tuple[str, int, int]) -> tuple[np.ndarray, np.ndarray]:
    split, start, size = task
    module: Any = import_module(generator)
    drawn = module.draw(size, seed=seed, split=split, start=start)
    return drawn.images, drawn.labels
