"""Gradients of every reading of equation (4) at the parameters of one trained model."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np
import torch

from ccvae.errors import InputError
from ccvae.files import atomic_path
from ccvae.model import CCVAE
from datasets.store import Store
from evaluators.images import to_unit
from workflow.load import load_model
from workflow.steps.command import add_settings_argument, folder, run
from workflow.steps.computing import add_compute_arguments, start_computing
from workflow.studies.gradients import gradients_of_draws


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--store", required=True, type=folder, help="the data set's store")
    parser.add_argument("--labelled", required=True, type=Path, help="rows of labelled images")
    parser.add_argument("--run", required=True, type=folder, help="folder of the trained model")
    parser.add_argument("--out", required=True, type=Path, help="the gradients, as .csv")
    add_compute_arguments(parser)


def work(given: Namespace) -> None:
    """Write a row per reading and draw; settings: `readings`, `draws`, `seed`, `images`."""
    settings = given.settings
    device = start_computing(given.device, given.threads, given.deterministic)
    store = Store.open(given.store)
    model = load_model(given.run, store, device).requires_grad_()
    if not isinstance(model, CCVAE):
        raise InputError(f"the model in {given.run} is no CCVAE and has no readings of eq. (4)")
    rows = np.load(given.labelled, allow_pickle=False)[: settings["images"]]
    frame = gradients_of_draws(
        model,
        to_unit(torch.from_numpy(store.images[rows]).to(device)),
        torch.from_numpy(store.labels[rows]).long().to(device),
        settings["readings"],
        settings["draws"],
        settings["seed"],
    )
    with atomic_path(given.out) as path:
        frame.to_csv(path, index=False)


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out.with_suffix(".settings.json"))
