"""What open choices move: studies of variants in the findings and in the register.

Both follow from the tables of the studies alone, brackets in the findings from what seeds of the
runs move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pandas as pd

from workflow.config import Config
from workflow.reporting.names import dataset_name
from workflow.reporting.register import KINDS, SHARED
from workflow.reporting.statistics import ENOUGH
from workflow.studies.plan import PLACES
from workflow.studies.protocol import SEPARABLE
from workflow.studies.variants import HEADINGS

SAME = 5e-4
"""Differences below this are zero in three decimals."""

HEADLINES = (
    "accuracy",
    "generation_accuracy",
    "swap_normalised",
    "leakage_rest",
    "style_kept_interventions",
)
"""Measures of studies that are told in words, as far as they were made."""

ALPHA_STUDY = "alpha"
ALPHA_OF = {"m2-alpha": "m2", "diva-alpha": "diva"}
"""Decisions on a weight that the study of alpha varies, and whose it is."""

NONE = "None."

Spreads = Mapping[tuple[str, ...], float]
"""Standard deviation over seeds, by data set, f, model and metric."""


def studies_block(
    config: Config, studies: Mapping[str, pd.DataFrame], records: pd.DataFrame, link: str
) -> list[str]:
    """A row for each study, data set and f: which variant moves each measure the most.

    Only variants of the same system are compared; which system is the best is no open choice.

    Parameters
    ----------
    config
        As it was run.
    studies
        From `workflow.reporting.gathered.Gathered.studies`.
    records
        From `workflow.reporting.records.collect`: a change of no more than `SEPARABLE` standard
        deviations over seeds, where there are `ENOUGH`, is in brackets.
    link
        Where the gathered folder is.
    """
    headings = [HEADINGS[metric].capitalize() for metric in HEADLINES]
    lines = [
        "| study | data | " + " | ".join(headings) + " |",
        "|---" * (2 + len(headings)) + "|",
    ]
    spreads = _spreads(records)
    for name, study in config.values["studies"]["variants"].items():
        if name not in studies or not {"budgets", "beside_paper"}.isdisjoint(study):
            # Those have blocks of their own.
            continue
        models = {v: set_.get("model", study["model"]) for v, set_ in study["variants"].items()}
        systems = {variant: config.system_of(model) for variant, model in models.items()}
        frame = studies[name].assign(model=studies[name]["value"].map(models))
        same = frame["value"].map(systems) == frame["against"].map(systems)
        title = f"{study['title']} ([{name}]({link}/studies/{name}.md))"
        for (dataset, rate), block in frame[same].groupby(
            ["dataset", "supervision_rate"], sort=False
        ):
            cells = [_furthest(block, m, study["baseline"], spreads) for m in HEADLINES]
            place = f"{dataset_name(str(dataset))}, f = {rate}"
            lines.append(f"| {title} | {place} | " + " | ".join(cells) + " |")
            title = ""
    return lines if len(lines) > 2 else [NONE]


def _spreads(records: pd.DataFrame) -> Spreads:
    keys = ["dataset", "supervision_rate", "model", "metric"]
    found = records.groupby(keys)["value"].agg(["std", "count"])
    rows = found[found["count"] >= ENOUGH].reset_index()
    return {tuple(row[key] for key in keys): row["std"] for row in rows.to_dict("records")}


def _furthest(block: pd.DataFrame, metric: str, first: str, spreads: Spreads) -> str:
    """Which variant moves a measure the furthest, in a cell; empty if none was measured."""
    rows = _changes_of(block, metric).to_dict("records")
    if not rows:
        return ""
    row = max(rows, key=lambda row: abs(row["change"]))
    if abs(row["change"]) < SAME:
        return "none"
    words = f"`{row['value']}` {row['change']:+.3f}"
    if row["against"] != first:
        words += f" against `{row['against']}`"
    key = (row["dataset"], row["supervision_rate"], row["model"], metric)
    return f"({words})" if abs(row["change"]) <= SEPARABLE * spreads.get(key, 0.0) else words


def moved_anywhere(frame: pd.DataFrame) -> str:
    """Which variants move each measure up and down the most, over all places of a study."""
    places = frame[["dataset", "supervision_rate"]].drop_duplicates()
    several = len(places) > 1

    def place(row: Mapping[Any, Any]) -> str:
        return f"{dataset_name(row['dataset'])}, f = {row['supervision_rate']}"

    sentences = [
        f"{HEADINGS[metric].capitalize()}: "
        + _most(found, lambda row: f" ({place(row)})" if several else "")
        for metric in HEADLINES
        if not (found := _changes_of(frame, metric)).empty
    ]
    where = "" if several else f", {place(places.iloc[0].to_dict())}"
    return f"{where}: {'. '.join(sentences) or NONE}."


def _changes_of(block: pd.DataFrame, metric: str) -> pd.DataFrame:
    rows = block[(block["metric"] == metric) & (block["value"] != block["against"])]
    return rows[rows["change"].notna()]


def _most(rows: pd.DataFrame, place: Callable[[Mapping[Any, Any]], str]) -> str:
    """Variants with the lowest and the highest change."""
    ordered = sorted(rows.to_dict("records"), key=lambda row: row["change"])
    ends = ordered if len(ordered) == 1 else [ordered[0], ordered[-1]]
    if all(abs(end["change"]) < SAME for end in ends):
        return "nothing moves it"
    return " and ".join(
        f"`{end['value']}` {change_in_words(end['change'])}{place(end)}" for end in ends
    )


def change_in_words(change: float) -> str:
    """Say of a difference which way it goes, or that there is none."""
    if abs(change) < SAME:
        return "the same"
    return f"{'higher' if change > 0 else 'lower'} by {abs(change):.3f}"


def measured(
    entry: Mapping[str, Any],
    values: Mapping[str, Any],
    studies: Mapping[str, pd.DataFrame],
    link: str,
) -> str:
    """What the studies that name a decision moved, in a cell of a table: the most of all places.

    Of each study those variants are told that change a setting that the decision is about, or those
    that the decision names. Where none does, the study rests on the decision and does not vary it.

    Parameters
    ----------
    entry
        From `workflow.reporting.register.entries`.
    values, studies, link
        See `studies_block`.
    """
    shown = entry.get("shown_in")
    parts = [f"[{Path(shown).stem}]({link}/{shown})"] if shown else []
    for name, frame in studies.items():
        if name == ALPHA_STUDY:
            frame = _weights_of(ALPHA_OF.get(entry["id"], ""), frame)
        else:
            study = values["studies"]["variants"][name]
            if entry["id"] not in study.get("deviations", ()) or "budgets" in study:
                continue
            about = [v for v in study["variants"] if _changes(v, study, entry)]
            about = entry.get("variants", {}).get(name, about)
            frame = frame[frame["value"].isin(about)]
        if not frame.empty:
            parts.append(f"[{name}]({link}/studies/{name}.md){moved_anywhere(frame)}")
    return "<br>".join(parts)


def _changes(variant: str, study: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether a variant differs from its opponent in a setting that an entry is about."""
    changes = study["variants"][variant]
    other = study["variants"][changes.get("against", study["baseline"])]
    model = changes.get("model", study["model"])
    own, others = _flat(changes), _flat(other)
    # A variant may set null, which is not the same as leaving a setting alone.
    same = {key for key in own.keys() & others.keys() if own[key] == others[key]}
    keys = (own.keys() | others.keys()) - same
    return any(
        fnmatchcase(f"{whose}.{kind}.{key}", pattern)
        for whose in (model, SHARED)
        for kind in KINDS
        for key in keys
        for pattern in entry.get("settings", ())
    )


def _flat(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a variant by their names, sections before a dot."""
    sections = ("training", "architecture")
    flat = {k: v for k, v in changes.items() if k not in PLACES}
    return flat | {f"{s}.{k}": v for s in sections for k, v in changes.get(s, {}).items()}


def _weights_of(model: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of a model in the study of alpha, as those of a study of variants."""
    rows = frame[frame["model"] == model]
    rows = rows.assign(value="alpha = " + rows["alpha"])
    places = rows.groupby(["dataset", "supervision_rate", "metric"])
    change = rows["mean"] - places["mean"].transform("first")
    return rows.assign(change=change, against=places["value"].transform("first"))
