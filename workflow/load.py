"""Read trained models, judges and Gaussian processes back from their folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch

from ccvae.files import read_json
from ccvae.interface import LabelledVAE
from ccvae.labels import LABEL_SPACES, LabelSpace
from datasets.store import Store
from evaluators.classifier import Judge
from workflow.models import build_model

if TYPE_CHECKING:
    from evaluators.gaussian_process import GPHead

M = TypeVar("M", bound=torch.nn.Module)


def label_space(store: Store) -> LabelSpace:
    """Make the label space of a data set, with its prior not yet fitted."""
    return LABEL_SPACES[store.kind](store.label_names)


def load_model(folder: Path, store: Store, device: torch.device) -> LabelledVAE:
    """Read a trained model.

    Parameters
    ----------
    folder
        The run's folder, with model.pt and run.json.
    store
        The data set it was trained on.
    device
        Where it will compute.

    Raises
    ------
    InputError
        If the model was trained on another store.
    """
    record = read_json(folder / "run.json")
    store.require_checksum(record["data_checksum"], f"the model in {folder}")
    model = build_model(record["settings"], label_space(store), store.image_shape)
    return _loaded(model, folder / "model.pt", device)


def load_judge(folder: Path, store: Store, device: torch.device) -> Judge:
    """Read a data set's judge from the folder with judge.pt and training.json.

    Raises
    ------
    InputError
        If the judge was trained on another store.
    """
    record = read_json(folder / "training.json")
    store.require_checksum(record["data_checksum"], f"the judge in {folder}")
    judge = Judge(label_space(store), record["settings"]["network"], store.image_shape)
    return _loaded(judge, folder / "judge.pt", device)


def load_gp(folder: Path, judge: Judge, device: torch.device) -> GPHead:
    """Read a judge's Gaussian process from the folder with gp.pt and gp.json."""
    # gpytorch takes seconds to import, and only some measures need it.
    from evaluators.gaussian_process import GPHead

    inducing = read_json(folder / "gp.json")["settings"]["gaussian_process"]["inducing"]
    head = GPHead(judge.labels, judge.n_features, inducing)
    return _loaded(head, folder / "gp.pt", device)


def _loaded(module: M, path: Path, device: torch.device) -> M:
    module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return module.to(device).eval().requires_grad_(False)
