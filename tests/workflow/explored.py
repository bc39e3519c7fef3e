"""A preset's folder with untrained models, whose pictures are nonetheless full of contrast."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ccvae.files import write_json
from datasets.readers import READERS
from datasets.source import Arrays
from datasets.stand_ins.prepare import find_faces
from datasets.store import Store
from evaluators.classifier import Judge
from tests.workflow import fabricated
from workflow.config import Config
from workflow.explorer.selection import selected
from workflow.identity import Run
from workflow.load import label_space
from workflow.models import build_model
from workflow.tensors import save_tensors

FACES, DIGITS = "synthetic_faces", "mnist"
SIZES = {"train": 8, "validation": 8, "test": 24}
MODELS = {FACES: ["ccvae", "m2", "diva", "mvae", "vae_classifier"], DIGITS: ["ccvae", "m2"]}


def results(folder: Path, network: str = "small_cnn") -> dict[str, Any]:
    """Make stores, judges and models; returns the settings of the explorer's step."""
    values = fabricated.configuration(models=[*MODELS[FACES]], supervision_rates=["1.0"])
    values["explorer"] |= {"models": MODELS, "images": 4, "most_mb": 20, "weights": "float16"}
    config = Config(values)
    torch.manual_seed(0)
    for dataset in MODELS:
        store = _store(folder / "data" / dataset, dataset)
        fabricated.judge(folder, dataset, 0.5, 0.9)
        _judge(folder / "judges" / dataset, store, network)
        for run in selected(config):
            if run.dataset == dataset:
                _model(folder, config.run_settings(run), run, store)
    return {
        "preset": "made_up",
        "runs": [[run.dataset, run.model, run.rate, run.seed] for run in selected(config)],
        "titles": {name: name.upper() for name in MODELS[FACES]},
        "options": config.values["explorer"],
    }


def _store(folder: Path, dataset: str) -> Store:
    spec = READERS[dataset].spec
    if dataset == FACES:
        return find_faces(spec, seed=0, sizes=SIZES).write(folder)
    generator, n = np.random.default_rng(0), sum(SIZES.values())
    images = generator.integers(0, 256, (n, *spec.image_shape)).astype(np.uint8)
    labels = (np.arange(n)[:, None] % 10).astype(np.uint8)
    return Arrays(replace(spec, counts=SIZES), images, labels).write(folder)


def _judge(folder: Path, store: Store, network: str) -> None:
    judge = Judge(label_space(store), network, store.image_shape)
    nn.init.uniform_(judge.temperature, 1, 2)
    _strengthen(judge.last, 20)
    for layer in judge.network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.1, 0.1)
            nn.init.uniform_(layer.running_var, 0.1, 1)
    save_tensors(judge.state_dict(), folder / "judge.pt")
    settings = {"network": network}
    write_json(folder / "training.json", {"settings": settings, "data_checksum": store.checksum})


def _model(folder: Path, settings: dict[str, Any], run: Run, store: Store) -> None:
    model = build_model(settings, label_space(store), store.image_shape)
    decoder: Any = model.get_submodule("decoder")
    last = [part for part in decoder if hasattr(part, "weight")][-1]
    _strengthen(last, 3 / decoder(torch.randn(64, decoder[0].in_features)).std().item())
    save_tensors(model.state_dict(), folder / run.folder / "model.pt")
    record = {
        "settings": settings,
        "data_checksum": store.checksum,
        "steps": 0,
        "labelled_images": 8,
        "code": {"commit": None},
        "versions": {"torch": torch.__version__},
    }
    write_json(folder / run.folder / "run.json", record)


def _strengthen(layer: Any, times: float) -> None:
    with torch.no_grad():
        layer.weight.mul_(times)
