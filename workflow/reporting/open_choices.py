"""What open choices move: studies of variants in the findings and in the register.

All of it follows from the tables of the studies, and brackets from the spread of the runs' seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pandas as pd

from workflow.config import Config
from workflow.reporting.names import dataset_name
from workflow.reporting.register import KINDS, SHARED
from workflow.reporting.statistics import ENOUGH
from workflow.studies.plan import flat, models_of
from workflow.studies.protocol import SEPARABLE
from workflow.studies.seeds import ALPHA
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
"""Measures of studies that are told of, as far as they were made."""

ALPHA_OF = {"m2-alpha": "m2", "diva-alpha": "diva"}
"""Decisions on a weight that the study of alpha varies, and whose it is."""

NONE = "None."

Spreads = Mapping[tuple[str, ...], float]
"""Standard deviation over seeds, by data set, f, model and metric."""


def studies_block(
    config: Config, studies: Mapping[str, pd.DataFrame], spreads: Spreads, link: str
) -> list[str]:
    """A row for each study, data set and f: which variant moves each measure the most.

    Only variants of the same system are compared, and no whole models as they are run: which model
    is the best is no open choice.

    Parameters
    ----------
    config
        As it was run.
    studies
        From `workflow.reporting.gathered.Gathered.studies`.
    spreads
        From `spreads_of`: a change of no more than `SEPARABLE` of them is in brackets.
    link
        Where the gathered folder is.
    """
    headings = [HEADINGS[metric].capitalize() for metric in HEADLINES]
    lines = [
        "| study | data | " + " | ".join(headings) + " |",
        "|---" * (2 + len(headings)) + "|",
    ]
    for name, study in config.values["studies"]["variants"].items():
        if name not in studies or not {"budgets", "beside_paper"}.isdisjoint(study):
            # Those have blocks of their own.
            continue
        models = models_of(study)
        systems = {variant: config.system_of(model) for variant, model in models.items()}
        frame = studies[name].assign(model=studies[name]["value"].map(models))
        same = frame["value"].map(systems) == frame["against"].map(systems)
        same &= frame["value"] != frame["model"]
        title = f"{study['title']} ([{name}]({link}/studies/{name}.md))"
        for (dataset, rate), block in frame[same].groupby(
            ["dataset", "supervision_rate"], sort=False
        ):
            cells = [_furthest(block, m, study["baseline"], spreads) for m in HEADLINES]
            lines.append(f"| {title} | {_place(dataset, rate)} | " + " | ".join(cells) + " |")
            title = ""
    return lines if len(lines) > 2 else [NONE]


def spreads_of(records: pd.DataFrame) -> Spreads:
    """How far seeds of the runs spread, where there are `ENOUGH`."""
    keys = ["dataset", "supervision_rate", "model", "metric"]
    found = records.groupby(keys)["value"].agg(["std", "count"])
    rows = found[found["count"] >= ENOUGH].reset_index()
    return {tuple(row[key] for key in keys): row["std"] for row in rows.to_dict("records")}


def _furthest(
    frame: pd.DataFrame, metric: str, first: str, spreads: Spreads, placed: bool = False
) -> str:
    """Which variant moves a measure the furthest, in a cell; empty if none was measured."""
    compared = (frame["value"] != frame["against"]) & frame["change"].notna()
    rows = frame[(frame["metric"] == metric) & compared].to_dict("records")
    if not rows:
        return ""
    row = max(rows, key=lambda row: abs(row["change"]))
    if abs(row["change"]) < SAME:
        return "none"
    words = f"`{row['value']}` {row['change']:+.3f}"
    if row["against"] != first:
        words += f" against `{row['against']}`"
    key = (row["dataset"], row["supervision_rate"], row["model"], metric)
    if abs(row["change"]) <= SEPARABLE * spreads.get(key, 0.0):
        words = f"({words})"
    return f"{words} on {_place(*key[:2])}" if placed else words


def _place(dataset: object, rate: object) -> str:
    return f"{dataset_name(str(dataset))}, f = {rate}"


def _moved_anywhere(frame: pd.DataFrame, first: str, spreads: Spreads) -> str:
    """What moves each measure the furthest, over all places of a study."""
    places = frame[["dataset", "supervision_rate"]].drop_duplicates()
    several = len(places) > 1
    sentences = [
        f"{HEADINGS[metric].capitalize()}: {words}"
        for metric in HEADLINES
        if (words := _furthest(frame, metric, first, spreads, placed=several))
    ]
    where = "" if several else f", {_place(*places.iloc[0])}"
    return f"{where}: {'; '.join(sentences) or 'none'}."


def measured(
    entry: Mapping[str, Any],
    values: Mapping[str, Any],
    studies: Mapping[str, pd.DataFrame],
    spreads: Spreads,
    link: str,
    folder: Path,
) -> str:
    """What the studies that name a decision moved the furthest of all places, in a cell of a table.

    Of each study those variants are told that change a setting that the decision is about, or those
    that the decision names. Where none does, the study rests on the decision and does not vary it.

    Parameters
    ----------
    entry
        From `workflow.reporting.register.entries`.
    values
        Of the configuration.
    studies, spreads, link
        See `studies_block`.
    folder
        The gathered folder, where what shows a decision may be or not.
    """
    parts, shown = list[str](), entry.get("shown_in")
    if shown and (folder / shown).exists():
        parts.append(f"[{Path(shown).stem}]({link}/{shown})")
    for name, frame in studies.items():
        if name == ALPHA:
            frame = _weights_of(ALPHA_OF.get(entry["id"], ""), frame)
            first = frame["against"].iloc[0] if len(frame) else ""
        else:
            study = values["studies"]["variants"][name]
            if entry["id"] not in study.get("deviations", ()) or "budgets" in study:
                continue
            about = [v for v in study["variants"] if _changes(v, study, entry)]
            about = entry.get("variants", {}).get(name, about)
            frame = frame[frame["value"].isin(about)]
            frame = frame.assign(model=frame["value"].map(models_of(study)))
            first = study["baseline"]
        if not frame.empty:
            moved = _moved_anywhere(frame, first, spreads)
            parts.append(f"[{name}]({link}/studies/{name}.md){moved}")
    return "<br>".join(parts)


def _changes(variant: str, study: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether a variant differs from its opponent in a setting that an entry is about."""
    changes = study["variants"][variant]
    other = study["variants"][changes.get("against", study["baseline"])]
    model = models_of(study)[variant]
    own, others = flat(changes), flat(other)
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


def _weights_of(model: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of a model in the study of alpha, as those of a study of variants."""
    rows = frame[frame["model"] == model]
    rows = rows.assign(value="alpha = " + rows["alpha"])
    places = rows.groupby(["dataset", "supervision_rate", "metric"])
    change = rows["mean"] - places["mean"].transform("first")
    return rows.assign(change=change, against=places["value"].transform("first"))
