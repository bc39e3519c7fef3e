"""Studies of named variants: what each moves against another, as a frame and as a page."""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Any

import pandas as pd

from workflow.reporting.judges import first_lines
from workflow.reporting.names import dataset_name
from workflow.studies.seeds import IMAGES, in_words

HEADINGS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "reconstruction_l1": "reconstruction, L1",
    "swap": "swap, nats",
    "swap_normalised": "swap, normalised",
    "swap_truth_normalised": "distance from the true swap",
    "swap_background_change": "background lost in swaps",
    "generation_accuracy": "generation accuracy",
    "mutual_information": "mutual information, nats",
    "style_kept_interventions": "style kept by interventions",
    "style_kept_diversity": "style kept by new z_c",
    "style_diversity": "variance by new z_c",
    "leakage_rest": "labels from z without z_c",
}
"""Metrics of a page, and what they are called there."""

DECIMALS = 3
KEYS = ["dataset", "supervision_rate", "value"]
BUDGET = "budget"
"""A further key, of a study of budgets."""


def summarise_variants(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare every variant with another of its data set, f and budget.

    Parameters
    ----------
    scores
        One row per training and metric: `KEYS`, `seed`, `metric`, `score`, and perhaps `budget`,
        `images_seen` and `against`, the `value` that one is compared with, or else the first one;
        seeds are in order.

    Returns
    -------
    pandas.DataFrame
        `KEYS`, `against`, `budget` and `images_seen` where they are known, `metric`, `mean`, `std`
        (ddof = 1), `n`, `values` (of each seed, see `workflow.studies.seeds`), and `change`: the
        mean minus that of the other one, where that has the metric.
    """
    if "against" not in scores:
        scores = scores.assign(against=scores.groupby(places(scores))["value"].transform("first"))
    keys = [*KEYS, "against", *(name for name in (BUDGET, IMAGES) if name in scores), "metric"]
    groups = scores.groupby(keys, sort=False, dropna=False)["score"]
    frame = groups.agg(mean="mean", std="std", n="count", values=in_words).reset_index()
    place = [*places(frame), "metric"]
    known = frame.set_index([*place, "value"])["mean"].to_dict()
    cells = frame[[*place, "against"]].itertuples(index=False, name=None)
    frame["change"] = frame["mean"] - [known.get(cell, float("nan")) for cell in cells]
    return frame


def places(summary: pd.DataFrame) -> list[str]:
    """Columns whose values say what is compared with what."""
    return ["dataset", "supervision_rate", *([BUDGET] if BUDGET in summary else [])]


def variants_markdown(
    summary: pd.DataFrame,
    study: dict[str, Any],
    failed: Iterable[str] = (),
    about: Iterable[str] = (),
) -> str:
    """Page of a study.

    Parameters
    ----------
    summary
        From `summarise_variants`.
    study
        `name`, `title`, `steps` (in words), `deviations`, ids of the decisions that it is about,
        `missing`, which of its trainings are not there (in words), `shared`, what the study sets
        for all rows, `epochs`, whether a schedule counts these, `varied`, what the first variant of
        each data set has of what others change, and `changes`, what each variant changes.
    failed
        Sentences about judges that failed their gates.
    about
        Lines on what follows from the tables.
    """
    seeds = int(summary["n"].min())
    steps = f"{study['steps']} steps" + (" of the first row" if _is_uneven(summary) else "")
    lines = [
        f"# {study['title']}",
        "",
        *first_lines(failed),
        f"Validation images, {steps}, {'one seed' if seeds == 1 else f'mean of {seeds} seeds'}; in "
        "brackets the change against the first row, or against the row that is named. The "
        "study has seeds of its own: the same training in another study has another seed. "
        f"`snakemake study_{study['name']}` repeats it.",
    ]
    if study.get("beside_paper"):
        lines[-1] += " What stands beside the paper is of test images, and says how many seeds; "
        lines[-1] += "generated images are the same for every split."
    if study.get("deviations"):
        ids = ", ".join(f"`{name}`" for name in study["deviations"])
        lines += ["", f"Decisions that it is about: {ids}."]
    if study.get("missing"):
        lines += ["", f"Not run: {study['missing']}."]
    if changes := _changes(study, set(summary["value"])):
        lines += [
            "",
            "Settings of rows: what each changes against the row that it is compared with or, "
            "where that is of another model, against its own model's configuration.",
            "",
            *changes,
        ]
    if _is_uneven(summary) and study.get("epochs"):
        lines += ["", "Images seen count the last, smaller batches of an epoch in full."]
    if about := list(about):
        lines += ["", *about]
    for (dataset, rate, *budget), block in summary.groupby(places(summary), sort=False):
        words = "".join(f", {times(n)} the images" for n in budget)
        heading = f"**{dataset_name(str(dataset))}, f = {rate}{words}**"
        lines += ["", heading, "", *variants_table(block)]
    return "\n".join(lines) + "\n"


def _is_uneven(summary: pd.DataFrame) -> bool:
    """Whether rows of one table saw different numbers of images."""
    return IMAGES in summary and bool(
        (summary.groupby(places(summary))[IMAGES].nunique() > 1).any()
    )


def _changes(study: Mapping[str, Any], there: Collection[str]) -> list[str]:
    """Lines of a list of what rows have and change; those that change the same share one."""
    shared, by_words = study.get("shared", {}), dict[str, list[str]]()
    lines = [f"* All rows, unless named below: {_in_words(shared)}."] if shared else []
    for dataset, options in study.get("varied", {}).items():
        own = {k: v for k, v in options.items() if (k, v) not in shared.items()}
        by_words.setdefault(_in_words(own), []).append(dataset_name(dataset))
    for words, datasets in by_words.items():
        where = f" ({', '.join(datasets)})" if len(by_words) > 1 else ""
        lines += [f"* The first row{where}: {words}."] if words else []
    names: dict[str, list[str]] = {}
    for name, changed in study.get("changes", {}).items():
        if name in there:
            names.setdefault(_in_words(changed), []).append(f"`{name}`")
    lines += [f"* {', '.join(of)}: {words}." for words, of in names.items()]
    return lines


def _in_words(settings: Mapping[str, object]) -> str:
    words = ", ".join(f"{key} {json.dumps(value)}" for key, value in settings.items())
    return words.replace('"', "")


def times(budget: Hashable) -> str:
    """How many times the images a budget is."""
    return {"1": "once", "2": "twice"}.get(str(budget), f"{budget} times")


def variants_table(block: pd.DataFrame) -> list[str]:
    """Lines of the Markdown table of one data set and f, a row per variant.

    Parameters
    ----------
    block
        Of `summarise_variants`.
    """
    metrics = [name for name in HEADINGS if name in set(block["metric"])]
    headings = [HEADINGS[name] for name in metrics]
    uneven = _is_uneven(block)
    if uneven:
        headings.insert(0, "images seen")
    lines = [f"| | {' | '.join(headings)} |", "|---" * (len(headings) + 1) + "|"]
    first = block["value"].iloc[0]
    for (value, against), rows in block.groupby(["value", "against"], sort=False):
        cells = {row["metric"]: row for row in rows.to_dict("records")}
        words = [
            _cell(cells[name], is_first=value == first) if name in cells else "n/a"
            for name in metrics
        ]
        if uneven:
            words.insert(0, f"{rows[IMAGES].iloc[0]:,.0f}")
        heading = str(value)
        if against != first:
            heading += f" (against {against})"
        lines.append(f"| {heading} | " + " | ".join(words) + " |")
    return lines


def _cell(row: Mapping[Any, Any], *, is_first: bool) -> str:
    text = f"{row['mean']:.{DECIMALS}f}"
    if pd.notna(row["std"]):
        text += f" ± {row['std']:.{DECIMALS}f}"
    if is_first or pd.isna(row["change"]):
        return text
    return f"{text} ({row['change']:+z.{DECIMALS}f})"
