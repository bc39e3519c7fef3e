"""Measure one trained model: all metrics at once, because starting up costs more than a metric."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ccvae.files import read_json, write_json
from datasets.stand_ins.truth import Truth
from datasets.store import Store, file_digest
from evaluators.answers import load_answers
from evaluators.images import ImageSet
from workflow.load import load_gp, load_judge, load_model
from workflow.measures import Amounts, matrix_to_json, measure
from workflow.provenance import Stopwatch, provenance
from workflow.reporting.judges import rests_on_judge
from workflow.steps.command import LOG, add_settings_argument, folder, run
from workflow.steps.computing import add_compute_arguments, start_computing


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--run", required=True, type=folder, help="the trained model's folder")
    parser.add_argument("--store", required=True, type=folder, help="the data set's store")
    parser.add_argument(
        "--judge", required=True, type=folder, help="folder of the judge and its GP"
    )
    parser.add_argument(
        "--judged-only", action="store_true", help="leave out what rests on no judge"
    )
    parser.add_argument("--answers", type=Path, help="drawings of a stand-in, as .npz")
    parser.add_argument("--inception", type=Path, help="weights of InceptionV3, for FID")
    parser.add_argument("--out", required=True, type=Path, help="the metrics, as .json")
    add_compute_arguments(parser)


def work(given: Namespace) -> None:
    """Measure, and write metrics.json, or the file of another judge."""
    stopwatch, settings = Stopwatch(), given.settings
    device = start_computing(given.device, given.threads, given.deterministic)
    store = Store.open(given.store)
    model = load_model(given.run, store, device)
    judge = load_judge(given.judge, store, device)
    images = ImageSet.read(store, "test", judge.labels)
    measured = measure(
        model,
        judge,
        load_gp(given.judge, judge, device),
        images,
        Amounts(**settings["amounts"]),
        settings["seed"],
        truth=Truth(store) if store.stand_in else None,
        answers=load_answers(given.answers, store, settings) if given.answers else None,
        styles=settings.get("style", ()),
        inception_weights=given.inception,
        judged_only=given.judged_only,
        progress=LOG.info,
    )
    metrics = measured.metrics
    if given.judged_only:
        metrics = {name: value for name, value in metrics.items() if rests_on_judge(name)}
    write_json(
        given.out,
        {
            "run": read_json(given.run / "run.json"),
            "settings": settings,
            "metrics": metrics,
            "matrices": {k: matrix_to_json(v) for k, v in measured.matrices.items()},
            "supports": sorted(model.supports),
            "inception_sha256": file_digest(given.inception) if given.inception else None,
            **provenance(str(device), stopwatch),
        },
    )
    if "accuracy" in metrics:
        LOG.info("%s: accuracy %.4f", given.run, metrics["accuracy"])


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out.with_suffix(".settings.json"))
