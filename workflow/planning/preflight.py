"""What would stop a configuration from running, found before it runs."""

from __future__ import annotations

import os
import platform
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from ccvae.errors import InputError
from datasets.readers import inspect
from evaluators.inception import verify
from workflow.config import Config
from workflow.planning.checks import mistakes, renamed, spec_of, too_few
from workflow.planning.costs import disk_bytes
from workflow.planning.jobs import jobs_of
from workflow.planning.surroundings import surroundings
from workflow.studies.plan import variants_of

ROOT = Path(__file__).resolve().parents[2]
JOB_MB = 3000
"""What the rules ask for per job."""

OF_TEST_IMAGES = ("intervention_images", "probe_images", "counterfactual_images")
"""Amounts of the evaluation that take the first so many test images, or all."""

LICENCES = {
    "celeba": "CelebA is for non-commercial research only and must not be redistributed; ask for "
    "it at mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    "chexpert": "CheXpert needs a personal registration with Stanford AIMI, is for non-commercial "
    "research only, must not be redistributed, and is not for clinical use",
}


@dataclass(frozen=True)
class Finding:
    """One line of the preflight.

    Attributes
    ----------
    topic
        What was looked at.
    sentence
        What was found; for a problem, also what to do.
    is_problem
        Whether the configuration cannot run because of it.
    """

    topic: str
    sentence: str
    is_problem: bool = False


def examine(config: Config, root: Path) -> Iterator[Finding]:
    """Look at everything that a configuration needs.

    Parameters
    ----------
    config
        The configuration.
    root
        Folder of all presets' results.
    """
    results = root / config.preset
    found = list(mistakes(config))
    for mistake in found:
        yield Finding("mistakes", f"configuration: {mistake}", is_problem=True)
    for sentence in renamed(config, results):
        yield Finding("data", sentence, is_problem=True)
    for dataset in config.datasets_here:
        yield from data(config, dataset, results)
    if not found:
        yield from models(config)
    yield from (Finding(*seen) for seen in surroundings())
    yield from weights(config)
    yield from device(config)
    yield memory()
    yield disk(config, results)
    for reader in map(config.reader_of, config.datasets_here):
        if reader in LICENCES:
            yield Finding("licence", LICENCES[reader])
    yield from versions()


def data(config: Config, dataset: str, results: Path) -> Iterator[Finding]:
    """Where a data set will come from, and whether it is enough."""
    store = results / "data" / dataset
    try:
        settings = config.data_settings(dataset)
        folder = settings["options"].get("folder")
        if (store / "store.json").exists() and folder and not Path(folder).exists():
            told = f"prepared in {store}; {folder} is gone, so it could not be prepared again"
            yield Finding("data", f"{dataset}: {told}")
            return
        raw = config.values["raw_data"]
        source = inspect(settings["reader"], settings["options"], raw=raw, store=store)
    except InputError as error:
        yield Finding("data", f"{dataset}: {error}", is_problem=True)
        return
    yield Finding("data", f"{dataset}: {'; '.join(source.found)}")
    counts = source.spec.counts
    for sentence in too_few(config, dataset, counts):
        yield Finding("data", sentence, is_problem=True)
    amounts = config.values["settings"][config.kind_of(dataset)]["evaluation"]
    if fewer := [key for key in OF_TEST_IMAGES if amounts[key] > counts["test"]]:
        names, test = ", ".join(fewer), counts["test"]
        yield Finding("data", f"{dataset}: {names} will take the {test} test images that there are")


def models(config: Config) -> Iterator[Finding]:
    """Problems of models that cannot be built for a data set, in runs and in studies."""
    from ccvae.labels import LABEL_SPACES
    from workflow.models import build_model, shapes_alone

    trainings = [config.run_settings(run) for run in config.runs()]
    trainings += [variant.settings for variant in variants_of(config)]
    # Most differ in f, seed and schedule alone.
    keys = ("dataset", "model", "architecture", "options")
    distinct = {repr([settings[key] for key in keys]): settings for settings in trainings}
    said = set()
    for settings in distinct.values():
        spec = spec_of(config, settings["dataset"])
        if spec is None:
            continue
        space = LABEL_SPACES[spec.kind](spec.labels)
        try:
            with shapes_alone():
                build_model(settings, space, spec.image_shape)
        except InputError as error:
            if (of := (settings["model"], str(error))) not in said:
                said.add(of)
                sentence = f"{settings['model']} on {settings['dataset']}: {error}"
                yield Finding("models", sentence, is_problem=True)


def weights(config: Config) -> Iterator[Finding]:
    """Look for InceptionV3."""
    path = config.values["inception_weights"]
    if not path:
        yield Finding(
            "weights",
            "no InceptionV3: Table 4 reports the Fréchet distance in the judge's features, not FID",
        )
        return
    try:
        yield Finding("weights", verify(Path(path)))
    except InputError as error:
        yield Finding("weights", str(error), is_problem=True)


def device(config: Config) -> Iterator[Finding]:
    """Where trainings will run."""
    import torch

    wanted = config.values["device"]
    if wanted != "cpu" and torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        yield Finding(
            "device",
            f"{torch.cuda.get_device_name()}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free",
        )
    elif wanted == "cuda":
        yield Finding(
            "device",
            "device is cuda, but torch sees no GPU; use auto or cpu, or install a driver",
            is_problem=True,
        )
    else:
        reason = "" if wanted == "cpu" else "; torch sees no GPU"
        yield Finding("device", f"{os.cpu_count()} processor cores{reason}")


def memory() -> Finding:
    """Whether one job fits."""
    available = psutil.virtual_memory().available / 2**20
    if available < JOB_MB:
        return Finding(
            "memory",
            f"{available:.0f} MB of memory are free, but a job asks for {JOB_MB}; free some",
            is_problem=True,
        )
    jobs = int(available // JOB_MB)
    return Finding("memory", f"{available / 1024:.1f} GB free, enough for {jobs} job(s) at once")


def disk(config: Config, results: Path) -> Finding:
    """Whether the results can be written and fit."""
    place = next(p for p in (results, *results.resolve().parents) if p.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Finding(
            "disk",
            f"{place} cannot be written; change its permissions or run where it can be",
            is_problem=True,
        )
    free = shutil.disk_usage(place).free
    try:
        _, missing = disk_bytes(config, list(jobs_of(config)), results, os.cpu_count() or 1)
    except InputError:
        # A problem of the data, which is named there.
        return Finding("disk", f"{free / 1e9:.1f} GB free")
    if missing > free:
        return Finding(
            "disk",
            f"{results} needs about {missing / 1e9:.1f} GB more, but only {free / 1e9:.1f} GB are "
            "free there; make room",
            is_problem=True,
        )
    return Finding("disk", f"about {missing / 1e9:.2f} GB to write, {free / 1e9:.1f} GB free")


def versions() -> Iterator[Finding]:
    """Python and the packages, against what pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    python = platform.python_version()
    if not SpecifierSet(project["requires-python"]).contains(python):
        yield Finding(
            "versions",
            f"Python is {python}, but {project['requires-python']} is needed",
            is_problem=True,
        )
    found = [f"python {python}"]
    for requirement in map(Requirement, project["dependencies"]):
        try:
            there = version(requirement.name)
        except PackageNotFoundError:
            there = "missing"
        if there == "missing" or not requirement.specifier.contains(there, prereleases=True):
            yield Finding(
                "versions",
                f"{requirement.name} is {there}, but {requirement} is needed; install it with "
                "pip install --editable .",
                is_problem=True,
            )
        found.append(f"{requirement.name} {there}")
    yield Finding("versions", ", ".join(found))
