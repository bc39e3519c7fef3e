from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ccvae.errors import InputError
from datasets import image_files, readers
from datasets.labels import ATTRIBUTES
from datasets.store import Store
from tests import folders
from tests.folders import CELEBA_HEADER

# Columns of the paper's labels in the released code.
COLUMNS = [1, 3, 5, 8, 9, 11, 12, 13, 15, 18, 20, 24, 26, 28, 31, 33, 38, 39]
N_TRAIN, N = 14, 23
NAMES = [f"{row + 1:06d}.jpg" for row in range(N)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folders.celeba(tmp_path / "celeba")


def prepare(root: Path, store: str = "store", **options: Any) -> Store:
    workers = options.pop("workers", 1)
    options = {"folder": str(root), "validation_size": 3, **options}
    return readers.prepare("celeba", options, root.parent / store, raw=root.parent, workers=workers)


def shown(store: Store, split: str) -> list[int]:
    """Rows of the lists that the images of a split are from."""
    return folders.shown(store.images[store.indices(split)])


def test_labels_are_the_papers_columns_in_its_order(root: Path) -> None:
    assert [CELEBA_HEADER.split().index(label) for label in ATTRIBUTES] == COLUMNS
    store = prepare(root)
    lines = (root / "list_attr_celeba.txt").read_text().splitlines()[2:]
    values = np.array([line.split()[1:] for line in lines], dtype=int)
    rows = [*range(14), *range(18, 23)]
    assert np.array_equal(store.labels, (values[rows][:, COLUMNS] + 1) // 2)
    assert store.label_names == ATTRIBUTES
    assert store.image_shape == (3, 64, 64)
    store.verify()


def test_split_is_that_of_the_released_code(root: Path) -> None:
    store = prepare(root)
    assert shown(store, "train") == list(range(11))
    assert shown(store, "validation") == [11, 12, 13]
    assert shown(store, "test") == [18, 19, 20, 21, 22]


def test_official_validation(root: Path) -> None:
    store = prepare(root, official_validation=True)
    assert shown(store, "train") == list(range(14))
    assert shown(store, "validation") == [14, 15, 16, 17]
    with pytest.raises(InputError, match="'official_validation' is 'no', but true or false"):
        prepare(root, official_validation="no")


def test_limit(root: Path) -> None:
    store = prepare(root, limit={"train": 2, "test": 1})
    assert [shown(store, split) for split in ("train", "validation", "test")] == [
        [0, 1],
        [11, 12, 13],
        [18],
    ]


def test_workers_do_not_change_the_store(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "CHUNK", 5)
    assert prepare(root, "two", workers=2).checksum == prepare(root, "one").checksum


class Counter:
    def __init__(self, stop: int | None = None) -> None:
        self.paths: list[str] = []
        self.stop = stop

    def __call__(self, path: str, size: int, white: int) -> np.ndarray:
        if len(self.paths) == self.stop:
            raise KeyboardInterrupt
        self.paths.append(Path(path).name)
        return decode_original(path, size, white=white)


decode_original = image_files.decode_image


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is written is decoded, so that tests can count it."""
    monkeypatch.setattr(image_files.ImageFiles, "check", lambda self: ())


@pytest.mark.usefixtures("unchecked")
def test_killed_preparation_continues(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = prepare(root, "whole")
    monkeypatch.setattr(image_files, "CHUNK", 4)
    monkeypatch.setattr(image_files, "decode_image", Counter(stop=10))
    with pytest.raises(KeyboardInterrupt):
        prepare(root)
    assert not (root.parent / "store").exists()
    counter = Counter()
    monkeypatch.setattr(image_files, "decode_image", counter)
    resumed = prepare(root)
    # Two chunks of four were done; the third is decoded again from its beginning.
    assert len(counter.paths) == 19 - 8
    assert counter.paths[0] == NAMES[8]
    assert resumed.checksum == whole.checksum


@pytest.mark.usefixtures("unchecked")
def test_other_options_do_not_resume(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "CHUNK", 4)
    monkeypatch.setattr(image_files, "decode_image", Counter(stop=10))
    with pytest.raises(KeyboardInterrupt):
        prepare(root)
    counter = Counter()
    monkeypatch.setattr(image_files, "decode_image", counter)
    prepare(root, validation_size=2)
    assert len(counter.paths) == 19


def test_second_time_decodes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(root)
    written = (first.folder / "images.npy").stat().st_mtime_ns
    assert prepare(root).checksum == first.checksum
    assert (first.folder / "images.npy").stat().st_mtime_ns == written
    # A corrected list is other content.
    path = root / "list_attr_celeba.txt"
    lines = path.read_text().splitlines()
    cells = lines[2].split()
    cells[2] = str(-int(cells[2]))
    path.write_text("\n".join([*lines[:2], " ".join(cells), *lines[3:]]))
    assert prepare(root).checksum != first.checksum


@pytest.mark.usefixtures("unchecked")
def test_bad_jpeg_is_named_and_keeps_what_is_done(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = root / "img_align_celeba" / NAMES[9]
    content = bad.read_bytes()
    bad.write_bytes(content[:-20])
    monkeypatch.setattr(image_files, "CHUNK", 4)
    with pytest.raises(InputError, match=f"{NAMES[9]} cannot be decoded .*[Tt]runcated"):
        prepare(root, workers=2)
    assert not (root.parent / "store").exists()
    bad.write_bytes(content)
    counter = Counter()
    monkeypatch.setattr(image_files, "decode_image", counter)
    prepare(root)
    assert counter.paths[0] == NAMES[8]


def test_missing_folder_lists_and_images(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"The CelebA folder .*nowhere does not exist"):
        prepare(tmp_path / "nowhere")
    partition = (root / "list_eval_partition.txt").read_text()
    (root / "list_eval_partition.txt").unlink()
    with pytest.raises(InputError, match=r"has neither list_eval_partition\.txt nor"):
        prepare(root)
    (root / "list_eval_partition.txt").write_text(partition)
    shutil.rmtree(root / "img_align_celeba")
    with pytest.raises(InputError, match=r"has 000001.jpg or another .*; unpack img_align"):
        prepare(root)


def replace(path: Path, old: str, new: str, count: int = 1) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("Smiling", "Smirking", "has no column 'Smiling' among its 40 columns"),
        (f"{N}\n", f"{N + 1}\n", f"announces {N + 1} images but lists {N}"),
        ("000004.jpg ", "000004.jpg 1 ", "line 6 has 42 entries where 41 were expected"),
    ],
)
def test_malformed_attributes(root: Path, old: str, new: str, sentence: str) -> None:
    replace(root / "list_attr_celeba.txt", old, new)
    with pytest.raises(InputError, match=sentence):
        prepare(root)


@pytest.mark.parametrize("lists", ["txt", "csv"])
def test_illegal_attribute_names_row_and_value(tmp_path: Path, lists: str) -> None:
    root = folders.celeba(tmp_path / "celeba", lists=lists)
    path = root / f"list_attr_celeba.{lists}"
    lines = path.read_text().splitlines()
    cells = lines[4].replace(",", " ").split()
    cells[2] = "0"
    lines[4] = (" " if path.suffix == ".txt" else ",").join(cells)
    path.write_text("\n".join(lines))
    image = cells[0]
    with pytest.raises(InputError, match=rf"line 5 \({image}\) has the value '0' for Arched"):
        prepare(root)


def test_malformed_partition(root: Path) -> None:
    path = root / "list_eval_partition.txt"
    replace(path, "000003.jpg 0", "000003.jpg 3")
    with pytest.raises(
        InputError, match=r"line 3 reads '000003.jpg 3', where a file name and 0, 1"
    ):
        prepare(root)
    replace(path, "000003.jpg 3\n", "")
    with pytest.raises(InputError, match=r"to which split 000003.jpg belongs \(1 of 23"):
        prepare(root)


@pytest.mark.parametrize("size", [0, N_TRAIN, 10_000, "3", True])
def test_unusable_validation_size(root: Path, size: Any) -> None:
    with pytest.raises(InputError, match=f"option 'validation_size' is {size!r}, but"):
        prepare(root, validation_size=size)


def test_too_few_images(root: Path) -> None:
    path = root / "list_eval_partition.txt"
    path.write_text(path.read_text().replace(" 2\n", " 1\n"))
    with pytest.raises(InputError, match="CelebA's test split has no images"):
        prepare(root)
