"""Accuracies that other papers report, beside those of runs that had about as many labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from workflow.config import Config
from workflow.planning.expected import image_counts
from workflow.reporting.names import dataset_name
from workflow.reporting.records import Plan
from workflow.reporting.wording import title_of

PUBLISHED = Path(__file__).parents[1] / "resources" / "published.yaml"

COMPARES = 2
"""Numbers of labels compare if neither is more than so many times the other."""
CLOSE = 0.01
"""Accuracies that are no further apart are said to be so."""


def load_published(path: Path = PUBLISHED) -> list[dict[str, Any]]:
    """Read the entries, see the file."""
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def beside_published(tables: pd.DataFrame, config: Config) -> list[str]:
    """Lines of a Markdown table: a row for each model and f with a counterpart.

    Parameters
    ----------
    tables
        Rows of `workflow.reporting.tables.tidy`, of all tables.
    config
        As it was run.
    """
    plan = Plan(**config.plan())
    rows = []
    for entry in load_published():
        for model, described in plan.models.items():
            if described["system"] != entry["system"]:
                continue
            for run in _runs(tables, model, entry["dataset"]):
                training = image_counts(config.data_settings(entry["dataset"]))["train"]
                labels = round(float(run["supervision_rate"]) * training)
                if 1 / COMPARES <= labels / entry["labels"] <= COMPARES:
                    rows.append(_line(entry, model, labels, run, plan))
    if not rows:
        return ["No run had as many labels as a paper of its model reports."]
    head = "| model | data | reported, labels | here, labels | here against reported |"
    return [head, "|---|---|---|---|---|", *rows]


def _runs(tables: pd.DataFrame, model: str, dataset: str) -> list[dict[Any, Any]]:
    cells = tables[(tables["model"] == model) & (tables["dataset"] == dataset)]
    cells = cells[(cells["metric"] == "accuracy") & cells["mean"].notna()]
    return cells.drop_duplicates("supervision_rate").to_dict("records")


def _line(entry: dict[str, Any], model: str, labels: int, run: dict[Any, Any], plan: Plan) -> str:
    reported, spread = 1 - entry["error"] / 100, entry["spread"] / 100
    here = f"{run['mean']:.3f}" + ("" if pd.isna(run["std"]) else f" ± {run['std']:.3f}")
    apart = run["mean"] - reported
    words = f"{'higher' if apart > 0 else 'lower'} by {abs(apart):.3f}"
    cells = [
        title_of(model, plan),
        dataset_name(entry["dataset"]),
        f"{reported:.3f} ± {spread:.3f}, {entry['labels']:,} ({entry['source']})",
        f"{here}, {labels:,} (f = {run['supervision_rate']})",
        f"within {CLOSE}" if abs(apart) <= CLOSE else words,
    ]
    return "| " + " | ".join(cells) + " |"
