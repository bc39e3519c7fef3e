"""The truth behind the stand-ins: their factors, and the same images drawn differently."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ccvae.errors import InputError
from datasets.stand_ins import drawn
from datasets.stand_ins.prepare import GENERATORS
from datasets.store import Store

RedrawSwap = Callable[[Tensor, Tensor], Tensor]
"""The true swap of drawn images: indices of characteristics (n,), indices of backgrounds (n,) to
uint8 images (n, C, H, W), the backgrounds drawn again with the characteristics of the others."""


class Truth:
    """What the generator of a stand-in knows about its images.

    Parameters
    ----------
    store
        The stand-in's store.
    split
        Of its images, which are numbered as there.

    Raises
    ------
    InputError
        If another version of the generator drew the store.
    """

    def __init__(self, store: Store, split: str = "test") -> None:
        generator: Any = import_module(GENERATORS[store.name])
        options = store.meta["options"]
        if options["generator_version"] != generator.VERSION:
            raise InputError(
                f"The images in {store.folder} were drawn by version "
                f"{options['generator_version']} of their generator, and this is version "
                f"{generator.VERSION}; delete the folder, and prepare the data set again."
            )
        self._recipe = generator.recipe(**{name: options[name] for name in generator.OPTIONS})
        self._seed = options["seed"]
        self._split = split
        self._labels = store.labels[store.indices(split)]
        self.characteristics: dict[str, tuple[str, ...]] = generator.CHARACTERISTICS

    def factors(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Every true factor of images `start` to `stop`: (n,), or (n, 3) for a colour."""
        return {name: values[start:stop] for name, values in self._factors().items()}

    def redraw(self, indices: Tensor, labels: Tensor) -> Tensor:
        """Draw images, numbered without gaps, with other labels: uint8 (n, C, H, W)."""
        # Whole batches are drawn, so a run that begins inside one is cut out of it.
        first, n = int(indices[0]), len(indices)
        lead = first % drawn.BATCH
        asked = labels.numpy().astype(np.uint8)
        given = np.concatenate([self._labels[first - lead : first], asked])
        images = self._draw(n + lead, first - lead, given).images
        return torch.from_numpy(images[lead:])

    def draw(self, labels: Tensor) -> Tensor:
        """Draw one new image per row of `labels` (n, F): uint8 (n, C, H, W)."""
        given = labels.numpy().astype(np.uint8)
        # Beyond the stored images, so that none of them is among these.
        start = -(-len(self._labels) // drawn.BATCH) * drawn.BATCH
        return torch.from_numpy(self._draw(len(given), start, given).images)

    def redraw_swap(self, characteristics: Tensor, background: Tensor) -> Tensor:
        """Draw each `background` image with all characteristics of the other: the true swap.

        Parameters
        ----------
        characteristics, background
            Indices of images, (n,) each.

        Returns
        -------
        Tensor
            uint8 (n, C, H, W).
        """
        factors = self._factors()
        moved = {name for names in self.characteristics.values() for name in names}
        mixed = {
            name: values[(characteristics if name in moved else background).numpy()]
            for name, values in factors.items()
        }
        batches = []
        for number in range(0, len(background), drawn.BATCH):
            rows = slice(number, number + drawn.BATCH)
            noise = np.random.default_rng([self._seed, number])
            chunk = {name: values[rows] for name, values in mixed.items()}
            batches.append(self._recipe.render(chunk, noise))
        images = np.concatenate(batches)
        return torch.from_numpy(np.broadcast_to(images, (len(images), 3, *images.shape[2:])).copy())

    def _factors(self) -> dict[str, np.ndarray]:
        if not hasattr(self, "_all_factors"):
            self._all_factors = drawn.factors(
                self._recipe, len(self._labels), seed=self._seed, split=self._split
            )
        return self._all_factors

    def _draw(self, n: int, start: int, labels: np.ndarray | None = None) -> drawn.Drawn:
        return drawn.draw(
            self._recipe, n, seed=self._seed, split=self._split, start=start, labels=labels
        )
