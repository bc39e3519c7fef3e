"""Processor time until a training is as good as the paper: the suite's recipe and the released one.

Both train CCVAE with the same networks on the same images with the same labels, one thread each,
and are looked at on validation images now and then; only the steps count. The suite's recipe is
config/config.yaml. The released one is config/paper.yaml (its schedule, rate and draws) with steps
computed as `benchmarks.released_recipe` does.

    python -m benchmarks.time_to_number --results results/default --out docs/time_to_number.md

What was measured is kept, and a training that was stopped goes on where it was saved: run it again
another day. `--page` writes the page of what is there.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.curves import FACES, Cell, Curve, reached, targets
from benchmarks.released_recipe import ReleasedTrainer
from benchmarks.time_to_number_page import write_page
from ccvae.allocator import keep_freed_memory
from ccvae.files import read_json, write_json
from ccvae.model import CCVAE
from ccvae.training import Trainer
from datasets.store import Store
from datasets.subsets import labelled_subset
from evaluators.accuracy import accuracy
from evaluators.classifier import Judge
from evaluators.images import ImageSet
from evaluators.inferring import infer_all
from evaluators.measuring import evaluating
from evaluators.swap import swap
from workflow.config import Config
from workflow.identity import Run, subset_seed
from workflow.load import load_judge
from workflow.planning.overlay import merged_config
from workflow.provenance import machine
from workflow.steps.training.train import make_trainer
from workflow.tensors import save_tensors

LOG = logging.getLogger("benchmarks")
PAPER = Path("config/paper.yaml")
RECIPES = ("suite", "released")
LOOKS = {"suite": 25, "released": 100}
"""How often a training is looked at: the released one every epoch."""
SWAP_PAIRS = 500
SAVE_EVERY_S = 60.0

CELLS = (
    *(Cell(dataset, f) for dataset in ("mnist", "fashion_mnist") for f in ("0.06", "0.004", "1.0")),
    Cell(FACES, "1.0"),
)


def settings_of(cell: Cell, recipe: str, changes: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Settings of a run: of the default, or of the paper's preset with the suite's networks."""
    overlays = [PAPER] if recipe == "released" else []
    config = Config(merged_config(overlays, [f"datasets=[{cell.dataset}]", *changes]))
    return config.run_settings(Run(cell.dataset, "ccvae", cell.rate, seed))


def labelled_rows(store: Store, cell: Cell) -> np.ndarray:
    """Rows of the images that keep their labels in seed 0 of a run."""
    train = store.indices("train")
    seed = subset_seed(cell.dataset, cell.rate, 0)
    return train[labelled_subset(store.labels[train], store.kind, cell.rate, seed)]


def trainer_of(cell: Cell, recipe: str, store: Store, changes: Sequence[str]) -> Trainer:
    """A training at its start."""
    settings = settings_of(cell, recipe, changes)
    cpu = torch.device("cpu")
    kind = ReleasedTrainer if recipe == "released" else Trainer
    rows = labelled_rows(store, cell)
    return make_trainer(settings, store, rows, cpu, kind=kind, intervals=LOOKS[recipe])


def look(model: CCVAE, images: ImageSet, judge: Judge | None) -> dict[str, float]:
    """Measure on validation images, drawing from noise that the training does not see."""
    with evaluating(model), torch.random.fork_rng(devices=[]):
        inferred = infer_all(model, images)
        found = accuracy(inferred, images)
        names = ("accuracy", "balanced_accuracy")
        found = {name: found[name] for name in names if name in found}
        if judge is not None:
            pairs = min(SWAP_PAIRS, len(images.labels))
            swapped = swap(model, judge, images, inferred, n_pairs=pairs, seed=0)
            found["swap"] = swapped["swap"]
    return found


def train(
    trainer: Trainer,
    curve: Curve,
    state: Path,
    measure: Callable[[], dict[str, float]],
    stop: Callable[[dict[str, float]], bool],
    keep: Callable[[Curve], None],
) -> None:
    """Train on from where `curve` ends, look, and keep what was seen.

    Parameters
    ----------
    trainer
        At its start, or where the state was saved.
    curve
        What was seen before; is continued.
    state
        File of the saved state.
    measure
        Looks at the model.
    stop
        Whether a look is the last.
    keep
        Called when the curve has grown and the state belongs to it.
    """
    saved = time.monotonic()
    while not curve.complete:
        spent = curve.points[-1]["cpu_s"] if curve.points else 0.0
        start = time.process_time()
        trainer.run_interval()
        spent += time.process_time() - start
        point = {"step": float(trainer.step), "cpu_s": spent, **measure()}
        curve.points.append(point)
        curve.complete = trainer.finished or stop(point)
        if curve.complete or time.monotonic() - saved > SAVE_EVERY_S:
            # Points without a state are dropped by whoever goes on, states without points are lost.
            keep(curve)
            save_tensors({"trainer": trainer.state_dict(), "looks": len(curve.points)}, state)
            saved = time.monotonic()
    state.unlink(missing_ok=True)


def measure_cell(
    cell: Cell, recipe: str, given: argparse.Namespace, kept: Path, suite: Curve | None
) -> Curve:
    """Train one recipe on one cell, from where it was left."""
    store = Store.open(given.results / "data" / cell.dataset)
    trainer = trainer_of(cell, recipe, store, given.config)
    path, state = kept / f"{cell.name}.{recipe}.json", kept / f"{cell.name}.{recipe}.pt"
    curve = Curve(cell.name, recipe, trainer.total, machine=machine())
    if state.exists() and path.exists():
        curve = Curve(**read_json(path))
        saved = torch.load(state, weights_only=True)
        trainer.load_state_dict(saved["trainer"])
        del curve.points[saved["looks"] :]
    images = ImageSet.read(store, "validation", trainer.model.labels)
    judge = None
    if cell.dataset == FACES:
        judge = load_judge(given.results / "judges" / FACES, store, torch.device("cpu"))
    wanted = targets(cell, suite) if recipe == "released" else None

    def stop(point: dict[str, float]) -> bool:
        enough = wanted is not None and reached(point, wanted)
        return enough or point["cpu_s"] > given.most

    assert isinstance(trainer.model, CCVAE)
    model = trainer.model
    train(
        trainer,
        curve,
        state,
        lambda: look(model, images, judge),
        stop,
        lambda grown: write_json(path, asdict(grown)),
    )
    return curve


def read_curves(kept: Path) -> dict[tuple[str, str], Curve]:
    """Complete curves by cell and recipe."""
    curves = (Curve(**read_json(path)) for path in sorted(kept.glob("*.json")))
    return {(curve.cell, curve.recipe): curve for curve in curves if curve.complete}


def needed(cell: Cell, results: Path) -> list[Path]:
    """Files of a preset without which a cell cannot be measured."""
    files = [results / "data" / cell.dataset / "store.json"]
    if cell.dataset == FACES:
        files.append(results / "judges" / FACES / "judge.pt")
    return files


def left(cells: Sequence[Cell], results: Path, kept: Path) -> Iterator[tuple[Cell, str]]:
    """What there is to measure, and data for; of each cell the suite's recipe first."""
    there = read_curves(kept)
    for cell in cells:
        lacking = [path for path in needed(cell, results) if not path.exists()]
        if lacking:
            LOG.info("%s is passed over, there is no %s", cell.name, lacking[0])
            continue
        for recipe in RECIPES:
            if (cell.name, recipe) not in there:
                yield cell, recipe


def main() -> None:
    """Measure what is left, and write the page after every training."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=Path("results/default"), help="of a preset")
    parser.add_argument("--kept", type=Path, default=Path("results/time_to_number"))
    parser.add_argument("--out", required=True, type=Path, help="the page, as .md")
    parser.add_argument("--cells", nargs="+", choices=[cell.name for cell in CELLS])
    parser.add_argument("--most", type=float, default=600, help="CPU seconds of one training")
    parser.add_argument("--config", nargs="+", default=[], help="key=value on top of both recipes")
    parser.add_argument("--page", action="store_true", help="measure nothing")
    given = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO, stream=sys.stderr)
    torch.set_num_threads(1)
    keep_freed_memory()
    given.kept.mkdir(parents=True, exist_ok=True)
    cells = [cell for cell in CELLS if given.cells is None or cell.name in given.cells]
    if not given.page:
        for cell, recipe in left(cells, given.results, given.kept):
            LOG.info("%s, %s", cell.name, recipe)
            suite = read_curves(given.kept).get((cell.name, "suite"))
            measure_cell(cell, recipe, given, given.kept, suite)
            write_page(given.out, CELLS, read_curves(given.kept), targets, reached)
    write_page(given.out, CELLS, read_curves(given.kept), targets, reached)


if __name__ == "__main__":
    main()
