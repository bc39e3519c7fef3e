"""Processor time of one training step of every configured model, side by side in one process.

Steps of the systems alternate, so that whatever else the machine does falls on all of them alike,
and the median over the rounds is compared with CCVAE's of the same process. Images are random:
the time of a step does not depend on what they show.

    python -m benchmarks.step_cost --out docs/step_cost.md
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from benchmarks.common import Step, machine, milliseconds, table
from benchmarks.layers import operations
from ccvae.allocator import keep_freed_memory
from ccvae.files import write_text
from ccvae.interface import LabelledVAE
from ccvae.labels import LabelSpace, MultiClass, MultiLabel
from ccvae.training import step_loss
from workflow.config import Config
from workflow.models import build_model
from workflow.planning.overlay import DEFAULT

N_LABELS, N_CLASSES = 18, 10
IMAGE_SHAPES = {"attributes": (3, 64, 64), "classes": (1, 28, 28)}
"""Of the images of each kind of labels."""


@dataclass(frozen=True)
class Contestant:
    """A model with its options by kind of labels, and how much more than CCVAE a step may cost."""

    name: str
    title: str
    system: str
    options: dict[str, dict[str, Any]]
    limit: float | None


REFERENCE = "ccvae"
DRAWS = 100
"""For q(y|x) of the reference, as in the released codes."""

SHARED = ("training", "architecture")
"""What a model may have otherwise than `settings`; neither makes a step dearer."""

LIMITS = {"m2": 2.2, "mvae": 1.5, "diva": 1.5, "vae_classifier": 1.5}
"""Where there is one: for the paper's own systems, on the images that it shows most."""


def contestants(config: Config) -> tuple[Contestant, ...]:
    """Every model of a configuration, as it is set for each kind of labels; CCVAE first."""
    found = []
    for name, entry in config.values["model_settings"].items():
        options = {
            kind: {k: v for k, v in entry[kind].items() if k not in SHARED} for kind in IMAGE_SHAPES
        }
        if name == REFERENCE:
            for kind in options:
                options[kind]["label_samples"] = DRAWS
        limit = LIMITS.get(name)
        found.append(Contestant(name, entry["title"], entry["system"], options, limit))
    return tuple(sorted(found, key=lambda contestant: contestant.name != REFERENCE))


CONFIG = Config(yaml.safe_load(DEFAULT.read_text(encoding="utf-8")))
CONTESTANTS = contestants(CONFIG)


@dataclass(frozen=True)
class Batch:
    """What a table is measured on: a kind of labels, numbers of images, and which models."""

    heading: str
    kind: str
    labelled: int
    unlabelled: int
    models: tuple[Contestant, ...]


def batches() -> tuple[Batch, ...]:
    """Steps of the default preset, of every model; of the released schedule, where limits are."""
    found = []
    for kind, (_, height, width) in IMAGE_SHAPES.items():
        training = CONFIG.values["settings"][kind]["training"]
        labelled, unlabelled = training["labelled_batch"], training["unlabelled_batch"]
        shape = f"the default preset, {height}x{width}"
        heading = f"{shape}: {labelled} labelled and {unlabelled} unlabelled images"
        found.append(Batch(heading, kind, labelled, unlabelled, CONTESTANTS))
    limited = tuple(c for c in CONTESTANTS if c.name == REFERENCE or c.limit)
    heading = "the released schedule: 200 labelled images or 200 unlabelled ones"
    return *found, Batch(heading, "attributes", 200, 200, limited)


def build(contestant: Contestant, kind: str = "attributes") -> LabelledVAE:
    """Make a system for images of a kind: of 18 binary labels, as CelebA has, or of ten classes."""
    torch.manual_seed(0)
    shared = CONFIG.values["settings"][kind]
    settings = {
        "system": contestant.system,
        "model": contestant.name,
        "dataset": "random images",
        "architecture": shared["architecture"],
        "options": {"likelihood": shared["likelihood"], **contestant.options[kind]},
    }
    labels: LabelSpace = MultiLabel([f"label {i}" for i in range(N_LABELS)])
    if kind == "classes":
        labels = MultiClass([f"class {i}" for i in range(N_CLASSES)])
    model = build_model(settings, labels, IMAGE_SHAPES[kind])
    model.set_progress(0.5)
    return model.train()


def one_step(
    model: LabelledVAE, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, labelled: int
) -> None:
    """Bound, gradient and update, as `ccvae.training.Trainer` does them."""
    loss, _ = step_loss(model, x, y[:labelled], labelled)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


@dataclass(frozen=True)
class Cost:
    """What one step takes.

    Attributes
    ----------
    ms
        Median processor time.
    gflop
        Floating-point operations of its convolutions and matrix products, both ways.
    """

    ms: float
    gflop: float


Found = dict[str, dict[str, Cost]]
"""Cost by model and kind of step."""


def measure(batch: Batch, rounds: int) -> Found:
    """Cost by model and kind of step: `labelled`, `unlabelled` and `both` in one."""
    labelled, n = batch.labelled, batch.labelled + batch.unlabelled
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(n, *IMAGE_SHAPES[batch.kind], generator=generator)
    x = x.contiguous(memory_format=torch.channels_last)
    steps: dict[str, Step] = {}
    kinds = {
        "labelled": (x[:labelled], labelled),
        "unlabelled": (x[labelled:], 0),
        "both": (x, labelled),
    }
    for contestant in batch.models:
        model = build(contestant, batch.kind)
        values, factors = model.labels.n_values, model.labels.n_factors
        y = torch.randint(values, (labelled, factors), generator=generator)
        optimizer = torch.optim.Adam(model.parameter_groups(1e-4), fused=True)
        for kind, (images, count) in kinds.items():
            name = f"{contestant.name}/{kind}"
            steps[name] = partial(one_step, model, optimizer, images, y, count)
    gflop = {name: operations(step) for name, step in steps.items()}
    ms = milliseconds(steps, rounds)
    costs = {name: Cost(ms[name], gflop[name]) for name in steps}
    return {
        contestant.name: {kind: costs[f"{contestant.name}/{kind}"] for kind in kinds}
        for contestant in batch.models
    }


def ratios(batch: Batch, found: Found) -> list[str]:
    """Lines of a Markdown table: ms, and in brackets the ratios to CCVAE."""
    kinds = list(found[REFERENCE])
    rows: list[list[object]] = []
    for contestant in batch.models:
        row: list[object] = [contestant.title]
        for kind in kinds:
            own, reference = found[contestant.name][kind], found[REFERENCE][kind]
            times, counts = own.ms / reference.ms, own.gflop / reference.gflop
            row.append(f"{own.ms:.0f} ({times:.2f}; {counts:.2f})")
        rows.append([*row, contestant.limit if batch.kind == "attributes" else None])
    return table(["ms per step (ratio; of operations)", *kinds, "limit"], rows)


def above_limit(batch: Batch, found: Found) -> list[str]:
    """Name the kinds of step that cost more than the limit, and those that can never meet it."""
    lines = []
    for contestant in batch.models if batch.kind == "attributes" else ():
        for kind, own in found[contestant.name].items():
            reference = found[REFERENCE][kind]
            if contestant.limit is None or own.ms <= contestant.limit * reference.ms:
                continue
            times, counts = own.ms / reference.ms, own.gflop / reference.gflop
            line = f"{contestant.title} {kind} ({times:.2f})"
            if counts > contestant.limit:
                line += f", which its operations alone put at {counts:.2f}"
            lines.append(line)
    return lines


def document(results: Sequence[tuple[Batch, Found]], rounds: int) -> str:
    """Markdown page of all tables."""
    lines = [
        "# What a training step costs",
        "",
        "Generated by `make benchmark`. Processor time of one step (bound, gradient, Adam) on one "
        f"thread, median of {rounds} alternating rounds in one process; in brackets its ratio to "
        f"CCVAE's with {DRAWS} draws for q(y|x), and the same ratio of the operations that "
        "convolutions and matrix products take, counted while a step runs. Every model has the "
        f"options and the networks of config/config.yaml: for 64x64 images in colour with "
        f"{N_LABELS} binary labels, and for 28x28 grey ones with one label of {N_CLASSES} classes. "
        "`both` is one step on the labelled and the unlabelled images together, as training takes "
        "it where some images have no labels. `limit` is what a ratio should not exceed.",
        "",
        "On labelled images MVAE decodes two draws of z, for ELBO(x, y) and for ELBO(x), where "
        "CCVAE decodes one: that is what MVAE is, and how the networks are written cannot change "
        "it. Of an image without labels M2 decodes two label vectors if the labels are binary, for "
        "an unbiased estimator, and every class if there are classes; so does ADGM. MoPoE decodes "
        "a draw of each posterior that it mixes, MEME one of q(z|x) and `image_samples` + 1 of "
        "p(z|y). What is supervised only has no decoder, and no use for images without labels.",
        "",
        machine(),
    ]
    for batch, found in results:
        lines += ["", f"## {batch.heading[0].upper()}{batch.heading[1:]}", ""]
        lines += ratios(batch, found)
        if batch.kind == "attributes":
            lines += ["", f"Above the limit: {'; '.join(above_limit(batch, found)) or 'none'}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="steps of each kind, median taken")
    parser.add_argument("--out", required=True, type=Path, help="the page, as .md")
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    results = [(batch, measure(batch, given.rounds)) for batch in batches()]
    write_text(given.out, document(results, given.rounds))


if __name__ == "__main__":
    main()
