"""What is seen of a training as it goes on, and what it has to reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from workflow.reporting.tables import paper_values

FACES = "synthetic_faces"
BALANCED_ACCURACY = 0.90


@dataclass(frozen=True)
class Cell:
    """A data set at a supervision rate."""

    dataset: str
    rate: str

    @property
    def name(self) -> str:
        """As on the command line, and of its files."""
        return f"{self.dataset}-{self.rate}"


@dataclass
class Curve:
    """What was seen of one training.

    Attributes
    ----------
    cell, recipe
        Of what.
    steps
        Of the whole training.
    points
        By look: `step`, `cpu_s` of all steps until then, and measures on validation images.
    machine
        Where it ran.
    complete
        Whether it has come to its end, to what was asked for, or to the most that it may take.
    """

    cell: str
    recipe: str
    steps: int
    points: list[dict[str, float]] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)
    complete: bool = False


def targets(cell: Cell, suite: Curve | None) -> dict[str, float]:
    """What validation images must show: the paper's accuracy, or on drawn faces what stands for it.

    There the difference of log-probabilities under swaps (lower is better) must be at most what the
    suite's own training ends with.

    Parameters
    ----------
    cell
        Where.
    suite
        The suite's curve, once complete.
    """
    if cell.dataset == FACES:
        ends = {"swap": suite.points[-1]["swap"]} if suite is not None else {}
        return {"balanced_accuracy": BALANCED_ACCURACY, **ends}
    values = paper_values()
    found = values[
        (values["metric"] == "accuracy")
        & (values["dataset"] == cell.dataset)
        & (values["model"] == "ccvae")
        & (values["supervision_rate"] == cell.rate)
    ]
    return {"accuracy": float(found["value"].item())}


def reached(point: dict[str, float], wanted: dict[str, float]) -> bool:
    """Whether a look shows all that is wanted."""
    lower = ("swap",)
    return all(
        point[name] <= value if name in lower else point[name] >= value
        for name, value in wanted.items()
    )
