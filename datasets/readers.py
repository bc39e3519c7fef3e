"""Every data set by name, and the one function that prepares any of them.

A new data set is one module with a `prepare_*` function and one line here. Its keyword arguments,
apart from `raw` and `workers`, are the options of the configuration.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ccvae.errors import InputError
from datasets.store import Store


@dataclass(frozen=True)
class Reader:
    """How a data set is prepared; the module is imported when it is needed.

    Attributes
    ----------
    name
        Name in the configuration.
    module, function
        Where the prepare function is.
    kind
        `multi_label` or `multi_class`.
    stand_in
        Whether the images are drawn in place of real ones.
    """

    name: str
    module: str
    function: str
    kind: str
    stand_in: bool = False

    def load(self) -> Callable[..., Store]:
        """Import the prepare function."""
        return getattr(import_module(self.module), self.function)

    def options(self) -> dict[str, Any]:
        """Return the options with their defaults; `inspect.Parameter.empty` marks the required."""
        parameters = inspect.signature(self.load()).parameters.values()
        return {
            parameter.name: parameter.default
            for parameter in parameters
            if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in ("raw", "workers")
        }


READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        Reader("mnist", "datasets.mnist", "prepare_mnist", "multi_class"),
        Reader("fashion_mnist", "datasets.mnist", "prepare_fashion_mnist", "multi_class"),
        Reader("celeba", "datasets.celeba", "prepare_celeba", "multi_label"),
        Reader("chexpert", "datasets.chexpert", "prepare_chexpert", "multi_label"),
        Reader(
            name="synthetic_faces",
            module="datasets.stand_ins.prepare",
            function="prepare_synthetic_faces",
            kind="multi_label",
            stand_in=True,
        ),
        Reader(
            name="synthetic_xrays",
            module="datasets.stand_ins.prepare",
            function="prepare_synthetic_xrays",
            kind="multi_label",
            stand_in=True,
        ),
    )
}


def prepare(
    name: str, options: Mapping[str, Any], folder: str | Path, *, raw: str | Path, workers: int
) -> Store:
    """Prepare a data set; does nothing when its store is there with the same options.

    Parameters
    ----------
    name
        One of `READERS`.
    options
        The data set's options.
    folder
        The store's folder.
    raw
        The cache of downloaded files.
    workers
        Number of processes; the result does not depend on it.

    Returns
    -------
    Store
        The finished store.

    Raises
    ------
    InputError
        If the data set or an option is unknown, an option is missing, or the data cannot be used.
    """
    if name not in READERS:
        raise InputError(
            f"There is no data set {name!r}; the known ones are {', '.join(sorted(READERS))}."
        )
    reader = READERS[name]
    known = reader.options()
    if unknown := sorted(set(options) - set(known)):
        raise InputError(
            f"The data set {name} has no option {unknown[0]!r}; its options are "
            f"{', '.join(sorted(known))}."
        )
    required = sorted(key for key, default in known.items() if default is inspect.Parameter.empty)
    if missing := [key for key in required if options.get(key) is None]:
        raise InputError(f"The data set {name} needs the option {missing[0]!r}; set it.")
    return reader.load()(Path(folder), raw=Path(raw), workers=workers, **options)
