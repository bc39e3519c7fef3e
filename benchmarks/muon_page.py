"""Train CCVAE with Adam and with Muon in as many steps, and write docs/muon.md.

    python -m benchmarks.muon_page --results results/default --out docs/muon.md

Looked at on validation images. What was measured is kept and not measured again.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import Step, machine, milliseconds, table
from benchmarks.curves import FACES, Cell
from benchmarks.muon import LARGE, Form, MuonTrainer
from benchmarks.time_to_number import labelled_rows, look, needed, settings_of
from ccvae.allocator import keep_freed_memory
from ccvae.files import read_json, write_json, write_text
from ccvae.model import CCVAE
from ccvae.training import Trainer
from datasets.store import Store
from evaluators.images import ImageSet
from workflow.load import load_judge
from workflow.reporting.wording import number
from workflow.steps.training.train import make_trainer

LOG = logging.getLogger("benchmarks")
CELLS = (Cell("mnist", "0.06"), Cell(FACES, "0.06"))
ADAM = "Adam"
AGAIN = "Adam, another seed"
LONGER = "Adam, twice as many steps"
FORMS = tuple(
    Form(title + (f", {rate} times the rate" if rate > 1 else ""), rate, **options)
    for title, options in (
        ("Muon", {}),
        ("Muon every second step", {"every": 2}),
        ("Muon for large matrices", {"least": LARGE}),
    )
    for rate in (1, 2, 4)
)
TORCHS = Form("torch.optim.Muon", torchs=True)
WAYS = (ADAM, AGAIN, LONGER, *(form.title for form in FORMS))
LOOKS = 25
OBJECTIVE = "unlabelled_objective"
STEPS_PER_ROUND = 2
"""One of each kind, where they differ."""
MANY = 10**6
Measured = dict[str, float]


def quality(cell: Cell) -> str:
    """What decides: as many classes, or several labels that are mostly absent."""
    return "balanced_accuracy" if cell.dataset == FACES else "accuracy"


def trainer_of(cell: Cell, way: str, store: Store, changes: list[str], looks: int) -> Trainer:
    """A training at its start, recorded `looks` times."""
    settings = settings_of(cell, "suite", changes, seed=1 if way == AGAIN else 0)
    if way == LONGER:
        settings["training"]["steps"] *= 2
    forms = {form.title: form for form in (*FORMS, TORCHS)}
    kind: Any = partial(MuonTrainer, forms[way]) if way in forms else Trainer
    rows = labelled_rows(store, cell)
    return make_trainer(settings, store, rows, torch.device("cpu"), kind=kind, intervals=looks)


def quality_of(cell: Cell, way: str, results: Path, changes: list[str]) -> Measured:
    """Train to the end, and look once."""
    store = Store.open(results / "data" / cell.dataset)
    trainer = trainer_of(cell, way, store, changes, LOOKS)
    model = trainer.model
    assert isinstance(model, CCVAE)
    while not trainer.finished:
        trainer.run_interval()
    judge = None
    if cell.dataset == FACES:
        judge = load_judge(results / "judges" / FACES, store, torch.device("cpu"))
    last = trainer.history[-1]
    objective = {name: last[name] for name in ("labelled_objective", OBJECTIVE)}
    return look(model, ImageSet.read(store, "validation", model.labels), judge) | objective


def cost_of(cell: Cell, results: Path, changes: list[str], rounds: int) -> Measured:
    """Processor time of a step by every way, in ms; trainings alternate."""
    store = Store.open(results / "data" / cell.dataset)

    def steps(way: str) -> Step:
        trainer = trainer_of(cell, way, store, changes, looks=MANY)

        def make() -> None:
            for _ in range(STEPS_PER_ROUND):
                trainer.run_interval()

        return make

    ways = [ADAM, *(form.title for form in FORMS if form.rate == 1), TORCHS.title]
    times = milliseconds({way: steps(way) for way in ways}, rounds)
    return {way: time / STEPS_PER_ROUND for way, time in times.items()}


def signed(value: float) -> str:
    """Two digits that count, and the sign."""
    return ("+" if value > 0 else "") + number(value, 2)


def conclusion(cell: Cell, found: dict[str, Measured], costs: Measured) -> str:
    """What the table of a cell says, in words."""
    sentences = []
    for name in (quality(cell), OBJECTIVE):
        noise = abs(found[AGAIN][name] - found[ADAM][name])
        best = max((form.title for form in FORMS), key=lambda title: found[title][name])
        gain = found[best][name] - found[ADAM][name]
        longer = found[LONGER][name] - found[ADAM][name]
        sentences.append(
            f"By {name.replace('_', ' ')} the best of Muon is `{best}`, {signed(gain)} against "
            f"Adam, {'more' if gain > noise else 'not more'} than another seed moves Adam "
            f"({number(noise, 2)}); Adam in twice as many steps gains {signed(longer)}."
        )
    cost, cheapest = min((cost, way) for way, cost in costs.items() if way != ADAM)
    sentences.append(f"Cheapest a step is `{cheapest}`, {cost / costs[ADAM]:.2f} times Adam's.")
    return " ".join(sentences)


def lines_of(cell: Cell, found: dict[str, Measured], costs: Measured) -> list[str]:
    """Markdown: a row per way, and what follows."""
    names = list(found[ADAM])
    rows: list[list[object]] = []
    for way in (*WAYS, TORCHS.title):
        cost = costs.get(way)
        ratio = None if cost is None else f"{cost / costs[ADAM]:.2f}"
        measured = [f"{found[way][name]:.3f}" if way in found else None for name in names]
        rows.append([way, cost, ratio, *measured])
    header = ["", "ms a step", "to Adam's", *(name.replace("_", " ") for name in names)]
    title = f"## {cell.dataset}, f = {cell.rate}"
    return [title, "", *table(header, rows), "", conclusion(cell, found, costs), ""]


def document(measured: dict[str, dict[str, Measured]], costs: dict[str, Measured]) -> str:
    """Markdown page.

    Parameters
    ----------
    measured
        By cell and way, what validation images show.
    costs
        By cell and way, ms a step.
    """
    lines = [
        "# Muon in place of Adam",
        "",
        "Generated by `make muon`. CCVAE with the recipe of config/config.yaml, as many steps for "
        "all but the row that gives Adam twice the time; validation images. Muon moves the kernels "
        "of encoder and decoder by the orthogonal factor of their momentum, Adam everything else. "
        "`torch.optim.Muon` iterates in bfloat16, here it is done in float32 "
        "(`benchmarks/muon.py`; the two agree to bfloat16's digits, "
        "`tests/benchmarks/test_muon.py`), and torch's own is timed only. Every second step: "
        "momenta are orthogonalised every second step, and the steps in between repeat the last "
        f"move. Large matrices: those of at least {LARGE:,} entries. Rates are Adam's, with moves "
        "of the same root mean square; 2 and 4 times that were tried too, at the same cost. "
        f"Objectives are means over the training images of the last {100 // LOOKS} % of the "
        "steps. Processor time on one thread, in alternating rounds of one process.",
        "",
        machine(),
        "",
    ]
    for cell in CELLS:
        if cell.name in measured and cell.name in costs:
            lines += lines_of(cell, measured[cell.name], costs[cell.name])
        else:
            lines += [f"## {cell.dataset}, f = {cell.rate}", "", "Not measured.", ""]
    return "\n".join(lines)


def kept_or(path: Path, measure: Callable[[], Measured]) -> Measured:
    """What a file holds; measured and written where there is none."""
    if not path.exists():
        LOG.info("measuring %s", path.stem)
        write_json(path, measure())
    return read_json(path)


def main() -> None:
    """Measure what is not there, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=Path("results/default"), help="of a preset")
    parser.add_argument("--kept", type=Path, default=Path("results/muon"))
    parser.add_argument("--out", required=True, type=Path, help="the page, as .md")
    parser.add_argument(
        "--rounds", type=int, default=9, help="pairs of steps of each way, median taken"
    )
    parser.add_argument("--config", nargs="+", default=[], help="key=value on top")
    given = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO, stream=sys.stderr)
    torch.set_num_threads(1)
    keep_freed_memory()
    given.kept.mkdir(parents=True, exist_ok=True)
    measured: dict[str, dict[str, Measured]] = {}
    costs: dict[str, Measured] = {}
    for cell in CELLS:
        lacking = [path for path in needed(cell, given.results) if not path.exists()]
        if lacking:
            LOG.info("%s is passed over, there is no %s", cell.name, lacking[0])
            continue
        costs[cell.name] = kept_or(
            given.kept / f"{cell.name}.cost.json",
            partial(cost_of, cell, given.results, given.config, given.rounds),
        )
        measured[cell.name] = {
            way: kept_or(
                given.kept / f"{cell.name}.{way.replace(' ', '_')}.json",
                partial(quality_of, cell, way, given.results, given.config),
            )
            for way in WAYS
        }
    write_text(given.out, document(measured, costs))


if __name__ == "__main__":
    main()
