"""CheXpert as people have it: found in any layout, or refused in one sentence."""

from __future__ import annotations

import csv
import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from datasets.chexpert import patient_split
from datasets.store import Store
from tests import folders
from tests.folders import look_and_prepare

SMALL = "CheXpert-v1.0-small"
Change = Callable[[Path], object]


def outcome(folder: object, place: Path, **options: object) -> Store | str:
    return look_and_prepare("chexpert", {"folder": str(folder), **options}, place)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folders.chexpert(tmp_path / SMALL)


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of the official folder."""
    place = tmp_path_factory.mktemp("right")
    store = outcome(folders.chexpert(place / SMALL), place / "made")
    assert isinstance(store, Store)
    return store


def table(change: Callable[[list[dict[str, str]]], object]) -> Change:
    """Change the rows of train.csv."""

    def apply(root: Path) -> None:
        with (root / "train.csv").open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        change(rows)
        with (root / "train.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)

    return apply


def each(change: Callable[[dict[str, str]], object]) -> Change:
    """Change each row of train.csv."""
    return table(lambda rows: [change(row) for row in rows])


def prefix(new: str) -> Change:
    return each(lambda row: row.update(Path=row["Path"].replace(f"{SMALL}/", new)))


def drop(*columns: str) -> Change:
    return each(lambda row: [row.pop(column) for column in columns])


def rename_columns(change: Callable[[str], str]) -> Change:
    def apply(row: dict[str, str]) -> None:
        cells = {change(name): value for name, value in row.items()}
        row.clear()
        row.update(cells)

    return each(apply)


def recode(root: Path) -> None:
    """Values as spreadsheets and pandas write them."""
    codes = {"1.0": "1", "0.0": " 0 ", "-1.0": "-1", "": "nan"}
    each(lambda row: row.update({name: codes[row[name]] for name in folders.FINDINGS}))(root)


def as_written_by_windows(root: Path) -> None:
    text = (root / "train.csv").read_text()
    (root / "train.csv").write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))


def compress(root: Path) -> None:
    (root / "train.csv.gz").write_bytes(gzip.compress((root / "train.csv").read_bytes()))
    (root / "train.csv").unlink()


LISTS: dict[str, Change] = {
    "no prefix": prefix(""),
    "no folder": each(lambda row: row.update(Path=row["Path"].partition("train/")[2])),
    "longer prefix": prefix(f"data/{SMALL}/"),
    "Kaggle's absolute paths": prefix("/kaggle/input/chexpert/"),
    "relative paths": prefix(f"../{SMALL}/"),
    "Windows paths": each(lambda row: row.update(Path=row["Path"].replace("/", "\\"))),
    "full size": prefix("CheXpert-v1.0/"),
    "no columns that are not used": drop("Sex", "Age", "Frontal/Lateral", "AP/PA", "Fracture"),
    "underscores": rename_columns(lambda name: name.replace(" ", "_")),
    "blanks": rename_columns(lambda name: f" {name} "),
    "lower case": rename_columns(str.lower),
    "other values": recode,
    "Windows": as_written_by_windows,
    "compressed": compress,
    "no valid.csv": lambda root: (root / "valid.csv").unlink(),
    "damaged valid.csv": lambda root: (root / "valid.csv").write_text("<html>"),
}


@pytest.mark.parametrize("change", LISTS.values(), ids=LISTS)
def test_lists_are_read_as_they_come(
    root: Path, right: Store, tmp_path: Path, change: Change
) -> None:
    change(root)
    store = outcome(root, tmp_path / "made")
    assert isinstance(store, Store), store
    assert store.checksum == right.checksum
    assert store.meta["key"] == right.meta["key"]


def batches(root: Path) -> None:
    """The full-size download: the lists in batch 1, patients directly in 2 to 4."""
    first = root / "CheXpert-v1.0 batch 1 (validate & csv)"
    first.mkdir()
    for name in ("train.csv", "valid.csv", "valid"):
        (root / name).rename(first / name)
    for number, patient in enumerate(sorted((root / "train").iterdir())):
        place = root / f"CheXpert-v1.0 batch {2 + number % 3} (train {1 + number % 3})"
        place.mkdir(exist_ok=True)
        patient.rename(place / patient.name)
    (root / "train").rmdir()
    for name in ("train", "valid"):
        path = first / f"{name}.csv"
        path.write_text(path.read_text().replace(SMALL, "CheXpert-v1.0"))


def both_sizes(root: Path) -> None:
    """A full-size copy beside it, whose images are others here to tell them apart."""
    shutil.copytree(root, root.with_name("CheXpert-v1.0"))
    for path in root.with_name("CheXpert-v1.0").rglob("*.jpg"):
        folders.save_image(path, 80)


def converted(root: Path) -> None:
    for path in list(root.rglob("*.jpg")):
        with Image.open(path) as image:
            image.convert("L").save(path.with_suffix(".png"))
        path.unlink()


def apart(root: Path) -> None:
    """Half of the patients in a folder of their own."""
    for patient in list((root / "train").iterdir())[::2]:
        (root / "more" / "train").mkdir(parents=True, exist_ok=True)
        patient.rename(root / "more" / "train" / patient.name)


# What is done to the official folder, and which folder is named then.
LAYOUTS: dict[str, tuple[Change, str]] = {
    "official": (str, SMALL),
    "parent": (str, "."),
    "train": (str, f"{SMALL}/train"),
    "renamed": (lambda root: root.rename(root.with_name("xrays")), "xrays"),
    "batches": (batches, SMALL),
    "parent of batches": (batches, "."),
    "first batch": (batches, f"{SMALL}/CheXpert-v1.0 batch 1 (validate & csv)"),
    "second batch": (batches, f"{SMALL}/CheXpert-v1.0 batch 2 (train 1)"),
    "both sizes": (both_sizes, "."),
    "converted": (converted, SMALL),
    "apart": (apart, SMALL),
    "lists in a folder": (
        lambda root: (
            (root / "lists").mkdir() or (root / "train.csv").rename(root / "lists/train.csv")
        ),
        SMALL,
    ),
}


@pytest.mark.parametrize(("change", "named"), LAYOUTS.values(), ids=LAYOUTS)
def test_images_are_found_in_any_layout(
    root: Path, right: Store, tmp_path: Path, change: Change, named: str
) -> None:
    change(root)
    store = outcome(tmp_path / named, tmp_path / "made")
    assert isinstance(store, Store), store
    assert store.checksum == right.checksum
    assert store.meta["key"] == right.meta["key"]


def test_the_official_test_images_of_the_batches(root: Path, tmp_path: Path) -> None:
    expected = outcome(root, tmp_path / "expected", test="official_valid")
    batches(root)
    store = outcome(root, tmp_path / "made", test="official_valid")
    assert isinstance(store, Store), store
    assert isinstance(expected, Store)
    assert store.checksum == expected.checksum


def test_views_are_read_off_the_names_where_no_column_has_them(root: Path, tmp_path: Path) -> None:
    expected = outcome(root, tmp_path / "expected", views="frontal")
    drop("Frontal/Lateral")(root)
    store = outcome(root, tmp_path / "made", views="frontal")
    assert isinstance(store, Store), store
    assert isinstance(expected, Store)
    assert store.checksum == expected.checksum
    assert store.meta["counts"]["train"] < 80


def test_images_that_are_not_used_may_be_missing(root: Path, tmp_path: Path) -> None:
    limit = {"train": 4, "validation": 1, "test": 1}
    used = outcome(root, tmp_path / "used", limit=limit)
    assert isinstance(used, Store)
    for patient in range(30, 41):
        shutil.rmtree(root / "train" / f"patient{patient:05d}")
    store = outcome(root, tmp_path / "made", limit=limit)
    assert isinstance(store, Store), store
    assert store.checksum == used.checksum
    shutil.rmtree(root / "train" / "patient00001")
    assert "patient00001 (2 of 6 images" in str(outcome(root, tmp_path / "other", limit=limit))


def edit(number: int, **cells: str) -> Change:
    """Change cells of one row of train.csv, counted as its lines."""
    return table(
        lambda rows: rows[number - 2].update({k.replace("_", " "): v for k, v in cells.items()})
    )


FIRST = f"{SMALL}/train/patient00001/study1/view1_frontal.jpg"
TROUBLE: dict[str, tuple[Change, str]] = {
    "patient missing": (
        lambda root: shutil.rmtree(root / "train" / "patient00003"),
        f"train.csv line 6 has the Path {SMALL}/train/patient00003/study1/view1_frontal.jpg, but",
    ),
    "all missing": (
        lambda root: shutil.rmtree(root / "train"),
        f"train.csv line 2 has the Path {FIRST}, but",
    ),
    "image missing": (
        lambda root: (root / FIRST.removeprefix(f"{SMALL}/")).unlink(),
        "patient00001/study1/view1_frontal.jpg is missing (1 of the 80 images",
    ),
    "row twice": (
        edit(5, Path=FIRST),
        "train.csv line 5 has patient00001/study1/view1_frontal.jpg",
    ),
    "row twice, other prefix": (
        edit(5, Path=FIRST.removeprefix(f"{SMALL}/")),
        "view1_frontal.jpg, which line 2 has already",
    ),
    "finding": (edit(3, Edema="2.0"), "train.csv line 3 has the value '2.0' for Edema"),
    "words": (edit(3, Pleural_Effusion="yes"), "has the value 'yes' for Pleural Effusion"),
    "path": (edit(4, Path="x/view1.jpg"), "train.csv line 4 has the path 'x/view1.jpg'"),
    "climbing path": (
        edit(4, Path="train/patient00001/../../../secret.jpg"),
        "train.csv line 4 has the path",
    ),
    "no findings": (drop("Pleural Effusion"), "has no column 'Pleural Effusion' among its 18"),
    "web page": (
        lambda root: (root / "train.csv").write_text("<!DOCTYPE html>"),
        "train.csv is a web page",
    ),
    "no list": (lambda root: (root / "train.csv").unlink(), "holds no train.csv"),
}


@pytest.mark.parametrize(("change", "words"), TROUBLE.values(), ids=TROUBLE)
def test_trouble_is_named(root: Path, tmp_path: Path, change: Change, words: str) -> None:
    change(root)
    assert words in str(outcome(root, tmp_path / "made"))


@pytest.mark.parametrize(("patient", "split"), [(1, "train"), (3, "validation"), (20, "test")])
def test_nobody_both_trains_and_tests(root: Path, tmp_path: Path, patient: int, split: str) -> None:
    assert patient_split(f"{patient:05d}") == split
    folders.chexpert_split(root, "valid", range(patient, patient + 1), 1)
    made = outcome(root, tmp_path / "made", test="official_valid")
    if split == "test":
        # The tenth of train.csv that would test is not used.
        assert isinstance(made, Store)
    else:
        assert f"valid.csv line 2 has patient {patient:05d}, who is in" in str(made)
        assert "must not both train and test" in str(made)
