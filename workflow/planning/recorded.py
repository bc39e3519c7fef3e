"""What the jobs of a committed reference took, for a clone that has run nothing yet."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ccvae.files import read_json
from workflow.config import Config
from workflow.planning.costs import PastJob
from workflow.planning.jobs import Job, jobs_of

OF_RUNS = ("train", "evaluate")
"""Rules whose seconds the records have run by run."""
REFERENCE = Path(__file__).resolve().parents[2] / "results" / "reference"


def reference_jobs(folder: Path = REFERENCE) -> list[PastJob]:
    """Jobs of the reference, as `workflow.planning.costs.past_jobs` gives those of a preset.

    Runs have seconds of their own, other jobs the mean of their rule. None if the folder is not
    there, or was written by another version.
    """
    try:
        config = Config.recorded(yaml.safe_load((folder / "config.yaml").read_text("utf-8")))
        provenance = read_json(folder / "provenance.json")
        with (folder / "runs.csv").open(newline="", encoding="utf-8") as file:
            runs = {row["run"]: row for row in csv.DictReader(file)}
        return list(_jobs(config, provenance, runs))
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return []


def _jobs(
    config: Config, provenance: dict[str, Any], runs: dict[str, dict[str, str]]
) -> Iterator[PastJob]:
    kinds = {kind["kind"]: kind for kind in provenance["jobs"]}
    # A judge, and what belongs to none, has no row; where some runs used a card, it did not.
    device = min(provenance["devices"])
    for job in jobs_of(config):
        kind = kinds.get(job.rule)
        if kind is None:
            continue
        seconds, peak = kind["wall_s"] / kind["jobs"], kind["peak_mb"]
        row = runs.get(job.run.folder) if job.run and job.rule in OF_RUNS else None
        if row is not None:
            seconds, peak = (float(row[f"{job.rule}_{name}"]) for name in ("wall_s", "peak_mb"))
        startup = _startup(job, kind, runs)
        used = "cpu" if job.rule == "store" else row["device"] if row else device
        yield PastJob(job.rule, job.effort, job.work, used, startup, seconds, peak)


def _startup(job: Job, kind: dict[str, Any], runs: dict[str, dict[str, str]]) -> float:
    """Seconds of a run's job beyond those that its own record has: starting, and reading."""
    if job.run is None or job.rule not in OF_RUNS:
        return 0.0
    recorded = sum(float(row[f"{job.rule}_wall_s"] or 0) for row in runs.values() if _trained(row))
    return max(0.0, (kind["wall_s"] - recorded) / kind["jobs"])


def _trained(row: dict[str, str]) -> bool:
    return bool(row["evaluate_wall_s"])
