"""The part of a configuration that has been run, as an overlay; needs no torch.

Laid over the configuration, it asks for nothing that is not there: the same rules then make the
same tables, verdicts and pictures of fewer seeds, models or data sets.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ccvae.errors import InputError
from workflow.config import Config
from workflow.identity import Run
from workflow.reporting.names import dataset_name

JUDGED = ("judge.json", "references.json")
STUDIES = {"gradients": "gradients_summary", "alpha": "alpha"}
"""Tables of the studies that are no studies of variants."""


def finished(config: Config, results: Path) -> dict[str, Any]:
    """Ask for the leading seeds of every model that are there at every f, and for nothing else.

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
        if all((results / "judges" / dataset / name).exists() for name in JUDGED)
        and (found := dict(_seeds(config, results, dataset)))
    }
    if not seeds:
        raise InputError(
            f"{results} holds no model that is measured at every f, so there is nothing to gather; "
            "run `make reference` for longer"
        )
    models = [name for name in config.models if any(name in found for found in seeds.values())]
    missing = list(_not_run(config, seeds))
    figures = config.values["reference"]["figures"]
    studies = config.values["studies"]
    if not (results / "studies" / f"{STUDIES['gradients']}.csv").exists():
        figures = [name for name in figures if not name.startswith("figure8/")]
    return {
        "datasets": list(seeds),
        "models": models,
        "data": {dataset: {"seeds": max(found.values())} for dataset, found in seeds.items()},
        "model_settings": {
            model: {
                "datasets": [dataset for dataset, found in seeds.items() if model in found],
                "seeds": {d: found[model] for d, found in seeds.items() if model in found},
            }
            for model in models
        },
        "reference": {"figures": figures, "not_run": missing},
        "studies": {
            **{name: {"on_request": True} for name in STUDIES},
            "variants": {name: {"on_request": True} for name in studies["variants"]},
        },
    }


def _seeds(config: Config, results: Path, dataset: str) -> Iterator[tuple[str, int]]:
    """Models of a data set, and how many of their first seeds are measured at every f."""
    for model, wanted in _wanted(config, dataset):
        there = 0
        while there < wanted and all(
            (results / Run(dataset, model, rate, there).folder / "metrics.json").exists()
            for rate in config.rates
        ):
            there += 1
        if there:
            yield model, there


def _not_run(config: Config, seeds: dict[str, dict[str, int]]) -> Iterator[str]:
    """One phrase for each data set of which something is missing."""
    for dataset in config.datasets:
        lacking: dict[str, list[str]] = {}
        for model, wanted in _wanted(config, dataset):
            there = seeds.get(dataset, {}).get(model, 0)
            if there < wanted:
                title = config.values["model_settings"][model]["title"]
                lacking.setdefault(f"{wanted - there} of {wanted} seeds", []).append(title)
        # Titles have commas of their own.
        words = [f"{missing} of {' and '.join(titles)}" for missing, titles in lacking.items()]
        if words:
            yield f"on {dataset_name(dataset)} {', '.join(words)}"


def _wanted(config: Config, dataset: str) -> Iterator[tuple[str, int]]:
    """Models that were asked for on a data set, and their numbers of seeds."""
    for model in dict.fromkeys(run.model for run in config.runs() if run.dataset == dataset):
        yield model, config.seeds_of(dataset, model)
