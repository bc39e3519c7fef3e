"""Which files the figures of a configuration are; cheap to import, Snakemake plans with it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ccvae.errors import InputError
from workflow.config import Config
from workflow.figures.catalogue import FIGURES, Figure
from workflow.identity import Run
from workflow.planning.jobs import training_effort
from workflow.reporting.names import STAND_INS, dataset_name, original_name

OPTIONAL = {
    "figure3": "traversals",
    "figure18": "more_traversals",
    "figure19": "more_traversals",
    "traversals": "more_traversals",
    "figure21": "corners",
}
"""Figures that name labels, and the key of the configuration that must name them."""

OF_STUDY = "gradients"
"""File of the figure of a study, which is of no data set's runs."""


def stem(figure: Figure, dataset: str, model: str) -> str:
    """Path of a figure below the results folder, without suffix."""
    if figure.scope == "study":
        return f"figures/{figure.name}/{OF_STUDY}"
    about = f"{dataset}_{model}" if figure.scope in ("model", "rates") else dataset
    return f"figures/{figure.name}/{about}"


class Gallery:
    """The figures of one configuration.

    Parameters
    ----------
    config
        A checked configuration.

    Attributes
    ----------
    rate, seed
        Of the models that are drawn.

    Raises
    ------
    InputError
        If it asks for a supervision rate or a seed that is not run.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        options = config.values["figures"]
        self._recorded = _models(config.runs())
        self._trained = self._recorded
        if config.records_from:
            # A model whose seed that figures show is not here at some f cannot be drawn.
            absent = set(config.runs()) - set(config.runs_here())
            missing = {(run.dataset, run.model) for run in absent if run.seed == options["seed"]}
            runs = (run for run in config.runs() if (run.dataset, run.model) not in missing)
            self._trained = _models(runs)
        self.rate: str = options["supervision_rate"]
        if self.rate == "largest":
            self.rate = max(config.rates, key=float)
        self.seed: int = options["seed"]
        if self.rate not in config.rates:
            raise InputError(
                f"configuration: figures.supervision_rate is {self.rate}, which is not run; "
                f"choose largest or one of {', '.join(config.rates)}"
            )
        fewest = min(config.seeds_of(run.dataset, run.model) for run in config.runs())
        if self.seed >= fewest:
            raise InputError(
                f"configuration: figures.seed is {self.seed}, but only seeds below {fewest} are "
                "run on every data set"
            )

    @property
    def study(self) -> dict[str, Any]:
        """The study of gradients, as configured."""
        return self._config.values["studies"]["gradients"]

    def models_of(self, figure: Figure, dataset: str) -> list[str]:
        """Models that a figure of a data set shows."""
        asked_for = self._asked_for(figure, dataset)
        return [m for m in asked_for if figure.task not in self._config.lacking(m, dataset)]

    def _asked_for(self, figure: Figure, dataset: str) -> list[str]:
        """Models that a figure would show if they could do its task."""
        config = self._config
        if config.kind_of(dataset) not in figure.kinds:
            return []
        labels = OPTIONAL.get(figure.name)
        if labels is not None and not config.values["figures"][labels].get(dataset):
            return []
        known = self._recorded if figure.needs == "records" else self._trained
        return [m for m in known.get(dataset, ()) if figure.shows(config.system_of(m))]

    def _left_out(self, figure: Figure, dataset: str) -> list[str]:
        """Sentences on the models that a figure of several cannot show."""
        why: dict[str, list[str]] = {}
        for model in self._asked_for(figure, dataset):
            lacks = self._config.lacking(model, dataset)
            sentence = lacks.get(figure.task)
            # Nobody looks for a classifier among pictures.
            if sentence is not None and "reconstruct" not in lacks:
                title = self._config.values["model_settings"][model]["title"]
                why.setdefault(sentence, []).append(title)
        return [f"Models not shown: {'; '.join(names)}. {reason}" for reason, names in why.items()]

    def _trained_on(self, dataset: str) -> list[str]:
        """Models that are trained on a data set."""
        return list(dict.fromkeys(r.model for r in self._config.runs() if r.dataset == dataset))

    def _seeds(self, dataset: str, models: list[str]) -> str:
        """Numbers of seeds of models: "5", or "5; of CSVAE and MEME 3"."""
        described = self._config.values["model_settings"]
        counts: dict[int, list[str]] = {}
        for model in models:
            seeds = self._config.seeds_of(dataset, model)
            counts.setdefault(seeds, []).append(described[model]["title"])
        most = max(counts, default=self._config.seeds_of(dataset))
        fewer = [f"of {' and '.join(of)} {n}" for n, of in counts.items() if n < most]
        return "; ".join([str(most), *fewer])

    def _budgets(self, dataset: str, models: list[str], scope: str) -> list[str]:
        """Sentences on how long models were trained; none for a study, which has its own length."""
        described = self._config.values["model_settings"]
        budgets: dict[str, list[str]] = {}
        for model in models if scope != "study" else []:
            settings = self._config.run_settings(Run(dataset, model, self.rate, self.seed))
            training = settings["training"]
            if training["kind"] == "mixed":
                _, images = training_effort(settings)
                steps = training["steps"]
                budget = f"{steps * images:,} images ({steps:,} steps of {images})"
            else:
                budget = f"{training['epochs']:,} epochs"
            budgets.setdefault(budget, []).append(described[model]["title"])
        if len(budgets) == 1:
            return [f"Trained on {budget}." for budget in budgets]
        return [f"Trained on {budget}: {'; '.join(titles)}." for budget, titles in budgets.items()]

    def stems(self, figure: Figure) -> list[str]:
        """Every file of a figure that the data sets and models allow, without suffix."""
        if figure.scope == "study":
            # Whoever asks for other data alone does not want to train on the study's.
            path = stem(figure, "", "")
            drawn = Path(self._config.records_from, f"{path}.png").exists()
            return [path] if self.study["dataset"] in self._config.datasets and not drawn else []
        found = [
            stem(figure, dataset, model)
            for dataset in self._config.datasets
            for model in self.models_of(figure, dataset)
        ]
        return list(dict.fromkeys(found))

    def drawings(self, dataset: str, *needs: str) -> list[tuple[list[Figure], list[str]]]:
        """Figures of a data set that come from the same things, and the models that they show.

        Those of one model, or of the same models, are together.
        """
        found: dict[tuple[str, str, tuple[str, ...]], list[Figure]] = {}
        for figure in FIGURES.values():
            if figure.needs not in needs:
                continue
            models = self.models_of(figure, dataset)
            alone = figure.scope in ("model", "rates")
            for shown in [(model,) for model in models] if alone else [tuple(models)]:
                if shown:
                    found.setdefault((figure.scope, figure.needs, shown), []).append(figure)
        return [(figures, list(shown)) for (*_, shown), figures in found.items()]

    def settings(self, figures: list[Figure], dataset: str, models: list[str]) -> dict[str, Any]:
        """Everything that drawing depends on, besides what is drawn.

        `facts` is what captions say.
        """
        options = self._config.values["figures"]
        described = self._config.values["model_settings"]
        study = figures[0].scope == "study"
        keyed = ("traversals", "more_traversals", "variance_labels", "corners")
        return {
            "figures": [figure.name for figure in figures],
            "dataset": dataset,
            "models": {name: described[name]["title"] for name in models},
            "rate": self.study["supervision_rate"] if study else self.rate,
            "rates": self._config.rates,
            "seed": self.seed,
            "judged": self.judged(dataset),
            "facts": self.facts(figures, dataset, models),
            "options": {
                key: value.get(dataset, []) if key in keyed else value
                for key, value in options.items()
            },
        }

    def judged(self, dataset: str) -> bool:
        """Whether pictures of a data set say what its judge sees: where it must read each label."""
        return bool(self._config.gate_settings(dataset)["label_minimum"])

    def facts(self, figures: list[Figure], dataset: str, models: list[str]) -> dict[str, str]:
        """Words for captions.

        `where` is its last sentences, of which data, models, f, seed and training a figure is;
        `drawn` is empty for real images, `judged` where no judge is asked what pictures show;
        `deviations` is how far traversals go.
        """
        described = self._config.values["model_settings"]
        scope = figures[0].scope
        about = []
        if dataset in STAND_INS:
            original = original_name(dataset)
            about.append(
                f"Data: {dataset}, a drawn stand-in for {original}; nothing here was computed from "
                f"{original}."
            )
        elif dataset:
            about.append(f"Data: {dataset_name(dataset)}.")
        if models:
            kind = "Model" if len(models) == 1 else "Models"
            about.append(f"{kind}: {'; '.join(described[name]['title'] for name in models)}.")
        if scope == "models":
            about += self._left_out(figures[0], dataset)
        if scope in ("model", "models"):
            about.append(f"f = {self.rate}, seed {self.seed}.")
        elif scope == "rates":
            about.append(f"f = {', '.join(self._config.rates)}; seed {self.seed}.")
        elif scope == "study":
            about.append(f"f = {self.study['supervision_rate']}.")
        elif scope == "dataset":
            about.append(f"Seeds: {self._seeds(dataset, models or self._trained_on(dataset))}.")
        about += self._budgets(dataset, models or self._trained_on(dataset), scope)
        about.append(f"Preset: {self._config.preset}.")
        return {
            "where": " ".join(about),
            "drawn": "drawn" if dataset in STAND_INS else "",
            "judged": "judged" if self.judged(dataset) else "",
            "deviations": str(self._config.values["figures"]["traversal_deviations"]),
        }


def _models(runs: Iterable[Run]) -> dict[str, list[str]]:
    """Models of each data set, in order."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        found.setdefault(run.dataset, {})[run.model] = None
    return {dataset: list(models) for dataset, models in found.items()}
