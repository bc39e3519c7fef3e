"""Where the time of a finished preset went, from the records that it left; nothing is run again.

    python -m benchmarks.pipeline --results results/default --cores 2

Snakemake's benchmark records hold every job's wall and processor time, a job's own record the wall
time between the end of its imports and its last result. The difference is start-up.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.common import table
from workflow.identity import metrics_file
from workflow.reporting.timing import elapsed

KINDS = {
    "train": "training",
    "study_alpha_train": "training",
    "study_gradients_train": "training",
    "study_variants_train": "training",
    "train_judge": "judging",
    "fit_gp": "judging",
    "assess_judge": "measuring",
    "evaluate": "measuring",
    "evaluate_judge": "measuring",
    "evaluate_references": "measuring",
    "draw_answers": "measuring",
    "study_draws": "measuring",
    "store": "data",
}
"""Rule -> what its work is; every other rule makes tables, figures and pages."""
PAGES, START, WAITING = "tables, figures, pages", "imports and start-up", "planning and waiting"
WORK = ("training", "judging", "measuring", "data", PAGES)
GOAL = 0.08
RECORDS = {
    "train_judge": "training.json",
    "assess_judge": "judge.json",
    "fit_gp": "gp.json",
    "evaluate_references": "references.json",
}
STUDY_TRAINING = re.compile("study_(.+)_train")
LOG_LINE = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (.*)$")


@dataclass(frozen=True)
class Job:
    """A finished job.

    Attributes
    ----------
    rule
        Its rule.
    wall_s, cpu_s
        As Snakemake measured them.
    work_s
        Wall time after start-up, None where the job says nothing of it.
    end
        When it ended, in seconds since the epoch.
    """

    rule: str
    wall_s: float
    cpu_s: float
    work_s: float | None
    end: float

    @property
    def span(self) -> tuple[float, float]:
        """Its start and its end."""
        return self.end - self.wall_s, self.end


def read_jobs(results: Path) -> list[Job]:
    """Read all jobs of a preset's folder that left a benchmark record."""
    jobs = []
    for path in sorted((results / "benchmarks").rglob("*.jsonl")):
        last = json.loads(path.read_text(encoding="utf-8").strip().splitlines()[-1])
        place = path.relative_to(results / "benchmarks").with_suffix("")
        rule, cpu = place.parts[0], last["cpu_time"]
        cpu_s = float(cpu) if isinstance(cpu, int | float) else 0.0
        work = _work_s(results, place)
        jobs.append(Job(rule, float(last["s"]), cpu_s, work, path.stat().st_mtime))
    return jobs


def _work_s(results: Path, place: Path) -> float | None:
    """Wall time that the job's own record states."""
    rule, *rest = place.parts
    if rule in ("train", "evaluate", "evaluate_judge") and len(rest) == 3:
        rate, _, seed = rest[2].partition(".seed=")
        seed, _, judge = seed.partition(".judge=")
        name = "run.json" if rule == "train" else metrics_file(int(judge or 0))
        record = results / "runs" / rest[0] / rest[1] / rate / f"seed={seed}" / name
    elif study := STUDY_TRAINING.fullmatch(rule):
        # The studies of variants share a rule, and have a folder each.
        folders = rest if study[1] == "variants" else [study[1], *rest]
        rate, _, seed = folders.pop().partition(".seed=")
        record = results.joinpath("studies", *folders, rate, f"seed={seed}", "run.json")
    elif rule in RECORDS:
        record = results.joinpath("judges", *rest, RECORDS[rule])
    else:
        return None
    try:
        return float(json.loads(record.read_text(encoding="utf-8"))["wall_s"])
    except (OSError, KeyError, ValueError):
        return None


def lanes(jobs: Sequence[Job], cores: int) -> dict[str, float]:
    """Core-seconds by what they were spent on; they add up to `cores` times the elapsed time.

    A job holds one core from its start to its end, or as many as it kept busy if those are more.
    """
    spent: dict[str, float] = defaultdict(float)
    for job in jobs:
        kind = KINDS.get(job.rule, PAGES)
        work = job.wall_s if job.work_s is None else min(job.work_s, job.wall_s)
        spent[kind] += max(work, job.cpu_s - (job.wall_s - work))
        spent[START] += job.wall_s - work
    spent[WAITING] = max(0.0, cores * elapsed(job.span for job in jobs) - sum(spent.values()))
    return dict(spent)


def overhead(spent: dict[str, float]) -> float:
    """Share in which nothing is made: starting jobs, planning them and waiting for them."""
    total = sum(spent.values())
    return 1 - sum(spent.get(kind, 0.0) for kind in WORK) / total


def measures(results: Path) -> dict[str, float]:
    """Wall seconds of each measure, summed over models, from the logs of `evaluate`."""
    spent: dict[str, float] = defaultdict(float)
    for path in sorted((results / "logs" / "evaluate").rglob("*.log")):
        previous: tuple[datetime, str] | None = None
        for line in path.read_text(encoding="utf-8").splitlines():
            if (found := LOG_LINE.match(line)) is None:
                continue
            now = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S,%f")
            if previous is not None:
                spent[previous[1]] += (now - previous[0]).total_seconds()
            previous = (now, found[2])
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def section(results: Path, cores: int) -> list[str]:
    """Markdown of a preset's time."""
    jobs = read_jobs(results)
    if not jobs:
        return [
            "## The whole pipeline",
            "",
            f"There are no benchmark records in `{results}`; run that preset first.",
        ]
    spent = lanes(jobs, cores)
    total = sum(spent.values())
    rows = [[kind, s, f"{100 * s / total:.1f} %"] for kind, s in _ordered(spent)]
    by_rule: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        by_rule[job.rule].append(job)
    rules: list[list[object]] = []
    for rule, done in sorted(by_rule.items(), key=lambda item: -sum(j.wall_s for j in item[1])):
        starts = [job.wall_s - job.work_s for job in done if job.work_s is not None]
        mean = sum(starts) / len(starts) if starts else None
        wall, cpu = sum(job.wall_s for job in done), sum(job.cpu_s for job in done)
        rules.append([f"`{rule}`", len(done), wall, cpu, mean])
    minutes = elapsed(job.span for job in jobs) / 60
    lines = [
        "## The whole pipeline",
        "",
        f"The preset `{results.name}` took {minutes:.1f} minutes on {cores} cores "
        f"for {len(jobs)} jobs with a record. Core-seconds by what they went into:",
        "",
        *table(["", "core-seconds", "share"], rows),
        "",
        f"Starting, planning and waiting: {100 * overhead(spent):.1f} % (goal {100 * GOAL:.0f} %). "
        "Jobs without a record count as waiting.",
        "",
        *table(["rule", "jobs", "wall s", "CPU s", "start-up s per job"], rules),
    ]
    if found := measures(results):
        lines += ["", "Wall seconds of each measure, all models together:", ""]
        lines += table(["measure", "s"], [[name, s] for name, s in found.items()])
    return lines


def _ordered(spent: dict[str, float]) -> list[tuple[str, float]]:
    order = (*WORK, START, WAITING)
    return [(kind, spent[kind]) for kind in order if kind in spent]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", required=True, type=Path, help="folder of a preset")
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="that the run used")
    given = parser.parse_args()
    sys.stdout.write("\n".join(section(given.results, given.cores)) + "\n")
