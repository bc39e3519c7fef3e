"""A store, finished or not, is continued or kept only for the images that it was made from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ccvae.errors import InputError
from datasets import image_files
from datasets.image_files import ImageFiles
from datasets.readers import inspect, prepare
from datasets.store import Store
from tests import folders

IMAGES = "img_align_celeba"


@pytest.fixture(autouse=True)
def chunks_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "CHUNK", 4)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with other pictures under CelebA's names, one of them cut off."""
    root = folders.celeba(tmp_path / "mirror")
    for path in (root / IMAGES).iterdir():
        invert(path)
    bad = root / IMAGES / "000010.jpg"
    bad.write_bytes(bad.read_bytes()[:-20])
    return root


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """The right pictures."""
    return folders.celeba(tmp_path / "good")


def invert(path: Path) -> None:
    with Image.open(path) as image:
        inverted = Image.fromarray(255 - np.asarray(image))
    inverted.save(path)


def store_of(root: Path, name: str = "store") -> Store:
    options = {"folder": str(root), "validation_size": 3}
    return prepare("celeba", options, root.parent / name, raw=root.parent, workers=1)


def stop_at_the_bad_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave an unfinished store, as if the look beforehand had not met the damaged image."""
    with monkeypatch.context() as patch:
        patch.setattr(ImageFiles, "check", lambda self: ())
        with pytest.raises(InputError, match=r"000010.jpg cannot be decoded"):
            store_of(root)
    assert (root.parent / ".store.partial").exists()


def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that are decoded into a store from now on."""
    names: list[str] = []
    original = image_files._decode_chunk

    def count(task: tuple[int, list[str]], **more: Any) -> int:
        names.extend(Path(path).name for path in task[1])
        return original(task, **more)

    monkeypatch.setattr(image_files, "_decode_chunk", count)
    return names


def replace_all(root: Path, good: Path) -> Path:
    shutil.copytree(good / IMAGES, root / IMAGES, dirs_exist_ok=True)
    return root


def replace_and_keep_times(root: Path, good: Path) -> Path:
    """Put other pictures in place, with the times of those before."""
    for path in (root / IMAGES).iterdir():
        times = path.stat()
        path.write_bytes((good / IMAGES / path.name).read_bytes())
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return root


def replace_folder(root: Path, good: Path) -> Path:
    shutil.rmtree(root)
    return good.rename(root)


@pytest.mark.parametrize(
    "mend", [lambda _, good: good, replace_all, replace_and_keep_times, replace_folder]
)
def test_an_unfinished_store_takes_nothing_from_other_images(
    root: Path, good: Path, monkeypatch: pytest.MonkeyPatch, mend: Callable[[Path, Path], Path]
) -> None:
    right = store_of(good, "right")
    stop_at_the_bad_one(root, monkeypatch)
    assert store_of(mend(root, good)).checksum == right.checksum


def test_a_mended_image_costs_no_other(
    root: Path, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at_the_bad_one(root, monkeypatch)
    shutil.copy(good / IMAGES / "000010.jpg", root / IMAGES)
    invert(root / IMAGES / "000010.jpg")
    names = decoded(monkeypatch)
    resumed = store_of(root)
    assert names[0] == "000009.jpg"
    assert len(names) == 11
    assert resumed.checksum == store_of(root, "whole").checksum


def test_an_image_that_changed_is_done_again(
    root: Path, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at_the_bad_one(root, monkeypatch)
    for name in ("000003.jpg", "000010.jpg"):
        shutil.copy(good / IMAGES / name, root / IMAGES)
    names = decoded(monkeypatch)
    resumed = store_of(root)
    assert names[0] == "000003.jpg"
    assert resumed.checksum == store_of(root, "whole").checksum


def test_an_unfinished_store_that_says_nothing_of_its_images_is_begun_anew(
    root: Path, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at_the_bad_one(root, monkeypatch)
    (root.parent / ".store.partial" / "stamps.npy").unlink()
    assert store_of(good).checksum == store_of(good, "right").checksum


def test_a_finished_store_is_not_taken_for_that_of_other_images(good: Path) -> None:
    other = folders.celeba(good.parent / "other")
    for path in (other / IMAGES).iterdir():
        invert(path)
    assert store_of(other).checksum != store_of(good, "right").checksum
    assert store_of(good).checksum == store_of(good, "right").checksum


def test_a_finished_store_notices_one_image_of_another_size(good: Path) -> None:
    before = store_of(good)
    Image.effect_noise((89, 109), 90).convert("RGB").save(good / IMAGES / "000010.jpg")
    assert store_of(good).checksum != before.checksum


def move(good: Path) -> Path:
    return good.rename(good.with_name("moved"))


def copy_without_times(good: Path) -> Path:
    return Path(shutil.copytree(good, good.with_name("copy"), copy_function=shutil.copyfile))


@pytest.mark.parametrize("change", [move, copy_without_times])
def test_a_data_set_that_moved_is_not_decoded_again(
    good: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], Path]
) -> None:
    before = store_of(good)
    names = decoded(monkeypatch)
    moved = change(good)
    assert store_of(moved).checksum == before.checksum
    assert names == []
    options = {"folder": str(moved), "validation_size": 3}
    found = inspect("celeba", options, raw=moved, store=before.folder).found
    assert f"prepared in {before.folder}" in found


def test_images_are_no_longer_needed_once_the_store_is_finished(good: Path) -> None:
    before = store_of(good)
    (good / IMAGES / "000010.jpg").unlink()
    assert store_of(good).checksum == before.checksum
    for path in (good / IMAGES).iterdir():
        path.write_bytes(b"")
    assert store_of(good).checksum == before.checksum


def test_other_images_are_noticed_where_some_are_missing(root: Path, good: Path) -> None:
    store_of(good)
    (root / IMAGES / "000009.jpg").unlink()
    (root / IMAGES / "000010.jpg").unlink()
    with pytest.raises(InputError, match=r"000009.jpg is missing \(2 of the 19 images"):
        store_of(root)


def test_images_of_sixteen_bits_make_the_store_of_eight(tmp_path: Path) -> None:
    root = folders.chexpert(tmp_path / "CheXpert-v1.0-small")
    options = {"folder": str(root)}

    def made(name: str) -> Store:
        return prepare("chexpert", options, tmp_path / name, raw=tmp_path, workers=1)

    expected = made("eight")
    for factor in (257, 16, 1):
        for path in list(root.rglob("view*")):
            with Image.open(path) as image:
                levels = np.asarray(image.convert("L"), dtype=np.uint16)
            path.unlink()
            Image.fromarray(levels * factor).save(path.with_suffix(".png"))
        # Their names in the lists end in .jpg, as before.
        white = {257: 65535, 16: 4095, 1: 255}[factor]
        told = inspect("chexpert", options, raw=tmp_path).found
        assert f"grey of 16 bits, with white at {white}" in told
        found = made(f"times{factor}")
        assert np.abs(found.images.astype(int) - expected.images).max() <= 1, factor
        for path in list(root.rglob("view*")):
            with Image.open(path) as image:
                levels = np.asarray(image) // factor
            Image.fromarray(levels.astype(np.uint8)).save(path)
