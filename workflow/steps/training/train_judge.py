"""Train the independent label classifier of one data set."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from tqdm import tqdm

from ccvae.files import write_json
from datasets.store import Store
from evaluators.images import ImageSet
from evaluators.learning import JudgeSettings, train_judge
from workflow.identity import settings_hash
from workflow.provenance import Stopwatch, provenance
from workflow.steps.command import LOG, add_settings_argument, folder, run
from workflow.steps.computing import add_compute_arguments, start_computing
from workflow.tensors import save_tensors

NOT_OF_THE_TRAINING = ("recipe", "dataset")


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--store", required=True, type=folder, help="the data set's store")
    parser.add_argument("--out", required=True, type=folder, help="the judge's folder")
    add_compute_arguments(parser)


def work(given: Namespace) -> None:
    """Train, and write judge.pt and training.json."""
    stopwatch, settings = Stopwatch(), given.settings
    device = start_computing(given.device, given.threads, given.deterministic)
    store = Store.open(given.store)
    train = ImageSet.read(store, "train")
    validation = ImageSet.read(store, "validation", train.space)
    options = {k: v for k, v in settings.items() if k not in NOT_OF_THE_TRAINING}
    with tqdm(unit="step", disable=None) as bar:

        def progress(step: int, steps: int, loss: float) -> None:
            bar.total = steps
            bar.update(step - bar.n)
            bar.set_postfix(validation_loss=f"{loss:.3f}")

        judge, learning = train_judge(
            train.space, train, validation, JudgeSettings(**options), device, progress
        )
    save_tensors(judge.state_dict(), given.out / "judge.pt")
    write_json(
        given.out / "training.json",
        {
            "settings": settings,
            "settings_hash": settings_hash(settings),
            "data_checksum": store.checksum,
            "stand_in": store.stand_in,
            "learning": asdict(learning),
            "prevalence": train.prevalence.tolist(),
            "temperature": judge.temperature.tolist(),
            **provenance(str(device), stopwatch),
        },
    )
    LOG.info(
        "judge of %s: %d steps, %d restarts, best at step %d with a validation loss of %.4f "
        "(constant answer: %.4f); %s",
        store.name,
        learning.steps,
        learning.restarts,
        learning.best_step,
        learning.best_loss,
        learning.constant_loss,
        learning.stopped,
    )


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out / "training.settings.json")
