"""What a configuration will cost, from what jobs like its own have cost before."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from ccvae.files import read_json
from datasets.readers import READERS
from workflow.config import Config
from workflow.identity import Run
from workflow.planning.jobs import Job, training_effort, without_identity

SMALLEST_SHARE = 0.2
"""A shorter training says little about a longer one: much of it is warming up."""
STARTUP_S = 6.0
"""Seconds that a job takes to start, where no past job says it."""
MODEL_BYTES = 6e6
PAST, PROBE, RECORDED = "past jobs", "probe", "the reference"
UNKNOWN = "no record yet"

Probe = Callable[[Job], float]
"""Seconds per unit of work of a training, measured now."""


@dataclass(frozen=True)
class PastJob:
    """What a finished job cost.

    Attributes
    ----------
    rule, effort, work
        As of `workflow.planning.jobs.Job`.
    device
        cpu or cuda.
    startup_s, work_s
        Seconds before its work began, and of its work.
    peak_mb
        Largest resident memory.
    """

    rule: str
    effort: dict[str, Any]
    work: float
    device: str
    startup_s: float
    work_s: float
    peak_mb: float


@dataclass(frozen=True)
class Estimate:
    """Seconds that a job will take, None when nothing says it, and what says it."""

    seconds: float | None
    source: str


def duration(seconds: float) -> str:
    """Seconds as one number with a unit that fits."""
    for unit, size in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def past_jobs(root: Path) -> list[PastJob]:
    """Read the benchmark records of all presets below `root` with what says how much work it was.

    A record that cannot be read, or whose result is gone, is passed over.
    """
    found = []
    for path in sorted(root.glob("*/benchmarks/*/**/*.jsonl")):
        preset = root / path.relative_to(root).parts[0]
        try:
            found.append(_past(preset, path))
        except (OSError, KeyError, ValueError, TypeError, IndexError):
            continue
    return found


def _past(preset: Path, path: Path) -> PastJob:
    cost = read_benchmark(path)
    seconds, peak = cost["s"], cost.get("max_rss", 0.0)
    rule, dataset, *rest = path.relative_to(preset / "benchmarks").with_suffix("").parts
    run, judge = None, 0
    if len(rest) == 1:
        judge = int(rest[0].removeprefix("seed="))
    elif rest:
        model, name = rest
        name, _, number = name.partition(".judge=")
        rate, _, seed = name.removeprefix("f=").partition(".seed=")
        run, judge = Run(dataset, model, rate, int(seed)), int(number or 0)
    record = read_json(preset / Job(rule, dataset, run, {}, judge=judge).result)
    work = 1.0
    if rule == "train":
        effort, images = training_effort(record["settings"])
        work = float(images * (record["steps"] - record["resumed_at_step"]))
    else:
        counts = read_json(preset / "data" / dataset / "store.json")["counts"]
        effort = {"counts": counts, "dataset": dataset, "settings": {}}
        if rule.startswith("evaluate"):
            effort["settings"] = record["settings"]["amounts"]
        elif rule != "store":
            effort["settings"] = without_identity(record["settings"])
        if run is not None:
            effort["model"] = run.model
    # Stores are prepared without a device.
    device = str(record.get("device", "cpu")).partition(":")[0]
    busy = min(float(record.get("wall_s", seconds)), seconds)
    return PastJob(rule, effort, work, device, seconds - busy, busy, peak)


def read_benchmark(path: Path) -> dict[str, float]:
    """Numbers of the last run in Snakemake's benchmark record, `s` of seconds among them.

    What could not be sampled, as of a job that ended at once, is no number there, and left out.
    """
    last = json.loads(path.read_text(encoding="utf-8").strip().splitlines()[-1])
    return {name: float(value) for name, value in last.items() if isinstance(value, int | float)}


class Estimator:
    """Estimates jobs one by one.

    Parameters
    ----------
    past
        From `past_jobs`.
    device
        Where jobs will compute, cpu or cuda; a store never computes there.
    probe
        Measures a training of which there is no comparable one; None to go without.
    recorded
        Jobs of another machine, for what neither says.
    """

    def __init__(
        self,
        past: Sequence[PastJob],
        device: str,
        probe: Probe | None,
        recorded: Sequence[PastJob] = (),
    ) -> None:
        self._past, self._device, self._probe = past, device, probe
        self._recorded = recorded
        self._probed: dict[str, float] = {}

    def estimate(self, job: Job) -> Estimate:
        """Seconds of one job."""
        if comparable := list(self._comparable(self._past, job)):
            return Estimate(_mean_seconds(comparable, job), PAST)
        if job.rule == "train" and self._probe is not None:
            key = json.dumps(job.effort, sort_keys=True)
            if key not in self._probed:
                self._probed[key] = self._probe(job)
            return Estimate(STARTUP_S + self._probed[key] * job.work, PROBE)
        if comparable := list(self._comparable(self._recorded, job)):
            return Estimate(_mean_seconds(comparable, job), RECORDED)
        return Estimate(None, UNKNOWN)

    def peak_mb(self, rule: str) -> float | None:
        """Largest memory that a past job of a rule took."""
        return max((p.peak_mb for p in self._past if p.rule == rule), default=None)

    def _comparable(self, past: Sequence[PastJob], job: Job) -> Iterator[PastJob]:
        device = "cpu" if job.rule == "store" else self._device
        like = [p for p in past if p.rule == job.rule and p.device == device]
        exact = [p for p in like if p.effort == job.effort]
        if not exact and job.rule in ("evaluate", "evaluate_judge"):
            exact = [p for p in like if _without_model(p.effort) == _without_model(job.effort)]
        yield from (p for p in exact if p.work >= SMALLEST_SHARE * job.work)


def _mean_seconds(comparable: Sequence[PastJob], job: Job) -> float:
    return fmean(p.startup_s + p.work_s * job.work / p.work for p in comparable)


def _without_model(effort: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in effort.items() if key != "model"}


def disk_bytes(config: Config, jobs: Sequence[Job], results: Path, cores: int) -> tuple[int, int]:
    """Bytes that the results of a configuration take in all, and how many are still to be written.

    Parameters
    ----------
    config
        The configuration.
    jobs
        Its jobs.
    results
        Folder of the preset.
    cores
        Trainings side by side; each keeps its state, three times its model.
    """
    total = missing = 0.0
    for job in jobs:
        if job.rule == "store":
            reader = READERS.get(config.data_settings(job.dataset)["reader"])
            pixels = 0 if reader is None else math.prod(reader.spec.image_shape)
            size = float(sum(job.effort["counts"].values()) * pixels)
        elif job.rule == "train":
            model = (results / job.result).with_name("model.pt")
            size = model.stat().st_size if model.exists() else MODEL_BYTES
        else:
            size = 1e5
        total += size
        if not job.is_done(results):
            missing += size
    if any(job.rule == "train" and not job.is_done(results) for job in jobs):
        missing += 3 * MODEL_BYTES * cores
    return int(total), int(missing)


def measured_since(
    estimates: dict[str, float], jobs: Sequence[Job], results: Path
) -> tuple[int, float, float]:
    """Jobs that were planned and have run since: how many, estimated and measured seconds.

    Parameters
    ----------
    estimates
        Seconds by `Job.result`, made while the job was not done.
    jobs, results
        All jobs, and the preset's folder.
    """
    n, estimated, measured = 0, 0.0, 0.0
    for job in jobs:
        record = results / job.benchmark
        if job.result in estimates and job.is_done(results) and record.exists():
            n += 1
            estimated += estimates[job.result]
            measured += read_benchmark(record)["s"]
    return n, estimated, measured
