"""Train one variant of a study and score it on validation images."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ccvae.files import atomic_path, write_json
from ccvae.model import CCVAE
from datasets.store import Store
from evaluators.accuracy import accuracy, majority
from evaluators.generation import generation
from evaluators.images import ImageSet
from evaluators.inferring import infer_all, part_of
from evaluators.leakage import leakage
from evaluators.measuring import evaluating
from evaluators.reconstruction import reconstruction
from evaluators.swap import swap
from workflow.config import settings_hash
from workflow.load import load_judge
from workflow.provenance import Stopwatch, provenance
from workflow.steps.command import LOG, add_settings_argument, run
from workflow.steps.computing import add_compute_arguments, start_computing
from workflow.steps.training.train import make_trainer
from workflow.studies.gradients import GradientRecorder
from workflow.tensors import save_tensors


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--store", required=True, type=Path, help="the data set's store")
    parser.add_argument("--labelled", required=True, type=Path, help="rows of labelled images")
    parser.add_argument("--judge", type=Path, help="folder of the judge; also score what it sees")
    add_settings_argument(parser, "--evaluation")
    parser.add_argument("--gradients", type=Path, help="record gradient norms here, as .csv")
    parser.add_argument("--out", required=True, type=Path, help="the variant's folder")
    add_compute_arguments(parser)


def work(given: Namespace) -> None:
    """Train, and write model.pt, run.json and, where asked, the gradient norms."""
    stopwatch, settings = Stopwatch(), given.settings
    device = start_computing(given.device, given.threads, given.deterministic)
    store = Store.open(given.store)
    labelled = np.load(given.labelled, allow_pickle=False)
    trainer = make_trainer(settings, store, labelled, device)
    model = trainer.model
    recorder = GradientRecorder(model) if given.gradients and isinstance(model, CCVAE) else None
    trainer.after_backward = recorder
    while not trainer.finished:
        trainer.run_interval()

    images = ImageSet.read(store, "validation", model.labels)
    prevalence = ImageSet.read(store, "train", model.labels).prevalence
    with evaluating(model):
        inferred = infer_all(model, images)
        scores = accuracy(inferred, images) | reconstruction(inferred, images)
        if given.judge is not None:
            judge = load_judge(given.judge, store, device)
            amounts, seed = given.evaluation["amounts"], given.evaluation["seed"]
            n_pairs = amounts["swap_pairs"]
            if "swap" in model.supports:
                scores |= swap(model, judge, images, inferred, n_pairs=n_pairs, seed=seed)
            generated = amounts["generated_images"]
            scores |= generation(model, judge, images, n=generated, seed=seed)[0]
            if inferred.rest is not None:
                half = min(amounts["probe_images"], len(images) // 2)
                ends = (0, half), (half, 2 * half)
                fit, test = (images.take(torch.arange(*end)) for end in ends)
                scores |= leakage(fit, test, [part_of(inferred, *end) for end in ends])
    save_tensors(model.state_dict(), given.out / "model.pt")
    if recorder is not None:
        with atomic_path(given.gradients) as path:
            pd.DataFrame(recorder.rows).to_csv(path, index=False)
    record = {
        "settings": settings,
        "settings_hash": settings_hash(settings),
        "data_checksum": store.checksum,
        "stand_in": store.stand_in,
        "labelled_images": len(labelled),
        "steps": trainer.total,
        "validation": scores,
        "majority": majority(images, prevalence),
        **provenance(str(device), stopwatch),
    }
    write_json(given.out / "run.json", record)
    LOG.info("validation: accuracy %.4f", scores["accuracy"])


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out / "settings.json")
