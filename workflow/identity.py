"""What a run or a judge is called, where it is, and its seeds; cheap to import."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccvae.errors import InputError

RUNS = "runs.csv"
"""Of a folder that `snakemake reference` gathered: where each run came from."""


@dataclass(frozen=True, order=True)
class Run:
    """Identity of one trained model.

    Attributes
    ----------
    dataset, model
        Names in the configuration.
    rate
        Supervision rate f as written in the configuration and in paths, for example "0.004".
    seed
        Index of the seed.
    """

    dataset: str
    model: str
    rate: str
    seed: int

    @property
    def folder(self) -> str:
        """Path below the results folder."""
        return f"runs/{self.dataset}/{self.model}/f={self.rate}/seed={self.seed}"


def judge_folder(dataset: str, judge: int = 0) -> str:
    """Folder of a data set's judge, below the results folder; the first has that of all."""
    return f"judges/{dataset}" + (f"/seed={judge}" if judge else "")


def metrics_file(judge: int = 0) -> str:
    """File in a run's folder with what is measured by the first judge, or what another says."""
    return f"judge={judge}.json" if judge else "metrics.json"


def measured_runs(results: Path, dataset: str, model: str) -> list[Run]:
    """Runs of a model that were measured, at any f and of any seed, in the order of their paths."""
    found = []
    for path in sorted(results.glob(f"runs/{dataset}/{model}/f=*/seed=*/{metrics_file()}")):
        rate, seed = (part.partition("=")[2] for part in path.parts[-3:-1])
        found.append(Run(dataset, model, rate, int(seed)))
    return found


def recorded_runs(folder: Path) -> dict[str, str]:
    """Runs and judges that `snakemake reference` gathered in a folder; hashes of their settings.

    Raises
    ------
    InputError
        If the folder was not gathered so.
    """
    path = folder / RUNS
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["run"]: row["settings_hash"] for row in csv.DictReader(file)}
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise InputError(
            f"configuration: records_from is {folder}, but {path} says of no run where it came "
            f"from ({error}); name a folder that `snakemake reference` gathered, or leave it out"
        ) from error


def seed_of(*identity: object) -> int:
    """Seed from what a job is, below 2**31, so that no job's seed depends on the others."""
    digest = hashlib.sha256("/".join(map(str, identity)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def settings_hash(settings: dict[str, Any]) -> str:
    """Short hash of resolved settings; keys resume states and names runs in records."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def judge_seed(dataset: str, what: str, judge: int) -> int:
    """Seed of a judge or its Gaussian process; the first has that from before there were others."""
    return seed_of(dataset, what, *([judge] if judge else []))


def subset_seed(dataset: str, rate: str, seed: int) -> int:
    """Seed of which images are labelled: the same for every model."""
    return seed_of(dataset, "labelled", rate, seed)
