"""Measure a judge on test images, and say whether it is good enough to judge models."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import torch

from ccvae.files import read_json, write_json
from datasets.store import Store
from evaluators.accuracy import constant_loss, majority
from evaluators.assessment import assess
from evaluators.gates import LOSS, shortcomings, unreadable
from evaluators.images import ImageSet
from workflow.load import load_judge
from workflow.provenance import Stopwatch, provenance
from workflow.steps.command import LOG, add_settings_argument, folder, run
from workflow.steps.computing import add_compute_arguments, start_computing


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--store", required=True, type=folder, help="the data set's store")
    parser.add_argument("--judge", required=True, type=folder, help="the judge's folder")
    parser.add_argument("--out", required=True, type=Path, help="the record, as .json")
    add_compute_arguments(parser)


def work(given: Namespace) -> None:
    """Measure, and write judge.json."""
    stopwatch, gate = Stopwatch(), given.settings
    device = start_computing(given.device, given.threads, given.deterministic)
    store = Store.open(given.store)
    judge = load_judge(given.judge, store, device)
    test = ImageSet.read(store, "test", judge.labels)
    training = read_json(given.judge / "training.json")
    prevalence = torch.tensor(training["prevalence"], dtype=torch.float64)
    metrics = assess(judge, test)
    constant = majority(test, prevalence) | {LOSS: constant_loss(test, prevalence)}
    warnings = shortcomings(metrics, constant, gate["minimum"])
    weak = unreadable(metrics, gate["label_minimum"])
    for warning in warnings:
        LOG.warning("the judge of %s failed its gate: %s", store.name, warning)
    if weak:
        LOG.warning("the judge of %s cannot be relied on for %s", store.name, ", ".join(weak))
    write_json(
        given.out,
        {
            "training": training,
            "gate": gate,
            "metrics": metrics,
            "majority": constant,
            "warnings": warnings,
            "unreadable_labels": weak,
            **provenance(str(device), stopwatch),
        },
    )
    LOG.info("judge of %s: accuracy %.4f", store.name, metrics["accuracy"])


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out.with_suffix(".settings.json"))
