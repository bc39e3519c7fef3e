"""Read trained models, judges and Gaussian processes back from their folders.

In a notebook, or at a prompt in the clone::

    model, x, y = open_run("results/default/runs/mnist/ccvae/f=1.0/seed=0")
    threes = model.intervene(x, torch.full_like(y, 3))
    show(x, threes)
"""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, TypeVar

import torch

from ccvae.errors import InputError
from ccvae.files import read_json
from ccvae.interface import LabelledVAE
from ccvae.labels import LABEL_SPACES, LabelSpace
from ccvae.shapes import Images, Labels
from datasets.store import Store
from evaluators.classifier import Judge
from evaluators.images import ImageSet, to_unit
from workflow.models import build_model

if TYPE_CHECKING:
    from PIL.Image import Image

    from evaluators.gaussian_process import GPHead

M = TypeVar("M", bound=torch.nn.Module)


def label_space(store: Store) -> LabelSpace:
    """Make the label space of a data set, with its prior not yet fitted."""
    return LABEL_SPACES[store.kind](store.label_names)


def open_run(folder: str | Path, images: int = 8) -> tuple[LabelledVAE, Images, Labels]:
    """Read a trained model and the first test images of its data.

    Parameters
    ----------
    folder
        The run's folder, in a preset's folder of results.
    images
        How many, B.

    Returns
    -------
    model, x, y
        The model, on the CPU; images (B, C, H, W) in [0, 1]; their labels (B, F).

    Raises
    ------
    InputError
        If there is no such run, or its data are not beside it.
    """
    folder = Path(folder)
    store = store_of(folder)
    test = ImageSet.read(store, "test").take(torch.arange(images))
    return load_model(folder, store, torch.device("cpu")), to_unit(test.images), test.labels


def store_of(folder: Path) -> Store:
    """Open the store that a run was trained on.

    Raises
    ------
    InputError
        If `folder` is not that of a run, or its data are not beside it.
    """
    folder = folder.resolve()
    if not (folder / "run.json").is_file():
        raise InputError(
            f"there is no trained model in {folder}; name a folder like "
            "results/default/runs/mnist/ccvae/f=1.0/seed=0"
        )
    dataset = read_json(folder / "run.json")["settings"]["dataset"]
    if len(folder.parents) < 5:
        raise InputError(f"the data of {folder} are not beside it; keep it in its preset's folder")
    return Store.open(folder.parents[4] / "data" / dataset)


def show(*rows: Images) -> Image:
    """Lay rows of images, (B, C, H, W) in [0, 1] each, under each other; a notebook shows it."""
    from PIL.Image import fromarray

    from workflow.figures.grids import tile

    return fromarray((255 * tile(torch.stack(rows))).round().astype("uint8"))


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
    try:
        module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError as error:
        raise InputError(f"{path} is not there; run again what writes it") from error
    except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path} does not hold what its record says ({why}); remove it and run again"
        ) from error
    return module.to(device).eval().requires_grad_(False)
