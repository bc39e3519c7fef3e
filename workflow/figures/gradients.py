"""Figure 8: norms of the gradient of the classifier's parameters (Appendix C.3.1)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from ccvae.errors import InputError
from workflow.figures.style import COLOURS, WIDTH, headline, new_figure, wrap

COLUMNS = ("reading", "step", "gradient_norm", "seed")

READINGS = {
    "paper_eq8": "equation (8)",
    "eq4": "equation (4)",
    "released_torch": "released code",
    "weight_detached": "weight stopped, inner term not",
    "detached": "weight and inner term stopped",
}
"""What readers call the readings of equation (4)."""


def draw_gradients(frame: pd.DataFrame, title: str) -> Figure:
    """Draw the norms of each reading during training, and how they are distributed.

    Parameters
    ----------
    frame
        With the columns `COLUMNS`.
    title
        Of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Two axes.

    Raises
    ------
    InputError
        If a column is missing.
    """
    if missing := [name for name in COLUMNS if name not in frame.columns]:
        raise InputError(
            f"the study of gradients has no column '{missing[0]}'; expected {', '.join(COLUMNS)}"
        )
    figure = new_figure(WIDTH, 3.3)
    figure.set_layout_engine("constrained")
    headline(figure, title)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2), sharey=True)
    readings = list(dict.fromkeys(frame["reading"]))
    for index, reading in enumerate(readings):
        colour = COLOURS[index % len(COLOURS)]
        for number, (_, run) in enumerate(frame[frame["reading"] == reading].groupby("seed")):
            label = READINGS.get(str(reading), str(reading)) if number == 0 else None
            left.plot(
                run["step"], run["gradient_norm"], color=colour, lw=0.6, alpha=0.8, label=label
            )
    groups = [frame.loc[frame["reading"] == r, "gradient_norm"].dropna() for r in readings]
    boxes = right.boxplot(groups, showfliers=False, widths=0.6, patch_artist=True)
    for index, box in enumerate(boxes["boxes"]):
        boxes["medians"][index].set(color="black", linewidth=1.0)
        box.set(facecolor=COLOURS[index % len(COLOURS)], alpha=0.6, linewidth=0.6)
    names = [str(READINGS.get(str(reading), reading)) for reading in readings]
    right.set_xticks(range(1, len(names) + 1), ["\n".join(wrap(name, 16)) for name in names])
    right.tick_params(axis="x", rotation=90, length=0)
    right.tick_params(axis="y", labelleft=True)
    right.set_title("all steps, quartiles", loc="left")
    left.set_yscale("log")
    left.set_xlabel("step")
    left.set_ylabel("gradient norm, nats")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return figure
