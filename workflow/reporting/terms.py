"""On which terms models were compared: latents, images seen in training, gates of measures."""

from __future__ import annotations

import pandas as pd

from workflow.reporting.judges import information_gate
from workflow.reporting.paper import Table
from workflow.reporting.records import Plan


def terms(table: Table, records: pd.DataFrame, plan: Plan) -> str:
    """Sentences on the models that have a row in a table, and on the gate of mutual information.

    Empty where no model was run.

    Parameters
    ----------
    table
        Which table.
    records
        From `workflow.reporting.records.collect`.
    plan
        What was asked for; its models have `latents`.
    """
    clauses: dict[str, list[str]] = {}
    shown = records[records["dataset"].map(plan.datasets.get) == table.kind]
    for model, described in plan.models.items():
        own = shown[shown["model"] == model]
        total, of_label = described.get("latents", {}).get(table.kind, (None, None))
        rows = [
            dataset
            for dataset in own["dataset"].unique()
            if table.shows(described["system"], plan.lacking(model, dataset))
        ]
        if total is None or not rows:
            continue
        words = f"{of_label} of {total}" if of_label else f"none of {total}"
        clauses.setdefault(f"{words}, {_images(own['images_seen'])}", []).append(described["title"])
    if not clauses:
        return ""
    shows = any(metric.name == "mutual_information" for metric in table.metrics)
    gate = information_gate(shown, plan.datasets) if shows else ""
    return (
        "How many of the decoder's inputs are latents of a label, and how many images a training "
        "saw: "
        + "; ".join(f"{words} ({'; '.join(titles)})" for words, titles in clauses.items())
        + ". Where none is, the label itself is an input, or latents belong to no label."
        + (f" {gate}" if gate else "")
    )


def _images(seen: pd.Series) -> str:
    known = sorted(map(int, seen.dropna().unique()))
    if not known:
        return "not recorded"
    if len(known) == 1:
        return f"{known[0]:,} images"
    return f"{known[0]:,} to {known[-1]:,} images"
