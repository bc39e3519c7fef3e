"""Time a few steps of a training on noise, to know what the whole will take."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch

from ccvae.batches import Batches
from ccvae.labels import LABEL_SPACES
from ccvae.training import Trainer, read_training
from datasets.readers import READERS
from workflow.config import Config
from workflow.models import build_model
from workflow.planning.jobs import Job, training_effort

WARM_UP, STEPS = 5, 20
IMAGES = 512


class TrainingProbe:
    """Measures seconds per image of a training.

    Parameters
    ----------
    config
        The configuration of the jobs.
    device
        Where to measure.
    """

    def __init__(self, config: Config, device: torch.device) -> None:
        self._config, self._device = config, device

    def __call__(self, job: Job) -> float:
        """Train 20 steps on noise, half of it labelled; returns the seconds per image.

        Parameters
        ----------
        job
            A job of the rule `train`.
        """
        assert job.run is not None
        settings = self._config.run_settings(job.run)
        _, images = training_effort(settings)
        with torch.random.fork_rng():
            trainer = self._trainer(settings, images)
            trainer.run_interval()
            self._wait()
            begin = time.perf_counter()
            while not trainer.finished:
                trainer.run_interval()
            self._wait()
        return (time.perf_counter() - begin) / (STEPS * images)

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def _trainer(self, settings: dict[str, Any], images: int) -> Trainer:
        torch.manual_seed(settings["torch_seed"])
        reader = READERS[self._config.data_settings(settings["dataset"])["reader"]]
        names = reader.spec.labels
        space = LABEL_SPACES[reader.spec.kind](names)
        values = 2 if reader.spec.kind == "multi_label" else len(names)
        labels = torch.randint(values, (IMAGES, reader.spec.factors))
        space.fit_prior(labels)
        shape = reader.spec.image_shape
        schedule, numerics = read_training(settings["training"])
        numerics.allow_tf32()
        model = build_model(settings, space, shape, numerics).to(self._device)
        if schedule.kind == "interleaved":
            schedule = replace(schedule, labelled_batch=images // 2, unlabelled_batch=images // 2)
        schedule = replace(schedule, kind="mixed", steps=WARM_UP + STEPS)
        labelled, unlabelled = torch.arange(IMAGES).chunk(2)
        batches = Batches(schedule, labelled, unlabelled, seed=0)
        pixels = torch.randint(256, (IMAGES, *shape), dtype=torch.uint8)
        intervals = (WARM_UP + STEPS) // WARM_UP
        return Trainer(model, pixels, labels, batches, schedule, intervals, numerics.captures)
