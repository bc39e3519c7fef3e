"""Measures against the images that a training saw, a line per model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from workflow.figures.style import WIDTH, headline, line, new_figure
from workflow.reporting.names import dataset_name
from workflow.studies.budget import MEASURES
from workflow.studies.seeds import IMAGES
from workflow.studies.variants import HEADINGS


def draw_budget(
    summary: pd.DataFrame, titles: Mapping[str, str], models: Sequence[str], title: str
) -> Figure:
    """Draw what more images do to every model.

    Parameters
    ----------
    summary
        From `workflow.studies.variants.summarise_variants`, of a study of budgets.
    titles
        What models are called, in their order.
    models
        All that are trained: a model looks as it does in figures of all of them.
    title
        Of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        A row for each data set and f, a column for each measure; what was not run has no point.
    """
    places = summary[["dataset", "supervision_rate"]].drop_duplicates()
    metrics = [name for name in MEASURES if name in set(summary["metric"])]
    figure = new_figure(WIDTH, 1.5 * len(places) + 0.8)
    figure.set_layout_engine("constrained")
    headline(figure, title)
    grid = figure.subplots(len(places), len(metrics), squeeze=False, sharex=True)
    everyone = list(dict.fromkeys([*models, *titles]))
    # They share one axis, and some rows may have been trained for longer than others.
    seen = sorted(summary[IMAGES].unique())
    for row, (dataset, rate) in zip(grid, places.itertuples(index=False), strict=True):
        here = summary[(summary["dataset"] == dataset) & (summary["supervision_rate"] == rate)]
        for axes, metric in zip(row, metrics, strict=True):
            for model, name in titles.items():
                own = here[(here["value"] == model) & (here["metric"] == metric)]
                own = own.sort_values(IMAGES)
                looks = {**line(everyone.index(model)), "lw": 0.8, "markersize": 3}
                axes.plot(own[IMAGES], own["mean"], label=name, **looks)
            axes.set_xscale("log")
            axes.set_xticks(seen, [f"{n / 1000:,.0f}k" for n in seen])
            axes.minorticks_off()
        row[0].set_ylabel("\n".join([*dataset_name(str(dataset)).split(" "), f"f = {rate}"]))
    for axes, metric in zip(grid[0], metrics, strict=True):
        better = "lower" if MEASURES[metric] else "higher"
        axes.set_title(f"{HEADINGS[metric]}\n{better} is better", loc="left")
    for axes in grid[-1]:
        axes.set_xlabel("images seen in training")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=4)
    return figure
