"""The one picture of the benchmarks page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.training_step import BATCH, KINDS, LADDER
from ccvae.files import atomic_path

COLOURS = dict(zip(KINDS, ("#33658a", "#f6ae2d"), strict=True))


def draw(found: dict[str, Any], spent: dict[str, float], path: Path) -> None:
    """Draw the ladder of the training step and, if there is one, the preset's time.

    Parameters
    ----------
    found
        From `benchmarks.training_step.measure`.
    spent
        From `benchmarks.pipeline.lanes`; may be empty.
    path
        The picture, as .png.
    """
    figure = Figure(figsize=(10, 5.2 if spent else 3.4), layout="constrained")
    axes = figure.subplots(
        2 if spent else 1, 1, squeeze=False, height_ratios=[3, 1][: 1 + bool(spent)]
    )
    ladder = axes[0, 0]
    for offset, kind in zip((-0.19, 0.19), KINDS, strict=True):
        rates = [BATCH / found["ms"][f"{name}/{kind}"] * 1000 for name in LADDER]
        places = [place + offset for place in range(len(LADDER))]
        bars = ladder.barh(places, rates, 0.36, color=COLOURS[kind], label=kind)
        ladder.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
    ladder.set_yticks(range(len(LADDER)), LADDER, fontsize=8)
    ladder.invert_yaxis()
    ladder.set_xlabel("images per second of processor time, one thread")
    ladder.legend(frameon=False, fontsize=8)
    ladder.spines[["top", "right"]].set_visible(False)
    if spent:
        _shares(axes[1, 0], spent)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def _shares(axes: Any, spent: dict[str, float]) -> None:
    """One bar of where a preset's core-seconds went."""
    total, left = sum(spent.values()), 0.0
    for number, (kind, seconds) in enumerate(spent.items()):
        share = 100 * seconds / total
        axes.barh(0, share, left=left, color=f"C{number}", label=f"{kind} {share:.0f} %")
        left += share
    axes.set(yticks=[], xlim=(0, 100), xlabel="share of the preset's core-seconds, %")
    axes.legend(ncols=4, fontsize=7, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1))
    axes.spines[["top", "right", "left"]].set_visible(False)
