"""Fit a sparse variational Gaussian process in place of a judge's last layer."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import torch
from tqdm import tqdm

from ccvae.files import write_json
from datasets.store import Store
from evaluators.gaussian_process import (
    GPSettings,
    assess_gp_head,
    fit_gp_head,
    gate_gp_head,
)
from evaluators.images import ImageSet
from evaluators.seen import Seen
from evaluators.uncertainty import mutual_information
from workflow.identity import settings_hash
from workflow.load import load_judge
from workflow.provenance import Stopwatch, provenance
from workflow.steps.command import LOG, add_settings_argument, folder, run
from workflow.steps.computing import add_compute_arguments, start_computing
from workflow.tensors import save_tensors

NOISE_IMAGES = 2000


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--store", required=True, type=folder, help="the data set's store")
    parser.add_argument("--judge", required=True, type=folder, help="the judge's folder")
    parser.add_argument("--out", required=True, type=folder, help="folder for gp.pt and gp.json")
    add_compute_arguments(parser)


def work(given: Namespace) -> None:
    """Fit, and write gp.pt and gp.json."""
    stopwatch, settings = Stopwatch(), given.settings
    device = start_computing(given.device, given.threads, given.deterministic)
    store = Store.open(given.store)
    judge = load_judge(given.judge, store, device)
    train = ImageSet.read(store, "train", judge.labels)
    test = ImageSet.read(store, "test", judge.labels)
    options = GPSettings(**settings["gaussian_process"], seed=settings["seed"])
    with tqdm(unit="step", disable=None) as bar:

        def progress(step: int, steps: int, loss: float) -> None:
            bar.total = steps
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{loss:.3f}")

        head = fit_gp_head(judge, train, options, device, progress)
    draws = settings["information_draws"]
    seen = Seen.of_set(judge, test)
    metrics = assess_gp_head(head, seen, test.labels, draws, settings["seed"])
    generator = torch.Generator().manual_seed(settings["seed"])
    noise = torch.rand(NOISE_IMAGES, *store.image_shape, generator=generator)
    for name, shown in (("test", seen), ("noise", Seen.of_floats(judge, noise))):
        found = mutual_information(head, shown.features(), draws, settings["seed"])
        metrics[f"mutual_information_{name}"] = found["mutual_information"]
    warnings = gate_gp_head(metrics)
    if metrics["mutual_information_test"] >= metrics["mutual_information_noise"]:
        warnings.append(
            "the Gaussian process is as sure of noise as of test images, so its mutual "
            "information does not tell them apart; train it for more steps"
        )
    for warning in warnings:
        LOG.warning("%s", warning)
    save_tensors(head.state_dict(), given.out / "gp.pt")
    write_json(
        given.out / "gp.json",
        {
            "settings": settings,
            "settings_hash": settings_hash(settings),
            "data_checksum": store.checksum,
            "metrics": metrics,
            "warnings": warnings,
            **provenance(str(device), stopwatch),
        },
    )
    LOG.info(
        "Gaussian process of %s: accuracy %.4f, judge %.4f",
        store.name,
        metrics["accuracy_gp"],
        metrics["accuracy_judge"],
    )


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out / "gp.settings.json")
