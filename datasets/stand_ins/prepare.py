"""Stores of drawn images, the stand-ins for CelebA and CheXpert where those cannot be had.

Their numbers are never comparable with those of the originals (deviation: stand-ins).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ccvae.errors import InputError
from datasets.parallel import ordered_map
from datasets.spec import SPLITS, StoreSpec, split_counts
from datasets.store import Store, finished
from datasets.writer import StoreWriter

# A multiple of the generators' batch, so that a slice can be drawn alone.
SLICE = 256


@dataclass(frozen=True)
class StandIn:
    """One drawn data set.

    Attributes
    ----------
    name
        Name of the reader.
    generator
        The module that draws: `draw`, `LABELS` and `VERSION`.
    source
        Where the images come from, in words.
    notes
        Sentences for `store.json`.
    """

    name: str
    generator: str
    source: str
    notes: tuple[str, ...]


FACES = StandIn(
    "synthetic_faces",
    "datasets.stand_ins.faces",
    "Faces drawn by datasets.stand_ins.faces, in place of CelebA",
    ("Drawings: no figure obtained on them is comparable with one on CelebA.",),
)
XRAYS = StandIn(
    "synthetic_xrays",
    "datasets.stand_ins.xrays",
    "Chest X-rays drawn by datasets.stand_ins.xrays, in place of CheXpert",
    (
        "Drawings: no figure obtained on them is comparable with one on CheXpert.",
        "Not for clinical use.",
    ),
)


def prepare_synthetic_faces(
    store: Path, *, raw: Path, workers: int = 1, seed: int, sizes: Mapping[str, int]
) -> Store:
    """Prepare drawn faces with CelebA's 18 labels; see `prepare_drawn` for the parameters."""
    return prepare_drawn(FACES, store, workers=workers, seed=seed, sizes=sizes)


def prepare_synthetic_xrays(
    store: Path, *, raw: Path, workers: int = 1, seed: int, sizes: Mapping[str, int]
) -> Store:
    """Prepare drawn X-rays with CheXpert's 5 findings; see `prepare_drawn` for the parameters."""
    return prepare_drawn(XRAYS, store, workers=workers, seed=seed, sizes=sizes)


def prepare_drawn(
    stand_in: StandIn, store: Path, *, workers: int, seed: int, sizes: Mapping[str, int]
) -> Store:
    """Write the store of a drawn data set, unless it is there already.

    Row i of a split in the store is image i of the generator's split, so that `seed` suffices to
    draw any stored image again, for instance with one label changed.

    Parameters
    ----------
    stand_in
        Which one.
    store
        The store's folder.
    workers
        Number of processes that draw; the result does not depend on it.
    seed
        Seed of the generator, not negative.
    sizes
        Number of images in `train`, `validation` and `test`.

    Returns
    -------
    Store
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
    module: Any = import_module(stand_in.generator)
    spec = StoreSpec(
        name=stand_in.name,
        kind="multi_label",
        labels=tuple(module.LABELS),
        image_shape=(3, 64, 64),
        counts=counts,
        source=stand_in.source,
        stand_in=True,
        options={"seed": seed, "sizes": counts, "generator_version": module.VERSION},
        notes=stand_in.notes,
    )
    if (ready := finished(store, spec)) is not None:
        return ready
    draw = partial(_draw, stand_in.generator, seed)
    with StoreWriter(store, spec) as writer:
        tasks = _slices(counts, writer.done)
        # `disable=None` keeps the bar out of logs: it is drawn on a terminal only.
        with tqdm(
            total=spec.total, initial=writer.done, desc=spec.name, unit="image", disable=None
        ) as bar:
            for images, labels in ordered_map(draw, tasks, workers=workers):
                writer.write(images, labels)
                bar.update(len(images))
    return Store.open(store)


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
