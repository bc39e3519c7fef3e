"""The page of `benchmarks.gpu_ladder`: shares of a card's peak, and what the paper's grid takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import torch

from benchmarks.common import table
from benchmarks.gpu_ladder import BATCHES, LADDER, SECONDS, Climb, Found, Rung
from benchmarks.layers import operations
from benchmarks.step_cost import CONTESTANTS, IMAGE_SHAPES, N_LABELS, REFERENCE, build, one_step
from datasets.readers import READERS
from workflow.config import Config
from workflow.planning.overlay import merged_config

PAPER, DATASET = Path("config/paper.yaml"), "celeba"
FOLDERS = "folders={celeba: /nowhere, chexpert: /nowhere}"
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Card:
    """What a maker says of a card.

    Attributes
    ----------
    name
        Pattern of the end of the name that CUDA gives it.
    fp32, tf32
        Peak in TFLOP/s: float32 outside of tensor cores, TF32 within, without sparsity.
    source
        Where that stands.
    """

    name: str
    fp32: float
    tf32: float
    source: str


SPARSE = "; its TF32 is with sparsity, half of which is meant here"
CARDS = (
    Card(r"H200", 67, 494.5, f"NVIDIA H200 Tensor Core GPU, datasheet{SPARSE}"),
    Card(r"H100 80GB HBM3", 67, 494.5, f"NVIDIA H100 Tensor Core GPU, datasheet{SPARSE}"),
    Card(r"H100 NVL", 60, 417.5, f"NVIDIA H100 Tensor Core GPU, datasheet{SPARSE}"),
    Card(r"H100 PCIe", 51, 378, f"NVIDIA H100 Tensor Core GPU, datasheet{SPARSE}"),
    Card(r"A100(-\w+)*", 19.5, 156, "NVIDIA A100 Tensor Core GPU, datasheet"),
    Card(r"A10", 31.2, 62.5, "NVIDIA A10 Tensor Core GPU, datasheet"),
    Card(r"L40S", 91.6, 183, "NVIDIA L40S, datasheet"),
    Card(r"RTX 4090", 82.6, 82.6, "NVIDIA Ada GPU architecture, whitepaper, appendix A"),
    Card(r"RTX 3090", 35.6, 35.6, "NVIDIA Ampere GA102 GPU architecture, whitepaper"),
)
"""A card that is not here has no share."""


def known_card(name: str) -> Card | None:
    """Look a card up by the name that CUDA gives it."""
    return next((card for card in CARDS if re.search(rf"\b{card.name}$", name)), None)


@cache
def gflop_per_image(model: str, labelled: bool) -> float:
    """Operations of one training step of a model on one image, counted on the processor."""
    built = build(next(contestant for contestant in CONTESTANTS if contestant.name == model))
    optimizer = torch.optim.Adam(built.parameters())
    x, y = torch.rand(2, *IMAGE_SHAPES["attributes"]), torch.zeros(2, N_LABELS, dtype=torch.long)
    step = partial(one_step, built, optimizer, x, y, len(x) if labelled else 0)
    return operations(step) / len(x)


def gflop_of_ladder() -> float:
    """Operations per image of what the rungs train: CCVAE, half of its images labelled."""
    return (gflop_per_image(REFERENCE, True) + gflop_per_image(REFERENCE, False)) / 2


def share_of_peak(found: Found, rung: Rung, batch: int, card: Card | None) -> float | None:
    """Operations a second over the card's peak at the rung's precision; None if it is unknown."""
    if card is None:
        return None
    reached = found.steps_per_s * batch * gflop_of_ladder() / 1000
    return reached / (card.tf32 if rung.precision == "tf32" else card.fp32)


@dataclass(frozen=True)
class Grid:
    """The paper's trainings on CelebA.

    Attributes
    ----------
    models, rates
        Names of the models that have a decoder, and supervision rates.
    seeds, epochs, images
        Of each, and the images of an epoch.
    """

    models: tuple[str, ...]
    rates: tuple[str, ...]
    seeds: int
    epochs: int
    images: int

    @property
    def runs(self) -> int:
        """Number of trainings."""
        return len(self.models) * len(self.rates) * self.seeds

    def gflop(self) -> float:
        """Operations of all trainings; f of the images have labels, and are used with them."""
        of_an_epoch = sum(
            float(rate) * gflop_per_image(model, True)
            + (1 - float(rate)) * gflop_per_image(model, False)
            for model in self.models
            for rate in self.rates
        )
        return self.seeds * self.epochs * self.images * of_an_epoch

    def hours(self, found: Found, batch: int) -> float:
        """Hours on one card at a rung's rate, operation by operation."""
        return self.gflop() / gflop_of_ladder() / (found.steps_per_s * batch) / 3600


def paper_grid() -> Grid:
    """What config/paper.yaml trains on CelebA, without the classifier that has no decoder."""
    config = Config(merged_config([PAPER], [FOLDERS]))
    models = dict.fromkeys(run.model for run in config.runs() if run.dataset == DATASET)
    return Grid(
        tuple(name for name in models if "reconstruct" not in config.lacking(name, DATASET)),
        tuple(config.rates),
        config.seeds_of(DATASET),
        config.values["settings"][config.kind_of(DATASET)]["training"]["epochs"],
        READERS[DATASET].spec.counts["train"],
    )


def page(climb: Climb | None) -> str:
    """Markdown page of what was measured, if anything was."""
    grid, card = paper_grid(), known_card(climb.card if climb else "")
    lines = [
        f"# What a GPU {'does' if climb else 'would do'}",
        "",
        "Generated by `make gpu-ladder`. Every rung trains CCVAE by the training loop itself, on "
        "noise of CelebA's shape, half of it labelled, on Table 3's networks, for "
        f"{SECONDS:.0f} seconds in fresh processes on one card, and adds one thing to the rung "
        "before. Steps a second are those of all trainings together, and so is the memory, which "
        "is what torch held of the card at most. `of peak`: operations of convolutions and matrix "
        "products, counted while a step runs, over what the maker says of the card, at the "
        "precision of the rung. Kernels are deterministic where they can be, as by default.",
        "",
        f"`the grid`: {len(grid.models)} models ({', '.join(grid.models)}), f = "
        f"{', '.join(grid.rates)} and {grid.seeds} seeds on CelebA, which are {grid.runs} "
        f"trainings of {grid.epochs} epochs of {grid.images:,} images; on one card, at the rung's "
        "rate. A step of another model counts by its operations over CCVAE's.",
        "",
        "Steps are captured by default (`training.compile: none`) and computed in float32; here "
        "TF32 stays on from its rung on. `snakemake --cores 16 --resources gpu=8` lets eight jobs "
        "share a card, and `nvidia-cuda-mps-control -d` before it lets them compute there at the "
        "same time, instead of taking turns.",
        "",
    ]
    if climb is None:
        lines.append(f"There was no GPU: {NOT_MEASURED}.")
    elif card is None:
        lines.append(
            f"{climb.machine} The card, {climb.card}, is not in the table of this benchmark."
        )
    else:
        peaks = f"{card.fp32:g} TFLOP/s in float32 and {card.tf32:g} in TF32"
        lines.append(f"{climb.machine} The card: {climb.card}, {peaks} ({card.source}).")
    header = ["rung", "steps/s", "times faster", "of peak", "peak memory, MB", "the grid, days"]
    for batch in BATCHES:
        rows = [_row(rung, batch, climb, card, grid) for rung in LADDER]
        lines += ["", f"## Batch {batch}", "", *table(header, rows)]
    return "\n".join(lines) + "\n"


def _row(
    rung: Rung, batch: int, climb: Climb | None, card: Card | None, grid: Grid
) -> list[object]:
    found = climb.found if climb else {}
    own, first = (found.get((each.title, batch), NOT_MEASURED) for each in (rung, LADDER[0]))
    if isinstance(own, str):
        return [rung.title, own, None, None, None, None]
    faster = None if isinstance(first, str) else f"{own.steps_per_s / first.steps_per_s:.2f}"
    share = share_of_peak(own, rung, batch, card)
    percent = None if share is None else f"{100 * share:.1f} %"
    days = grid.hours(own, batch) / 24
    return [rung.title, own.steps_per_s, faster, percent, own.peak_mb, days]
