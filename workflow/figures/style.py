"""How every figure looks, and how it is written; curves and matrices need no torch."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from ccvae.files import atomic_path
from workflow.reporting.names import readable

WIDTH = 6.5
"""Width of a figure in inches: the text width of a page."""

STYLE: dict[Any, Any] = {
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "figure.titlesize": 8.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "savefig.dpi": 220,
    "pdf.fonttype": 42,
}
"""matplotlib settings of every figure."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, told apart by colour-blind readers (jfly.uni-koeln.de/color)."""

MARKERS = "osD^vP*X<>hpd"
DASHES = ("-", "--", "-.")

ARROW = " →"
"""Behind the name of a label that changes along an axis."""

NAME, UNREADABLE = "black", "0.65"
"""Colours of a label's name, and of one that the judge cannot be relied on to read."""

CHARACTER = 0.054
"""Width of a figure's characters in inches, on average."""

TITLE_CHARACTER = 0.066
"""Width of a title's characters in inches, on average."""


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of a size in inches, without a window system."""
    matplotlib.rcParams.update(STYLE)
    return Figure(figsize=(width, height))


def line(index: int) -> dict[str, Any]:
    """How the line of the model of this number is drawn; behind the last colour others dash."""
    turns, colour = divmod(index, len(COLOURS))
    marker = MARKERS[index % len(MARKERS)]
    return {"color": COLOURS[colour], "marker": marker, "ls": DASHES[turns % len(DASHES)]}


def name_colour(name: str, unreadable: Collection[str]) -> str:
    """Colour of words beside a picture, which is grey where they name a label of `unreadable`.

    Parameters
    ----------
    name
        What is written: the name of a label, perhaps with an arrow behind it, or anything else.
    unreadable
        Labels that the judge cannot be relied on to read (deviation: judge-gates).
    """
    return UNREADABLE if name.removesuffix(ARROW) in map(readable, unreadable) else NAME


def wrap(text: str, width: int) -> list[str]:
    """Break text into lines of at most `width` characters, at spaces."""
    lines: list[str] = []
    # Not at every white space: a no-break space is one too.
    for word in filter(None, text.split(" ")):
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def headline(figure: Figure, title: str) -> None:
    """Write a title above everything else, in as many lines as it needs."""
    lines = wrap(title, int(figure.get_figwidth() / TITLE_CHARACTER))
    figure.suptitle("\n".join(lines), x=0.01, ha="left")


def save(figure: Figure, stem: Path) -> None:
    """Write `figure` as `stem`.png and `stem`.pdf."""
    for suffix in (".png", ".pdf"):
        # No date, so that the same picture is the same file.
        metadata = {"CreationDate": None} if suffix == ".pdf" else {"Software": None}
        with atomic_path(stem.with_name(stem.name + suffix)) as path:
            figure.savefig(path, bbox_inches="tight", pad_inches=0.05, metadata=metadata)
