"""Which trainings each study consists of; cheap to import, Snakemake plans with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, product
from pathlib import Path
from typing import Any

from ccvae.errors import InputError
from workflow.config import PLAIN, Config
from workflow.identity import Run, seed_of, settings_hash
from workflow.schema import read_yaml

WEIGHTS = {"mvae": "label_weight"}
"""System -> the option that weighs what is said of labels, where it is not `classifier_weight`."""

KINGMA = "kingma"
"""Name of Kingma et al.'s weight of the classifier, 0.1 / f where labelled images are shown as
often as they are in the data."""

NOT_FOR = {
    "mixed": ("epochs", "batch_size"),
    "interleaved": ("steps", "labelled_batch", "unlabelled_batch", "weights"),
}
"""Keys of a schedule that schedules of the other kind do not read."""


OTHERS = {"gradients": "gradients_summary", "alpha": "alpha"}
"""Studies that are no studies of variants, and what their tables are called."""

AS_CONFIGURED, DEFAULT = "as configured", "default"
SECTIONS = ("training", "architecture")
PLACES = ("model", *SECTIONS, "supervision_rates", "against")
"""Keys of a variant that are no options of its model."""


@dataclass(frozen=True)
class Variant:
    """One training of a study.

    Attributes
    ----------
    study
        `gradients`, `alpha`, or a name under `studies.variants`.
    name
        What is varied, as it appears in the path.
    run
        Data set, model, f and seed whose settings it varies.
    value
        The reading, the weight as the configuration writes it, or the variant's name.
    settings
        Everything that the training depends on, besides the data.
    budget
        How many times the study's training it is, of a study of budgets.
    against
        Of named variants: the one that it is compared with, by its `value`.
    varied
        Of named variants: what it has of what another one of the same model changes.
    """

    study: str
    name: str
    run: Run
    value: str
    settings: dict[str, Any]
    budget: int | None = None
    against: str = ""
    varied: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Path below the results folder."""
        run = self.run
        return f"studies/{self.study}/{run.dataset}/{self.name}/f={run.rate}/seed={run.seed}"

    def described(self) -> dict[str, Any]:
        """What the step that gathers a study must know."""
        run = self.run
        budget = {} if self.budget is None else {"budget": self.budget}
        return {
            "folder": self.folder,
            "dataset": run.dataset,
            "model": run.model,
            "supervision_rate": run.rate,
            "seed": run.seed,
            "value": self.value,
            "images_per_step": images_per_step(self.settings["training"]),
            **({"against": self.against} if self.against else {}),
            **({"varied": self.varied} if self.varied else {}),
            **budget,
        }


def gradient_variants(config: Config) -> list[Variant]:
    """List the readings of equation (4) that are trained side by side, seed by seed.

    Raises
    ------
    InputError
        If the model of the study is no CCVAE.
    """
    study = config.values["studies"]["gradients"]
    if config.system_of(study["model"]) != "ccvae":
        raise InputError(
            f"configuration: studies.gradients.model is '{study['model']}', but only a model of "
            "the system ccvae has readings of equation (4)"
        )
    variants = []
    for seed in range(study["seeds"]):
        run = Run(study["dataset"], study["model"], study["supervision_rate"], seed)
        for reading in study["readings"]:
            training = study["training"]
            settings = _settings(config, "gradients", run, {"supervised": reading}, training)
            variants.append(Variant("gradients", reading, run, reading, settings))
    return variants


def alpha_variants(config: Config) -> list[Variant]:
    """List the weights of the classifier that are tried, whatever data sets a model is run on."""
    study = config.values["studies"]["alpha"]
    variants = []
    for dataset in study["datasets"]:
        for model, weights in study["weights"].items():
            for rate in study["supervision_rates"]:
                for weight in weights:
                    for seed in range(study["seeds"]):
                        run = Run(dataset, model, rate, seed)
                        option = WEIGHTS.get(config.system_of(model), "classifier_weight")
                        settings = _settings(config, "alpha", run, {}, study["training"])
                        value = classifier_weight(weight, rate, settings["training"])
                        settings["options"][option] = value
                        name = f"{model}.alpha={weight}"
                        variants.append(Variant("alpha", name, run, str(weight), settings))
    return variants


def named_variants(config: Config, name: str) -> list[Variant]:
    """List the trainings of a study under `studies.variants`, the baseline first.

    A variant that is another one under this configuration, such as twice the steps of a schedule
    that counts epochs, is left out. All data sets come before the next budget, so that a study that
    is stopped half-way is a whole one with fewer budgets.
    """
    study = config.values["studies"]["variants"][name]
    # Merged configurations keep no order.
    values = dict.fromkeys([study["baseline"], *study["variants"]])
    variants = []
    for budget, dataset, rate in product(
        study.get("budgets", [None]), study["datasets"], study["supervision_rates"]
    ):
        seen: list[tuple[int, dict[str, Any]]] = []
        for value, seed in product(values, range(study["seeds"])):
            changes = study["variants"][value]
            if rate not in changes.get("supervision_rates", [rate]):
                continue
            options = {k: v for k, v in changes.items() if k not in PLACES}
            training = {**study["training"], **changes.get("training", {})}
            run = Run(dataset, changes.get("model", study["model"]), rate, seed)
            settings = _settings(config, name, run, options, training)
            settings["architecture"] |= changes.get("architecture", {})
            # Every variant starts where the first does, whichever model it is of.
            settings["torch_seed"] = seed_of("study", name, dataset, study["model"], rate, seed)
            path = value
            if budget is not None:
                path = f"{value}.{budget}x"
                settings["training"] = _lengthened(settings["training"], budget)
            if (seed, what := _effective(settings)) not in seen:
                seen.append((seed, what))
                against = changes.get("against", study["baseline"])
                varied = _varied(study, run.model, settings)
                variants.append(Variant(name, path, run, value, settings, budget, against, varied))
    return variants


def models_of(study: Mapping[str, Any]) -> dict[str, str]:
    """Which model each variant of a study is."""
    return {name: v.get("model", study["model"]) for name, v in study["variants"].items()}


def _varied(study: dict[str, Any], model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What settings of a training have of what variants of its model change."""
    models = models_of(study)
    changed = {
        key
        for name, changes in study["variants"].items()
        if models[name] == model
        for key in flat(changes)
    }
    own = flat({**settings["options"], **{s: settings[s] for s in SECTIONS}})
    # A schedule of another kind has other keys, and reads others.
    unread = {f"training.{key}" for key in NOT_FOR[settings["training"]["kind"]]}
    return {key: own.get(key, DEFAULT) for key in sorted(changed - unread)}


def recorded_trainings(config: Config) -> set[str]:
    """Folders of trainings of studies that earlier records have (`records_from`).

    Those of the same settings; whole studies of gradients and of alpha.

    Raises
    ------
    InputError
        If what was run for them cannot be read.
    """
    folder = Path(config.records_from)
    if not config.records_from or not (folder / "studies").is_dir():
        return set()
    try:
        before = Config.recorded(read_yaml((folder / "config.yaml").read_text(encoding="utf-8")))
        trained = {v.folder: settings_hash(v.settings) for v in _gathered(before, folder)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"records_from is {folder}, whose config.yaml cannot be read ({error}); name a folder "
            "that `snakemake reference` of this version gathered, or leave it out"
        ) from error
    asked = variants_of(config)
    return {v.folder for v in asked if trained.get(v.folder) == settings_hash(v.settings)}


def _gathered(config: Config, folder: Path) -> Iterator[Variant]:
    """Trainings of the studies whose tables are in a gathered folder."""
    tables = {path.stem for path in (folder / "studies").glob("*.csv")}
    for name, listed in (("gradients", gradient_variants), ("alpha", alpha_variants)):
        yield from listed(config) if OTHERS[name] in tables else ()
    for name, study in config.values["studies"]["variants"].items():
        if name not in tables:
            continue
        left_out, variants = study.get("not_run", ()), named_variants(config, name)
        # What is said of a budget is said of every two of its models, which takes both.
        torn = {_place(v) for v in variants if v.folder in left_out and "budgets" in study}
        yield from (v for v in variants if v.folder not in left_out and _place(v) not in torn)


def _place(variant: Variant) -> tuple[str, str, int | None]:
    return variant.run.dataset, variant.run.rate, variant.budget


def described_study(config: Config, name: str, recorded: Collection[str] = ()) -> dict[str, Any]:
    """What the step that gathers an entry of `studies.variants` must know.

    Parameters
    ----------
    config
        The configuration.
    name
        Of the entry.
    recorded
        From `recorded_trainings`.
    """
    study, trainings = config.values["studies"]["variants"][name], named_variants(config, name)
    keys = ("title", "deviations", "budgets", "beside_paper")
    return {
        "name": name,
        **{key: study[key] for key in keys if key in study},
        "shared": _shared(study),
        "epochs": any(v.settings["training"]["kind"] == "interleaved" for v in trainings),
        "changes": described_changes(study),
        "variants": [
            {**variant.described(), **({"recorded": True} if variant.folder in recorded else {})}
            for variant in trainings
        ],
        "titles": titles_of(study, config.values["model_settings"]),
        **({"models": config.models} if "budgets" in study else {}),
        **({"records_from": config.records_from} if config.records_from else {}),
    }


def flat(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a variant by their names, sections before a dot."""
    own = {k: v for k, v in changes.items() if k not in PLACES}
    return own | {f"{s}.{k}": v for s in SECTIONS for k, v in changes.get(s, {}).items()}


def _shared(study: Mapping[str, Any]) -> dict[str, Any]:
    """What a study sets for all its variants; budgets multiply how long they train."""
    lengths = ("steps", "epochs") if "budgets" in study else ()
    return flat({"training": {k: v for k, v in study["training"].items() if k not in lengths}})


def described_changes(study: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each variant changes against the one that it is compared with, if it is of its model.

    Else what it changes against its model's own settings, which is named unless it is called so.
    What the first one has is told of it anyway.
    """
    models, found = models_of(study), dict[str, dict[str, Any]]()
    for name, changes in study["variants"].items():
        if name == study["baseline"]:
            continue
        against = changes.get("against", study["baseline"])
        own, others = flat(changes), flat(study["variants"][against])
        if models[name] != models[against]:
            model = {} if models[name] in (name, study["model"]) else {"model": models[name]}
            own, others = model | own, {}
        changed = {key: value for key, value in own.items() if (key, value) not in others.items()}
        shared = _shared(study)
        changed |= {k: shared.get(k, AS_CONFIGURED) for k in others if k not in own}
        if changed:
            found[name] = changed
    return found


def titles_of(study: dict[str, Any], models: dict[str, Any]) -> dict[str, str]:
    """What readers call the variants of a study that are whole models, the baseline first.

    Parameters
    ----------
    study
        An entry of `studies.variants`.
    models
        The section `model_settings`.
    """
    values, whole = dict.fromkeys([study["baseline"], *study["variants"]]), models_of(study)
    return {value: models[value]["title"] for value in values if value == whole[value]}


def variants_of(config: Config) -> list[Variant]:
    """List the trainings of all studies.

    Raises
    ------
    InputError
        See `gradient_variants`.
    """
    named = (named_variants(config, name) for name in config.values["studies"]["variants"])
    return [*gradient_variants(config), *alpha_variants(config), *chain.from_iterable(named)]


def classifier_weight(weight: float | str, rate: str, training: dict[str, Any]) -> float:
    """Weight of log q(y|x) on a labelled image, from what the configuration says.

    Parameters
    ----------
    weight
        A number, or `KINGMA`: the weight of arXiv:1406.5298, 0.1 times all images per labelled
        one, in a mean over all images. A step of `mixed` with weights `batch` shows labelled images
        more often than they are in the data, and its share of them takes the place of f.
    rate
        Supervision rate f.
    training
        The schedule.
    """
    if weight != KINGMA:
        return float(weight)
    share = float(rate)
    if training["kind"] == "mixed" and training.get("weights", "batch") == "batch" and share < 1:
        share = training["labelled_batch"] / images_per_step(training)
    return 0.1 / share


def images_per_step(training: dict[str, Any]) -> int:
    """Images that one step of a schedule sees when all are labelled."""
    if training["kind"] == "interleaved":
        return training["batch_size"]
    return training["labelled_batch"] + training["unlabelled_batch"]


def _settings(
    config: Config, study: str, run: Run, options: dict[str, Any], training: dict[str, Any]
) -> dict[str, Any]:
    """Settings of a run with the study's schedule, and one seed for everything that is compared."""
    settings = config.run_settings(run)
    return {
        **settings,
        "study": study,
        "torch_seed": seed_of("study", study, run.dataset, run.model, run.rate, run.seed),
        "options": {**settings["options"], **options},
        "training": {**settings["training"], **training},
    }


def _lengthened(training: dict[str, Any], times: int) -> dict[str, Any]:
    """Schedule with so many times the images, in steps of the same size."""
    return {k: v * times if k in ("steps", "epochs") else v for k, v in training.items()}


def _effective(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without what a schedule of their kind does not read, and without names."""
    training = settings["training"]
    ignored = NOT_FOR[training["kind"]]
    read = {key: value for key, value in training.items() if key not in ignored}
    # As `Config.run_settings` leaves out what is as it would be anyway.
    networks = {k: v for k, v in settings["architecture"].items() if (k, v) not in PLAIN.items()}
    return {**settings, "architecture": networks, "training": read, "model": None}
