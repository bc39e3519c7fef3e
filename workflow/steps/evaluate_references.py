"""Measure models that need no training, for the scale of each figure."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ccvae.data.store import Store
from ccvae.files import write_json
from evaluators.images import ImageSet
from evaluators.references import Constant, Copier
from workflow.drawings import Truth
from workflow.load import load_gp, load_judge
from workflow.measures import Amounts, measure
from workflow.provenance import Stopwatch, provenance
from workflow.steps.command import (
    add_compute_arguments,
    add_settings_argument,
    run,
    start_computing,
)


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--store", required=True, type=Path, help="the data set's store")
    parser.add_argument("--judge", required=True, type=Path, help="folder of the judge and its GP")
    parser.add_argument("--inception", type=Path, help="weights of InceptionV3, for FID")
    parser.add_argument("--out", required=True, type=Path, help="the metrics, as .json")
    add_compute_arguments(parser)


def work(given: Namespace) -> None:
    """Measure, and write references.json."""
    stopwatch, settings = Stopwatch(), given.settings
    device = start_computing(given.device, given.threads)
    store = Store.open(given.store)
    judge = load_judge(given.judge, store, device)
    train = ImageSet.read(store, "train", judge.labels)
    images = ImageSet.read(store, "test", judge.labels)
    references = {
        "constant": Constant(train).to(device),
        "copy_characteristics": Copier(judge, train, "characteristics"),
        "copy_background": Copier(judge, train, "background"),
    }
    metrics = {
        name: measure(
            model,
            judge,
            load_gp(given.judge, judge, device),
            images,
            Amounts(**settings["amounts"]),
            settings["seed"],
            truth=Truth(store, images) if store.stand_in else None,
            inception_weights=given.inception,
        ).metrics
        for name, model in references.items()
    }
    write_json(
        given.out,
        {"settings": settings, "metrics": metrics, **provenance(str(device), stopwatch)},
    )


if __name__ == "__main__":
    run(__doc__, arguments, work)
