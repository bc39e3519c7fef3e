"""In which order jobs run, and when that answers; cheap to import, Snakemake plans with it."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from workflow.planning.jobs import Job

AHEAD = {
    # Looking again at what has been measured holds nothing up.
    "evaluate_judge": -0.25,
    "train": 0.0,
    # Every measure of a data set waits for these.
    "train_judge": 0.25,
    "fit_gp": 0.25,
    "assess_judge": 0.25,
    "draw_answers": 0.25,
    # These let others begin, or turn a training into numbers.
    "store": 0.5,
    "labelled_subset": 0.5,
    "evaluate": 0.5,
    "evaluate_references": 0.5,
}
"""How far each rule is ahead of the trainings of the same data set, which are 1 ahead of those of
the next."""

WAITS_FOR = {
    "train_judge": ("store",),
    "train": ("store",),
    "fit_gp": ("train_judge",),
    "evaluate_references": ("fit_gp",),
    "evaluate": ("fit_gp", "train"),
    "evaluate_judge": ("fit_gp", "train"),
}


def priority(
    rule: str, dataset: str, datasets: Sequence[str], seed: int = 0, seeds: int = 1
) -> float:
    """Priority of a job: the first seed of everything comes first, then the second, and so on.

    So what is stopped half-way is whole with fewer seeds. Within a seed data sets come in the order
    of the configuration, so that the tables of the first are there while the others still train.

    Parameters
    ----------
    rule
        One of `AHEAD`.
    dataset
        What the job is for; a study may use one that no run does.
    datasets
        In the order of the configuration.
    seed, seeds
        Which seed the job is for, the first where it is for all of them; and how many there are.
    """
    place = len(datasets) - datasets.index(dataset) if dataset in datasets else 0
    return (seeds - 1 - seed) * (len(datasets) + 1) + place + AHEAD[rule]


def answered(seconds: Mapping[Job, float], cores: int, datasets: Sequence[str]) -> dict[str, float]:
    """Seconds from the start until everything is measured on each data set.

    Parameters
    ----------
    seconds
        What each job that is still to be done takes; each has a core to itself.
    cores
        Jobs side by side.
    datasets
        In the order of the configuration.
    """
    of = {job: job.run.seed if job.run else 0 for job in seconds}
    seeds = max(of.values(), default=0) + 1
    first = {job: priority(job.rule, job.dataset, datasets, of[job], seeds) for job in seconds}
    waiting = sorted(seconds, key=lambda job: -first[job])
    running: list[tuple[float, int]] = []
    now, ends = 0.0, dict.fromkeys(datasets, 0.0)
    unfinished = set(waiting)
    numbered = dict(enumerate(waiting))
    while unfinished:
        for number, job in numbered.items():
            if len(running) == cores:
                break
            if job in waiting and not any(_waits_for(job, other) for other in unfinished):
                waiting.remove(job)
                heapq.heappush(running, (now + seconds[job], number))
        now, number = heapq.heappop(running)
        done = numbered[number]
        unfinished.remove(done)
        ends[done.dataset] = now
    return ends


def _waits_for(job: Job, other: Job) -> bool:
    same_run = other.run is None or other.run == job.run
    return other.rule in WAITS_FOR.get(job.rule, ()) and job.dataset == other.dataset and same_run
