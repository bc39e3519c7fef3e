"""A data set as it was found: what its store will be, and how the store is filled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from datasets.spec import StoreSpec
from datasets.store import Store, finished
from datasets.writer import StoreWriter


@dataclass(frozen=True, eq=False)
class Source(ABC):
    """What a reader found.

    Attributes
    ----------
    spec
        What the store will be.
    found
        Sentences for people: which files were found where, and what will be done with them.
    """

    spec: StoreSpec
    found: tuple[str, ...] = field(default=(), kw_only=True)

    def check(self) -> tuple[str, ...]:
        """Look at what `write` will read, as far as a look is cheap, and say what there is to say.

        Raises
        ------
        InputError
            If `write` would fail.
        """
        return ()

    def store(self, folder: Path) -> Store | None:
        """Return the store in `folder` if it is whole and made from this source."""
        return finished(folder, self.spec)

    def stamps(self) -> np.ndarray | None:
        """Return what each row is made from, where that may change; see `StoreWriter`."""
        return None

    @abstractmethod
    def fill(self, writer: StoreWriter, workers: int) -> None:
        """Append the rows from `writer.done` on; the result does not depend on `workers`."""

    def write(self, folder: Path, *, workers: int = 1) -> Store:
        """Write the store, or what an earlier attempt left to do.

        Raises
        ------
        InputError
            If the data cannot be used; the rows before the trouble are kept for the next try.
        """
        with StoreWriter(folder, self.spec, self.stamps()) as writer:
            self.fill(writer, workers)
        return Store.open(folder)


@dataclass(frozen=True, eq=False)
class Arrays(Source):
    """Images that fit into memory.

    Attributes
    ----------
    images
        uint8 (N, C, H, W): train, validation, test.
    labels
        uint8 (N, F), in the same order.
    """

    images: np.ndarray
    labels: np.ndarray

    def fill(self, writer: StoreWriter, workers: int) -> None:
        """Append all that is not there yet."""
        writer.write(self.images[writer.done :], self.labels[writer.done :])
