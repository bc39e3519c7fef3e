"""Processor time of one training step of every configured model, side by side in one process.

Steps of the systems alternate, so that whatever else the machine does falls on all of them alike,
and the median over the rounds is compared with CCVAE's of the same process. Images are random:
the time of a step does not depend on what they show.

    python -m benchmarks.step_cost --out docs/step_cost.md
"""

from __future__ import annotations

import argparse
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
from ccvae.labels import MultiLabel
from ccvae.training import step_loss
from workflow.config import Config
from workflow.models import build_model
from workflow.planning.overlay import DEFAULT

N_LABELS = 18
IMAGE_SHAPE = (3, 64, 64)


@dataclass(frozen=True)
class Contestant:
    """A model with its options, and how much more than CCVAE a step of it may cost."""

    name: str
    title: str
    system: str
    options: dict[str, Any]
    limit: float | None


REFERENCE = "ccvae"
DRAWS = 100
"""For q(y|x) of the reference, as in the released codes."""

LIMITS = {"m2": 2.2, "mvae": 1.5, "diva": 1.5, "vae_classifier": 1.5}
"""Where there is one."""


def contestants(config: Config) -> tuple[Contestant, ...]:
    """Every model of a configuration, as it is set for several binary labels; CCVAE first."""
    found = []
    for name, entry in config.values["model_settings"].items():
        options = {k: v for k, v in entry["attributes"].items() if k != "training"}
        if name == REFERENCE:
            options["label_samples"] = DRAWS
        limit = LIMITS.get(name)
        found.append(Contestant(name, entry["title"], entry["system"], options, limit))
    return tuple(sorted(found, key=lambda contestant: contestant.name != REFERENCE))


CONTESTANTS = contestants(Config(yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))))

BATCHES = {
    "the released schedule: 200 labelled images or 200 unlabelled ones": (200, 200),
    "the default preset: 16 labelled and 16 unlabelled images": (16, 16),
}
"""What a row of the table measures -> labelled and unlabelled images."""


def build(contestant: Contestant) -> LabelledVAE:
    """Make a system for 64x64 colour images with 18 binary labels, as CelebA has."""
    torch.manual_seed(0)
    settings = {
        "system": contestant.system,
        "model": contestant.name,
        "dataset": "random images",
        "architecture": {"name": "table3", "kaiming": True},
        "options": {"likelihood": "laplace", **contestant.options},
    }
    labels = MultiLabel([f"label {i}" for i in range(N_LABELS)])
    model = build_model(settings, labels, IMAGE_SHAPE)
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


def measure(labelled: int, unlabelled: int, rounds: int) -> dict[str, dict[str, Cost]]:
    """Cost by model and kind of step: `supervised`, `unsupervised` and `both` in one."""
    n = labelled + unlabelled
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(n, *IMAGE_SHAPE, generator=generator)
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.randint(2, (labelled, N_LABELS), generator=generator)
    steps: dict[str, Step] = {}
    kinds = {
        "supervised": (x[:labelled], labelled),
        "unsupervised": (x[labelled:], 0),
        "both": (x, labelled),
    }
    for contestant in CONTESTANTS:
        model = build(contestant)
        optimizer = torch.optim.Adam(model.parameter_groups(1e-4), fused=True)
        for kind, (images, count) in kinds.items():
            name = f"{contestant.name}/{kind}"
            steps[name] = partial(one_step, model, optimizer, images, y, count)
    gflop = {name: operations(step) for name, step in steps.items()}
    ms = milliseconds(steps, rounds)
    costs = {name: Cost(ms[name], gflop[name]) for name in steps}
    return {
        contestant.name: {kind: costs[f"{contestant.name}/{kind}"] for kind in kinds}
        for contestant in CONTESTANTS
    }


def ratios(found: dict[str, dict[str, Cost]]) -> list[str]:
    """Lines of a Markdown table: ms, and in brackets the ratios to CCVAE."""
    kinds = list(found[REFERENCE])
    rows: list[list[object]] = []
    for contestant in CONTESTANTS:
        row: list[object] = [contestant.title]
        for kind in kinds:
            own, reference = found[contestant.name][kind], found[REFERENCE][kind]
            times, counts = own.ms / reference.ms, own.gflop / reference.gflop
            row.append(f"{own.ms:.0f} ({times:.2f}; {counts:.2f})")
        rows.append([*row, contestant.limit])
    return table(["ms per step (ratio; of operations)", *kinds, "limit"], rows)


def above_limit(found: dict[str, dict[str, Cost]]) -> list[str]:
    """Name the kinds of step that cost more than the limit, and those that can never meet it."""
    lines = []
    for contestant in CONTESTANTS:
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


def document(results: dict[str, dict[str, dict[str, Cost]]], rounds: int) -> str:
    """Markdown page of all tables; `results` by the headings of `BATCHES`."""
    lines = [
        "# What a training step costs",
        "",
        "Generated by `make benchmark`. Processor time of one step (bound, gradient, Adam) on one "
        f"thread, median of {rounds} alternating rounds in one process; in brackets its ratio to "
        f"CCVAE's with {DRAWS} draws for q(y|x), and the same ratio of the operations that "
        "convolutions and matrix products take, counted while a step runs. Every model has the "
        "options of config/config.yaml; images are 64x64 in colour with 18 binary labels, the "
        "networks are Table 3's. `both` is one step on the labelled and the "
        "unlabelled images together, as training takes it where some images have no labels. "
        "`limit` is what a ratio should not exceed.",
        "",
        "On labelled images MVAE decodes two draws of z, for ELBO(x, y) and for ELBO(x), where "
        "CCVAE decodes one: that is what MVAE is, and how the networks are written cannot change "
        "it. M2's unbiased estimator decodes two label vectors for an image without labels, and so "
        "does ADGM's. MoPoE decodes a draw of each posterior that it mixes, MEME one of q(z|x) and "
        "`image_samples` + 1 of p(z|y).",
        "",
        machine(),
    ]
    for heading, found in results.items():
        above = "; ".join(above_limit(found)) or "none"
        lines += ["", f"## {heading[0].upper()}{heading[1:]}", "", *ratios(found)]
        lines += ["", f"Above the limit: {above}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="steps of each kind, median taken")
    parser.add_argument("--out", required=True, type=Path, help="the page, as .md")
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    results = {
        heading: measure(labelled, unlabelled, given.rounds)
        for heading, (labelled, unlabelled) in BATCHES.items()
    }
    write_text(given.out, document(results, given.rounds))


if __name__ == "__main__":
    main()
