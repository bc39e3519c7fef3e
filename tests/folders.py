"""Made-up CelebA, CheXpert and MNIST folders in the official formats, small enough for a test."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ccvae.errors import InputError
from datasets.readers import inspect, prepare
from datasets.store import Store

CELEBA_HEADER = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose "
    "Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee "
    "Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard "
    "Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair "
    "Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young"
)
CHEXPERT_HEADER = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,"
    "Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,"
    "Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
FINDINGS = ("Cardiomegaly", "Edema", "Consolidation", "Atelectasis", "Pleural Effusion")


def grey(row: int) -> int:
    """The level of the made-up image of a row, by which a test knows it in the store."""
    return 3 * row + 3


def shown(levels: np.ndarray) -> list[int]:
    """Rows of the lists whose images these pixels (N, ...) are."""
    return [round((level - 3) / 3) for level in levels.reshape(len(levels), -1).mean(axis=1)]


def save_image(path: Path, row: int, size: tuple[int, int] = (89, 109)) -> None:
    """Write a grey image that says its row; a JPEG of one level keeps it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (grey(row),) * 3).save(path)


def celeba(
    root: Path,
    partition: Sequence[int] = (0,) * 14 + (1,) * 4 + (2,) * 5,
    *,
    lists: str = "txt",
    images: str = "img_align_celeba",
    suffix: str = ".jpg",
) -> Path:
    """Write a CelebA folder with random attributes.

    Parameters
    ----------
    root
        Where.
    partition
        0 (train), 1 (validation) or 2 (test) of each image.
    lists
        Format of the lists: `txt` as published, `csv` as on Kaggle.
    images, suffix
        Folder of the images, and what their names end with; the lists always say `.jpg`.
    """
    n = len(partition)
    names = [f"{row + 1:06d}.jpg" for row in range(n)]
    values = np.random.default_rng(0).choice([-1, 1], (n, 40)).tolist()
    for row, name in enumerate(names):
        save_image((root / images / name).with_suffix(suffix), row)
    if lists == "txt":
        attributes = [str(n), CELEBA_HEADER + " "]
        attributes += [
            f"{name} " + " ".join(f"{v:2d}" for v in row)
            for name, row in zip(names, values, strict=True)
        ]
        parts = [f"{name} {part}" for name, part in zip(names, partition, strict=True)]
    else:
        attributes = ["image_id," + CELEBA_HEADER.replace(" ", ",")]
        attributes += [
            ",".join([name, *map(str, row)]) for name, row in zip(names, values, strict=True)
        ]
        parts = ["image_id,partition"]
        parts += [f"{name},{part}" for name, part in zip(names, partition, strict=True)]
    (root / f"list_attr_celeba.{lists}").write_text("\n".join(attributes) + "\n")
    (root / f"list_eval_partition.{lists}").write_text("\n".join(parts) + "\n")
    return root


def chexpert(root: Path, patients: int = 40, prefix: str = "CheXpert-v1.0-small/") -> Path:
    """Write CheXpert-v1.0-small: two images of each patient, and one of four others to test."""
    chexpert_split(root, "train", range(1, patients + 1), 2, prefix)
    chexpert_split(root, "valid", range(64_541, 64_545), 1, prefix)
    return root


def finding(image: int, label: int) -> str:
    """What the list says of a made-up image; each of the four values occurs."""
    return ("", "0.0", "1.0", "-1.0")[(image // 4**label) % 4]


def chexpert_split(
    root: Path, name: str, patients: range, images: int, prefix: str = "CheXpert-v1.0-small/"
) -> None:
    """Write one list and its images, which are numbered in its order."""
    lines = [CHEXPERT_HEADER]
    for patient in patients:
        for number in range(images):
            image = len(lines) - 1
            view = ("Frontal", "Lateral")[number % 2]
            path = f"{name}/patient{patient:05d}/study1/view{number + 1}_{view.lower()}.jpg"
            cells = dict.fromkeys(CHEXPERT_HEADER.split(","), "")
            cells |= {"Path": prefix + path, "Sex": "Female", "Age": "68", "AP/PA": "AP"}
            cells |= {label: finding(image, i) for i, label in enumerate(FINDINGS)}
            cells["Frontal/Lateral"] = view
            lines.append(",".join(cells.values()))
            save_image(root / path, image, (39, 32))
    (root / f"{name}.csv").write_text("\n".join(lines) + "\n")


def idx(array: np.ndarray) -> bytes:
    """Return an idx file of bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def idx_contents(train: int = 60_000, test: int = 10_000, seed: int = 0) -> dict[str, bytes]:
    """Return four idx files by their published names; each image has one random level."""
    random = np.random.default_rng(seed)
    contents = []
    for n in (train, test):
        levels = random.integers(0, 256, (n, 1, 1), dtype=np.uint8)
        contents += [idx(levels.repeat(28, axis=1).repeat(28, axis=2))]
        contents += [idx((np.arange(n) % 10).astype(np.uint8))]
    return dict(zip(IDX_FILES, contents, strict=True))


def packed(contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Compress files as they are published."""
    return {f"{name}.gz": gzip.compress(content, 1) for name, content in contents.items()}


def fill(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files to a folder, or to folders below it."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def look_and_prepare(name: str, options: Mapping[str, Any], place: Path) -> Store | str:
    """Look at a data set as `make doctor` does and prepare it: the store, or both's sentence.

    Parameters
    ----------
    name, options
        The data set.
    place
        A folder that is not there yet.
    """
    said = ""
    try:
        inspect(name, options, raw=place / "raw", store=place / "store")
    except InputError as error:
        said = str(error)
    if not said:
        return prepare(name, options, place / "store", raw=place / "raw", workers=1)
    with pytest.raises(InputError) as refused:
        prepare(name, options, place / "store", raw=place / "raw", workers=1)
    assert str(refused.value) == said, "doctor and the data step disagree"
    assert not place.exists(), "something is left half-written"
    assert "\n" not in said
    assert said.endswith(".")
    return said
