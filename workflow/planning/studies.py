"""What the rules of studies read and are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from workflow.config import Config
from workflow.identity import measured_runs, metrics_file
from workflow.planning.job_settings import JobSettings
from workflow.studies.plan import (
    OTHERS,
    Variant,
    alpha_variants,
    described_study,
    gradient_variants,
    images_per_step,
    named_variants,
    recorded_trainings,
)

FURTHER = {
    "budgets": {"orders": "_orders.csv", "picture": ".png", "figure": ".pdf"},
    "beside_paper": {"paper": "_paper.csv"},
}
"""What studies with a key make besides a table and a page: names of outputs and ends of files."""


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
        self._entries = config.values["studies"]["variants"]
        self.named = {name: named_variants(config, name) for name in self._entries}
        self.fixed = self.gradients[0]
        trainings = sum(self.named.values(), self.gradients + self.alpha)
        self._by_folder = {variant.folder: variant for variant in trainings}
        self._recorded = recorded_trainings(config)

    def training(self, study: str | None = None) -> Callable[[Any], str]:
        """Parameter: settings of a training; the study may be a wildcard."""

        def file(wildcards: Any) -> str:
            found = self._by_folder[_folder(wildcards, study)]
            return self._settings.file("train", found.settings)

        return file

    def priority(self, wildcards: Any) -> float:
        """Priority of a training, behind those of all runs: as its study lists them."""
        folders = [variant.folder for variant in self.named[wildcards.study]]
        return (len(folders) - folders.index(_folder(wildcards))) / (len(folders) + 1)

    def awaited(self, name: str) -> list[str]:
        """Folders of the trainings that an entry of `studies.variants` is gathered from."""
        left_out = {*self._entries[name].get("not_run", ()), *self._recorded}
        folders = [variant.folder for variant in self.named[name]]
        return [folder for folder in folders if folder not in left_out]

    def judges(self, name: str) -> list[str]:
        """Records of the judges that scored an entry's trainings, where they are trained here."""
        here = set(self.awaited(name))
        datasets = {v.run.dataset for v in self.named[name] if v.folder in here}
        return [f"<results>/judges/{dataset}/judge.json" for dataset in sorted(datasets)]

    def splits(self, wildcards: Any) -> str:
        """Parameter: images on which a training is scored."""
        beside = self._entries[wildcards.study].get("beside_paper", ())
        also = self._by_folder[_folder(wildcards)].value in beside
        return "validation test" if also else "validation"

    def further_outputs(self, name: str) -> dict[str, str]:
        """What a study makes besides its table and its page, by the names of outputs."""
        return {
            key: f"<results>/studies/{name}{end}"
            for kind, ends in FURTHER.items()
            if kind in self._entries[name]
            for key, end in ends.items()
        }

    def runs_there(self, name: str) -> Callable[[Any], list[str]]:
        """Input function: what was measured of the models that a study sets beside its own."""
        entry = self._entries[name]
        of = {
            (v.run.dataset, v.run.model)
            for v in self.named[name]
            if "budgets" in entry or v.value in entry.get("beside_paper", ())
        }
        results = Path("results", self._config.preset)

        def files(wildcards: Any) -> list[str]:
            return sorted(
                f"<results>/{run.folder}/{metrics_file()}"
                for dataset, model in of
                for run in measured_runs(results, dataset, model)
            )

        return files

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
        plan = described_study(self._config, name, self._recorded)
        return lambda wildcards: self._settings.file("study", plan)

    def there(self, wildcards: Any) -> list[str]:
        """Input function: tables of the studies that were run; no claim is worth running one."""
        names = (*OTHERS.values(), *self.named)
        return [f"<results>/studies/{name}.csv" for name in names if self._is_there(name)]

    def wanted(self) -> list[str]:
        """What a reader wants to see of studies: tables, pages and pictures, below the preset.

        Only of those on the data sets that are run: whoever asks for other data does not want to
        train on theirs. Studies on request are there if they were run, and those that are recorded
        elsewhere are there already.
        """
        others = {"gradients": self.gradients, "alpha": self.alpha}
        tables = {
            **{
                OTHERS[name]: (self._config.values["studies"][name], variants)
                for name, variants in others.items()
            },
            **{name: (study, self.named[name]) for name, study in self._entries.items()},
        }
        files: list[str] = []
        for name, (study, variants) in tables.items():
            if self._is_recorded(name, variants):
                continue
            strange = {variant.run.dataset for variant in variants} - set(self._config.datasets)
            if strange or (study.get("on_request") and not self._is_there(name)):
                continue
            further = self.further_outputs(name) if name in self.named else {}
            files += [f"studies/{name}.{form}" for form in ("md", "csv")]
            files += [
                path.removeprefix("<results>/") for key, path in further.items() if key != "figure"
            ]
        return files

    def _is_recorded(self, name: str, variants: Iterable[Variant]) -> bool:
        """Whether all that is to be gathered of a study is recorded elsewhere."""
        left_out = self._entries.get(name, {}).get("not_run", ())
        asked = {variant.folder for variant in variants}.difference(left_out)
        return bool(asked) and asked <= self._recorded

    def _is_there(self, name: str) -> bool:
        """Whether it was run, or begun and is to be gathered as it is."""
        if "not_run" in self._entries.get(name, ()):
            return True
        return Path("results", self._config.preset, "studies", f"{name}.csv").exists()


def _folder(wildcards: Any, study: str | None = None) -> str:
    """Folder of a training, by its wildcards; the study may be one of them."""
    folder = f"studies/{study or '{study}'}/{{dataset}}/{{variant}}/f={{rate}}/seed={{seed}}"
    return folder.format(**wildcards)
