"""MNIST's files as people have them: known by their content, or refused in one sentence."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from datasets import mnist
from datasets.download import SourceError
from datasets.mnist import FILES, IdxDataset
from datasets.readers import READERS, inspect
from datasets.store import Store
from tests.folders import fill, idx_contents, look_and_prepare, packed

Files = dict[str, bytes]
COUNTS = {"train": 50, "validation": 10, "test": 20}


@pytest.fixture(scope="module")
def files() -> Files:
    return idx_contents(60, 20)


@pytest.fixture(scope="module")
def others() -> Files:
    """What another data set has under the same names."""
    return idx_contents(60, 20, seed=1)


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


def renamed(change: Callable[[str], str], files: Files) -> Files:
    return {change(name): content for name, content in files.items()}


def below(folder: str, files: Files) -> Files:
    return renamed(lambda name: f"{folder}/{name}", files)


# From the files of MNIST and of FashionMNIST to what is in the folder.
Layout = Callable[[Files, Files], Files]
LAYOUTS: dict[str, Layout] = {
    "as published": lambda files, _: packed(files),
    "unpacked": lambda files, _: files,
    "dots": lambda files, _: renamed(lambda name: name.replace("-idx", ".idx"), files),
    "unpacked, name kept": lambda files, _: renamed(lambda name: f"{name}.gz", files),
    "packed, suffix lost": lambda files, _: renamed(lambda name: name[:-3], packed(files)),
    "packed twice": lambda files, _: packed(packed(files)),
    "a folder each": lambda files, _: renamed(lambda name: f"{name}/{name}", files),
    "torchvision": lambda files, _: below("MNIST/raw", packed(files)),
    "torchvision, too high": lambda files, _: below("datasets/MNIST/raw", files),
    "both of torchvision": lambda files, others: {
        **below("FashionMNIST/raw", others),
        **below("MNIST/raw", files),
    },
    "downloaded twice": lambda files, _: renamed(lambda name: f"{name[:-3]} (1).gz", packed(files)),
    "capitals": lambda files, _: renamed(str.upper, files),
    "other names": lambda files, _: renamed(lambda name: f"my {name}.bin", files),
    "names exchanged": lambda files, _: dict(zip(files, reversed(files.values()), strict=True)),
    "damaged copies beside": lambda files, _: {
        **below("a", {name: content[:-1] for name, content in files.items()}),
        **below("b", files),
    },
    "other files beside": lambda files, _: {
        **files,
        "mnist.npz": b"PK\3\4",
        "README.md": b"MNIST",
        "empty": b"",
    },
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_files_are_known_by_their_content(
    tmp_path: Path, files: Files, others: Files, layout: Layout
) -> None:
    def made(name: str, contents: Files) -> Store:
        folder = fill(tmp_path / name, contents)
        store = look_and_prepare("mnist", {"folder": str(folder)}, tmp_path / f"{name} made")
        assert isinstance(store, Store), store
        return store

    store = made("mine", layout(files, others))
    assert store.meta["counts"] == COUNTS
    assert store.checksum == made("right", files).checksum


FIRST = FILES[0]
TROUBLE: dict[str, tuple[Layout, str]] = {
    "web page": (
        lambda files, _: packed(files) | {f"{FIRST}.gz": b"<!DOCTYPE html>"},
        f"{FIRST}.gz is a web page",
    ),
    "Fashion": (lambda _, others: packed(others), f"{FIRST}.gz is FashionMNIST's"),
    "one of Fashion's": (
        lambda files, others: files | {FIRST: others[FIRST]},
        f"{FIRST} is FashionMNIST's",
    ),
    "truncated": (
        lambda files, _: {name: content[:-3] for name, content in packed(files).items()},
        f"{FIRST}.gz cannot be read (Compressed file ended",
    ),
    "truncated, unpacked": (
        lambda files, _: files | {FIRST: files[FIRST][:-3]},
        f"{FIRST} holds 47037 bytes of data where its header announces (60, 28, 28)",
    ),
    "changed": (lambda files, _: files | {FIRST: files[FIRST][:-1] + b"x"}, f"{FIRST} has the MD5"),
    "empty": (lambda files, _: files | {FIRST: b""}, f"{FIRST} does not begin like an idx file"),
    "one missing": (lambda files, _: {n: files[n] for n in FILES[1:]}, f"{FIRST} is missing"),
    "other format": (
        lambda *_: {"mnist.npz": b"PK\3\4", "mnist_train.csv": b"5,0"},
        f"{FIRST} is missing",
    ),
}


@pytest.mark.parametrize(("layout", "words"), TROUBLE.values(), ids=TROUBLE)
def test_files_in_trouble_are_named(
    tmp_path: Path, files: Files, others: Files, layout: Layout, words: str
) -> None:
    folder = fill(tmp_path / "mine", layout(files, others))
    said = str(look_and_prepare("mnist", {"folder": str(folder)}, tmp_path / "made"))
    assert words in said
    assert f"MNIST cannot be read from the folder {folder}: " in said
    assert "leave the option 'folder' out to download them" in said


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
