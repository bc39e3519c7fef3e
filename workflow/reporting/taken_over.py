"""What a gathered folder takes over of an earlier one as it is: it shows runs not run here."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from ccvae.files import read_json
from workflow.figures.gallery import OF_STUDY
from workflow.reporting.records import Plan
from workflow.reporting.reference import CAPTIONS


def take_over_files(before: Path, folder: Path, patterns: Iterable[str]) -> list[str]:
    """Copy files that are not there yet.

    Parameters
    ----------
    before, folder
        From where, and where to.
    patterns
        Which, as paths below the folder with wildcards.

    Returns
    -------
    list of str
        Paths of the copies, below the folder.
    """
    found = []
    for path in (path for pattern in patterns for path in sorted(before.glob(pattern))):
        name = path.relative_to(before).as_posix()
        if not (target := folder / name).exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            found.append(name)
    return found


def take_over_pictures(before: Path, folder: Path, plan: Plan) -> dict[str, str]:
    """Copy pictures of the data sets and models of a plan, and of studies; their captions."""
    captions = read_json(before / CAPTIONS)
    wanted = [name for name in captions if _is_of(Path(name).stem, plan)]
    taken = take_over_files(before, folder, wanted)
    return {name: captions[name] for name in taken}


def _is_of(stem: str, plan: Plan) -> bool:
    """Whether a picture, by its file, is of a study or of what a plan asks for."""
    about = [
        stem.removeprefix(dataset).removeprefix("_")
        for dataset in plan.datasets
        if stem == dataset or stem.startswith(f"{dataset}_")
    ]
    return stem == OF_STUDY or any(not model or model in plan.models for model in about)
