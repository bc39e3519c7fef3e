"""What the rules of studies read and are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from workflow.config import Config
from workflow.planning.job_settings import JobSettings
from workflow.studies.plan import (
    Variant,
    alpha_variants,
    gradient_variants,
    images_per_step,
    named_variants,
)


class Studies:
    """Trainings of all studies, and parameters of their rules.

    Parameters
    ----------
    config
        The configuration.
    settings
        Where settings of jobs are kept.

    Attributes
    ----------
    gradients, alpha, named
        Trainings of each study; `named` by the entries of `studies.variants`.
    fixed
        The readings are compared at the parameters that this first training of all led to.
    """

    def __init__(self, config: Config, settings: JobSettings) -> None:
        self._config, self._settings = config, settings
        self.gradients = gradient_variants(config)
        self.alpha = alpha_variants(config)
        names = config.values["studies"]["variants"]
        self.named = {name: named_variants(config, name) for name in names}
        self.fixed = self.gradients[0]
        trainings = sum(self.named.values(), self.gradients + self.alpha)
        self._by_folder = {variant.folder: variant for variant in trainings}

    def training(self, study: str | None = None) -> Callable[[Any], str]:
        """Parameter: settings of a training; the study may be a wildcard."""
        folder = f"studies/{study or '{study}'}/{{dataset}}/{{variant}}/f={{rate}}/seed={{seed}}"

        def file(wildcards: Any) -> str:
            found = self._by_folder[folder.format(**wildcards)]
            return self._settings.file("train", found.settings)

        return file

    def draws(self, wildcards: Any) -> str:
        """Parameter: settings of drawing gradients anew."""
        study = self._config.values["studies"]["gradients"]
        asked = {
            "readings": study["readings"],
            "draws": study["draws"],
            "seed": self.fixed.settings["torch_seed"],
            "images": images_per_step(self.fixed.settings["training"]),
        }
        return self._settings.file("draws", asked)

    def plan(self, variants: Iterable[Variant]) -> Callable[[Any], str]:
        """Parameter: the trainings of a study."""
        models = self._config.values["model_settings"]
        plan = {
            "variants": [variant.described() for variant in variants],
            "titles": {v.run.model: models[v.run.model]["title"] for v in variants},
        }
        return lambda wildcards: self._settings.file("study", plan)

    def named_plan(self, name: str) -> Callable[[Any], str]:
        """Parameter: the same of an entry of `studies.variants`, with its own name and title."""
        study = self._config.values["studies"]["variants"][name]
        about = {key: study[key] for key in ("title", "deviations") if key in study}
        variants = [variant.described() for variant in self.named[name]]
        plan = {"name": name, **about, "variants": variants}
        return lambda wildcards: self._settings.file("study", plan)

    def there(self, wildcards: Any) -> list[str]:
        """Input function: tables of the studies that were run; no claim is worth running one."""
        return [
            f"<results>/studies/{name}.csv"
            for name in ("gradients_summary", "alpha", *self.named)
            if Path("results", self._config.preset, "studies", f"{name}.csv").exists()
        ]

    def here(self) -> list[str]:
        """Tables of the studies on the data sets that are run, without suffix.

        Whoever asks for other data does not want to train on theirs.
        """
        tables = {"gradients_summary": self.gradients, "alpha": self.alpha, **self.named}
        return [
            f"studies/{name}"
            for name, variants in tables.items()
            if {variant.run.dataset for variant in variants} <= set(self._config.datasets)
        ]
