"""Curves: measures against the supervision rate, and terms of the bound during training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workflow.figures.style import WIDTH, headline, line, new_figure
from workflow.reporting.paper import TABLES
from workflow.reporting.records import REFERENCES, Plan
from workflow.reporting.tables import tidy

PANELS = {
    "attributes": (
        ("table1", "accuracy", "classification: accuracy"),
        ("table2", "swap", "swaps: difference in log p, nats"),
        ("table5", "generation_accuracy", "generation: accuracy"),
    ),
    "classes": (
        ("table6", "accuracy", "classification: accuracy"),
        ("table7", "generation_accuracy", "generation: accuracy"),
        ("table7", "mutual_information", "generation: mutual information, nats"),
    ),
}
"""Table, metric and title of each panel, by the settings of the data set."""

STYLE_PANELS = (
    ("style", "style_kept_interventions", "kept by interventions"),
    ("style", "style_kept_diversity", "kept by new draws of z_c"),
    ("style", "style_kept_reconstruction", "kept by reconstruction"),
)

SHOWN_REFERENCES = {"majority": "--", "judge": ":", "copy_background": "-.", "test_images": "--"}
"""References that are shown, and their lines."""

SIDESTEP, WIDEST = 0.08, 0.6
"""Between models at one f, so that points do not hide each other, and how much room all of them may
take; the next f is at 1."""

PARTS = {"labelled": "labelled images", "unlabelled": "unlabelled images"}

SYMBOLS = {
    "log_q_y_given_x": "log q(y|x)",
    "log_q_y_given_z": "log q(y|z)",
    "log_p_y_given_z": "log p(y|z)",
}
"""Names of terms, or ends of names, that have a symbol."""


def against_f(records: pd.DataFrame, plan: Plan, dataset: str, title: str) -> Figure:
    """Draw accuracy, swaps and generation of every model against f.

    Parameters
    ----------
    records
        From `workflow.reporting.records.collect`.
    plan
        What should be there.
    dataset
        Which data set.
    title
        Of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        One axes per panel; points are means over seeds, models side by side at each f, bars
        standard deviations, hollow points the paper's values, once for each of its models, dashed
        lines references, or a note at the edge where such a line lies so far away that
        the models could not be told apart.
    """
    return _draw_panels(PANELS[plan.datasets[dataset]], records, plan, dataset, title)


def style_kept(records: pd.DataFrame, plan: Plan, dataset: str, title: str) -> Figure:
    """Draw how much of an image's style stays under each model, as `against_f` does."""
    figure = _draw_panels(STYLE_PANELS, records, plan, dataset, title, sharey=True)
    figure.axes[0].set_ylabel("share of the style that is kept")
    figure.axes[0].set_ylim(top=1)
    return figure


def _draw_panels(
    panels: Sequence[tuple[str, str, str]],
    records: pd.DataFrame,
    plan: Plan,
    dataset: str,
    title: str,
    sharey: bool = False,
) -> Figure:
    figure = new_figure(WIDTH, 2.9)
    figure.set_layout_engine("constrained")
    headline(figure, title)
    grid = figure.subplots(1, len(panels), sharey=sharey)
    for axes, (table, name, heading) in zip(grid, panels, strict=True):
        frame = tidy(TABLES[table], records, plan)
        metric = next(metric for metric in TABLES[table].metrics if metric.name == name)
        cells = frame[(frame["metric"] == name) & (frame["dataset"] == dataset)]
        _draw_panel(axes, cells, plan)
        better = {True: "lower is better", False: "higher is better", None: ""}
        axes.set_title(f"{heading}\n{better[metric.lower_is_better]}", loc="left")
    handles = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    # Models first; matplotlib lists plain lines before those with bars.
    titles = [described["title"] for described in plan.models.values()]
    handles = dict(sorted(handles.items(), key=lambda item: item[0] not in titles))
    figure.legend(handles.values(), handles.keys(), loc="outside lower left", ncols=3)
    return figure


def _draw_panel(axes: Axes, cells: pd.DataFrame, plan: Plan) -> None:
    # Evenly spaced: on a logarithmic axis most of the room would lie between the first two.
    rates = list(range(len(plan.rates)))
    here = [model for model in plan.models if model in set(cells["model"])]
    step = min(SIDESTEP, WIDEST / max(1, len(here) - 1))
    published = set()
    for place, model in enumerate(here):
        own = cells[cells["model"] == model].set_index("supervision_rate").reindex(plan.rates)
        # Models side by side instead of on top of each other.
        shift = step * (place - (len(here) - 1) / 2)
        # A model looks the same on every data set.
        index = list(plan.models).index(model)
        x = [rate + shift for rate in rates]
        looks = line(index)
        axes.errorbar(
            x,
            own["mean"],
            # No bar of length 0 where one seed says nothing of its spread.
            yerr=own["std"] if own["std"].notna().any() else None,
            **looks,
            markersize=3,
            lw=0.7,
            capsize=1.5,
            elinewidth=0.8,
            label=plan.models[model]["title"],
        )
        system = plan.models[model]["system"]
        if own["paper"].notna().any() and system not in published:
            # Two readings of a model have one counterpart in the paper.
            published.add(system)
            axes.plot(
                rates,
                own["paper"],
                **looks | {"ls": ":"},
                markersize=5,
                mfc="none",
                lw=0.6,
                zorder=3,
            )
            axes.plot(
                [], [], color="0.3", label="the paper's value", marker="o", mfc="none", ls=":"
            )
    shown = cells[cells["model"].isin(SHOWN_REFERENCES) & cells["mean"].notna()]
    _draw_references(axes, dict(zip(shown["model"], shown["mean"], strict=True)))
    if not cells["mean"].notna().any():
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color="0.4")
        axes.set_yticks([])
    axes.set_xlim(-0.5, len(rates) - 0.5)
    axes.set_xticks(rates, plan.rates)
    axes.set_xlabel("supervision rate f")


def _draw_references(axes: Axes, means: Mapping[str, float]) -> None:
    """Draw references as lines, or note it at the edge if it lies far from the models.

    Far is farther than all that the models span: the line would take more room than they do.
    """
    low, high = axes.get_ylim()
    notes: dict[bool, list[str]] = {False: [], True: []}
    for model, mean in means.items():
        if axes.has_data() and not 2 * low - high <= mean <= 2 * high - low:
            notes[mean > high].append(f"{REFERENCES[model]}: {mean:.3g}")
        else:
            style = SHOWN_REFERENCES[model]
            axes.axhline(mean, color="0.5", lw=0.8, ls=style, label=REFERENCES[model])
    for above, (arrow, y, edge) in {False: ("↓", 0.02, "bottom"), True: ("↑", 0.98, "top")}.items():
        if notes[above]:
            text = f"{arrow} {', '.join(notes[above])}"
            axes.text(0.98, y, text, transform=axes.transAxes, ha="right", va=edge, color="0.4")


def training(histories: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Draw every term of the bound during training.

    Parameters
    ----------
    histories
        Supervision rate -> history.csv of a run.
    title
        Of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        One axes per term of labelled and of unlabelled images; a line per rate.
    """
    terms = list(dict.fromkeys(c for h in histories.values() for c in h.columns if c != "step"))
    terms.sort(key=lambda term: term.split("_", 1)[0] != "labelled")
    across = min(4, len(terms))
    down = math.ceil(len(terms) / across)
    figure = new_figure(WIDTH, 1.45 * down + 0.6)
    figure.set_layout_engine("constrained")
    headline(figure, title)
    grid = figure.subplots(down, across, squeeze=False, sharex=True)
    colours = matplotlib.colormaps["viridis"]
    for axes, term in zip(grid.flat, terms, strict=False):
        for index, (rate, history) in enumerate(histories.items()):
            if term in history:
                colour = colours(0.9 * index / max(1, len(histories) - 1))
                axes.plot(history["step"], history[term], color=colour, label=f"f = {rate}")
        subset, name = term.split("_", 1)
        axes.set_title(f"{term_name(name)}\n{PARTS.get(subset, subset)}", loc="left")
        _focus(axes, [history[term] for history in histories.values() if term in history])
    for axes in list(grid.flat)[len(terms) :]:
        axes.set_axis_off()
    for axes in list(grid.flat)[max(0, len(terms) - across) : len(terms)]:
        axes.set_xlabel("step")
        axes.tick_params(labelbottom=True)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=max(1, len(labels)))
    return figure


def term_name(term: str) -> str:
    """What readers call a term of a bound, with its unit."""
    if term == "weight":
        return "weight w of equation (8)"
    for name, symbol in SYMBOLS.items():
        term = term.replace(name, symbol)
    return f"{term.replace('_', ' ')}, nats"


def _focus(axes: Axes, curves: list[pd.Series]) -> None:
    """Let the first tenth of training leave the picture: it would flatten all the rest."""
    settled = pd.concat([curve.iloc[len(curve) // 10 :] for curve in curves]).dropna()
    if settled.empty:
        return
    low, high = float(settled.min()), float(settled.max())
    margin = 0.08 * (high - low) or 0.5
    axes.set_ylim(low - margin, high + margin)
