"""Train one model; continue where an interrupted training stopped."""

from __future__ import annotations

import csv
import hashlib
import os
import pickle
import signal
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ccvae.batches import Batches
from ccvae.files import atomic_path, write_json
from ccvae.labels import LABEL_SPACES
from ccvae.training import Trainer, read_training
from datasets.store import Store
from workflow.identity import settings_hash
from workflow.models import build_model
from workflow.provenance import Stopwatch, provenance
from workflow.steps.command import LOG, add_settings_argument, folder, require_writable, run
from workflow.steps.computing import add_compute_arguments, start_computing
from workflow.tensors import save_tensors

SAVE_EVERY_S = float(os.environ.get("CCVAE_SAVE_EVERY_S", "30"))
"""Seconds between two saves of the resume state."""

TERMINATED = 128 + signal.SIGTERM


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--store", required=True, type=folder, help="the data set's store")
    parser.add_argument("--labelled", required=True, type=Path, help="rows of labelled images")
    parser.add_argument("--state", required=True, type=Path, help="folder of resume states")
    parser.add_argument("--out", required=True, type=folder, help="the run's folder")
    add_compute_arguments(parser)


def work(given: Namespace) -> None:
    """Train, and write model.pt, history.csv and run.json."""
    stopwatch, settings = Stopwatch(), given.settings
    require_writable(given.out)
    device = start_computing(given.device, given.threads, given.deterministic)
    store = Store.open(given.store)
    labelled = np.load(given.labelled, allow_pickle=False)
    trainer = make_trainer(settings, store, labelled, device)

    state = ResumeState.of(given.state, settings, store, labelled)
    resumed_at = state.restore(trainer, device)
    train_to_the_end(trainer, state, lambda: stopwatch.sample(device))

    save_tensors(trainer.model.state_dict(), given.out / "model.pt")
    write_history(given.out / "history.csv", trainer.history)
    record = {
        "settings": settings,
        "settings_hash": settings_hash(settings),
        "data_checksum": store.checksum,
        "stand_in": store.stand_in,
        "labelled_images": len(labelled),
        "labelled_checksum": checksum(labelled),
        "state_key": state.key,
        "steps": trainer.total,
        "resumed_at_step": resumed_at,
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "final": trainer.history[-1],
        "computing": {
            **asdict(read_training(settings["training"])[1]),
            "images_on": trainer.images.lies_on,
        },
        **provenance(str(device), stopwatch),
    }
    write_json(given.out / "run.json", record)
    state.drop()


def checksum(labelled: np.ndarray) -> str:
    """SHA-256 of the rows of labelled images."""
    return hashlib.sha256(labelled.tobytes()).hexdigest()


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Write the mean of every term in each interval; a term that an interval lacks is empty."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


def make_trainer(
    settings: dict[str, Any],
    store: Store,
    labelled: np.ndarray,
    device: torch.device,
    kind: type[Trainer] = Trainer,
    intervals: int = 100,
) -> Trainer:
    """Build the model and its training from resolved settings.

    Parameters
    ----------
    settings
        Of the run.
    store
        The data.
    labelled
        Rows of the store that are labelled, int64 (N_s,).
    device
        Where to train.
    kind
        What trains.
    intervals
        How often it is recorded.
    """
    torch.manual_seed(settings["torch_seed"])
    train = store.indices("train")
    labels = torch.from_numpy(store.labels)
    space = LABEL_SPACES[store.kind](store.label_names)
    space.fit_prior(labels[labelled])
    schedule, numerics = read_training(settings["training"])
    numerics.allow_tf32()
    model = build_model(settings, space, store.image_shape, numerics).to(device)
    batches = Batches(
        schedule,
        torch.from_numpy(labelled),
        torch.from_numpy(np.setdiff1d(train, labelled)),
        settings["torch_seed"],
    )
    images = torch.from_numpy(store.writable_images())
    return kind(model, images, labels, batches, schedule, intervals, numerics.captures)


def train_to_the_end(
    trainer: Trainer, state: ResumeState, watch: Callable[[], None] = lambda: None
) -> None:
    """Run the training, saving its state now and then, and at once on SIGTERM.

    Parameters
    ----------
    trainer, state
        The training, and where its state is kept.
    watch
        Called after every interval.
    """
    stop_requested = False

    def request_stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stop_requested
        stop_requested = True

    def objective() -> dict[str, str]:
        last = trainer.history[-1].items()
        return {name: f"{value:.1f}" for name, value in last if name.endswith("_objective")}

    before = signal.signal(signal.SIGTERM, request_stop)
    saved = time.monotonic()
    try:
        with tqdm(total=trainer.total, initial=trainer.step, unit="step", disable=None) as bar:
            while not trainer.finished:
                bar.update(trainer.run_interval())
                watch()
                bar.set_postfix(objective())
                if stop_requested:
                    state.save(trainer)
                    LOG.info(
                        "terminated at step %d of %d; run again to continue",
                        trainer.step,
                        trainer.total,
                    )
                    raise SystemExit(TERMINATED)
                if time.monotonic() - saved > SAVE_EVERY_S:
                    state.save(trainer)
                    saved = time.monotonic()
    finally:
        # What comes after the training, as the scores of a study, has no state to save.
        signal.signal(signal.SIGTERM, before)
    LOG.info("trained %d steps: %s", trainer.total, objective())


class ResumeState:
    """The saved state of an unfinished training.

    Parameters
    ----------
    path
        The state's file; its name is a hash of everything the training depends on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(
        cls, folder: Path, settings: dict[str, Any], store: Store, labelled: np.ndarray
    ) -> ResumeState:
        """State of the training of these settings on these data, in a folder of states."""
        depends = {**settings, "data": store.checksum, "labelled": checksum(labelled)}
        return cls(folder / f"{settings_hash(depends)}.pt")

    @property
    def key(self) -> str:
        """Hash of everything that the training depends on."""
        return self._path.stem

    def save(self, trainer: Trainer) -> None:
        """Write the state; the previous one stays whole until the new one is."""
        save_tensors(trainer.state_dict(), self._path)

    def restore(self, trainer: Trainer, device: torch.device) -> int:
        """Continue from the saved state if there is one; returns the step, 0 for a new start."""
        if not self._path.exists():
            return 0
        try:
            state = torch.load(self._path, map_location=device, weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            damaged = self._path.with_suffix(".damaged")
            self._path.replace(damaged)
            LOG.warning(
                "the saved state cannot be read (%s); it is now %s, and training starts anew",
                error,
                damaged,
            )
            return 0
        trainer.load_state_dict(state)
        LOG.info("continuing at step %d of %d", trainer.step, trainer.total)
        return trainer.step

    def drop(self) -> None:
        """Remove the state of a finished training."""
        self._path.unlink(missing_ok=True)


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out / "settings.json")
