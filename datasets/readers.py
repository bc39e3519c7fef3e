"""Every data set by name: what is known of it beforehand, and how it is found and prepared.

A new data set is one function that finds it and one line here. The function gets the data set's
`StoreSpec` and, as keyword arguments, the options of the configuration (and `raw`, the cache of
downloaded files, where it asks for it); it returns a `Source`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccvae.errors import InputError
from datasets.labels import ATTRIBUTES, CLOTHES, DIGITS, FINDINGS
from datasets.spec import SPLITS, StoreSpec

if TYPE_CHECKING:
    from datasets.source import Source
    from datasets.store import Store


@dataclass(frozen=True)
class Reader:
    """How a data set is found; the function is imported when it is needed.

    Attributes
    ----------
    function
        `module:function`; see the module's docstring.
    spec
        The store of the whole data set, as it is expected; what is found may have other counts.
    """

    function: str
    spec: StoreSpec

    @property
    def name(self) -> str:
        """Name in the configuration."""
        return self.spec.name

    def load(self) -> Callable[..., Source]:
        """Import the function."""
        module, _, function = self.function.partition(":")
        return getattr(import_module(module), function)

    def options(self) -> dict[str, Any]:
        """Return the options with their defaults; `Parameter.empty` marks the required."""
        return {
            parameter.name: parameter.default
            for parameter in signature(self.load()).parameters.values()
            if parameter.kind is parameter.KEYWORD_ONLY and parameter.name != "raw"
        }

    def expected_counts(self, options: Mapping[str, Any]) -> dict[str, int]:
        """Images per split to plan with, before the data are looked at; 0 where nothing says it.

        Raises
        ------
        InputError
            If the options `sizes` or `limit` hold no numbers.
        """
        sizes = options.get("sizes") or self.spec.counts
        limit = options.get("limit") or {}
        counts = {}
        for split in SPLITS:
            try:
                n = int(sizes.get(split, 0))
                counts[split] = min(n, int(limit.get(split, n)))
            except (AttributeError, TypeError, ValueError):
                raise InputError(
                    f"The options of {self.name} give no number of {split} images; sizes and limit "
                    "look like {train: 1000, validation: 100, test: 100}."
                ) from None
        return counts


_IDX = {"train": 50_000, "validation": 10_000, "test": 10_000}
READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        Reader(
            "datasets.mnist:find_idx",
            StoreSpec(
                name="mnist",
                kind="multi_class",
                labels=DIGITS,
                image_shape=(1, 28, 28),
                counts=_IDX,
                source="MNIST, the four published idx files",
            ),
        ),
        Reader(
            "datasets.mnist:find_idx",
            StoreSpec(
                name="fashion_mnist",
                kind="multi_class",
                labels=CLOTHES,
                image_shape=(1, 28, 28),
                counts=_IDX,
                source="FashionMNIST, the four published idx files",
            ),
        ),
        Reader(
            "datasets.celeba:find_celeba",
            StoreSpec(
                name="celeba",
                kind="multi_label",
                labels=ATTRIBUTES,
                image_shape=(3, 64, 64),
                counts={"train": 152_770, "validation": 10_000, "test": 19_962},
                source="CelebA, aligned images",
            ),
        ),
        Reader(
            "datasets.chexpert:find_chexpert",
            StoreSpec(
                name="chexpert",
                kind="multi_label",
                labels=FINDINGS,
                image_shape=(3, 64, 64),
                # Views of all kinds, 223,414 together, under `patient_split`.
                counts={"train": 177_790, "validation": 22_543, "test": 23_081},
                source="CheXpert-v1.0-small",
                notes=("Not for clinical use.",),
            ),
        ),
        Reader(
            "datasets.stand_ins.prepare:find_faces",
            StoreSpec(
                name="synthetic_faces",
                kind="multi_label",
                labels=ATTRIBUTES,
                image_shape=(3, 64, 64),
                counts={},
                source="Faces drawn by datasets.stand_ins.faces, in place of CelebA",
                stands_for="celeba",
                notes=("Drawings: no figure obtained on them is comparable with one on CelebA.",),
            ),
        ),
        Reader(
            "datasets.stand_ins.prepare:find_xrays",
            StoreSpec(
                name="synthetic_xrays",
                kind="multi_label",
                labels=FINDINGS,
                image_shape=(3, 64, 64),
                counts={},
                source="Chest X-rays drawn by datasets.stand_ins.xrays, in place of CheXpert",
                stands_for="chexpert",
                notes=(
                    "Drawings: no figure obtained on them is comparable with one on CheXpert.",
                    "Not for clinical use.",
                ),
            ),
        ),
    )
}


def inspect(
    name: str, options: Mapping[str, Any], *, raw: str | Path, store: str | Path | None = None
) -> Source:
    """Find a data set and look at it, so that its preparation will succeed.

    Files are found, lists read, options checked, images looked for and some decoded; a second or
    two for 200,000 images.

    Parameters
    ----------
    name
        One of `READERS`.
    options
        The data set's options.
    raw
        The cache of downloaded files.
    store
        Folder of its store: if that is finished, the images are needed no longer.

    Returns
    -------
    Source
        With the numbers of images in `spec.counts`, and in `found` all that there is to tell.

    Raises
    ------
    InputError
        If the data set or an option is unknown, an option is missing, or the data cannot be used.
    """
    source = _find(name, options, Path(raw))
    if store is not None and source.store(Path(store)) is not None:
        told: tuple[str, ...] = (f"prepared in {store}",)
    else:
        told = source.check()
    return replace(source, found=(*source.found, *told, source.spec.in_words))


def prepare(
    name: str, options: Mapping[str, Any], folder: str | Path, *, raw: str | Path, workers: int
) -> Store:
    """Prepare a data set; does nothing when its store is there with the same options.

    Parameters
    ----------
    name, options, raw
        As for `inspect`.
    folder
        The store's folder.
    workers
        Number of processes; the result does not depend on it.

    Returns
    -------
    Store
        The finished store.

    Raises
    ------
    InputError
        As `inspect`, or if a file cannot be read; what was done is kept for the next try.
    """
    source = _find(name, options, Path(raw))
    if (ready := source.store(Path(folder))) is not None:
        return ready
    source.check()
    return source.write(Path(folder), workers=workers)


def _find(name: str, options: Mapping[str, Any], raw: Path) -> Source:
    if name not in READERS:
        raise InputError(
            f"There is no data set {name!r}; the known ones are {', '.join(sorted(READERS))}."
        )
    reader = READERS[name]
    known = reader.options()
    if unknown := sorted(set(map(str, options)) - set(known)):
        raise InputError(
            f"The data set {name} has no option {unknown[0]!r}; its options are "
            f"{', '.join(sorted(known))}."
        )
    required = sorted(key for key, default in known.items() if default is Parameter.empty)
    if missing := [key for key in required if options.get(key) in (None, "")]:
        how = f'say where it is, as in --config "folders={{{name}: PATH}}"'
        raise InputError(
            f"The data set {name} needs the option {missing[0]!r}; "
            f"{how if missing[0] == 'folder' else 'set it'}."
        )
    find = reader.load()
    cache = {"raw": raw} if "raw" in signature(find).parameters else {}
    return find(reader.spec, **cache, **options)
