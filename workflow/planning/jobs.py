"""The jobs that a configuration asks for, and how much work each is; needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.config import Config
from workflow.identity import Run, judge_folder, metrics_file
from workflow.planning.expected import image_counts
from workflow.studies.plan import recorded_trainings

RESULTS = {
    "store": "data/{dataset}/store.json",
    "train_judge": "{judge}/training.json",
    "fit_gp": "{judge}/gp.json",
    "evaluate_references": "{judge}/references.json",
    "train": "{run}/run.json",
    "evaluate": "{run}/{metrics}",
    "evaluate_judge": "{run}/{metrics}",
}
"""What each rule worth planning writes last, below the preset's folder."""

IDENTITY = ("seed", "torch_seed", "supervision_rate", "recipe")
"""Settings that say which job it is, and not how long it takes."""


@dataclass(frozen=True, eq=False)
class Job:
    """One job of a rule.

    Attributes
    ----------
    rule
        One of `RESULTS`.
    dataset, run
        What it is for; `run` is None for jobs of a whole data set.
    effort
        Everything its duration depends on but `work`; jobs with equal efforts are comparable.
    work
        Its duration is proportional to this: images seen for a training, else 1.
    judge
        Which judge of the data set it is about.
    """

    rule: str
    dataset: str
    run: Run | None
    effort: dict[str, Any]
    work: float = 1.0
    judge: int = 0

    @property
    def result(self) -> str:
        """What it writes last, below the preset's folder."""
        return RESULTS[self.rule].format(
            dataset=self.dataset,
            judge=judge_folder(self.dataset, self.judge),
            run=self.run and self.run.folder,
            metrics=metrics_file(self.judge),
        )

    @property
    def benchmark(self) -> str:
        """Its benchmark record, below the preset's folder."""
        if self.run is not None:
            return benchmark_of(self.rule, self.run, self.judge)
        name = judge_folder(self.dataset, self.judge).removeprefix("judges/")
        return f"benchmarks/{self.rule}/{name}.jsonl"

    def is_done(self, results: Path) -> bool:
        """Whether its result is there."""
        return (results / self.result).exists()


def benchmark_of(rule: str, run: Run, judge: int = 0) -> str:
    """Benchmark record of a job of a run, below the preset's folder."""
    name = f"{run.dataset}/{run.model}/f={run.rate}.seed={run.seed}"
    return f"benchmarks/{rule}/{name}{f'.judge={judge}' if judge else ''}.jsonl"


def recorded_benchmarks(config: Config) -> Iterator[str]:
    """Benchmark records that jobs would leave whose results are recorded elsewhere."""
    for run in (run for run in config.runs() if config.is_recorded(run)):
        yield from (benchmark_of(rule, run) for rule in ("train", "evaluate"))
        others = range(1, config.judges_of(run.dataset))
        yield from (benchmark_of("evaluate_judge", run, judge) for judge in others)
    for folder in recorded_trainings(config):
        study, rest = folder.removeprefix("studies/").split("/", 1)
        names = (f"study_{study}_train/{rest}", f"study_variants_train/{study}/{rest}")
        yield from (f"benchmarks/{name.replace('/seed=', '.seed=')}.jsonl" for name in names)


def jobs_of(config: Config) -> Iterator[Job]:
    """Every job of a configuration that takes more than a moment."""
    others: dict[Run, list[int]] = {}
    for run, judge in config.judged_again():
        others.setdefault(run, []).append(judge)
    for dataset in config.datasets_here:
        data = config.data_settings(dataset)
        shared: dict[str, Any] = {"counts": image_counts(data), "dataset": dataset}
        evaluation = config.evaluation_settings(dataset)["amounts"]
        again = any(run.dataset == dataset for run in others)
        judges = range(config.judges_of(dataset) if again else 1)
        settings = {
            "store": ({}, judges[:1]),
            "train_judge": (without_identity(config.judge_settings(dataset)), judges),
            "fit_gp": (without_identity(config.gp_settings(dataset)), judges),
            "evaluate_references": (evaluation, judges[:1]),
        }
        for rule, (given, asked) in settings.items():
            for judge in asked:
                effort = {**shared, "settings": given}
                yield Job(rule, dataset, None, effort, judge=judge)
        for run in config.runs_here():
            if run.dataset != dataset:
                continue
            effort, images = training_effort(config.run_settings(run))
            steps = training_steps(config.run_settings(run), shared["counts"]["train"])
            yield Job("train", dataset, run, effort, images * steps)
            model = {"model": run.model, "settings": evaluation}
            yield Job("evaluate", dataset, run, {**shared, **model})
            for judge in others.get(run, ()):
                yield Job("evaluate_judge", dataset, run, {**shared, **model}, judge=judge)


def without_identity(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without those that do not change how long a job takes."""
    return {key: value for key, value in settings.items() if key not in IDENTITY}


def training_effort(settings: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """What the time per image of a training depends on, and the images of a step.

    Parameters
    ----------
    settings
        Of a run, from the configuration or from its record.
    """
    training = settings["training"]
    images = training.get("labelled_batch", 0) + training.get("unlabelled_batch", 0)
    if training["kind"] == "interleaved":
        images = training["batch_size"]
    keys = ("dataset", "system", "architecture", "options")
    numerics = {key: training[key] for key in ("precision", "compile") if key in training}
    return {**{key: settings[key] for key in keys}, **numerics, "step": images}, images


def training_steps(settings: dict[str, Any], n_train: int) -> int:
    """Optimiser steps of a run on `n_train` training images."""
    training = settings["training"]
    if training["kind"] == "mixed":
        return training["steps"]
    labelled = round(float(settings["supervision_rate"]) * n_train)
    batches = [math.ceil(n / training["batch_size"]) for n in (labelled, n_train - labelled)]
    return training["epochs"] * sum(batches)
