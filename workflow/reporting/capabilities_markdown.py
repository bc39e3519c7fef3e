"""Page of `workflow.reporting.capabilities`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from workflow.reporting.capabilities import (
    CANNOT,
    CRITERIA,
    FAILS,
    LEANS,
    MISSING,
    OPEN,
    UNMEASURED,
    WORKS,
)
from workflow.reporting.judges import UNJUDGED, first_lines
from workflow.reporting.names import dataset_name
from workflow.reporting.statistics import LEAST


def capabilities_markdown(
    frame: pd.DataFrame, tasks: Sequence[str], titles: Mapping[str, str]
) -> str:
    """Page of the table: by structure, then a block per data set at its largest f.

    Parameters
    ----------
    frame
        From `capabilities`.
    tasks
        All tasks, in order.
    titles
        Of the models, by name.
    """
    lines = [
        "# What each model can do",
        "",
        *first_lines(frame["judge_failed"]),
        'Section 6: "no existing method is able to perform all of the above", and its footnote 3: '
        '"DIVA can perform the same tasks as CCVAE but only with the modifications we ourselves '
        'suggest and still not to a comparable quality."',
        "",
        "**By structure**",
        "",
        *_header(tasks),
    ]
    for model, rows in frame.groupby("model", sort=False):
        by_task = rows.groupby("task")["supported"]
        words = {(True, True): "yes", (True, False): "on some data", (False, False): "no"}
        cells = [words[by_task.any()[task], by_task.all()[task]] for task in tasks]
        lines.append(f"| {titles[str(model)]} | " + " | ".join(cells) + " |")
    everything = [
        titles[str(model)]
        for model, rows in frame.groupby("model", sort=False)
        if rows.groupby("task")["supported"].any().all()
    ]
    lines += ["", f"Every task: {'; '.join(everything) or 'none'}.", *_reasons(frame, titles), ""]
    lines += [
        "**Measured**: the share of the way from a floor, what doing nothing or guessing scores, "
        "to a ceiling, what perfect drawings or real images score. `yes` is at least half of the "
        "way, with its interval over seeds; `open` is an interval on both sides. Fewer than "
        f"{LEAST} seeds decide nothing at one f: `leans yes`, `leans no`. `by structure` is a task "
        "that no figure is about.",
        "",
        *(f"* {criterion.task}: {criterion.scale}" for criterion in CRITERIA),
    ]
    for dataset, of_dataset in frame.groupby("dataset", sort=False):
        rate = max(of_dataset["supervision_rate"].unique(), key=float)
        rows = of_dataset[of_dataset["supervision_rate"] == rate]
        lines += ["", f"**{dataset_name(str(dataset))}, f = {rate}**", "", *_header(tasks)]
        complete, unjudged = list[str](), list[str]()
        for model, of_model in rows.groupby("model", sort=False):
            named = of_model.set_index("task")
            cells = [_cell(named.loc[task]) for task in tasks]
            lines.append(f"| {titles[str(model)]} | " + " | ".join(cells) + " |")
            verdicts = set(named["verdict"])
            if verdicts <= {WORKS, LEANS[WORKS], UNMEASURED, MISSING, UNJUDGED}:
                (unjudged if UNJUDGED in verdicts else complete).append(titles[str(model)])
        lines += ["", f"Every task that was measured: {'; '.join(complete) or 'none'}."]
        if unjudged:
            lines.append(f"{UNJUDGED.capitalize()}: {'; '.join(unjudged)}.")
    return "\n".join(lines) + "\n"


def _reasons(frame: pd.DataFrame, titles: Mapping[str, str]) -> list[str]:
    """Say of each task that a model cannot do why not, and on which data if it can on others."""
    lines = [""]
    for (model, task), rows in frame.groupby(["model", "task"], sort=False):
        for why, lacking in rows[~rows["supported"]].groupby("why_not", sort=False):
            names = ", ".join(dataset_name(str(name)) for name in lacking["dataset"].unique())
            where = f" on {names}" if rows["supported"].any() else ""
            lines.append(f"* {titles[str(model)]}, {task}{where}: {why}")
    return lines if len(lines) > 1 else []


def _header(tasks: Sequence[str]) -> list[str]:
    return ["| | " + " | ".join(tasks) + " |", "|---" * (len(tasks) + 1) + "|"]


WORDS = {
    CANNOT: "no",
    UNMEASURED: "by structure",
    MISSING: "not measured",
    WORKS: "yes",
    FAILS: "no",
    OPEN: "open",
    LEANS[WORKS]: "leans yes",
    LEANS[FAILS]: "leans no",
    UNJUDGED: UNJUDGED,
}


def _cell(row: pd.Series) -> str:
    words = WORDS[str(row["verdict"])]
    return words if pd.isna(row["share"]) else f"{words} ({round(row['share'], 2) + 0.0:.2f})"
