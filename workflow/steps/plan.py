"""Print what a configuration will cost before it runs, and how far off the last estimate was."""

from __future__ import annotations

import os
import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

import psutil

from ccvae.errors import InputError
from ccvae.files import read_json, write_json
from workflow.config import Config
from workflow.planning.costs import (
    Estimate,
    Estimator,
    disk_bytes,
    duration,
    measured_since,
    past_jobs,
)
from workflow.planning.jobs import RESULTS, Job, jobs_of
from workflow.planning.order import answered
from workflow.planning.overlay import merged_config
from workflow.planning.recorded import reference_jobs
from workflow.settings import read_settings
from workflow.steps.command import add_configuration_arguments, run
from workflow.steps.computing import start_computing


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_configuration_arguments(parser)
    parser.add_argument(
        "--settings", type=read_settings, help="the merged configuration as JSON or a file of it"
    )
    parser.add_argument("--cores", default=os.cpu_count(), type=int)
    parser.add_argument("--no-probe", action="store_true", help="use past jobs only")


def work(given: Namespace) -> None:
    """Print the plan, and keep its estimates in plan.json."""
    if given.cores < 1:
        raise InputError(f"--cores {given.cores}: a plan needs at least one core")
    config = Config(given.settings or merged_config(given.configfile, given.config))
    results, jobs = given.results / config.preset, list(jobs_of(config))
    device = start_computing(config.values["device"], 1, config.values["deterministic"])
    probe = None
    if not given.no_probe:
        from workflow.planning.probe import TrainingProbe

        probe = TrainingProbe(config, device)
    estimator = Estimator(past_jobs(given.results), device.type, probe, reference_jobs())
    estimates = {job: estimator.estimate(job) for job in jobs if not job.is_done(results)}
    kept = results / "plan.json"
    before: dict[str, float] = read_json(kept) if kept.exists() else {}
    print("\n".join(report(config, jobs, estimates, estimator, results, given.cores)))
    n, estimated, measured = measured_since(before, jobs, results)
    if n:
        print(
            f"so far:   {n} planned jobs have run; estimated {duration(estimated)}, took "
            f"{duration(measured)} ({measured / estimated - 1:+.0%})"
        )
    known = {j.result: e.seconds for j, e in estimates.items() if e.seconds is not None}
    write_json(kept, {**before, **known})


def report(
    config: Config,
    jobs: Sequence[Job],
    estimates: dict[Job, Estimate],
    estimator: Estimator,
    results: Path,
    cores: int,
) -> list[str]:
    """Lines of the plan: one per rule, then totals, disk and memory."""
    runs, here = (len(list(of())) for of in (config.runs, config.runs_here))
    seeds = " or ".join(map(str, sorted({config.seeds_of(name) for name in config.datasets})))
    lines = [
        f"preset {config.preset}: {len(config.datasets)} data sets, {len(config.models)} models, "
        f"{len(config.rates)} supervision rates, {seeds} seed(s): {runs} runs"
        + (f", {runs - here} of them recorded in {config.records_from}" if here < runs else ""),
        "",
        f"{'rule':<21}{'jobs':>6}{'to do':>7}{'each':>13}{'all':>13}  estimated from",
    ]
    total, unknown = 0.0, 0
    for rule in RESULTS:
        found = [estimates[job] for job in jobs if job.rule == rule and job in estimates]
        known = [e.seconds for e in found if e.seconds is not None]
        total, unknown = total + sum(known), unknown + len(found) - len(known)
        each = duration(sum(known) / len(known)) if known else "?" if found else ""
        whole = duration(sum(known)) if known else "?" if found else ""
        sources = ", ".join(sorted({e.source for e in found}))
        n = sum(job.rule == rule for job in jobs)
        lines.append(f"{rule:<21}{n:>6}{len(found):>7}{each:>13}{whole:>13}  {sources}")
    time = f"{duration(total)} one job at a time, about {duration(total / cores)} on {cores} cores"
    if unknown:
        time = f"at least {time}; {unknown} jobs have no record yet"
    elif estimates:
        seconds = {job: e.seconds for job, e in estimates.items() if e.seconds is not None}
        ends = answered(seconds, cores, config.datasets)
        time += "; tables of " + ", ".join(f"{k} after {duration(v)}" for k, v in ends.items())
    size, missing = disk_bytes(config, jobs, results, cores)
    free = shutil.disk_usage(existing(results)).free
    peaks = [mb for rule in RESULTS if (mb := estimator.peak_mb(rule)) is not None]
    peak = f"{max(peaks):.0f} MB was the most a past job took" if peaks else "no record yet"
    lines += [
        "",
        f"time:     {time}",
        f"disk:     {size / 1e6:.0f} MB of results, {missing / 1e6:.0f} MB still to write, "
        f"{free / 1e9:.1f} GB free",
        f"memory:   {peak}; {psutil.virtual_memory().available / 1e9:.1f} GB free for "
        f"{cores} jobs side by side",
    ]
    return lines


def existing(path: Path) -> Path:
    """Return the nearest folder above `path`, or `path` itself, that is there."""
    return next(p for p in (path, *path.resolve().parents) if p.exists())


if __name__ == "__main__":
    run(__doc__, arguments, work)
