"""The page of `benchmarks.time_to_number` and its picture."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.common import table
from benchmarks.curves import Cell, Curve
from ccvae.files import atomic_path, write_text

Curves = Mapping[tuple[str, str], Curve]
Wanted = dict[str, float]
NOT_MEASURED = "not measured"
COLOURS = {"suite": "#33658a", "released": "#f26419"}
GOAL = 10
CUT_OFF: dict[str, Any] = {"fontsize": 7, "ha": "right", "va": "bottom", "color": "#555"}


def seconds_until(curve: Curve, stop: Callable[[dict[str, float]], bool]) -> float | None:
    """Processor seconds until the first look that is good enough; None if none is."""
    return next((point["cpu_s"] for point in curve.points if stop(point)), None)


def quality(curve: Curve) -> str:
    """The measure that a curve is drawn and compared by."""
    return "balanced_accuracy" if "swap" in curve.points[0] else "accuracy"


def in_words(curve: Curve | None, stop: Callable[[dict[str, float]], bool]) -> str:
    """Seconds, or why there are none."""
    if curve is None:
        return NOT_MEASURED
    seconds = seconds_until(curve, stop)
    if seconds is None:
        best, end = max(point[quality(curve)] for point in curve.points), curve.points[-1]
        cut = f", cut off at {end['step'] / curve.steps:.0%}" if end["step"] < curve.steps else ""
        return f"not in {end['cpu_s']:.0f} ({best:.3f}{cut})"
    return f"{seconds:.0f}"


def times_faster(
    suite: Curve, released: Curve, stop: Callable[[dict[str, float]], bool]
) -> tuple[float, bool] | None:
    """How many times as long the released recipe took, and whether that is a lower bound.

    0 where only the released one got there, and None where neither did.
    """
    own, theirs = seconds_until(suite, stop), seconds_until(released, stop)
    if own is None:
        return None if theirs is None else (0.0, False)
    return (theirs or released.points[-1]["cpu_s"]) / own, theirs is None


def lines_of(
    cells: Sequence[Cell],
    curves: Curves,
    targets: Callable[[Cell, Curve | None], Wanted],
    reached: Callable[[dict[str, float], Wanted], bool],
) -> list[str]:
    """Markdown: a row per cell, and the medians."""
    rows: list[list[object]] = []
    factors: dict[str, list[tuple[float, bool]]] = {"paper": [], "released": []}
    for cell in cells:
        suite, released = (curves.get((cell.name, recipe)) for recipe in ("suite", "released"))
        wanted = targets(cell, suite)

        def good(point: dict[str, float], wanted: Wanted = wanted) -> bool:
            return reached(point, wanted)

        words = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in wanted.items())
        row: list[object] = [f"{cell.dataset}, f = {cell.rate}", words]
        row += [in_words(suite, good), in_words(released, good)]
        if suite is None or released is None:
            rows.append([*row, NOT_MEASURED, NOT_MEASURED, NOT_MEASURED])
            continue
        name = quality(released)
        best = max(point[name] for point in released.points)

        def as_good(point: dict[str, float], name: str = name, best: float = best) -> bool:
            return point[name] >= best

        found = {"paper": times_faster(suite, released, good)}
        found["released"] = times_faster(suite, released, as_good)
        for against, factor in found.items():
            if factor is not None:
                factors[against].append(factor)
        row += [_factor(found["paper"]), f"{best:.3f}: {in_words(suite, as_good)}"]
        rows.append([*row, _factor(found["released"])])
    header = ["", "validation images show", "suite, CPU s", "released, CPU s", "times faster"]
    header += ["released recipe's best: suite, CPU s", "times faster"]
    lines = table(header, rows)
    for against, words in (("paper", "this"), ("released", "the released recipe's best")):
        values = factors[against]
        if values:
            median = statistics.median(value for value, _ in values)
            bound = "at least " if any(open_ for _, open_ in values) else ""
            lines += ["", f"Median over {len(values)} cells to {words}: {bound}{median:.1f} times."]
    return [*lines, "", f"Goal: {GOAL} times in the median cell."]


def _factor(found: tuple[float, bool] | None) -> str:
    if found is None:
        return "neither reaches it"
    value, bound = found
    if value == 0:
        return "0: suite does not reach it"
    return f"{'more than ' if bound else ''}{value:.1f}"


def write_page(
    out: Path,
    cells: Sequence[Cell],
    curves: Curves,
    targets: Callable[[Cell, Curve | None], Wanted],
    reached: Callable[[dict[str, float], Wanted], bool],
) -> None:
    """Write the page and, if anything was measured, its picture.

    Parameters
    ----------
    out
        The page, as .md; the picture beside it, as .png.
    cells
        All that are to be measured.
    curves
        Complete ones, by cell and recipe.
    targets
        What a cell's validation images must show, from the suite's curve.
    reached
        Whether a look shows it.
    """
    lines = [
        "# Processor time to the paper's number",
        "",
        "Generated by `make time-to-number`. CCVAE, "
        "seed 0, one thread; processor seconds of the training steps alone, until a look at the "
        "validation images first shows what the paper reports (Tables 6 and 7 report test images; "
        "of drawn faces, which the paper does not have: balanced accuracy, and swaps as good as at "
        "the end of the suite's training). `suite` is config/config.yaml, whose learning rate is "
        "planned to fall to zero at the end; `released` is config/paper.yaml, with steps as the "
        "released code computes them: every step labelled or unlabelled, batches of 200, k = 100 "
        "draws of all of z, two encoder passes, and as the paper states for faces Adam at 2e-4 for "
        "100 epochs. Networks, images and labels are the same. The suite's rate and its start were "
        "chosen on validation images; the released recipe's were not. Brackets: the best that was "
        "seen, and of a training that was cut off, after which share of its steps.",
        "",
        *lines_of(cells, curves, targets, reached),
    ]
    if curves:
        machines = sorted({curve.machine.get("processor", "") for curve in curves.values()})
        lines += ["", f"Measured on {', '.join(filter(None, machines)) or 'one machine'}."]
        draw(cells, curves, targets, out.with_suffix(".png"))
        lines += ["", f"![Quality against processor time]({out.with_suffix('.png').name})"]
    write_text(out, "\n".join(lines) + "\n")


def draw(
    cells: Sequence[Cell],
    curves: Curves,
    targets: Callable[[Cell, Curve | None], Wanted],
    path: Path,
) -> None:
    """Draw quality against processor seconds, a panel per cell that was measured."""
    shown = [cell for cell in cells if any(name == cell.name for name, _ in curves)]
    shown.sort(key=lambda cell: float(cell.rate))
    shown.sort(key=lambda cell: [each.dataset for each in cells].index(cell.dataset))
    figure = Figure(figsize=(3.4 * min(3, len(shown)), 2.8 * -(-len(shown) // 3)))
    figure.set_layout_engine("constrained")
    for index, cell in enumerate(shown):
        axes = figure.add_subplot(-(-len(shown) // 3), min(3, len(shown)), index + 1)
        for recipe, colour in COLOURS.items():
            if (curve := curves.get((cell.name, recipe))) is None:
                continue
            name = quality(curve)
            seconds = [point["cpu_s"] for point in curve.points]
            axes.plot(seconds, [point[name] for point in curve.points], color=colour, label=recipe)
            end = curve.points[-1]
            if end["step"] < curve.steps and recipe == "released":
                words = f"stopped\nat {end['step'] / curve.steps:.0%} "
                axes.plot(end["cpu_s"], end[name], "x", color=colour, markersize=5)
                at = (end["cpu_s"], end[name])
                axes.annotate(words, at, (-2, 4), textcoords="offset points", **CUT_OFF)
            axes.set_ylabel(name.replace("_", " "), fontsize=8)
        first = next(iter(targets(cell, None).values()))
        axes.axhline(first, color="#888", linewidth=0.8, linestyle="--", label="to be reached")
        axes.set_xscale("log")
        axes.set_title(f"{cell.dataset}, f = {cell.rate}", fontsize=9)
        axes.set_xlabel("processor seconds", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        if index == 0:
            axes.legend(frameon=False, fontsize=8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
