"""How long the jobs of a preset took, from the benchmark records that Snakemake writes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from workflow.planning.costs import read_benchmark

LONGEST_GAP_S = 120.0
"""A longer time without any job is an interruption of the run, not waiting."""
COLUMNS = ["kind", "jobs", "wall_s", "cpu_s", "longest_s", "peak_mb"]


def job_times(benchmarks: Path, left_out: Collection[Path] = ()) -> pd.DataFrame:
    """Add up the jobs of each kind.

    Parameters
    ----------
    benchmarks
        Folder with a folder per kind of job, and one `.jsonl` per job somewhere below it.
    left_out
        Records of jobs that do not count.

    Returns
    -------
    pandas.DataFrame
        A row per kind: number of `jobs`; seconds `wall_s`, `cpu_s` and of the `longest_s` job;
        `peak_mb`, the largest resident memory of one job.
    """
    rows = []
    for folder in sorted(path for path in benchmarks.glob("*") if path.is_dir()):
        paths = sorted(set(folder.rglob("*.jsonl")).difference(left_out))
        records = [read_benchmark(path) for path in paths]
        if not records:
            continue
        walls = [record["s"] for record in records]
        cpu = sum(record.get("cpu_time", 0.0) for record in records)
        peak = max(record.get("max_rss", 0.0) for record in records)
        rows.append((folder.name, len(records), sum(walls), cpu, max(walls), peak))
    return pd.DataFrame(rows, columns=COLUMNS)


def shared(benchmarks: Path) -> dict[Path, str]:
    """Records of jobs that are of no single training, each with what tells it from all others.

    Such jobs are run anew wherever trainings are added, and their records cannot be told apart by
    name.
    """
    of_trainings = ("train", "evaluate", "evaluate_judge")
    found = {}
    for path in sorted(benchmarks.rglob("*.jsonl")):
        name = path.relative_to(benchmarks)
        if name.parts[0] not in of_trainings and not name.parts[0].startswith("study_"):
            words = name.as_posix().encode() + path.read_bytes()
            found[path] = hashlib.sha256(words).hexdigest()[:12]
    return found


def added_up(before: Sequence[Mapping[str, Any]], times: pd.DataFrame) -> pd.DataFrame:
    """Add jobs of here to those of an earlier gathering.

    Parameters
    ----------
    before
        Rows of `job_times`, of then.
    times
        From `job_times`, of now.
    """
    whole = pd.concat([pd.DataFrame(list(before), columns=COLUMNS), times], ignore_index=True)
    sums = dict.fromkeys(("jobs", "wall_s", "cpu_s"), "sum")
    longest = dict.fromkeys(("longest_s", "peak_mb"), "max")
    return whole.groupby("kind", as_index=False).agg({**sums, **longest})[COLUMNS]


def elapsed_seconds(benchmarks: Path, left_out: Collection[Path] = ()) -> float:
    """Wall time of all jobs that left a record, see `elapsed`; those left out do not count.

    A record is written when its job ends, so that the file's time says when that was.
    """
    return elapsed(
        (path.stat().st_mtime - read_benchmark(path)["s"], path.stat().st_mtime)
        for path in set(benchmarks.rglob("*.jsonl")).difference(left_out)
    )


def elapsed(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds from the first start to the last end, without interruptions.

    Parameters
    ----------
    spans
        Start and end of every job in seconds, in any order.
    """
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        interrupted = start - until > LONGEST_GAP_S
        total += max(0.0, end - (start if interrupted else until))
        until = max(until, end)
    return total
