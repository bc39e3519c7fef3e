"""From a configuration to the settings of single jobs; needs neither torch nor Snakemake.

Snakemake plans with this module, so everything here is cheap to import.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from baselines.registry import SYSTEMS
from ccvae.errors import InputError, known_instead
from datasets.finding import expanded
from datasets.readers import READERS
from workflow.identity import Run, judge_folder, judge_seed, recorded_runs, seed_of, settings_hash
from workflow.schema import validated

RECIPE = 1
"""Version of the models' training; raising it retrains every model, editing a comment does not."""

JUDGE_RECIPE = 2
"""The same of the judges, whose training concerns no model."""

GATE = ("minimum", "label_minimum")
"""What is asked of a judge, beside how it learns; a change of these trains nothing again."""

PLAIN = {"precision": "fp32", "compile": "none", "weights": "batch", "posterior_scale": None}
"""What a training does unless asked otherwise. A run's settings name only what differs, so that
models from before there was a choice keep their hash."""

JUDGED = frozenset({"swap", "generate", "intervene"})
"""Tasks of which a judge says how well they are done, in units that are not its own."""

RATE = re.compile(r"0\.\d+|1(\.0+)?")


def _path(key: str, written: str) -> str:
    """Expand the path that a key of the configuration names."""
    try:
        return expanded(written)
    except InputError as error:
        raise InputError(f"configuration: {key} is {error}") from None


def seeds_at_most(seeds: int | dict[str, int] | None, dataset: str, kind: str, count: int) -> int:
    """Return the number of seeds of a model on a data set that has `count`.

    Parameters
    ----------
    seeds
        As the configuration has it: at most so many, perhaps by data set or kind of data.
    dataset, kind
        The data set, and its entry of `settings`.
    count
        Seeds of the data set.
    """
    if isinstance(seeds, dict):
        seeds = seeds.get(dataset, seeds.get(kind))
    return count if seeds is None else min(count, seeds)


class Config:
    """A checked configuration.

    Parameters
    ----------
    raw
        The merged YAML and command line values.

    Raises
    ------
    InputError
        If a key is unknown, a value illegal, or a name refers to nothing.
    """

    def __init__(self, raw: dict[str, Any]) -> None:
        self.values = values = validated(raw)
        for key in ("raw_data", "inception_weights", "records_from"):
            values[key] = _path(key, values[key])
        self._check_names()

    @classmethod
    def recorded(cls, values: dict[str, Any]) -> Config:
        """Take over a configuration that was checked when it ran, perhaps by an older schema."""
        config = cls.__new__(cls)
        config.values = values
        return config

    def _check_names(self) -> None:
        values = self.values
        if values["preset"] == "reference":
            raise InputError(
                "configuration: the preset cannot be called 'reference', because results/reference "
                "holds what is under version control; choose another name"
            )
        for name in values["datasets"]:
            _known("datasets", name, values["data"])
        for name in values["models"]:
            _known("models", name, values["model_settings"])
        for name in values["folders"]:
            _known("folders", name, values["data"])
        for name, entry in values["data"].items():
            _known(f"data.{name}.settings", entry["settings"], values["settings"])
            reader = READERS.get(self.reader_of(name))
            if entry.get("style") and reader is not None and reader.spec.kind != "multi_class":
                raise InputError(
                    f"configuration: data.{name}.style is for images with one label of several "
                    f"classes, and those of {name} have several labels; leave it out"
                )
        for name, entry in values["model_settings"].items():
            _known(f"model_settings.{name}.system", entry["system"], SYSTEMS)
            for dataset in entry.get("datasets", []):
                _known(f"model_settings.{name}.datasets", dataset, values["data"])
            places = entry.get("seeds")
            for place in places if isinstance(places, dict) else ():
                known = {**values["settings"], **values["data"]}
                _known(f"model_settings.{name}.seeds", place, known)
        for dataset, models in values["explorer"]["models"].items():
            _known("explorer.models", dataset, values["data"])
            for name in models:
                _known(f"explorer.models.{dataset}", name, values["model_settings"])
        studies = values["studies"]
        gradients, alpha = studies["gradients"], studies["alpha"]
        several = [alpha, *studies["variants"].values()]
        for name in (gradients["dataset"], *(name for s in several for name in s["datasets"])):
            _known("studies", name, values["data"])
        models = [gradients["model"], *alpha["weights"]]
        for name, study in studies["variants"].items():
            variants = study["variants"]
            _known(f"studies.variants.{name}.baseline", study["baseline"], variants)
            models += [study["model"], *(v["model"] for v in variants.values() if "model" in v)]
            for variant, changes in variants.items():
                other = changes.get("against", study["baseline"])
                _known(f"studies.variants.{name}.variants.{variant}.against", other, variants)
        for name in models:
            _known("studies", name, values["model_settings"])
        for rate in (
            *values["supervision_rates"],
            gradients["supervision_rate"],
            *(rate for study in several for rate in study["supervision_rates"]),
        ):
            if not RATE.fullmatch(rate) or float(rate) == 0:
                raise InputError(
                    f"configuration: supervision rate '{rate}' is not a number in (0, 1]; "
                    "write it like 0.06 or 1.0"
                )

    @property
    def preset(self) -> str:
        """Name of the results folder."""
        return self.values["preset"]

    @property
    def reference_folder(self) -> str:
        """Where `snakemake reference` gathers what readers want."""
        return self.values["reference"]["folder"] or f"results/{self.preset}/reference"

    @property
    def datasets(self) -> list[str]:
        """Data sets to run."""
        return self.values["datasets"]

    @property
    def models(self) -> list[str]:
        """Models to run."""
        return self.values["models"]

    @property
    def rates(self) -> list[str]:
        """Supervision rates as strings."""
        return self.values["supervision_rates"]

    @property
    def device(self) -> str:
        """Value of a step's `--device`, with the switch for a GPU's kernels behind it."""
        exact = self.values["deterministic"]
        return self.values["device"] + ("" if exact else " --no-deterministic")

    def kind_of(self, dataset: str) -> str:
        """Name of the entry of `settings` that a data set uses."""
        return self.values["data"][dataset]["settings"]

    def reader_of(self, dataset: str) -> str:
        """Name of the reader that prepares a data set."""
        return self.values["data"][dataset].get("reader", dataset)

    def system_of(self, model: str) -> str:
        """Name of the system that a model is."""
        return self.values["model_settings"][model]["system"]

    def lacking(self, model: str, dataset: str) -> dict[str, str]:
        """Tasks that a model cannot do on a data set; for each a sentence that says why not."""
        options = self.values["model_settings"][model].get(self.kind_of(dataset), {})
        reader = READERS.get(self.values["data"][dataset].get("reader", dataset))
        n_factors = None if reader is None else reader.spec.factors
        return SYSTEMS[self.system_of(model)].lacking(options, n_factors)

    def _options_lack(self, model: str) -> dict[str, dict[str, str]]:
        """Data set -> what a model lacks there by its options, beyond what its system lacks."""
        always = SYSTEMS[self.system_of(model)].lacks
        found = {}
        for dataset in self.datasets:
            lacks = self.lacking(model, dataset)
            if lacks.keys() - always.keys():
                found[dataset] = {task: why for task, why in lacks.items() if task not in always}
        return found

    def seeds_of(self, dataset: str, model: str | None = None) -> int:
        """Number of seeds of a data set: its own, or that of all; a model may have fewer."""
        count = self.values["data"][dataset].get("seeds", self.values["seeds"])
        entry = {} if model is None else self.values["model_settings"][model]
        return seeds_at_most(entry.get("seeds"), dataset, self.kind_of(dataset), count)

    @property
    def most_seeds(self) -> int:
        """Largest number of seeds of any data set that runs."""
        return max(map(self.seeds_of, self.datasets))

    def judges_of(self, dataset: str) -> int:
        """Number of judges of a data set: its own, or that of all."""
        # A configuration that was recorded before there was a choice has neither.
        count: int = self.values["data"][dataset].get("judges", self.values.get("judges", 1))
        return count

    def judged_again(self) -> Iterator[tuple[Run, int]]:
        """Runs that another judge than the first measures too, and which: those of the first seed.

        Of those that are run here.

        They say how far a measure moves, in each cell of a table, for a part of what it costs to
        measure everything anew (deviation: judge-seeds).
        """
        for run in self.runs_here():
            judged = JUDGED - self.lacking(run.model, run.dataset).keys()
            if run.seed == 0 and judged:
                yield from ((run, judge) for judge in range(1, self.judges_of(run.dataset)))

    def runs(self, kind: str | None = None) -> Iterator[Run]:
        """All runs, or those whose data sets use the settings `kind`."""
        for dataset in self.datasets:
            if kind is not None and self.kind_of(dataset) != kind:
                continue
            for model in self.models:
                only = self.values["model_settings"][model].get("datasets")
                if only is not None and dataset not in only:
                    continue
                for rate in self.rates:
                    for seed in range(self.seeds_of(dataset, model)):
                        yield Run(dataset, model, rate, seed)

    def runs_here(self, kind: str | None = None) -> Iterator[Run]:
        """Runs of `runs` that no earlier records have (`records_from`)."""
        return (run for run in self.runs(kind) if not self.is_recorded(run))

    def is_recorded(self, run: Run) -> bool:
        """Whether earlier records (`records_from`) have a run, of the same settings."""
        return run in self._recorded_runs

    def has_recorded_judge(self, dataset: str) -> bool:
        """Whether earlier records say how good a data set's first judge is."""
        return judge_folder(dataset) in self._recorded

    @property
    def datasets_here(self) -> list[str]:
        """Data sets that something is run on here."""
        there = {run.dataset for run in self.runs_here()}
        return [name for name in self.datasets if name in there]

    @property
    def records_from(self) -> str:
        """Folder of earlier records; a configuration from before there was a choice has none."""
        folder: str = self.values.get("records_from", "")
        return folder

    @cached_property
    def _recorded(self) -> dict[str, str]:
        """Folder of each run and judge that is recorded elsewhere -> hash of its settings."""
        return recorded_runs(Path(self.records_from)) if self.records_from else {}

    @cached_property
    def _recorded_runs(self) -> frozenset[Run]:
        known = [run for run in self.runs() if run.folder in self._recorded]
        return frozenset(
            run
            for run in known
            if self._recorded[run.folder] == settings_hash(self.run_settings(run))
        )

    def plan(self) -> dict[str, Any]:
        """What `workflow.reporting.records.Plan` is made of."""
        return {
            **({"records_from": self.records_from} if self.records_from else {}),
            "preset": self.preset,
            "datasets": {name: self.kind_of(name) for name in self.datasets},
            "models": {
                name: {
                    "system": self.system_of(name),
                    "title": self.values["model_settings"][name]["title"],
                    "datasets": self.values["model_settings"][name].get("datasets"),
                    "seeds": self.values["model_settings"][name].get("seeds"),
                    "lacks": self._options_lack(name),
                    "latents": self._latents(name),
                }
                for name in self.models
            },
            "rates": self.rates,
            "seeds": {name: self.seeds_of(name) for name in self.datasets},
        }

    def _latents(self, model: str) -> dict[str, list[int]]:
        """Inputs of a model's decoder, and how many of them are latents of a label, by kind."""
        options = self.values["model_settings"][model]
        return {
            kind: [options[kind]["latents"], options[kind].get("latents_per_label", 0)]
            for kind in self.values["settings"]
            if "latents" in options.get(kind, {})
        }

    def data_settings(self, dataset: str) -> dict[str, Any]:
        """What preparing a data set depends on.

        Raises
        ------
        InputError
            If its folder names a variable that is not set.
        """
        options = dict(self.values["data"][dataset]["options"])
        folder = self.values["folders"].get(dataset) or options.pop("folder", None)
        if folder:
            options["folder"] = _path(f"folders.{dataset}", str(folder))
        return {"name": dataset, "reader": self.reader_of(dataset), "options": options}

    def judge_settings(self, dataset: str, judge: int = 0) -> dict[str, Any]:
        """What training a data set's judge depends on."""
        settings = {key: value for key, value in self._judge(dataset).items() if key not in GATE}
        identity = {"dataset": dataset, "seed": judge_seed(dataset, "judge", judge)}
        return {"recipe": JUDGE_RECIPE, **identity, **settings}

    def gate_settings(self, dataset: str) -> dict[str, Any]:
        """What a data set's judge must reach on test images."""
        judge = self._judge(dataset)
        return {key: judge.get(key, {}) for key in GATE}

    def _judge(self, dataset: str) -> dict[str, Any]:
        """A data set's own settings of its judge, laid over those of its kind."""
        shared = self.values["settings"][self.kind_of(dataset)]["judge"]
        return {**shared, **self.values["data"][dataset].get("judge", {})}

    def gp_settings(self, dataset: str, judge: int = 0) -> dict[str, Any]:
        """What fitting a data set's Gaussian process depends on, besides its judge."""
        shared = self.values["settings"][self.kind_of(dataset)]
        return {
            "recipe": RECIPE,
            "dataset": dataset,
            "seed": judge_seed(dataset, "gaussian_process", judge),
            "gaussian_process": shared["gaussian_process"],
            "information_draws": shared["evaluation"]["information_draws"],
        }

    def evaluation_settings(self, dataset: str) -> dict[str, Any]:
        """What measuring a model depends on, besides the model and its judge."""
        amounts = self.values["settings"][self.kind_of(dataset)]["evaluation"]
        style = self.values["data"][dataset].get("style", [])
        settings = {"seed": seed_of(dataset, "evaluation"), "amounts": amounts}
        return settings | ({"style": style} if style else {})

    def run_settings(self, run: Run) -> dict[str, Any]:
        """Everything that training a run depends on, besides the data."""
        kind = self.kind_of(run.dataset)
        shared = self.values["settings"][kind]
        model = self.values["model_settings"][run.model]
        options = dict(model.get(kind, {}))
        training = {**shared["training"], **options.pop("training", {})}
        architecture = {**shared["architecture"], **options.pop("architecture", {})}
        return {
            "recipe": RECIPE,
            "dataset": run.dataset,
            "model": run.model,
            "system": model["system"],
            "supervision_rate": run.rate,
            "seed": run.seed,
            "torch_seed": seed_of(run.dataset, run.model, run.rate, run.seed),
            "architecture": {k: v for k, v in architecture.items() if (k, v) not in PLAIN.items()},
            "options": {"likelihood": shared["likelihood"], **options},
            "training": {k: v for k, v in training.items() if (k, v) not in PLAIN.items()},
        }


def _known(where: str, name: str, known: dict[str, Any]) -> None:
    if name not in known:
        raise InputError(
            f"configuration: {where} names '{name}', which is not known; "
            f"{known_instead(name, known)}"
        )
