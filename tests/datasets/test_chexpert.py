from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ccvae.errors import InputError
from datasets import readers
from datasets.chexpert import patient_split
from datasets.store import SPLITS, Store
from tests import folders
from tests.folders import finding

PATIENTS = 40


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folders.chexpert(tmp_path / "CheXpert-v1.0-small", PATIENTS)


def prepare(root: Path, store: str = "store", **options: Any) -> Store:
    workers = options.pop("workers", 1)
    options = {"folder": str(root), **options}
    return readers.prepare(
        "chexpert", options, root.parent / store, raw=root.parent, workers=workers
    )


def numbers(store: Store, split: str) -> list[int]:
    return folders.shown(store.images[store.indices(split)])


def expected(split: str, images: int = 2) -> list[int]:
    return [
        image
        for image in range(PATIENTS * images)
        if patient_split(f"{image // images + 1:05d}") == split
    ]


def test_order_labels_and_grey_channels(root: Path) -> None:
    store = prepare(root)
    order = [image for split in SPLITS for image in expected(split)]
    assert [image for split in SPLITS for image in numbers(store, split)] == order
    assert store.label_names[-1] == "Pleural Effusion"
    wanted = [[int(finding(image, label) == "1.0") for label in range(5)] for image in order]
    assert store.labels.tolist() == wanted
    assert store.images.shape[1:] == (3, 64, 64)
    assert np.array_equal(store.images[:, 0], store.images[:, 2])
    store.verify()


def test_images_of_a_patient_stay_together(root: Path) -> None:
    store = prepare(root)
    patients = [{number // 2 for number in numbers(store, split)} for split in SPLITS]
    assert all(patients)
    assert sum(map(len, patients)) == len(set.union(*patients)) == PATIENTS


def test_split_shares() -> None:
    splits = [patient_split(f"{patient:05d}") for patient in range(20_000)]
    shares = [splits.count(split) / len(splits) for split in SPLITS]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.01)


def test_uncertain_policies(root: Path) -> None:
    ones = prepare(root, "ones", uncertain="ones")
    order = [image for split in SPLITS for image in numbers(ones, split)]
    wanted = [
        [int(finding(image, label) in ("1.0", "-1.0")) for label in range(5)] for image in order
    ]
    assert ones.labels.tolist() == wanted
    dropped = prepare(root, "drop", uncertain="drop")
    left = [image for split in SPLITS for image in numbers(dropped, split)]
    certain = [i for i in order if all(finding(i, label) != "-1.0" for label in range(5))]
    assert left == certain
    assert 0 < len(left) < len(order)


def test_frontal_views_only(root: Path) -> None:
    store = prepare(root, views="frontal")
    assert numbers(store, "train") == [i for i in expected("train") if i % 2 == 0]


def test_official_valid_tests_and_leaves_train_alone(root: Path) -> None:
    store, split = prepare(root, "official", test="official_valid"), prepare(root)
    assert numbers(store, "test") == [0, 1, 2, 3]
    for name in ("train", "validation"):
        assert numbers(store, name) == numbers(split, name)


def test_limit_and_parent_folder_and_workers(root: Path) -> None:
    limit = {"train": 5, "validation": 2, "test": 2}
    one = prepare(root, "one", limit=limit)
    assert numbers(one, "train") == expected("train")[:5]
    two = prepare(root, "two", folder=str(root.parent), limit=limit, workers=2)
    assert two.checksum == one.checksum


def test_renamed_folder(root: Path) -> None:
    renamed = root.rename(root.parent / "renamed")
    assert numbers(prepare(renamed), "test") == expected("test")


@pytest.mark.parametrize(
    ("option", "value"), [("uncertain", "ignore"), ("views", "lateral"), ("test", "valid")]
)
def test_unknown_policy(root: Path, option: str, value: str) -> None:
    with pytest.raises(InputError, match=f"option '{option}' is '{value}', but one of"):
        prepare(root, **{option: value})


def edit(root: Path, line: int, old: str, new: str) -> None:
    path = root / "train.csv"
    lines = path.read_text().splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_text("\n".join(lines) + "\n")


def test_illegal_view(root: Path) -> None:
    edit(root, 2, "Frontal,", "Oblique,")
    # What is not used is not looked at.
    prepare(root)
    with pytest.raises(InputError, match="line 2 has the value 'Oblique' for Frontal/Lateral"):
        prepare(root, views="frontal")


@pytest.mark.parametrize(
    ("line", "old", "new", "sentence"),
    [
        (1, "Edema", "Oedema", "has no column 'Edema' among its 19 columns"),
        (3, "0.0", "0.5", "line 3 has the value '0.5' for Cardiomegaly, where 1, 0, -1 or nothing"),
        (4, ",1.0,", ",yes,", "line 4 has the value 'yes' for"),
        (5, "patient", "person", "line 5 has the path .*person00002.*, where one like"),
        (5, "study1", "..", "line 5 has the path"),
        (6, ",Female", "", "line 6 does not have as many entries as the header"),
        (6, ",Female", ",Female,x", "line 6 does not have as many entries as the header"),
    ],
)
def test_malformed_list(root: Path, line: int, old: str, new: str, sentence: str) -> None:
    edit(root, line, old, new)
    with pytest.raises(InputError, match=sentence):
        prepare(root)
    assert not (root.parent / "store").exists()


def test_missing_files(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"The CheXpert folder .*nowhere does not exist"):
        prepare(tmp_path / "nowhere")
    (root / "valid.csv").unlink()
    with pytest.raises(InputError, match=r"holds no valid.csv"):
        prepare(root, test="official_valid")
    first = root / "train/patient00001/study1/view1_frontal.jpg"
    content = first.read_bytes()
    first.unlink()
    with pytest.raises(InputError, match=r"view1_frontal.jpg is missing \(1 of the 80 images"):
        prepare(root)
    first.write_bytes(content[:-200])
    with pytest.raises(
        InputError, match=r"patient00001/study1/view1_frontal.jpg cannot be decoded"
    ):
        prepare(root)
    (root / "train.csv").unlink()
    with pytest.raises(InputError, match=r"holds no train.csv"):
        prepare(root)


def test_too_few_images(root: Path) -> None:
    path = root / "train.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:3]) + "\n")
    with pytest.raises(InputError, match=r"leaves no images for the .* split"):
        prepare(root)
