"""CheXpert-v1.0 (Irvin et al. 2019, arXiv:1901.07031) with the paper's five findings.

Policies for uncertain labels, views and splits are options (deviation: chexpert-policies). Not
for clinical use.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import takewhile
from pathlib import Path

import numpy as np

from ccvae.errors import InputError
from datasets.chexpert_lists import Radiograph, read_list
from datasets.finding import Folder, find_file, named_folder, walk
from datasets.image_files import ImageFiles, listing_digest
from datasets.labels import UNCERTAIN
from datasets.spec import SPLITS, StoreSpec, split_counts

VIEWS = ("all", "frontal")
TESTS = ("split", "official_valid")
_PARTS = re.compile(r"train|valid|test|.* batch \d.*|(patient|study)\d+", re.IGNORECASE)
"""Folders of the official downloads that are not the whole of it."""


def find_chexpert(
    spec: StoreSpec,
    *,
    folder: str,
    uncertain: str = "zeros",
    views: str = "all",
    test: str = "split",
    limit: Mapping[str, int] | None = None,
) -> ImageFiles:
    """Find CheXpert's lists and images.

    Parameters
    ----------
    spec
        What is known of the data set.
    folder
        Holds train.csv and the folders of the patients, itself or in folders below it: the small
        version, or the four batches of the full one.
    uncertain
        What an uncertain finding (-1) becomes: `zeros`, `ones`, or `drop` to leave out the images
        with one among the five. A finding that is not mentioned (blank) is 0.
    views
        `all`, or `frontal` only.
    test
        `split`: 80/10/10 of the patients of train.csv. `official_valid`: train and validation
        stay the same, and valid.csv tests (the tenth of train.csv is then unused).
    limit
        The first so many images of each split only; a split not named keeps all of its images.

    Returns
    -------
    ImageFiles
        Images uint8 (N, 3, 64, 64) with three equal channels, labels uint8 (N, 5).

    Raises
    ------
    InputError
        If a list or images are missing, a list is malformed, an option is unknown, a patient is in
        two splits, or a split is empty.
    """
    for option, value, known in (
        ("uncertain", uncertain, UNCERTAIN),
        ("views", views, VIEWS),
        ("test", test, TESTS),
    ):
        if value not in known:
            raise InputError(
                f"option {option!r} is {value!r}, but one of {', '.join(known)} was expected."
            )
    root = named_folder(folder, "CheXpert")
    folders = _layout(root)
    lists = dict.fromkeys(SPLITS, _find_list(root, folders, "train.csv"))
    rows: dict[str, list[Radiograph]] = {split: [] for split in SPLITS}
    split_of = cache(patient_split)
    for radiograph in read_list(lists["train"], uncertain=uncertain, views=views):
        rows[split_of(radiograph.patient)].append(radiograph)
    if test == "official_valid":
        lists["test"] = _find_list(root, folders, "valid.csv")
        rows["test"] = read_list(lists["test"], uncertain=uncertain, views=views)
        _require_strangers(rows, lists)
    if empty := [split for split in SPLITS if not rows[split]]:
        raise InputError(
            f"CheXpert in {root} leaves no images for the {empty[0]} split; use the whole data set."
        )
    counts = split_counts(
        limit or {}, option="limit", largest={split: len(rows[split]) for split in SPLITS}
    )
    chosen = {split: rows[split][: counts[split]] for split in SPLITS}
    paths = _find_images(root, folders, chosen, lists)
    listed = [row for split in SPLITS for row in chosen[split]]
    labels = np.array([row.labels for row in listed], dtype=np.uint8)
    spec = replace(
        spec,
        counts=counts,
        options={
            "uncertain": uncertain,
            "views": views,
            "test": test,
            "limit": counts,
            "listing_sha256": listing_digest([row.image for row in listed], labels),
        },
    )
    found = (
        f"lists {' and '.join(map(str, dict.fromkeys(lists.values())))}",
        f"images such as {paths[0]}",
    )
    return ImageFiles(spec, paths, labels, found=found)


def patient_split(patient: str) -> str:
    """Say to which split a patient belongs: train 80 %, validation 10 %, test 10 %.

    The share comes from a digest of the patient's number, so that it is the same for every
    subset of the data and all images of a patient stay together.
    """
    digest = hashlib.sha256(f"chexpert patient {patient}".encode()).digest()
    tenth = int.from_bytes(digest[:8], "big") % 10
    return "train" if tenth < 8 else "validation" if tenth == 8 else "test"


def _require_strangers(rows: Mapping[str, Sequence[Radiograph]], lists: Mapping[str, Path]) -> None:
    """Check that no patient of the test list trains or validates."""
    known = {row.patient: row.line for split in SPLITS[:2] for row in rows[split]}
    for row in rows["test"]:
        if row.patient in known:
            raise InputError(
                f"{lists['test']} line {row.line} has patient {row.patient}, who is in "
                f"{lists['train']} line {known[row.patient]} too and must not both train and test; "
                "get the lists again."
            )


def _layout(root: Path) -> list[Folder]:
    """Return the data set's folders, nearest to `root` first, also if `root` is a part only."""
    folders = list(walk(root, enter=lambda name: not name.startswith("patient")))
    return folders + _layout(root.parent) if _PARTS.fullmatch(root.name) else folders


def _find_list(root: Path, folders: Sequence[Folder], name: str) -> Path:
    # Both versions show the same images, and the small one is read sooner.
    small_first = sorted(folders, key=lambda place: not place.path.name.endswith("-small"))
    if (path := find_file(small_first, re.escape(name) + r"(\.gz)?")) is not None:
        return path
    raise InputError(
        f"The CheXpert folder {root} holds no {name}, and no folder below it does; name the folder "
        "CheXpert-v1.0-small, or complete it."
    )


def _find_images(
    root: Path,
    folders: Sequence[Folder],
    rows: Mapping[str, Sequence[Radiograph]],
    lists: Mapping[str, Path],
) -> list[str]:
    """Return the path of each image: below the folder whose end is most like its prefix.

    The lists begin their paths with the name of a folder that users rename and mirrors leave out,
    and the full-size download has its patients in the folders of four batches.
    """
    places = [place for place in folders if any(n.startswith("patient") for n in place.folders)]

    @cache
    def homes(prefix: str) -> dict[str, Path]:
        """From each patient's folder to the folder that it is in."""
        wanted = prefix.split("/")[-2::-1]

        def alike(place: Folder) -> int:
            pairs = zip(wanted, place.path.parts[::-1], strict=False)
            return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

        best_last = sorted(places, key=alike, reverse=True)[::-1]
        return {name: place.path for place in best_last for name in place.folders}

    paths, lost = [], []
    for split in SPLITS:
        for row in rows[split]:
            home = homes(row.prefix).get(row.image.partition("/")[0])
            if home is None:
                lost.append((lists[split], row))
            else:
                paths.append(f"{home}{os.sep}{row.image}")
    if lost:
        path, row = lost[0]
        raise InputError(
            f"{path} line {row.line} has the Path {row.prefix}{row.image}, but neither {root} nor "
            f"a folder below it holds {row.image.partition('/')[0]} ({len(lost)} of "
            f"{len(paths) + len(lost)} images that are used have no folder); complete the data set."
        )
    return paths
