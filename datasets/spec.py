"""What a store will hold: its splits, labels, shape and options, known before the first image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ccvae.errors import InputError

FORMAT = 1
SPLITS = ("train", "validation", "test")


def split_counts(
    sizes: Mapping[str, Any], *, option: str, largest: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Check an option that gives a number of images for each split.

    Parameters
    ----------
    sizes
        From `train`, `validation`, `test` to a number of images.
    option
        What the option is called, for the messages.
    largest
        How many images there are; a split that is not named gets all of them. Without `largest`
        every split must be named.

    Returns
    -------
    dict
        The three numbers in the order of `SPLITS`.

    Raises
    ------
    InputError
        If a split is unknown or missing, a number is no positive integer, or too few images exist.
    """
    if not isinstance(sizes, Mapping):
        raise InputError(
            f"option {option!r} is {sizes!r}, but a mapping of {', '.join(SPLITS)} to numbers of "
            "images was expected."
        )
    if unknown := sorted(set(map(str, sizes)) - set(SPLITS)):
        raise InputError(
            f"option {option!r} names the split {unknown[0]!r}, but the splits are "
            f"{', '.join(SPLITS)}."
        )
    counts = {}
    for split in SPLITS:
        if split not in sizes and largest is None:
            raise InputError(f"option {option!r} has no number of images for {split!r}; add it.")
        count = sizes.get(split, largest[split] if largest else None)
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(
                f"option {option!r} asks for {count!r} images for {split!r}, but a whole number of "
                "at least 1 was expected."
            )
        if largest is not None and count > largest[split]:
            raise InputError(
                f"option {option!r} asks for {count} images for {split!r}, but there are only "
                f"{largest[split]}; ask for fewer."
            )
        counts[split] = count
    return counts


@dataclass(frozen=True)
class StoreSpec:
    """What is known of a store before its first image is read.

    Attributes
    ----------
    name
        The data set's name.
    kind
        `multi_label` (0 or 1 for each of F labels) or `multi_class` (F = 1, a class index).
    labels
        Names of the F labels, or of the K classes.
    image_shape
        (C, H, W).
    counts
        Images in `train`, `validation` and `test`.
    source
        Where the images come from, in words.
    stands_for
        The data set whose place drawn images take, by its name; empty for real images.
    options
        All that decides the content; a change of any makes another store.
    notes
        Sentences for whoever reads `store.json`.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    image_shape: tuple[int, int, int]
    counts: Mapping[str, int]
    source: str
    stands_for: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def stand_in(self) -> bool:
        """Whether drawn images take the place of real ones."""
        return bool(self.stands_for)

    @property
    def total(self) -> int:
        """Number of images in the three splits."""
        return sum(self.counts[split] for split in SPLITS)

    @property
    def in_words(self) -> str:
        """Numbers of images for people."""
        return ", ".join(f"{self.counts[split]} {split}" for split in SPLITS) + " images"

    @property
    def factors(self) -> int:
        """Number F of label factors, the columns of `labels.npy`."""
        return len(self.labels) if self.kind == "multi_label" else 1

    def description(self) -> dict[str, Any]:
        """Return the part of `store.json` that is known beforehand."""
        return {
            "format": FORMAT,
            "name": self.name,
            "kind": self.kind,
            "labels": list(self.labels),
            "image_shape": list(self.image_shape),
            "counts": {split: self.counts[split] for split in SPLITS},
            "source": self.source,
            "stand_in": self.stand_in,
            "options": dict(self.options),
            "notes": list(self.notes),
        }

    @property
    def key(self) -> str:
        """Digest of what decides the content: equal keys mean the same arrays."""
        content = self.description()
        # A reworded sentence is no reason to decode everything again.
        del content["source"], content["notes"]
        text = json.dumps(content, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()
