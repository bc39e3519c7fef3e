from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ccvae.errors import InputError
from datasets import decode, readers
from datasets.labels import ATTRIBUTES as LABELS
from datasets.store import Store

# The header of the official list.
HEADER = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose "
    "Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee "
    "Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard "
    "Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair "
    "Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young"
)
# Columns of the paper's labels in the released code.
COLUMNS = [1, 3, 5, 8, 9, 11, 12, 13, 15, 18, 20, 24, 26, 28, 31, 33, 38, 39]
N_TRAIN, N_VALIDATION, N_TEST = 14, 4, 5
N = N_TRAIN + N_VALIDATION + N_TEST
PARTITION = [0] * N_TRAIN + [1] * N_VALIDATION + [2] * N_TEST
ATTRIBUTES = np.random.default_rng(0).integers(0, 2, (N, 40)) * 2 - 1
NAMES = [f"{i + 1:06d}.jpg" for i in range(N)]


def grey(row: int) -> int:
    return 10 * row + 5


def write_images(folder: Path) -> None:
    folder.mkdir(parents=True)
    for row, name in enumerate(NAMES):
        Image.new("RGB", (178, 218), (grey(row),) * 3).save(folder / name, quality=95)


def write_txt(folder: Path) -> None:
    rows = [
        f"{name} " + " ".join(f"{value:2d}" for value in values)
        for name, values in zip(NAMES, ATTRIBUTES, strict=True)
    ]
    (folder / "list_attr_celeba.txt").write_text(f"{N}\n{HEADER} \n" + "\n".join(rows) + "\n")
    rows = [f"{name} {part}" for name, part in zip(NAMES, PARTITION, strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(rows) + "\n")


def write_csv(folder: Path) -> None:
    rows = [
        ",".join([name, *map(str, values)]) for name, values in zip(NAMES, ATTRIBUTES, strict=True)
    ]
    header = "image_id," + HEADER.replace(" ", ",")
    (folder / "list_attr_celeba.csv").write_text("\r\n".join([header, *rows]) + "\r\n")
    rows = [f"{name},{part}" for name, part in zip(NAMES, PARTITION, strict=True)]
    text = "\r\n".join(["image_id,partition", *rows]) + "\r\n"
    (folder / "list_eval_partition.csv").write_text(text)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("celeba") / "img_align_celeba"
    write_images(folder)
    return folder


@pytest.fixture
def root(tmp_path: Path, images: Path) -> Path:
    folder = tmp_path / "celeba"
    folder.mkdir()
    (folder / "img_align_celeba").symlink_to(images)
    write_txt(folder)
    return folder


def prepare(root: Path, store: str = "store", **options: Any) -> Store:
    workers = options.pop("workers", 1)
    options = {"folder": str(root), "validation_size": 3, **options}
    return readers.prepare("celeba", options, root.parent / store, raw=root.parent, workers=workers)


def shown(store: Store, split: str) -> list[int]:
    """Rows of the lists whose grey the images of a split have."""
    values = store.images[store.indices(split)].mean(axis=(1, 2, 3))
    return [round((value - 5) / 10) for value in values]


def test_labels_are_the_papers_columns_in_its_order(root: Path) -> None:
    assert [HEADER.split().index(label) for label in LABELS] == COLUMNS
    store = prepare(root)
    rows = [*range(N_TRAIN), *range(N_TRAIN + N_VALIDATION, N)]
    assert np.array_equal(store.labels, (ATTRIBUTES[rows][:, COLUMNS] + 1) // 2)
    assert store.label_names == LABELS
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


def test_both_formats_and_the_mirrors_layout_agree(root: Path, images: Path) -> None:
    first = prepare(root)
    mirror = root.parent / "mirror"
    (mirror / "img_align_celeba").mkdir(parents=True)
    (mirror / "img_align_celeba" / "img_align_celeba").symlink_to(images)
    write_csv(mirror)
    second = prepare(mirror, "other")
    assert second.checksum == first.checksum
    assert second.meta["key"] == first.meta["key"]


def test_workers_do_not_change_the_store(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "CHUNK", 5)
    assert prepare(root, "two", workers=2).checksum == prepare(root, "one").checksum


class Counter:
    def __init__(self, stop: int | None = None) -> None:
        self.paths: list[str] = []
        self.stop = stop

    def __call__(self, path: str, size: int) -> np.ndarray:
        if len(self.paths) == self.stop:
            raise KeyboardInterrupt
        self.paths.append(Path(path).name)
        return decode_original(path, size)


decode_original = decode.decode_image


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is written is decoded, so that tests can count it."""
    monkeypatch.setattr(decode.ImageFiles, "check", lambda self: None)


@pytest.mark.usefixtures("unchecked")
def test_killed_preparation_continues(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = prepare(root, "whole")
    monkeypatch.setattr(decode, "CHUNK", 4)
    monkeypatch.setattr(decode, "decode_image", Counter(stop=10))
    with pytest.raises(KeyboardInterrupt):
        prepare(root)
    assert not (root.parent / "store").exists()
    counter = Counter()
    monkeypatch.setattr(decode, "decode_image", counter)
    resumed = prepare(root)
    # Two chunks of four were done; the third is decoded again from its beginning.
    assert len(counter.paths) == 19 - 8
    assert counter.paths[0] == NAMES[8]
    assert resumed.checksum == whole.checksum


@pytest.mark.usefixtures("unchecked")
def test_other_options_do_not_resume(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "CHUNK", 4)
    monkeypatch.setattr(decode, "decode_image", Counter(stop=10))
    with pytest.raises(KeyboardInterrupt):
        prepare(root)
    counter = Counter()
    monkeypatch.setattr(decode, "decode_image", counter)
    prepare(root, validation_size=2)
    assert len(counter.paths) == 19


def test_second_time_decodes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(root)
    monkeypatch.setattr(decode, "decode_image", Counter(stop=0))
    assert prepare(root).checksum == first.checksum
    # A corrected list is other content.
    path = root / "list_attr_celeba.txt"
    lines = path.read_text().splitlines()
    cells = lines[2].split()
    cells[2] = str(-int(cells[2]))
    path.write_text("\n".join([*lines[:2], " ".join(cells), *lines[3:]]))
    with pytest.raises(KeyboardInterrupt):
        prepare(root)


@pytest.mark.usefixtures("unchecked")
def test_bad_jpeg_is_named_and_keeps_what_is_done(
    root: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "img_align_celeba").unlink()
    (root / "img_align_celeba").mkdir()
    for path in images.iterdir():
        (root / "img_align_celeba" / path.name).write_bytes(path.read_bytes())
    bad = root / "img_align_celeba" / NAMES[9]
    content = bad.read_bytes()
    bad.write_bytes(content[: len(content) // 2])
    monkeypatch.setattr(decode, "CHUNK", 4)
    with pytest.raises(InputError, match=f"{NAMES[9]} cannot be decoded .*truncated"):
        prepare(root, workers=2)
    assert not (root.parent / "store").exists()
    bad.write_bytes(content)
    counter = Counter()
    monkeypatch.setattr(decode, "decode_image", counter)
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
    (root / "img_align_celeba").unlink()
    with pytest.raises(InputError, match="has no folder img_align_celeba; unpack"):
        prepare(root)
    (root / "img_align_celeba").mkdir()
    with pytest.raises(InputError, match=r"000001.jpg is missing \(19 of 19 files"):
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
        (f"{N}\n", "", "does not begin with the number of images"),
        ("000004.jpg ", "000004.jpg 1 ", "line 6 has 42 entries where 41 were expected"),
    ],
)
def test_malformed_attributes(root: Path, old: str, new: str, sentence: str) -> None:
    replace(root / "list_attr_celeba.txt", old, new)
    with pytest.raises(InputError, match=sentence):
        prepare(root)


@pytest.mark.parametrize("write", [write_txt, write_csv])
def test_illegal_attribute_names_row_and_value(root: Path, write: Any) -> None:
    (root / "list_attr_celeba.txt").unlink()
    write(root)
    path = next(root.glob("list_attr_celeba.*"))
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
