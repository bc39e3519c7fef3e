"""Train one variant of a study and score it on validation images."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from ccvae.files import atomic_path, write_json
from ccvae.interface import Inferred, LabelledVAE
from ccvae.model import CCVAE
from datasets.store import Store
from evaluators.accuracy import accuracy, majority
from evaluators.classifier import Judge
from evaluators.generation import generation
from evaluators.images import ImageSet
from evaluators.inferring import infer_all, part_of
from evaluators.leakage import leakage
from evaluators.measuring import evaluating
from evaluators.reconstruction import reconstruction
from evaluators.style import style
from evaluators.swap import swap
from evaluators.uncertainty import mutual_information
from workflow.config import settings_hash
from workflow.load import load_gp, load_judge
from workflow.provenance import Stopwatch, provenance
from workflow.steps.command import LOG, add_settings_argument, run
from workflow.steps.computing import add_compute_arguments, start_computing
from workflow.steps.training.train import make_trainer
from workflow.studies.gradients import GradientRecorder
from workflow.tensors import save_tensors

if TYPE_CHECKING:
    from evaluators.gaussian_process import GPHead


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
        scores = accuracy(inferred, images)
        if "reconstruct" in model.supports:
            scores |= reconstruction(inferred, images)
        if given.judge is not None:
            judge = load_judge(given.judge, store, device)
            head = load_gp(given.judge, judge, device)
            scores |= judged(model, judge, head, images, inferred, given.evaluation)
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


def judged(
    model: LabelledVAE,
    judge: Judge,
    head: GPHead,
    images: ImageSet,
    inferred: Inferred,
    evaluation: Mapping[str, Any],
) -> dict[str, float]:
    """What a judge says of swaps and generated images, what latents say of labels, and style."""
    amounts, seed = evaluation["amounts"], evaluation["seed"]
    n_pairs = amounts["swap_pairs"]
    scores: dict[str, float] = {}
    if "swap" in model.supports:
        scores |= swap(model, judge, images, inferred, n_pairs=n_pairs, seed=seed)
    if "generate" in model.supports:
        n, draws = amounts["generated_images"], amounts["information_draws"]
        found, generated = generation(model, judge, images, n=n, seed=seed)
        scores |= found | mutual_information(head, judge, generated, draws, seed)
    if inferred.rest is not None:
        half = min(amounts["probe_images"], len(images) // 2) // 8 * 8
        sides = part_of(inferred, 0, half), part_of(inferred, half, 2 * half)
        fit, test = (images.take(torch.arange(start, start + half)) for start in (0, half))
        scores |= leakage(fit, test, sides)
    if evaluation.get("style") and "reconstruct" in model.supports:
        n_images, counted = amounts["intervention_images"], evaluation["style"]
        asked = {"counted": counted, "n_images": n_images, "n_pairs": n_pairs, "seed": seed}
        scores |= style(model, judge, images, inferred, **asked)
    return scores


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out / "settings.json")
