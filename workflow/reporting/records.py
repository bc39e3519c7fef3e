"""All runs of a preset as one tidy frame: a row per run and metric."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from baselines.registry import SYSTEMS
from ccvae.errors import InputError
from ccvae.files import read_json
from workflow.config import seeds_at_most
from workflow.identity import Run, judge_folder, measured_runs, metrics_file
from workflow.reporting.judges import gate_metrics, information_metrics
from workflow.reporting.names import dataset_name
from workflow.reporting.readable import readable_means
from workflow.reporting.record_files import COLUMNS, read_all_records
from workflow.studies.plan import images_per_step

REFERENCES = {
    "majority": "Majority class",
    "judge": "Independent classifier",
    "copy_characteristics": "Real images (in swaps the donor)",
    "copy_background": "Real images (in swaps the background)",
    "true_redrawing": "True redrawing",
    "constant": "Mean image",
    "test_images": "Test images",
    "other_data": "Another data set",
}
"""Rows that are no trained model, by name; they do not depend on f."""


@dataclass(frozen=True)
class Plan:
    """What a preset asks for, in the few words that fit on a command line.

    Attributes
    ----------
    preset
        Its name.
    datasets
        Name of each data set -> name of its settings, `classes` or `attributes`.
    models
        Name of each model -> {system, title, datasets (only these, or None for all), seeds (at
        most so many, or that by data set or kind, or None), lacks (data set -> task -> why its
        options do not allow what others of its system can do), latents (settings -> inputs of its
        decoder, and latents per label)}.
    rates
        Supervision rates as strings.
    seeds
        Name of each data set -> its number of seeds; a single number is that of all.
    records_from
        A gathered folder, whose records count where a run is not there; none if empty.
    """

    preset: str
    datasets: dict[str, str]
    models: dict[str, dict[str, Any]]
    rates: list[str]
    seeds: int | dict[str, int]
    records_from: str = ""

    def seeds_of(self, dataset: str, model: str | None = None) -> int:
        """Return the number of seeds of a data set; a model may have fewer."""
        count = self.seeds if isinstance(self.seeds, int) else self.seeds[dataset]
        seeds = self.models.get(model or "", {}).get("seeds")
        return seeds_at_most(seeds, dataset, self.datasets[dataset], count)

    def seeds_in_words(self, datasets: Iterable[str] | None = None, fewer: bool = True) -> str:
        """Numbers of seeds for readers, of all data sets or of some: "3 seeds (MNIST), ...".

        Parameters
        ----------
        datasets
            Which; all if None.
        fewer
            Whether to name models that have fewer.
        """
        counts: dict[int, list[str]] = {}
        datasets = list(self.datasets if datasets is None else datasets)
        for dataset in datasets:
            counts.setdefault(self.seeds_of(dataset), []).append(dataset_name(dataset))
        words = _seeds(next(iter(counts), 1))
        if len(counts) > 1:
            words = ", ".join(f"{_seeds(n)} ({', '.join(names)})" for n, names in counts.items())
        those: dict[tuple[int, str], list[str]] = {}
        for name, described in self.models.items() if fewer else ():
            for where in self._fewer_seeds(name, datasets):
                those.setdefault(where, []).append(_quoted(described["title"]))
        parts = [f"at most {_seeds(n)} of {', '.join(of)}{on}" for (n, on), of in those.items()]
        return f"{words} ({'; '.join(parts)})" if parts else words

    def _fewer_seeds(self, model: str, datasets: Sequence[str]) -> list[tuple[int, str]]:
        """Numbers of seeds of a model that are smaller than its data sets', and where, in words."""
        seeds = self.models[model].get("seeds")
        if isinstance(seeds, int):
            fewest = seeds < max(map(self.seeds_of, datasets), default=1)
            return [(seeds, "")] if fewest else []
        only = self.models[model].get("datasets") or datasets
        found: dict[int, list[str]] = {}
        for dataset in (name for name in datasets if name in only):
            if (n := self.seeds_of(dataset, model)) < self.seeds_of(dataset):
                found.setdefault(n, []).append(dataset_name(dataset))
        # Of one data set alone the sentence says already which.
        return [
            (n, f" on {' and '.join(names)}" if len(datasets) > 1 else "")
            for n, names in found.items()
        ]

    def lacking(self, model: str, dataset: str) -> dict[str, str]:
        """Tasks that a model cannot do on a data set; for each a sentence that says why not."""
        described = self.models[model]
        by_options = described.get("lacks", {}).get(dataset, {})
        return {**SYSTEMS[described["system"]].lacks, **by_options}

    def runs(self, dataset: str, model: str, rate: str) -> list[Run]:
        """Every seed of one cell of a table; none where a model skips a data set."""
        only = self.models[model]["datasets"]
        if only is not None and dataset not in only:
            return []
        return [Run(dataset, model, rate, seed) for seed in range(self.seeds_of(dataset, model))]

    def folders(self) -> set[str]:
        """Folders of every run that is asked for, as the column `run` of `collect` has them."""
        return {
            run.folder
            for dataset in self.datasets
            for model in self.models
            for rate in self.rates
            for run in self.runs(dataset, model, rate)
        }


Cell = tuple[str, str, str, str]
"""(metric, data set, model, supervision rate); the rate of a reference row is empty."""


def by_cell(records: pd.DataFrame) -> dict[Cell, dict[int, float]]:
    """Values of `collect` by cell and seed; a reference row has the seed 0."""
    cells: dict[Cell, dict[int, float]] = {}
    there = records[records["value"].notna()]
    names = [there[name].tolist() for name in ("metric", "dataset", "model")]
    rates = there["supervision_rate"].astype(object).fillna("").astype(str).tolist()
    seeds = there["seed"].fillna(0).astype(int).tolist()
    values = there["value"].astype(float).tolist()
    for key, seed, value in zip(zip(*names, rates, strict=True), seeds, values, strict=True):
        cells.setdefault(key, {})[seed] = value
    return cells


def _quoted(title: str) -> str:
    """A title that can stand in a list with commas."""
    return f'"{title}"' if "," in title else title


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"


def collect(results: Path, plan: Plan, judge: int = 0) -> pd.DataFrame:
    """Read the records of every planned run that is there.

    Parameters
    ----------
    results
        Folder of the preset.
    plan
        What it asks for.
    judge
        Which judge of a data set measured, see `workflow.config.Config.judged_again`. The labels
        that can be read, and rows that are no trained model, are those of the first.

    Returns
    -------
    pandas.DataFrame
        With the columns `COLUMNS`; runs that are not there have no row, but that of earlier records
        (`Plan.records_from`), which come first. Means over the labels that the judge can read come
        last, see `workflow.reporting.readable`.

    Raises
    ------
    InputError
        If earlier records are of other images, or of a judge with other settings.
    """
    rows: list[dict[str, Any]] = []
    flips: dict[str, Any] = {}
    for dataset in plan.datasets:
        rows += _reference_rows(results, dataset)
        for model in plan.models:
            for rate in plan.rates:
                for run in plan.runs(dataset, model, rate):
                    path = results / run.folder / metrics_file(judge)
                    if path.exists():
                        measured = read_json(path)
                        rows += _run_rows(run, measured)
                        if "flip" in measured.get("matrices", {}):
                            flips[run.folder] = measured["matrices"]["flip"]
    records = pd.DataFrame(rows, columns=COLUMNS)
    means = readable_means(records, flips)
    records = records if means.empty else pd.concat([records, means], ignore_index=True)
    return with_earlier(records, plan) if plan.records_from and not judge else records


def _run_rows(run: Run, measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    trained = measured["run"]
    common = {
        **_origin(trained),
        "images_seen": images_seen(trained),
        "run": run.folder,
        "dataset": run.dataset,
        "model": run.model,
        "supervision_rate": run.rate,
        "seed": run.seed,
        "evaluate_commit": measured["code"]["commit"],
        "evaluate_dirty": measured["code"]["dirty"],
        "evaluate_wall_s": measured["wall_s"],
        "evaluate_peak_mb": measured["peak_mb"],
    }
    return [{**common, "metric": k, "value": v} for k, v in measured["metrics"].items()]


def images_seen(record: Mapping[str, Any]) -> int | None:
    """How many images a training saw, each as often as it came; None if its record cannot say.

    A step of the schedule `interleaved` that meets the end of its images is counted in full.
    """
    training, steps = record.get("settings", {}).get("training"), record.get("steps")
    return None if training is None or steps is None else steps * images_per_step(training)


def with_earlier(records: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Put earlier records of a plan's runs and judges before those of here, which count first.

    Parameters
    ----------
    records
        What is here, with the columns `COLUMNS`.
    plan
        It says which runs, and where earlier records are.

    Raises
    ------
    InputError
        If they are of other images, or of a judge with other settings.
    """
    of_judges = {judge_folder(dataset) for dataset in plan.datasets}
    before = read_all_records(Path(plan.records_from))
    before = before[before["run"].isin(plan.folders() | of_judges)]
    _require_alike(records, before, plan.records_from)
    return _before(before, records)


def _before(before: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """Earlier records, without those of runs and rows that are here, and then these."""
    here, there = (pd.MultiIndex.from_frame(f[["run", "model"]]) for f in (records, before))
    # An empty frame has no types, and would take those of the other away.
    parts = [frame for frame in (before[~there.isin(here)], records) if len(frame)]
    return pd.concat(parts, ignore_index=True) if parts else records


def _require_alike(records: pd.DataFrame, before: pd.DataFrame, folder: str) -> None:
    """Refuse earlier records that cannot stand beside those of here."""
    for column, what in (("data_checksum", "images"), ("settings_hash", "settings of its judge")):
        here, there = (
            f[f["run"].str.startswith("judges/")].groupby("dataset")[column].first()
            for f in (records, before)
        )
        for dataset in here.index.intersection(there.index):
            if here[dataset] != there[dataset]:
                raise InputError(
                    f"{folder} has records of {dataset_name(dataset)} with other {what}: "
                    f"{column} {there[dataset]} instead of {here[dataset]}, so they cannot stand "
                    "beside those of here; leave records_from out, or use the same settings"
                )


def _origin(record: dict[str, Any]) -> dict[str, Any]:
    """Where a trained model or judge comes from, and what it took."""
    return {
        "stand_in": record["stand_in"],
        "settings_hash": record["settings_hash"],
        "data_checksum": record["data_checksum"],
        "commit": record["code"]["commit"],
        "dirty": record["code"]["dirty"],
        "torch": record["versions"]["torch"],
        "versions": ", ".join(f"{name} {version}" for name, version in record["versions"].items()),
        "device": record["device"],
        "card": (record.get("gpu") or {}).get("name"),
        "train_wall_s": record["wall_s"],
        "train_peak_mb": record["peak_mb"],
    }


def run_records(
    results: Path, models: Collection[tuple[str, str]], records_from: str = ""
) -> pd.DataFrame:
    """Read the records of all runs that are there of some (data set, model), as `collect` does."""
    rows: list[dict[str, Any]] = []
    for dataset, model in models:
        for run in measured_runs(results, dataset, model):
            rows += _run_rows(run, read_json(results / run.folder / metrics_file()))
    records = pd.DataFrame(rows, columns=COLUMNS)
    if not records_from:
        return records
    before = read_all_records(Path(records_from))
    of = pd.MultiIndex.from_frame(before[["dataset", "model"]]).isin(models)
    return _before(before[of & before["seed"].notna()], records)


def judge_records(
    results: Path, datasets: Iterable[str], judge: int = 0, records_from: str = ""
) -> pd.DataFrame:
    """Read the records of judges, and of what needs no training; columns as of `collect`.

    Of what needs no training only the first judge measures more than constant answers. Earlier
    records are those of the first.
    """
    datasets = list(datasets)
    rows = [row for dataset in datasets for row in _reference_rows(results, dataset, judge)]
    records = pd.DataFrame(rows, columns=COLUMNS)
    if judge or not records_from:
        return records
    before = read_all_records(Path(records_from))
    return _before(before[before["run"].isin(map(judge_folder, datasets))], records)


def _reference_rows(results: Path, dataset: str, judge: int = 0) -> list[dict[str, Any]]:
    path = results / judge_folder(dataset, judge) / "judge.json"
    if not path.exists():
        return []
    record = read_json(path)
    own = record["metrics"] | gate_metrics(record)
    process = path.with_name("gp.json")
    if process.exists():
        own |= information_metrics(read_json(process))
    rows = {"majority": record["majority"], "judge": own}
    references = path.with_name("references.json")
    if references.exists():
        rows |= read_json(references)["metrics"]
    folder = judge_folder(dataset, judge)
    common = {**_origin(record["training"]), "run": folder, "dataset": dataset}
    return [
        {**common, "model": model, "metric": metric, "value": value}
        for model, metrics in rows.items()
        for metric, value in metrics.items()
    ]
