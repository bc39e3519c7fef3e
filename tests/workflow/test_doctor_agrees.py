"""`doctor` is content exactly when the step that prepares the data would succeed."""

from __future__ import annotations

import copy
import dataclasses
import gzip
import hashlib
import shutil
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ccvae.errors import InputError
from datasets import mnist
from tests import folders
from tests.folders import IDX_FILES
from workflow.config import Config
from workflow.planning import preflight
from workflow.planning.overlay import merged_config
from workflow.steps import doctor
from workflow.steps.data import prepare_data

DEFAULTS = merged_config([], [])
LIMIT = {"train": 30, "validation": 20, "test": 10}
CELEBA: dict[str, Any] = {"validation_size": 3}

Make = Callable[[Path], Path | None]
Case = tuple[bool, Make] | tuple[bool, Make, dict[str, Any]]
"""Whether the data can be used; makes the folder to name, if another than its argument; options."""


def celeba(change: Callable[[Path], Any] = lambda folder: None, **how: Any) -> Make:
    """A folder with something changed; what `change` returns is the folder to name."""

    def make(folder: Path) -> Path | None:
        return change(folders.celeba(folder, **how))

    return make


def chexpert(change: Callable[[Path], Any] = lambda folder: None, **how: Any) -> Make:
    def make(folder: Path) -> Path | None:
        return change(folders.chexpert(folder, **how))

    return make


def edit(name: str, old: str, new: str, count: int = -1) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, count))

    return change


def repeat_line(name: str, line: int) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        lines = (folder / name).read_text().splitlines()
        (folder / name).write_text("\n".join([*lines, lines[line]]) + "\n")

    return change


def without_columns(*columns: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for path in folder.glob("*.csv"):
            rows = [line.split(",") for line in path.read_text().splitlines()]
            kept = [i for i, name in enumerate(rows[0]) if name not in columns]
            path.write_text("".join(",".join(row[i] for i in kept) + "\n" for row in rows))

    return change


def rename_lists(folder: Path) -> None:
    for path in list(folder.glob("*.txt")):
        path.rename(path.with_suffix(".csv"))


def as_on_drive(folder: Path) -> Path:
    inside = folder / "CelebA"
    for place, pattern in (("Img", "img_align*"), ("Anno", "*attr*"), ("Eval", "*partition*")):
        (inside / place).mkdir(parents=True)
        for path in list(folder.glob(pattern)):
            path.rename(inside / place / path.name)
    return folder


def without_official_validation(folder: Path) -> None:
    for row in range(14, 18):
        (folder / "img_align_celeba" / f"{row + 1:06d}.jpg").unlink()


def image(folder: Path, row: int = 2) -> Path:
    return folder / "img_align_celeba" / f"{row + 1:06d}.jpg"


def dangling(folder: Path) -> None:
    image(folder).unlink()
    image(folder).symlink_to("nowhere.jpg")


def linked(folder: Path) -> None:
    image(folder).rename(folder / "elsewhere.jpg")
    image(folder).symlink_to(folder / "elsewhere.jpg")


def in_batches(folder: Path) -> Path:
    """The folders of the full-size download."""
    first = folder / "CheXpert-v1.0 batch 1 (validate & csv)"
    first.mkdir()
    for name in ("train.csv", "valid.csv", "valid"):
        (folder / name).rename(first / name)
    patients = sorted((folder / "train").iterdir())
    for number, batch in enumerate(np.array_split(np.array(patients), 3), start=2):
        place = folder / f"CheXpert-v1.0 batch {number} (train {number - 1})"
        place.mkdir()
        for patient in batch:
            patient.rename(place / patient.name)
    (folder / "train").rmdir()
    return folder


def sixteen_bits(folder: Path) -> None:
    for path in list(folder.rglob("*.jpg")):
        grey = np.asarray(Image.open(path).convert("L")).astype(np.uint16) * 257
        Image.fromarray(grey).save(path.with_suffix(".png"))
        path.unlink()
    for path in folder.glob("*.csv"):
        path.write_text(path.read_text().replace(".jpg", ".png"))


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


CELEBA_CASES: dict[str, Case] = {
    "as published": (True, celeba()),
    "as on Kaggle": (True, celeba(lists="csv", images="img_align_celeba/img_align_celeba")),
    "lists renamed to csv": (True, celeba(rename_lists)),
    "the archive of PNG": (True, celeba(images="img_align_celeba_png", suffix=".png")),
    "converted to PNG": (True, celeba(suffix=".png")),
    "as on Drive, the parent named": (True, celeba(as_on_drive)),
    "its images named": (True, celeba(lambda folder: folder / "img_align_celeba")),
    "without images that are not used": (True, celeba(without_official_validation)),
    "without images beyond the limit": (
        True,
        celeba(lambda folder: image(folder, 8).unlink()),
        {"limit": {"train": 5}},
    ),
    "a link to an image": (True, celeba(linked)),
    "without images that are used": (
        False,
        celeba(without_official_validation),
        {"official_validation": True},
    ),
    "an image missing": (False, celeba(lambda folder: image(folder).unlink())),
    "a dangling link": (False, celeba(dangling)),
    "an empty image": (False, celeba(lambda folder: image(folder).write_bytes(b""))),
    "an image cut off": (
        False,
        celeba(lambda folder: image(folder).write_bytes(image(folder).read_bytes()[:300])),
    ),
    "a page for an image": (False, celeba(lambda folder: image(folder).write_text("<html>"))),
    "a folder for an image": (
        False,
        celeba(lambda folder: image(folder).rename(folder / "0.jpg") and image(folder).mkdir()),
    ),
    "no images": (False, celeba(lambda folder: shutil.rmtree(folder / "img_align_celeba"))),
    "no attributes": (
        False,
        celeba(lambda folder: (folder / "list_attr_celeba.txt").unlink()),
    ),
    "no partition": (
        False,
        celeba(lambda folder: (folder / "list_eval_partition.txt").unlink()),
    ),
    "a column missing": (False, celeba(edit("list_attr_celeba.txt", "Smiling", "Smile"))),
    "an illegal value": (False, celeba(edit("list_attr_celeba.txt", " 1\n", " 3\n", 1))),
    "an illegal partition": (False, celeba(edit("list_eval_partition.txt", "jpg 2", "jpg 5", 1))),
    "an image in two splits": (
        False,
        celeba(edit("list_eval_partition.txt", "000020.jpg 2", "000020.jpg 2\n000001.jpg 2")),
    ),
    "a row twice": (False, celeba(repeat_line("list_attr_celeba.txt", 5))),
    "an empty folder": (False, celeba(emptied)),
    "no folder": (False, celeba(lambda folder: folder / "nowhere")),
    "a file": (False, celeba(lambda folder: folder / "list_attr_celeba.txt")),
    "the default of validation_size": (False, celeba(), {"validation_size": 10_000}),
    "no number": (False, celeba(), {"validation_size": "three"}),
    "a limit that is too large": (False, celeba(), {"limit": {"test": 99}}),
    "a limit of no split": (False, celeba(), {"limit": {"tests": 2}}),
    "an unknown option": (False, celeba(), {"crop": 148}),
}
CHEXPERT_CASES: dict[str, Case] = {
    "as published": (True, chexpert()),
    "its parent named": (
        True,
        lambda folder: folders.chexpert(folder / "CheXpert-v1.0-small").parent,
    ),
    "paths without a prefix": (True, chexpert(prefix="")),
    "longer paths": (True, chexpert(prefix="data/CheXpert-v1.0-small/")),
    "absolute paths": (True, chexpert(prefix="/kaggle/input/chexpert/")),
    "in four batches": (True, chexpert(in_batches, prefix="CheXpert-v1.0/")),
    "16 bits": (True, chexpert(sixteen_bits)),
    "without columns that are not used": (True, chexpert(without_columns("Sex", "Age", "AP/PA"))),
    "without valid.csv": (True, chexpert(lambda folder: (folder / "valid.csv").unlink())),
    "valid.csv without views": (
        True,
        chexpert(edit("valid.csv", "Frontal/Lateral", "View")),
    ),
    "valid.csv that is asked for": (True, chexpert(), {"test": "official_valid"}),
    "valid.csv that is asked for and missing": (
        False,
        chexpert(lambda folder: (folder / "valid.csv").unlink()),
        {"test": "official_valid"},
    ),
    "without train.csv": (False, chexpert(lambda folder: (folder / "train.csv").unlink())),
    "without a column that file names can stand in for": (
        True,
        chexpert(without_columns("Frontal/Lateral")),
        {"views": "frontal"},
    ),
    "a finding missing": (False, chexpert(edit("train.csv", "Edema", "Oedema"))),
    "an illegal value": (False, chexpert(edit("train.csv", ",-1.0", ",-2.0", 1))),
    "a row twice": (False, chexpert(repeat_line("train.csv", 3))),
    "images missing": (False, chexpert(lambda folder: shutil.rmtree(folder / "train"))),
    "no folder": (False, chexpert(lambda folder: folder / "nowhere")),
    "CelebA": (False, celeba()),
    "an unknown policy": (False, chexpert(), {"uncertain": "zero"}),
    "too few patients": (False, chexpert(patients=2)),
}


def dotted(name: str) -> str:
    return name.replace("-idx", ".idx")


def mnist_files(change: Callable[[dict[str, bytes]], dict[str, bytes]], place: str = ".") -> Make:
    def make(folder: Path) -> None:
        folders.fill(folder / place, change(folders.idx_contents()))

    return make


def spoiled(name: str, data: Callable[[bytes], bytes]) -> Callable[..., dict[str, bytes]]:
    """Files of which one holds something else."""
    return lambda files: {**files, name: data(files[name])}


MNIST_CASES: dict[str, Case] = {
    "as published": (True, mnist_files(folders.packed)),
    "unpacked": (True, mnist_files(dict)),
    "with dots": (True, mnist_files(lambda files: {dotted(k): v for k, v in files.items()})),
    "unpacked, still called gz": (
        True,
        mnist_files(lambda files: {f"{k}.gz": v for k, v in files.items()}),
    ),
    "under torchvision's root": (True, mnist_files(folders.packed, "MNIST/raw")),
    "a page": (False, mnist_files(spoiled(IDX_FILES[1], lambda _: b"<!DOCTYPE html>"))),
    "cut off": (False, mnist_files(spoiled(IDX_FILES[0], lambda data: data[:-100]))),
    "cut off and packed": (
        False,
        mnist_files(
            lambda files: {**files, IDX_FILES[0]: gzip.compress(files[IDX_FILES[0]], 1)[:-100]}
        ),
    ),
    "another data set": (False, mnist_files(lambda _: folders.idx_contents(seed=1))),
    "one missing": (False, mnist_files(lambda files: {k: files[k] for k in IDX_FILES[1:]})),
    "no folder": (False, lambda folder: folder / "nowhere"),
    "a limit that is too large": (False, mnist_files(dict), {"limit": {"train": 60_000}}),
}


@pytest.fixture(scope="module", autouse=True)
def made_up_mnist():
    """Take made-up files for the published ones."""
    md5 = {name: hashlib.md5(data).hexdigest() for name, data in folders.idx_contents().items()}
    with pytest.MonkeyPatch.context() as patch:
        changed = dataclasses.replace(mnist.DATASETS["mnist"], md5=md5)
        patch.setitem(mnist.DATASETS, "mnist", changed)
        yield


@pytest.fixture(autouse=True)
def data_alone(monkeypatch):
    """Leave out what takes seconds and has nothing to do with data."""
    monkeypatch.setattr(preflight, "models", lambda config: iter(()))
    monkeypatch.setattr(preflight, "versions", lambda: iter(()))


def agreement(
    dataset: str, folder: Path | None, options: dict[str, Any], root: Path, capsys: Any
) -> bool:
    """Whether doctor and the data step succeed, which they must do or not do alike."""
    raw = copy.deepcopy(DEFAULTS)
    raw |= {"datasets": [dataset], "models": ["ccvae"], "supervision_rates": ["1.0"], "seeds": 1}
    raw["folders"] = {} if folder is None else {dataset: str(folder)}
    raw["data"][dataset]["options"] |= options
    for kind in ("attributes", "classes"):
        raw["settings"][kind]["gaussian_process"]["inducing"] = 5
    settings = Config(raw).data_settings(dataset)
    given = Namespace(settings=settings, raw=root / "raw", workers=1, out=root / "store")

    monkey = pytest.MonkeyPatch()
    monkey.setattr(doctor, "merged_config", lambda *_: raw)
    try:
        doctor.work(Namespace(configfile=[], config=[], results=root / "results"))
        content = True
    except SystemExit:
        content = False
    finally:
        monkey.undo()
    printed = capsys.readouterr()
    try:
        prepare_data.work(given)
        sentence = ""
    except InputError as error:
        sentence = str(error)
    assert content == (sentence == ""), printed.err or sentence
    assert printed.err == ("" if content else f"error: {dataset}: {sentence}\n")
    assert ("nothing stops" in printed.out) == content
    assert content == (root / "store" / "store.json").exists()
    return content


def run_case(dataset: str, case: Case, options: dict[str, Any], root: Path, capsys: Any) -> None:
    usable, make, *more = case
    folder = root / "data"
    named = make(folder) or folder
    assert agreement(dataset, named, options | (more[0] if more else {}), root, capsys) == usable


@pytest.mark.parametrize("name", CELEBA_CASES)
def test_doctor_agrees_on_celeba(name, tmp_path, capsys):
    run_case("celeba", CELEBA_CASES[name], CELEBA, tmp_path, capsys)


@pytest.mark.parametrize("name", CHEXPERT_CASES)
def test_doctor_agrees_on_chexpert(name, tmp_path, capsys):
    run_case("chexpert", CHEXPERT_CASES[name], {}, tmp_path, capsys)


@pytest.mark.parametrize("name", MNIST_CASES)
def test_doctor_agrees_on_mnist(name, tmp_path, capsys):
    run_case("mnist", MNIST_CASES[name], {"limit": LIMIT}, tmp_path, capsys)


@pytest.mark.parametrize("dataset", ["celeba", "chexpert"])
def test_doctor_agrees_where_no_folder_is_named(dataset, tmp_path, capsys):
    assert not agreement(dataset, None, {}, tmp_path, capsys)


@pytest.mark.parametrize(
    ("options", "usable"),
    [
        ({"seed": 0, "sizes": {"train": 9, "validation": 2, "test": 3}}, True),
        ({"seed": -1, "sizes": {"train": 9, "validation": 2, "test": 3}}, False),
        ({"seed": 0, "sizes": {"train": 9, "validation": 0, "test": 3}}, False),
        ({"seed": 0, "sizes": {"train": "many", "validation": 2, "test": 3}}, False),
        ({"seed": 0, "sizes": 30}, False),
        ({"size": 3}, False),
    ],
)
def test_doctor_agrees_on_drawn_data(options, usable, tmp_path, capsys):
    assert agreement("synthetic_xrays", None, options, tmp_path, capsys) == usable


def test_doctor_is_content_with_what_is_prepared_and_gone(tmp_path, monkeypatch, capsys):
    folder = folders.celeba(tmp_path / "data")
    options = {"folder": str(folder), **CELEBA}
    store = tmp_path / "results" / "default" / "data" / "celeba"
    settings = {"name": "celeba", "reader": "celeba", "options": options}
    given = Namespace(settings=settings, raw=tmp_path, workers=1, out=store)
    prepare_data.work(given)
    shutil.rmtree(folder)
    settings = [f"folders={{celeba: {folder}}}", "datasets=[celeba]", "models=[ccvae]"]
    work = Namespace(configfile=[], config=settings, results=tmp_path / "results")
    doctor.work(work)
    assert f"{folder} is gone, so it could not be prepared again" in " ".join(
        capsys.readouterr().out.split()
    )
