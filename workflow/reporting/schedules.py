"""What studies of schedules found: how long to train, and what the stated schedule gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from workflow.studies import budget, protocol
from workflow.studies.plan import titles_of

NOT_RUN = "Not run."
RATE = {"supervision_rate": str}


def budget_block(
    values: Mapping[str, Any], studies: Mapping[str, pd.DataFrame], folder: Path, link: str
) -> list[str]:
    """Which orders between models change with the images that a training sees.

    Parameters
    ----------
    values
        Of the configuration.
    studies
        From `workflow.reporting.gathered.Gathered.studies`.
    folder, link
        The gathered folder, and where it is from the page.
    """
    lines: list[str] = []
    for name, study, _ in _studies(values, studies, "budgets"):
        orders = pd.read_csv(folder / "studies" / f"{name}_orders.csv", dtype=RATE)
        found = budget.sentences(orders, study["budgets"], titles(study, values))
        lines += [
            *("", f"![{study['title']}]({link}/studies/{name}.png)", ""),
            *(f"* {sentence}" for sentence in found),
            *("", f"{budget.RULE} Every row: [{name}]({link}/studies/{name}.md)."),
        ]
    return lines[1:] or [NOT_RUN]


def protocol_block(
    values: Mapping[str, Any], studies: Mapping[str, pd.DataFrame], folder: Path, link: str
) -> list[str]:
    """How much of the paper the schedule gives that it states; parameters as of `budget_block`."""
    lines: list[str] = []
    for name, study, summary in _studies(values, studies, "beside_paper"):
        frame = pd.read_csv(folder / "studies" / f"{name}_paper.csv", dtype=RATE)
        found = protocol.sentences(frame, summary, titles(study, values))
        lines += [f"* {sentence}" for sentence in found]
        lines += ["", f"Number by number: [{name}]({link}/studies/{name}.md)."]
    return lines or [NOT_RUN]


def titles(study: dict[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """What readers call the variants that are whole models."""
    return titles_of(study, values["model_settings"])


def _studies(
    values: Mapping[str, Any], studies: Mapping[str, pd.DataFrame], key: str
) -> Iterator[tuple[str, dict[str, Any], pd.DataFrame]]:
    for name, study in values["studies"]["variants"].items():
        if key in study and name in studies:
            yield name, study, studies[name]
