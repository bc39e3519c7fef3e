"""CelebA's folder as people have it: found in any layout, or refused in one sentence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datasets.store import Store
from tests import folders
from tests.folders import look_and_prepare, save_image

Change = Callable[[Path], object]


def outcome(folder: object, place: Path, **options: object) -> Store | str:
    options = {"folder": str(folder), "validation_size": 3, **options}
    return look_and_prepare("celeba", options, place)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folders.celeba(tmp_path / "celeba")


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Checksum of the store of the official folder."""
    place = tmp_path_factory.mktemp("right")
    store = outcome(folders.celeba(place / "celeba"), place / "made")
    assert isinstance(store, Store)
    return store.checksum


def move(**places: str) -> Change:
    """Move parts of the folder: `images`, `attributes`, `partition`, each to a place below it."""
    names = {
        "images": "img_align_celeba",
        "attributes": "list_attr_celeba.txt",
        "partition": "list_eval_partition.txt",
    }

    def apply(root: Path) -> None:
        aside = root.rename(root.with_name("aside"))
        for part, name in names.items():
            target = root / places.get(part, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            (aside / name).rename(target)
        aside.rmdir()

    return apply


def flat(root: Path) -> None:
    for path in list((root / "img_align_celeba").iterdir()):
        path.rename(root / path.name)
    (root / "img_align_celeba").rmdir()


def cruft(root: Path) -> None:
    """What macOS leaves behind."""
    for path in [*root.glob("list_*"), *(root / "img_align_celeba").iterdir()]:
        (path.parent / f"._{path.name}").write_bytes(b"\0\5\x16\7")
    shutil.copytree(root / "img_align_celeba", root / "__MACOSX" / "celeba" / "img_align_celeba")


def in_the_wild_too(root: Path) -> None:
    """The photographs before they were aligned have the same names."""
    for row in range(23):
        save_image(root / "Img" / "img_celeba" / f"{row + 1:06d}.jpg", 23 - row)


def some_as_png(root: Path) -> None:
    for row in range(5):
        save_image(root / "img_align_celeba_png" / f"{row + 1:06d}.png", 20)


def linked(root: Path) -> None:
    (root / "img_align_celeba").rename(root.with_name("elsewhere"))
    (root / "img_align_celeba").symlink_to(root.with_name("elsewhere"))


DRIVE = move(
    images="Img/img_align_celeba",
    attributes="Anno/list_attr_celeba.txt",
    partition="Eval/list_eval_partition.txt",
)
KAGGLE = move(images="img_align_celeba/img_align_celeba")

# What is done to the official folder, and which folder is named then.
LAYOUTS: dict[str, tuple[Change, str]] = {
    "official": (str, "celeba"),
    "parent": (str, "."),
    "image folder": (str, "celeba/img_align_celeba"),
    "Drive": (DRIVE, "celeba"),
    "parent of Drive": (DRIVE, "."),
    "Img of Drive": (DRIVE, "celeba/Img"),
    "image folder of Drive": (DRIVE, "celeba/Img/img_align_celeba"),
    "Anno of Drive": (DRIVE, "celeba/Anno"),
    "Kaggle": (KAGGLE, "celeba"),
    "image folder of Kaggle": (KAGGLE, "celeba/img_align_celeba/img_align_celeba"),
    "renamed image folder": (move(images="photos"), "celeba"),
    "renamed image folder named": (move(images="photos"), "celeba/photos"),
    "images beside the lists": (flat, "celeba"),
    "way round": (str, "celeba/img_align_celeba/../../celeba"),
    "macOS": (cruft, "celeba"),
    "in the wild too": (in_the_wild_too, "celeba"),
    "some as PNG": (some_as_png, "celeba"),
    "link": (linked, "celeba"),
}


@pytest.mark.parametrize(("change", "named"), LAYOUTS.values(), ids=LAYOUTS)
def test_files_are_found_in_any_layout(
    root: Path, right: str, tmp_path: Path, change: Change, named: str
) -> None:
    change(root)
    store = outcome(tmp_path / named, tmp_path / "made")
    assert isinstance(store, Store), store
    assert store.checksum == right


@pytest.mark.parametrize(
    "written", ["~/celeba", "$DATA/celeba", "${DATA}/celeba", " ~/celeba ", "celeba"]
)
def test_a_folder_as_the_shell_has_it(
    root: Path, right: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    store = outcome(written, tmp_path / "made")
    assert isinstance(store, Store), store
    assert store.checksum == right


@pytest.mark.parametrize(
    ("images", "suffix"),
    [
        ("img_align_celeba_png", ".png"),
        ("img_align_celeba_png.7z/img_align_celeba_png", ".png"),
        ("img_align_celeba", ".png"),
        ("img_align_celeba", ".JPG"),
        ("img_align_celeba", ".jpeg"),
        ("img_align_celeba", ".bmp"),
        ("img_align_celeba", ".webp"),
    ],
)
def test_converted_images_are_taken_for_those_of_the_lists(
    tmp_path: Path, images: str, suffix: str
) -> None:
    root = folders.celeba(tmp_path / "celeba", images=images, suffix=suffix)
    store = outcome(root, tmp_path / "made")
    assert isinstance(store, Store), store
    levels = [folders.grey(row) for row in (*range(14), *range(18, 23))]
    assert np.abs(store.images.mean(axis=(1, 2, 3)) - levels).max() <= 1.5


@pytest.mark.parametrize(
    ("first", "last", "options"),
    [
        (15, 18, {}),
        (12, 18, {"limit": {"validation": 2}, "validation_size": 5}),
        (20, 23, {"limit": {"test": 1}}),
        (2, 14, {"official_validation": True, "limit": {"train": 1}}),
    ],
)
def test_images_that_are_not_used_may_be_missing(
    root: Path, tmp_path: Path, first: int, last: int, options: dict[str, object]
) -> None:
    images = root / "img_align_celeba"
    for row in range(first, last + 1):
        (images / f"{row:06d}.jpg").unlink()
    assert isinstance(outcome(root, tmp_path / "made", **options), Store)
    (images / "000001.jpg").unlink()
    said = outcome(root, tmp_path / "other", **options)
    assert "000001.jpg is missing (1 of the " in str(said)


def spoil(change: Callable[[Path], object]) -> Change:
    """Do something to the first image."""
    return lambda root: change(root / "img_align_celeba" / "000001.jpg")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere/000001.jpg")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def not_unpacked(root: Path) -> None:
    shutil.rmtree(root / "img_align_celeba")
    (root / "img_align_celeba.zip").touch()


def in_the_wild_only(root: Path) -> None:
    (root / "img_align_celeba").rename(root / "img_celeba")


TROUBLE: dict[str, tuple[Change, str]] = {
    "missing": (spoil(Path.unlink), "000001.jpg is missing (1 of the 19 images"),
    "empty": (spoil(lambda path: path.write_bytes(b"")), "000001.jpg is empty"),
    "web page": (spoil(lambda path: path.write_bytes(b"<html>")), "000001.jpg cannot be decoded"),
    "truncated": (spoil(cut), "000001.jpg cannot be decoded"),
    "dangling": (spoil(dangle), "is a link to /nowhere/000001.jpg, which is not there"),
    "folder": (spoil(make_folder), "000001.jpg is a folder and no file"),
    "no images": (
        lambda root: shutil.rmtree(root / "img_align_celeba"),
        "or another of the aligned images that the lists name; unpack img_align_celeba.zip there",
    ),
    "not unpacked": (not_unpacked, "celeba/img_align_celeba.zip."),
    "in the wild only": (in_the_wild_only, "or another of the aligned images that the lists name"),
}


@pytest.mark.parametrize(("change", "words"), TROUBLE.values(), ids=TROUBLE)
def test_images_in_trouble_are_named(
    root: Path, tmp_path: Path, change: Change, words: str
) -> None:
    change(root)
    assert words in str(outcome(root, tmp_path / "made"))


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("~/celeba", "~/celeba) does not exist; correct the option 'folder'"),
        ("$NOWHERE/celeba", "the variable $NOWHERE is not set"),
        ("${NOWHERE}", "the variable ${NOWHERE} is not set"),
        ("", "needs the option 'folder'"),
        (" ", "option 'folder' is ' ', but the path of CelebA was expected"),
        (3, "option 'folder' is 3, but the path of CelebA was expected"),
        ("~/celeba.zip", "is a file and no folder; unpack it, and name the folder"),
        ("~/list_attr_celeba.txt", "is a file and no folder; name one"),
    ],
)
def test_what_is_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: object, words: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("celeba.zip", "list_attr_celeba.txt"):
        (tmp_path / name).touch()
    assert words in str(look_and_prepare("celeba", {"folder": folder}, tmp_path / "made"))


def test_the_default_validation_needs_all_of_celeba(root: Path, tmp_path: Path) -> None:
    said = look_and_prepare("celeba", {"folder": str(root)}, tmp_path / "made")
    assert "option 'validation_size' is 10000, but the train partition has 14 images" in str(said)
