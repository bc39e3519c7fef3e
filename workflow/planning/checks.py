"""What a configuration names, held against what there is, before anything runs.

Snakemake plans with this module, so it needs neither torch nor the data: options are read from the
source of what takes them, labels from the register of readers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import filter as filter_names
from itertools import chain
from pathlib import Path
from typing import Any

from baselines.registry import SYSTEMS
from ccvae.errors import InputError, known_instead
from ccvae.files import read_json
from datasets.readers import READERS
from datasets.spec import StoreSpec
from workflow.config import Config
from workflow.explorer.selection import selected
from workflow.figures.catalogue import FIGURES
from workflow.figures.chosen import chosen
from workflow.figures.gallery import Gallery, stem
from workflow.planning.signatures import Option, constant_of, members_of, options_of
from workflow.studies.plan import variants_of

ARCHITECTURES = "ccvae.networks:ARCHITECTURES"
DEVIATIONS = Path(__file__).parents[1] / "resources" / "deviations.yaml"
LEAST_LABELLED = {"multi_class": 10, "multi_label": 1}
"""Fewest labelled images that a training can start from: one of each of ten classes."""
NEEDED = {
    "mixed": ("learning_rate", "steps", "labelled_batch", "unlabelled_batch"),
    "interleaved": ("learning_rate", "epochs", "batch_size"),
}
"""What each kind of training schedule must be told."""


def check(config: Config, results: Path) -> None:
    """Hold a configuration against all that is known without looking at data.

    Parameters
    ----------
    config
        The configuration.
    results
        Folder of its preset.

    Raises
    ------
    InputError
        With the first mistake.
    """
    for mistake in chain(data_mistakes(config), mistakes(config), _drawn_too_few(config)):
        raise InputError(f"configuration: {mistake}")
    for sentence in renamed(config, results):
        raise InputError(sentence)


def mistakes(config: Config) -> Iterator[str]:
    """Sentences about everything but data."""
    yield from _run_nothing(config)
    # What a model can do, and so which figures it has, follows from its options.
    yield from _models(config)
    yield from _labels(config)
    yield from _figures(config)
    yield from _explorer(config)
    yield from _studies(config)


def data_mistakes(config: Config) -> Iterator[str]:
    """Sentences about readers and the names of their options; values are the readers' business."""
    for dataset in config.datasets:
        if (name := config.reader_of(dataset)) not in READERS:
            yield f"data.{dataset}.reader: {_unknown(name, READERS, 'reader')}"
            continue
        known = (options_of(READERS[name].function, leading=1) or {}).keys() - {"raw"}
        for option in sorted(config.values["data"][dataset]["options"].keys() - known):
            yield f"data.{dataset}.options has no option '{option}'; {known_instead(option, known)}"


def settings_of_asked_for(config: Config, dataset: str) -> dict[str, Any]:
    """Settings of a data set that will be prepared.

    Only who asks for something of a data set has to say where it is.

    Raises
    ------
    InputError
        If its reader needs a folder and none is named, or a variable in its path is not set.
    """
    settings = config.data_settings(dataset)
    options = options_of(READERS[settings["reader"]].function, leading=1) or {}
    if "folder" in options and options["folder"].required and "folder" not in settings["options"]:
        raise InputError(
            f"configuration: {dataset} has to be fetched by you, and no folder is named; give it "
            f'with --config "folders={{{dataset}: PATH}}"'
        )
    return settings


def renamed(config: Config, results: Path) -> Iterator[str]:
    """Sentences about stores whose labels have had other names since; figures would not find them.

    Nothing prepares a finished store again because a name has changed.
    """
    for dataset in config.datasets:
        folder, spec = results / "data" / dataset, spec_of(config, dataset)
        if spec is None or not (folder / "store.json").exists():
            continue
        try:
            there = read_json(folder / "store.json")["labels"]
        except (ValueError, KeyError):
            # Whoever reads the store says what is wrong with it.
            continue
        if other := [name for name in there if name not in spec.labels]:
            yield (
                f"{folder} was prepared with a label '{other[0]}', which is now none of "
                f"{dataset}; remove the folder, and all that rests on it is made again"
            )


def spec_of(config: Config, dataset: str) -> StoreSpec | None:
    """What is known of a data set beforehand; None where its reader is not known."""
    reader = READERS.get(config.reader_of(dataset))
    return None if reader is None else reader.spec


def too_few(config: Config, dataset: str, counts: Mapping[str, int]) -> Iterator[str]:
    """Sentences about numbers of images that the configuration cannot work with.

    Parameters
    ----------
    config
        The configuration.
    dataset
        One of its data sets.
    counts
        Images in each split.
    """
    spec, shared = spec_of(config, dataset), config.values["settings"][config.kind_of(dataset)]
    train, test = counts["train"], counts["test"]
    for rate in config.rates:
        least = LEAST_LABELLED[spec.kind] if spec else 1
        labelled = round(float(rate) * train)
        if labelled < least:
            yield (
                f"{dataset} has {train} training images, of which f = {rate} labels {labelled}; "
                f"at least {least} are needed: raise the rate"
            )
    inducing = shared["gaussian_process"]["inducing"]
    if train < inducing:
        yield (
            f"settings.{config.kind_of(dataset)}.gaussian_process.inducing is {inducing}, but "
            f"{dataset} has only {train} training images; lower it to at most that"
        )
    if test < 2:
        yield f"{dataset} has {test} test image, but a swap takes two; give it more"


def _drawn_too_few(config: Config) -> Iterator[str]:
    """`too_few`, where the number of images does not depend on what is in a folder."""
    for dataset in config.datasets:
        spec = spec_of(config, dataset)
        if spec is not None and (spec.stand_in or spec.kind == "multi_class"):
            options = config.data_settings(dataset)["options"]
            yield from too_few(config, dataset, READERS[spec.name].expected_counts(options))


def _run_nothing(config: Config) -> Iterator[str]:
    described = config.values["model_settings"]
    if next(config.runs(), None) is None:
        only = "; ".join(
            f"{name} runs on {', '.join(described[name]['datasets']) or 'none'}"
            for name in config.models
        )
        yield f"datasets and models leave nothing to run: {only}"


def _labels(config: Config) -> Iterator[str]:
    """Labels and classes that figures name, of every data set, whether it is run or not."""
    figures = config.values["figures"]
    for key in ("traversals", "more_traversals", "variance_labels", "corners"):
        for dataset, entry in figures[key].items():
            where = f"figures.{key}.{dataset}"
            if dataset not in config.values["data"]:
                yield f"{where}: {_unknown(dataset, config.values['data'], 'data set')}"
                continue
            if (spec := spec_of(config, dataset)) is None:
                continue
            groups = entry if key.endswith("traversals") else [entry]
            for name in dict.fromkeys(name for group in groups for name in group):
                if name not in spec.labels:
                    kind = "class" if spec.kind == "multi_class" else "label"
                    yield (
                        f"{where} names '{name}', which is no {kind} of {dataset}; "
                        f"{known_instead(name, spec.labels)}"
                    )
            if key != "variance_labels":
                for group in groups:
                    if len(set(group)) < len(group):
                        yield f"{where} names one label twice in {group}; choose different ones"


def _figures(config: Config) -> Iterator[str]:
    patterns = config.values["reference"]["figures"]
    try:
        chosen(Gallery(config), patterns)
    except InputError as error:
        yield _sentence(error)
        return
    for pattern in patterns:
        figure = FIGURES[pattern.partition("/")[0]]
        everything = [
            stem(figure, dataset, model)
            for dataset in config.values["data"]
            for model in config.values["model_settings"]
        ]
        if not filter_names(everything, f"figures/{pattern}"):
            yield (
                f"reference.figures names '{pattern}', but no data set or model is called so; "
                "patterns look like figure3/celeba_ccvae or figure7/*"
            )


def _explorer(config: Config) -> Iterator[str]:
    try:
        selected(config)
    except InputError as error:
        yield _sentence(error)


def _studies(config: Config) -> Iterator[str]:
    known = re.findall(r"^- id: (\S+)", DEVIATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    for study, entry in config.values["studies"]["variants"].items():
        for name in entry.get("deviations", []):
            if name not in known:
                yield f"studies.variants.{study}.deviations: {_unknown(name, known, 'deviation')}"
        for name in entry.get("beside_paper", []):
            where, variants = f"studies.variants.{study}.beside_paper", entry["variants"]
            if name not in variants:
                yield f"{where}: {_unknown(name, variants, 'variant')}"
            elif (model := variants[name].get("model", entry["model"])) != name:
                yield (
                    f"{where} names '{name}', which is a variant of {model}; the paper's numbers "
                    "are those of models, so call it like the model that it is of"
                )


def _models(config: Config) -> Iterator[str]:
    """Options of models and networks, and schedules, of all runs and of all studies."""
    for kind in dict.fromkeys(map(config.kind_of, config.datasets)):
        yield from _architecture(config, kind)
    trainings = [
        (f"model_settings.{run.model}.{config.kind_of(run.dataset)}", config.run_settings(run))
        for run in config.runs()
    ]
    try:
        trainings += [
            (f"studies: {variant.study}, {variant.value} of {variant.run.model}", variant.settings)
            for variant in variants_of(config)
        ]
    except InputError as error:
        yield _sentence(error)
    # A study repeats what is wrong with its model.
    said = set()
    for where, settings in trainings:
        for mistake in _settings(config, settings):
            if (settings["model"], mistake) not in said:
                said.add((settings["model"], mistake))
                yield f"{where} {mistake}"


def _settings(config: Config, settings: Mapping[str, Any]) -> Iterator[str]:
    """Mistakes in the resolved settings of one training, to be read after where they are."""
    yield from _options(
        options_of(SYSTEMS[settings["system"]].place, leading=2), settings["options"]
    )
    training = settings["training"]
    for key in NEEDED.get(training.get("kind"), ("kind",)):
        if key not in training:
            yield f"needs training.{key}; set it there or in settings"
    dataset, networks = settings["dataset"], settings["architecture"]
    shared = config.values["settings"][config.kind_of(dataset)]["architecture"]
    # What `settings` says is looked at by itself.
    if not networks.items() <= shared.items():
        there = set(_networks(config, [dataset], shared))
        for mistake in _networks(config, [dataset], networks):
            if mistake not in there:
                yield f"has the architecture '{networks['name']}', which {mistake}"


def _architecture(config: Config, kind: str) -> Iterator[str]:
    given = config.values["settings"][kind]["architecture"]
    datasets = [name for name in config.datasets if config.kind_of(name) == kind]
    for mistake in _networks(config, datasets, given):
        yield f"settings.{kind}.architecture '{given['name']}' {mistake}"


def _networks(
    config: Config, datasets: Iterable[str], architecture: Mapping[str, Any]
) -> Iterator[str]:
    """Mistakes in an architecture for data sets, to be read after its name."""
    given = dict(architecture)
    place = members_of(ARCHITECTURES)[given.pop("name")]
    yield from _options(options_of(place), given)
    shape = constant_of(place, "image_shape")
    for dataset in datasets:
        spec = spec_of(config, dataset)
        if spec and shape not in (None, spec.image_shape):
            yield f"is for images {shape}, but {dataset} has {spec.image_shape}; choose another"


def _options(known: Mapping[str, Option] | None, given: Mapping[str, Any]) -> Iterator[str]:
    if known is None:
        return
    for name, value in given.items():
        if name not in known:
            yield f"has no option '{name}'; {known_instead(name, known)}"
        elif (expected := known[name].expected(value)) is not None:
            yield f"has {name} = {value!r}, where {expected} was expected"
    for option in known.values():
        if option.required and option.name not in given:
            yield f"needs the option '{option.name}'; set it"


def _unknown(name: str, known: Any, what: str) -> str:
    return f"there is no {what} '{name}'; {known_instead(name, known)}"


def _sentence(error: InputError) -> str:
    return str(error).removeprefix("configuration: ")
