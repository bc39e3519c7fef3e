"""Measure one trained model: all metrics at once, because starting up costs more than a metric."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import torch

from ccvae.data.store import Store
from ccvae.files import read_json, write_json
from ccvae.interface import LabelledVAE
from ccvae.labels import LABEL_SPACES
from evaluators.accuracy import accuracy
from evaluators.images import ImageSet
from workflow.models import build_model
from workflow.provenance import Stopwatch, provenance
from workflow.steps.command import (
    LOG,
    add_compute_arguments,
    run,
    start_computing,
)


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--run", required=True, type=Path, help="the trained model's folder")
    parser.add_argument("--store", required=True, type=Path, help="the data set's store")
    parser.add_argument("--out", required=True, type=Path, help="the metrics, as .json")
    add_compute_arguments(parser)


def work(given: Namespace) -> None:
    """Measure, and write metrics.json."""
    stopwatch = Stopwatch()
    device = start_computing(given.device, given.threads)
    store = Store.open(given.store)
    record = read_json(given.run / "run.json")
    store.require_checksum(record["data_checksum"], f"the model in {given.run}")
    model = load_model(given.run, store, device)
    test = ImageSet.read(store, "test", model.labels)
    metrics = accuracy(model, test)
    write_json(
        given.out,
        {
            "run": record,
            "metrics": metrics,
            **provenance(str(device), stopwatch),
        },
    )
    LOG.info("%s: accuracy %.4f", given.run, metrics["accuracy"])


def load_model(folder: Path, store: Store, device: torch.device) -> LabelledVAE:
    """Read a trained model.

    Parameters
    ----------
    folder
        The run's folder, with model.pt and run.json.
    store
        The data set it was trained on.
    device
        Where it will compute.
    """
    settings = read_json(folder / "run.json")["settings"]
    space = LABEL_SPACES[store.kind](store.label_names)
    model = build_model(settings, space, store.image_shape)
    model.load_state_dict(torch.load(folder / "model.pt", map_location="cpu", weights_only=True))
    return model.to(device).eval().requires_grad_(False)


if __name__ == "__main__":
    run(__doc__, arguments, work)
