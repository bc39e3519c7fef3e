"""The part of a configuration that has been run, as an overlay; needs no torch.

Laid over the configuration, it asks for nothing that is not there: the same rules then make the
same tables, verdicts and pictures of fewer seeds, models or data sets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ccvae.errors import InputError
from workflow.config import Config
from workflow.identity import Run, judge_folder, metrics_file
from workflow.reporting.names import dataset_name
from workflow.studies.plan import OTHERS, named_variants, recorded_trainings

JUDGED = ("judge.json", "references.json")
"""What is told of a judge, and of what needs no training: records are whole with both."""


def finished(config: Config, results: Path) -> dict[str, Any]:
    """Ask for the leading seeds of every model that are there at every f, and for nothing else.

    Of judges for the leading ones that have looked at all that is gathered of the first seed. Of
    studies for those that were begun, without the trainings that are missing.

    Parameters
    ----------
    config
        What was asked for.
    results
        Folder of the preset.

    Returns
    -------
    dict
        To be laid over the configuration; `reference.not_run` says what it leaves out.

    Raises
    ------
    InputError
        If no model is there with its judge.
    """
    seeds = {
        dataset: found
        for dataset in config.datasets
        if _is_judged(config, results, dataset)
        and (found := dict(_seeds(config, results, dataset)))
    }
    if not seeds:
        raise InputError(
            f"{results} holds no model that is measured at every f, so there is nothing to gather; "
            "run `make reference` for longer"
        )
    models = [name for name in config.models if any(name in found for found in seeds.values())]
    judges = {name: _judges(config, results, name, found) for name, found in seeds.items()}
    studies = config.values["studies"]
    trainings = {
        name: [variant.folder for variant in named_variants(config, name)]
        for name in studies["variants"]
    }
    recorded = recorded_trainings(config)
    absent = {
        name: [
            folder
            for folder in folders
            if folder not in recorded and not (results / folder / "run.json").exists()
        ]
        for name, folders in trainings.items()
    }
    begun = {name for name, folders in trainings.items() if len(absent[name]) < len(folders)}
    missing = [
        *_not_run(config, seeds, judges),
        *(
            f"{len(folders)} of {len(trainings[name])} trainings of study_{name}"
            for name, folders in absent.items()
            if folders and name in begun
        ),
    ]
    figures = config.values["reference"]["figures"]
    if not (results / "studies" / f"{OTHERS['gradients']}.csv").exists():
        figures = [name for name in figures if not name.startswith("figure8/")]
    return {
        "datasets": list(seeds),
        "models": models,
        "data": {
            dataset: {"seeds": max(found.values()), "judges": judges[dataset]}
            for dataset, found in seeds.items()
        },
        "model_settings": {
            model: {
                "datasets": [dataset for dataset, found in seeds.items() if model in found],
                "seeds": {d: found[model] for d, found in seeds.items() if model in found},
            }
            for model in models
        },
        "reference": {"figures": figures, "not_run": missing},
        "studies": {
            **{name: {"on_request": True} for name in OTHERS},
            "variants": {
                name: {"on_request": True, **({"not_run": folders} if name in begun else {})}
                for name, folders in absent.items()
            },
        },
    }


def _is_judged(config: Config, results: Path, dataset: str) -> bool:
    """Whether records can be whole: what is told of the judge is there, or recorded elsewhere."""
    files = (results / "judges" / dataset / name for name in JUDGED)
    return config.has_recorded_judge(dataset) or all(path.exists() for path in files)


def _seeds(config: Config, results: Path, dataset: str) -> Iterator[tuple[str, int]]:
    """Models of a data set, and how many of their first seeds are measured at every f."""
    for model, wanted in _wanted(config, dataset):
        there = 0
        while there < wanted and all(
            _is_measured(config, results, Run(dataset, model, rate, there)) for rate in config.rates
        ):
            there += 1
        if there:
            yield model, there


def _is_measured(config: Config, results: Path, run: Run) -> bool:
    return (results / run.folder / metrics_file()).exists() or config.is_recorded(run)


def _judges(config: Config, results: Path, dataset: str, models: Collection[str]) -> int:
    """Leading judges of a data set that have looked at the first seed of all these models."""
    again = [(r, n) for r, n in config.judged_again() if r.dataset == dataset and r.model in models]
    if not again:
        return config.judges_of(dataset)
    there = 1
    while there < config.judges_of(dataset):
        folder = results / judge_folder(dataset, there)
        said = [
            results / run.folder / metrics_file(judge) for run, judge in again if judge == there
        ]
        if not all(path.exists() for path in (folder / "judge.json", folder / "gp.json", *said)):
            break
        there += 1
    return there


def _not_run(
    config: Config, seeds: dict[str, dict[str, int]], judges: dict[str, int]
) -> Iterator[str]:
    """One phrase for each data set of which something is missing."""
    for dataset in config.datasets:
        lacking: dict[str, list[str]] = {}
        for model, wanted in _wanted(config, dataset):
            there = seeds.get(dataset, {}).get(model, 0)
            if there < wanted:
                title = config.values["model_settings"][model]["title"]
                missing = "the one seed" if wanted == 1 else f"{wanted - there} of {wanted} seeds"
                lacking.setdefault(missing, []).append(title)
        # Titles have commas of their own.
        words = [f"{missing} of {' and '.join(titles)}" for missing, titles in lacking.items()]
        wanted = config.judges_of(dataset)
        if absent := wanted - judges.get(dataset, wanted):
            words.append(f"{absent} of {wanted} judges")
        if words:
            yield f"on {dataset_name(dataset)} {', '.join(words)}"


def _wanted(config: Config, dataset: str) -> Iterator[tuple[str, int]]:
    """Models that were asked for on a data set, and their numbers of seeds."""
    for model in dict.fromkeys(run.model for run in config.runs() if run.dataset == dataset):
        yield model, config.seeds_of(dataset, model)
