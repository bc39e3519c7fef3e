"""Figures 10, 12, 14 and 16: single interventions as matrices (Appendix D.1)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, SymLogNorm
from matplotlib.figure import Figure

from workflow.figures.style import CHARACTER, STYLE, WIDTH, headline, name_colour, new_figure, wrap
from workflow.reporting.names import readable

LIMIT, LINEAR = 10.0, 0.5
"""Ends of the colour scale in nats, and up to where it is linear; logarithmic in between. Fixed, so
that a colour means the same in the figure of every model."""

NO_BREAK = "\N{NO-BREAK SPACE}"

TICKS = (-10, -2, -0.5, 0, 0.5, 2, 10)


def matrix_values(matrix: Mapping[str, Any]) -> np.ndarray:
    """Values of a matrix in a record, float64 (R, C); undefined entries are NaN."""
    return np.array(matrix["values"], dtype=np.float64)


def draw_confusion(
    records: Mapping[str, Mapping[str, Any] | None], title: str, unreadable: Collection[str] = ()
) -> Figure:
    """Figures 10, 12, 14 and 16: one matrix per supervision rate, all of every model on one scale.

    Parameters
    ----------
    records
        Supervision rate -> metrics.json of a run, or None where there is no matrix.
    title
        Of the figure.
    unreadable
        Labels that the judge cannot be relied on to read: they have no row or column, and are named
        below, unless nothing else would be left.

    Returns
    -------
    matplotlib.figure.Figure
        One axes per rate and one for the scale.
    """
    found = {
        rate: _without(record["matrices"]["flip"], unreadable)
        for rate, record in records.items()
        if record
    }
    shown = {name for matrix in found.values() for name in matrix["columns"]}
    lost = [readable(name) for name in unreadable if name not in shown]
    across = min(2, len(records))
    down = math.ceil(len(records) / across)
    labels = max(len(matrix["columns"]) for matrix in found.values()) if found else 1
    panel = WIDTH / 2 - 0.1 if labels > 8 else 3.0
    figure = new_figure(panel * across + 0.5, panel * down + 1.0)
    # The words below a matrix are not those of the next one's title.
    figure.set_layout_engine("constrained", h_pad=0.08)
    headline(figure, title)
    grid = figure.subplots(down, across, squeeze=False)
    image = None
    for axes, (rate, record) in zip(grid.flat, records.items(), strict=False):
        axes.set_title(_rate_title(rate, record), loc="left")
        if rate in found:
            image = axes.imshow(
                np.ma.masked_invalid(matrix_values(found[rate])),
                cmap=_colours(),
                norm=SymLogNorm(LINEAR, vmin=-LIMIT, vmax=LIMIT),
            )
            _name_axes(axes, found[rate], unreadable)
        else:
            axes.set_axis_off()
    for axes in list(grid.flat)[len(records) :]:
        axes.remove()
    if image is not None:
        bar = figure.colorbar(
            image, ax=figure.axes, shrink=0.6, aspect=30, extend="both", ticks=TICKS
        )
        bar.ax.set_yticklabels([f"{tick:g}" for tick in TICKS])
        bar.ax.minorticks_off()
        bar.set_label("change of log-probability, nats")
        bar.outline.set_linewidth(0.4)
    if lost:
        words = (
            "The condition number is that of all labels. Left out here, because the judge cannot "
            f"be relied on to read them: {', '.join(name.replace(' ', NO_BREAK) for name in lost)}."
        )
        figure.supxlabel(
            "\n".join(wrap(words, int(figure.get_figwidth() / CHARACTER))),
            x=0.01,
            ha="left",
            fontsize=STYLE["font.size"],
        )
    return figure


def _colours() -> Colormap:
    """An odd number of colours, so that the middle one is 0 and neutral."""
    return matplotlib.colormaps["RdBu_r"].resampled(257).with_extremes(bad="0.75")


def _without(matrix: Mapping[str, Any], unreadable: Collection[str]) -> Mapping[str, Any]:
    """Take the labels that the judge cannot read out of a matrix, unless there are no others."""
    rows, columns = (
        [i for i, name in enumerate(matrix[names]) if name not in unreadable]
        for names in ("rows", "columns")
    )
    if not rows or not columns:
        return matrix
    return {
        "rows": [matrix["rows"][i] for i in rows],
        "columns": [matrix["columns"][i] for i in columns],
        "values": [[matrix["values"][i][j] for j in columns] for i in rows],
    }


def _rate_title(rate: str, record: Mapping[str, Any] | None) -> str:
    if record is None:
        return f"f = {rate}: missing"
    condition = record["metrics"].get("intervention_condition")
    if condition is None:
        number = "undefined"
    else:
        number = f"{condition:.3g}" if condition < 1000 else f"{condition:,.0f}"
    return f"f = {rate}, condition number {number}"


def _name_axes(axes: Any, matrix: Mapping[str, Any], unreadable: Collection[str]) -> None:
    small = 5 if len(matrix["columns"]) > 8 else 6.5
    axes.set_xticks(range(len(matrix["columns"])), map(readable, matrix["columns"]))
    axes.set_yticks(range(len(matrix["rows"])), map(readable, matrix["rows"]))
    axes.tick_params(axis="x", rotation=90, labelsize=small, length=0)
    axes.tick_params(axis="y", labelsize=small, length=0)
    for axis, names in ((axes.xaxis, matrix["columns"]), (axes.yaxis, matrix["rows"])):
        for label, name in zip(axis.get_ticklabels(), names, strict=True):
            label.set_color(name_colour(readable(name), unreadable))
    axes.spines[:].set_visible(False)
    axes.set_ylabel("flipped label")
    axes.set_xlabel("label the judge looks for")
