"""Train one variant of a study and score it on validation images, and on test images where asked.

With a judge it also scores swaps, generation and style, and keeps how much each validation image
bears on the scores.
"""

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
from ccvae.shapes import PerImage
from datasets.stand_ins.truth import Truth
from datasets.store import Store
from evaluators.accuracy import accuracy, majority
from evaluators.answers import draw_swaps
from evaluators.classifier import Judge
from evaluators.generation import generation
from evaluators.images import ImageSet
from evaluators.inferring import infer_all, part_of
from evaluators.influence import influences
from evaluators.leakage import leakage
from evaluators.measuring import evaluating
from evaluators.reconstruction import reconstruction
from evaluators.seen import Seen
from evaluators.style import style
from evaluators.swap import random_pairs, swap
from evaluators.true_swap import TrueSwaps
from evaluators.uncertainty import mutual_information
from workflow.identity import settings_hash
from workflow.load import load_gp, load_judge
from workflow.provenance import Stopwatch, provenance
from workflow.steps.command import LOG, add_settings_argument, folder, run
from workflow.steps.computing import add_compute_arguments, start_computing
from workflow.steps.training.train import ResumeState, make_trainer, train_to_the_end
from workflow.studies.gradients import GradientRecorder
from workflow.tensors import save_tensors

if TYPE_CHECKING:
    from evaluators.gaussian_process import GPHead


VALIDATION = "validation"


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--store", required=True, type=folder, help="the data set's store")
    parser.add_argument("--labelled", required=True, type=Path, help="rows of labelled images")
    parser.add_argument("--judge", type=folder, help="folder of the judge; also score what it sees")
    add_settings_argument(parser, "--evaluation")
    parser.add_argument("--splits", nargs="+", default=[VALIDATION], help="images to score")
    parser.add_argument("--state", type=Path, help="folder of resume states")
    parser.add_argument("--gradients", type=Path, help="record gradient norms here, as .csv")
    parser.add_argument("--out", required=True, type=folder, help="the variant's folder")
    add_compute_arguments(parser)


def work(given: Namespace) -> None:
    """Train, and write model.pt, run.json and, where asked, gradient norms and influences."""
    stopwatch, settings = Stopwatch(), given.settings
    device = start_computing(given.device, given.threads, given.deterministic)
    store = Store.open(given.store)
    labelled = np.load(given.labelled, allow_pickle=False)
    trainer = make_trainer(settings, store, labelled, device)
    model = trainer.model
    recorder = GradientRecorder(model) if given.gradients and isinstance(model, CCVAE) else None
    trainer.after_backward = recorder
    state = given.state and ResumeState.of(given.state, settings, store, labelled)
    if state is None:
        while not trainer.finished:
            trainer.run_interval()
    else:
        state.restore(trainer, device)
        train_to_the_end(trainer, state)

    judge = None if given.judge is None else load_judge(given.judge, store, device)
    head = None if judge is None else load_gp(given.judge, judge, device)
    images = {split: ImageSet.read(store, split, model.labels) for split in given.splits}
    prevalence = ImageSet.read(store, "train", model.labels).prevalence
    scores = {}
    for split, some in images.items():
        with evaluating(model):
            inferred = infer_all(model, some)
            scores[split] = accuracy(inferred, some)
            if "reconstruct" in model.supports:
                scores[split] |= reconstruction(inferred, some)
            if judge is None or head is None:
                continue
            truth = true_swaps(store, split, some, given.evaluation)
            found, bearing = judged(model, judge, head, some, inferred, given.evaluation, truth)
            scores[split] |= found
        if split == VALIDATION:
            arrays: dict[str, Any] = {k: v.float().numpy() for k, v in bearing.items()}
            with atomic_path(given.out / "influence.npz") as path:
                np.savez(path, **arrays)
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
        **scores,
        "majority": majority(images[VALIDATION], prevalence),
        **provenance(str(device), stopwatch),
    }
    write_json(given.out / "run.json", record)
    if state is not None:
        state.drop()
    LOG.info("validation: accuracy %.4f", scores[VALIDATION]["accuracy"])


def true_swaps(
    store: Store, split: str, images: ImageSet, evaluation: Mapping[str, Any]
) -> TrueSwaps | None:
    """Draw what swaps should become, where images are drawings."""
    if not store.stand_in:
        return None
    n_pairs, seed = evaluation["amounts"]["swap_pairs"], evaluation["seed"]
    return draw_swaps(Truth(store, split), random_pairs(len(images), n_pairs, seed))


def judged(
    model: LabelledVAE,
    judge: Judge,
    head: GPHead,
    images: ImageSet,
    inferred: Inferred,
    evaluation: Mapping[str, Any],
    truth: TrueSwaps | None = None,
) -> tuple[dict[str, float], dict[str, PerImage]]:
    """What a judge says of swaps and generated images, what latents say of labels, and style.

    Also the influence of each image, see `evaluators.influence`.
    """
    amounts, seed = evaluation["amounts"], evaluation["seed"]
    n_pairs = amounts["swap_pairs"]
    scores: dict[str, float] = {}
    generated: tuple[ImageSet, Seen] | None = None
    if "swap" in model.supports:
        scores |= swap(model, judge, images, inferred, n_pairs=n_pairs, seed=seed, truth=truth)
    if "generate" in model.supports:
        n, draws = amounts["generated_images"], amounts["information_draws"]
        found, drawn, seen = generation(model, judge, images, n=n, seed=seed)
        generated = drawn, seen
        scores |= found | mutual_information(head, seen.features(), draws, seed)
    if inferred.rest is not None:
        half = min(amounts["probe_images"], len(images) // 2) // 8 * 8
        sides = part_of(inferred, 0, half), part_of(inferred, half, 2 * half)
        fit, test = (images.take(torch.arange(start, start + half)) for start in (0, half))
        scores |= leakage(fit, test, sides)
    if evaluation.get("style") and "reconstruct" in model.supports:
        n_images, counted = amounts["intervention_images"], evaluation["style"]
        asked = {"counted": counted, "n_images": n_images, "n_pairs": n_pairs, "seed": seed}
        scores |= style(model, judge, images, inferred, **asked)
    bearing = influences(
        model,
        images,
        inferred,
        generated=generated,
        truth=truth if "swap" in model.supports else None,
        seed=seed,
    )
    return scores, bearing


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out / "settings.json")
