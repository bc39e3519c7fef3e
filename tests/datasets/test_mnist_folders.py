"""MNIST's files as people have them: known by their content, or refused in one sentence."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from datasets import mnist
from datasets.download import SourceError
from datasets.mnist import FILES, IdxDataset
from datasets.readers import READERS, inspect
from datasets.store import Store
from tests.folders import fill, idx_files, look_and_prepare

Files = dict[str, bytes]
COUNTS = {"train": 50, "validation": 10, "test": 20}


@pytest.fixture(scope="module")
def files() -> Files:
    return idx_files(60, 20, seed=0)


@pytest.fixture(scope="module")
def others() -> Files:
    """What another data set has under the same names."""
    return idx_files(60, 20, seed=1)


@pytest.fixture(autouse=True)
def small_data_sets(files: Files, others: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both data sets, with few images that cannot be downloaded."""

    def no_package(folder: Path) -> None:
        raise SourceError("no package here")

    monkeypatch.setattr(mnist, "VALIDATION", COUNTS["validation"])
    for name, title, contents in (
        ("mnist", "MNIST", files),
        ("fashion_mnist", "FashionMNIST", others),
    ):
        md5 = {name: hashlib.md5(data).hexdigest() for name, data in contents.items()}
        monkeypatch.setitem(mnist.DATASETS, name, IdxDataset(title, md5, no_package, "a package"))
        spec = dataclasses.replace(READERS[name].spec, counts=COUNTS)
        monkeypatch.setitem(READERS, name, dataclasses.replace(READERS[name], spec=spec))


def renamed(change: Callable[[str], str], files: Mapping[str, bytes]) -> Files:
    return {change(name): data for name, data in files.items()}


def packed(files: Mapping[str, bytes]) -> Files:
    return {f"{name}.gz": gzip.compress(data) for name, data in files.items()}


def plain(folder: Path, files: Files, others: Files) -> None:
    fill(folder, files)


LAYOUTS: dict[str, Callable[[Path, Files, Files], object]] = {
    "as published": lambda folder, files, _: fill(folder, packed(files)),
    "unpacked": plain,
    "dots": lambda folder, files, _: fill(
        folder, renamed(lambda n: n.replace("-idx", ".idx"), files)
    ),
    "unpacked, name kept": lambda folder, files, _: fill(
        folder, renamed(lambda n: f"{n}.gz", files)
    ),
    "packed, suffix lost": lambda folder, files, _: fill(
        folder, renamed(lambda n: n.removesuffix(".gz"), packed(files))
    ),
    "packed twice": lambda folder, files, _: fill(folder, packed(packed(files))),
    "a folder each": lambda folder, files, _: [
        fill(folder / name, {name: data}) for name, data in files.items()
    ],
    "torchvision": lambda folder, files, _: fill(folder / "MNIST" / "raw", packed(files)),
    "torchvision, too high": lambda folder, files, _: fill(
        folder / "datasets" / "MNIST" / "raw", files
    ),
    "both of torchvision": lambda folder, files, others: (
        fill(folder / "MNIST" / "raw", files),
        fill(folder / "FashionMNIST" / "raw", others),
    ),
    "downloaded twice": lambda folder, files, _: fill(
        folder, renamed(lambda n: f"{n} (1).gz", {n: gzip.compress(d) for n, d in files.items()})
    ),
    "capitals": lambda folder, files, _: fill(folder, renamed(str.upper, files)),
    "other names": lambda folder, files, _: fill(folder, renamed(lambda n: f"my {n}.bin", files)),
    "names exchanged": lambda folder, files, _: fill(
        folder, dict(zip(files, reversed(files.values()), strict=True))
    ),
    "a damaged copy beside": lambda folder, files, _: (
        fill(folder / "b", files),
        fill(folder / "a", {name: data[:-1] for name, data in files.items()}),
    ),
    "other files beside": lambda folder, files, _: fill(
        folder, {**files, "mnist.npz": b"PK\3\4", "README.md": b"MNIST", "empty": b""}
    ),
}


@pytest.mark.parametrize("lay", LAYOUTS.values(), ids=LAYOUTS)
def test_files_are_known_by_their_content(
    tmp_path: Path, files: Files, others: Files, lay: Callable[[Path, Files, Files], object]
) -> None:
    right = look_and_prepare(
        "mnist", {"folder": str(fill(tmp_path / "ok", files))}, tmp_path / "right"
    )
    lay(tmp_path / "mine", files, others)
    store = look_and_prepare("mnist", {"folder": str(tmp_path / "mine")}, tmp_path / "made")
    assert isinstance(store, Store), store
    assert isinstance(right, Store)
    assert store.checksum == right.checksum
    assert store.meta["counts"] == COUNTS


FIRST = FILES[0]
TROUBLE: dict[str, tuple[Callable[[Path, Files, Files], object], tuple[str, ...]]] = {
    "web page": (
        lambda folder, files, _: fill(folder, packed(files) | {f"{FIRST}.gz": b"<!DOCTYPE html>"}),
        (f"{FIRST}.gz is a web page",),
    ),
    "Fashion": (
        lambda folder, _, others: fill(folder, packed(others)),
        (f"{FIRST}.gz is FashionMNIST's", "MNIST cannot be read from the folder"),
    ),
    "one of Fashion's": (
        lambda folder, files, others: fill(folder, files | {FIRST: others[FIRST]}),
        (f"{FIRST} is FashionMNIST's",),
    ),
    "truncated": (
        lambda folder, files, _: fill(
            folder, packed(files) | {f"{FIRST}.gz": packed(files)[f"{FIRST}.gz"][:-3]}
        ),
        (f"{FIRST}.gz cannot be read", "end-of-stream"),
    ),
    "truncated, unpacked": (
        lambda folder, files, _: fill(folder, files | {FIRST: files[FIRST][:-3]}),
        (f"{FIRST} holds 47037 bytes of data where its header announces (60, 28, 28)",),
    ),
    "changed": (
        lambda folder, files, _: fill(folder, files | {FIRST: files[FIRST][:-1] + b"x"}),
        ("the content of", f"{FIRST} has the MD5", "was expected"),
    ),
    "empty": (
        lambda folder, files, _: fill(folder, files | {FIRST: b""}),
        (f"{FIRST} does not begin like an idx file",),
    ),
    "one missing": (
        lambda folder, files, _: fill(folder, {n: d for n, d in files.items() if n != FIRST}),
        (f"{FIRST} is missing", "leave the option 'folder' out to download them"),
    ),
    "other format": (
        lambda folder, files, _: fill(folder, {"mnist.npz": b"PK\3\4", "mnist_train.csv": b"5,0"}),
        (f"{FIRST} is missing",),
    ),
}


@pytest.mark.parametrize(("lay", "words"), TROUBLE.values(), ids=TROUBLE)
def test_files_in_trouble_are_named(
    tmp_path: Path,
    files: Files,
    others: Files,
    lay: Callable[[Path, Files, Files], object],
    words: tuple[str, ...],
) -> None:
    lay(tmp_path / "mine", files, others)
    said = look_and_prepare("mnist", {"folder": str(tmp_path / "mine")}, tmp_path / "made")
    for word in words:
        assert word in str(said)


def test_what_will_be_downloaded_is_said_and_what_is_there_is_not(
    tmp_path: Path, files: Files
) -> None:
    source = inspect("mnist", {}, raw=tmp_path)
    assert f"will be downloaded to {tmp_path / 'mnist'}" in source.found
    assert not (tmp_path / "mnist").exists()
    fill(tmp_path / "mnist", packed(files))
    source = inspect("mnist", {}, raw=tmp_path)
    assert source.found[0] == f"the four files are in {tmp_path / 'mnist'}"
    assert source.found[-1] == "50 train, 10 validation, 20 test images"
