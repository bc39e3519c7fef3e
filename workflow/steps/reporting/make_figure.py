"""Draw the figures of a data set that come from its models, its measures, or its trainings."""

from __future__ import annotations

import logging
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pandas as pd

from ccvae.files import read_json, write_text
from workflow.figures.catalogue import FIGURES
from workflow.figures.gallery import stem
from workflow.figures.style import save
from workflow.identity import Run
from workflow.reporting.judges import (
    failed_judges,
    information_gate,
    unreadable_labels,
    weak_labels,
)
from workflow.reporting.names import dataset_name
from workflow.reporting.records import Plan, collect, judge_records
from workflow.steps.command import LOG, add_settings_argument, run

if TYPE_CHECKING:
    from workflow.figures.catalogue import Figure

Material = Callable[[str], tuple[Any, ...]]
"""From the title of a figure to what its drawing function takes."""

CAPTIONS = Path(__file__).parents[2] / "report" / "figures"
MOST_IMAGES = 64
"""Test images that figures may show."""


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--results", required=True, type=Path, help="folder of the preset")


def work(given: Namespace) -> None:
    """Draw each figure as .png and .pdf, with its caption as .txt.

    Settings: `each`, figures that show the same models, as
    `workflow.figures.gallery.Gallery.settings` says it; and `plan`.
    """
    # The PDF writer reports every glyph that it embeds.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    for settings in given.settings["each"]:
        figures = [FIGURES[name] for name in settings["figures"]]
        gather = {
            "model": trained_models,
            "metrics": metrics_by_rate,
            "history": histories_by_rate,
            "records": all_records,
            "study": study,
        }[figures[0].needs]
        plan = Plan(**given.settings["plan"])
        material = gather(settings, given.results, plan)
        for figure in figures:
            module, function = figure.drawn_by.split(":")
            draw = getattr(import_module(f"workflow.figures.{module}"), function)
            path = place(figure, settings, given.results)
            first, last = reservations(figure, settings["dataset"], given.results, plan)
            save(draw(*material(first + title_of(figure, settings))), path)
            text = f"{first}{caption(figure, settings['facts']).rstrip()}{last}\n"
            write_text(path.with_name(f"{path.name}.txt"), text)
            LOG.info("%s: %s", figure.name, path)


def place(figure: Figure, settings: dict[str, Any], results: Path) -> Path:
    """Path of a figure, without suffix."""
    return results / stem(figure, settings["dataset"], next(iter(settings["models"]), ""))


def kept(given: Namespace) -> Path:
    """Where the settings of all figures stay: beside the first."""
    first = given.settings["each"][0]
    path = place(FIGURES[first["figures"][0]], first, given.results)
    return path.with_name(f"{path.name}.settings.json")


def reservations(figure: Figure, dataset: str, results: Path, plan: Plan) -> tuple[str, str]:
    """What stands before and after all else in a figure that shows what a judge says, or labels."""
    pictures = figure.needs == "model"
    if not (figure.judged or pictures):
        return "", ""
    records = judge_records(results, [dataset], records_from=plan.records_from)
    before, after = (
        found.get(dataset, "") for found in (failed_judges(records), unreadable_labels(records))
    )
    if figure.name == "against_f" and plan.datasets[dataset] == "classes":
        # Of attributes it has no panel of mutual information.
        after = " ".join(filter(None, (after, information_gate(records, [dataset]))))
    if pictures:
        before, after = "", after and f"{after} Where one of these is named by itself it is grey."
    return before and f"{before} ", after and f" {after}"


def title_of(figure: Figure, settings: dict[str, Any]) -> str:
    """Write the line above a figure: what it shows, of which data and model, which f and seed."""
    about = [dataset_name(settings["dataset"])]
    if figure.scope in ("model", "rates"):
        about += settings["models"].values()
    if figure.scope in ("model", "models", "study"):
        about.append(f"f\u00a0=\u00a0{settings['rate']}")
    if figure.scope not in ("dataset", "study"):
        about.append(f"seed\u00a0{settings['seed']}")
    return f"{figure.heading}, {figure.title}: {', '.join(about)}"


def caption(figure: Figure, facts: dict[str, Any]) -> str:
    """Fill in a figure's caption; the report fills in the same template."""
    from jinja2 import Environment, FileSystemLoader

    job = SimpleNamespace(params=SimpleNamespace(facts=facts))
    templates = Environment(loader=FileSystemLoader(CAPTIONS), autoescape=False)
    text = templates.get_template(f"{figure.caption}.rst").render(snakemake=job)
    return f"{figure.heading}. {' '.join(text.split())}\n"


def trained_models(settings: dict[str, Any], results: Path, _plan: Plan) -> Material:
    """Read the models of one data set at one rate, and its first test images."""
    import torch

    from datasets.stand_ins.truth import Truth
    from datasets.store import Store
    from evaluators.images import ImageSet
    from workflow.figures.scene import Scene
    from workflow.load import load_judge, load_model

    # Pictures are the same on every machine when they are always computed on the processor.
    torch.set_num_threads(1)
    device = torch.device("cpu")
    store = Store.open(results / "data" / settings["dataset"])
    test = ImageSet.read(store, "test")
    images = test.take(torch.arange(min(MOST_IMAGES, len(test))))
    models = {}
    for name, heading in settings["models"].items():
        one = Run(settings["dataset"], name, settings["rate"], settings["seed"])
        models[heading] = load_model(results / one.folder, store, device)
    redraw = Truth(store).redraw_swap if store.stand_in else None
    weak = weak_labels_of(settings["dataset"], results)
    judge = None
    if settings["judged"]:
        judge = load_judge(results / "judges" / settings["dataset"], store, device).eval()

    def scene(title: str) -> tuple[Scene]:
        options, seed = settings["options"], settings["seed"]
        return (Scene(models, images, title, options, seed, redraw, weak, judge),)

    return scene


def weak_labels_of(dataset: str, results: Path) -> list[str]:
    """Labels of a data set that its judge cannot be relied on to read."""
    return weak_labels(judge_records(results, [dataset])).get(dataset, [])


def metrics_by_rate(settings: dict[str, Any], results: Path, _plan: Plan) -> Material:
    """Read what was measured at each supervision rate; None where nothing was."""
    folders = _folders(settings, results)
    found = {rate: read_json(folder / "metrics.json") for rate, folder in folders.items()}
    drawn = {rate: record if record["matrices"] else None for rate, record in found.items()}
    weak = weak_labels_of(settings["dataset"], results)
    return lambda title: (drawn, title, weak)


def histories_by_rate(settings: dict[str, Any], results: Path, _plan: Plan) -> Material:
    """Read the course of training at each supervision rate."""
    folders = _folders(settings, results)
    found = {rate: pd.read_csv(folder / "history.csv") for rate, folder in folders.items()}
    return lambda title: (found, title)


def all_records(settings: dict[str, Any], results: Path, plan: Plan) -> Material:
    """Read the metrics of all runs."""
    records = collect(results, plan)
    return lambda title: (records, plan, settings["dataset"], title)


def study(_settings: dict[str, Any], results: Path, _plan: Plan) -> Material:
    """Read the study of gradients."""
    found = pd.read_csv(results / "studies" / "gradients.csv")
    return lambda title: (found, title)


def _folders(settings: dict[str, Any], results: Path) -> dict[str, Path]:
    (model,) = settings["models"]
    return {
        rate: results / Run(settings["dataset"], model, rate, settings["seed"]).folder
        for rate in settings["rates"]
    }


if __name__ == "__main__":
    run(__doc__, arguments, work, kept)
