"""Measure models that need no training, for the scale of each figure."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import torch

from ccvae.files import write_json
from datasets.stand_ins.truth import Truth
from datasets.store import Store, file_digest
from evaluators.answers import load_answers
from evaluators.images import ImageSet
from evaluators.inception import is_published
from evaluators.intervention import true_redrawing
from evaluators.references import Constant, Copier
from evaluators.seen import Seen
from evaluators.swap import true_swap
from evaluators.uncertainty import mutual_information
from workflow.load import load_gp, load_judge
from workflow.measures import Amounts, measure
from workflow.provenance import Stopwatch, provenance
from workflow.steps.command import LOG, add_settings_argument, folder, run
from workflow.steps.computing import add_compute_arguments, start_computing

MOST_OTHER_IMAGES = 2000


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--store", required=True, type=folder, help="the data set's store")
    parser.add_argument(
        "--judge", required=True, type=folder, help="folder of the judge and its GP"
    )
    parser.add_argument(
        "--others",
        type=Path,
        nargs="*",
        default=[],
        help="stores of other data sets of the same kind, which the judge has never seen",
    )
    parser.add_argument("--answers", type=Path, help="drawings of a stand-in, as .npz")
    parser.add_argument("--inception", type=Path, help="weights of InceptionV3, for FID")
    parser.add_argument("--out", required=True, type=Path, help="the metrics, as .json")
    add_compute_arguments(parser)


def work(given: Namespace) -> None:
    """Measure, and write references.json."""
    stopwatch, settings = Stopwatch(), given.settings
    device = start_computing(given.device, given.threads, given.deterministic)
    store = Store.open(given.store)
    judge = load_judge(given.judge, store, device)
    train = ImageSet.read(store, "train", judge.labels)
    images = ImageSet.read(store, "test", judge.labels)
    references = {
        "constant": Constant(train).to(device),
        "copy_characteristics": Copier(judge, train, images, "characteristics"),
        "copy_background": Copier(judge, train, images, "background"),
    }
    head = load_gp(given.judge, judge, device)
    answers = load_answers(given.answers, store, settings) if given.answers else None
    metrics = {
        name: measure(
            model,
            judge,
            head,
            images,
            Amounts(**settings["amounts"]),
            settings["seed"],
            truth=Truth(store) if store.stand_in else None,
            answers=answers,
            inception_weights=given.inception,
        ).metrics
        for name, model in references.items()
    }
    if answers is not None:
        perfect = true_swap(judge, images, answers.true_swaps, seed=settings["seed"])
        if settings["amounts"]["counterfactual_images"]:
            perfect |= true_redrawing(judge, images, answers.counterfactuals).metrics
        metrics["true_redrawing"] = perfect
    draws = settings["amounts"]["information_draws"]
    found = {"real": images, **{Store.open(path).name: other_images(path) for path in given.others}}
    information = {
        name: mutual_information(
            head, Seen.of_set(judge, shown).features(), draws, settings["seed"]
        )["mutual_information"]
        for name, shown in found.items()
    }
    metrics["test_images"] = {"mutual_information": information.pop("real")}
    warnings = []
    if given.inception and not is_published(file_digest(given.inception)):
        warnings.append(f"FID was computed with {given.inception}, which is not the published file")
    if information:
        foreign = min(information.values())
        metrics["other_data"] = {"mutual_information": foreign}
        if foreign <= metrics["test_images"]["mutual_information"]:
            warnings.append(
                "the Gaussian process is as sure of another data set as of its own test images; "
                "its mutual information does not tell them apart, train it for more steps"
            )
    for warning in warnings:
        LOG.warning("%s", warning)
    write_json(
        given.out,
        {
            "settings": settings,
            "metrics": metrics,
            "mutual_information_of_other_data": information,
            "warnings": warnings,
            **provenance(str(device), stopwatch),
        },
    )


def other_images(path: Path) -> ImageSet:
    """Test images of another data set, at most as many as are generated elsewhere."""
    images = ImageSet.read(Store.open(path), "test")
    return images.take(torch.arange(min(MOST_OTHER_IMAGES, len(images))))


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out.with_suffix(".settings.json"))
