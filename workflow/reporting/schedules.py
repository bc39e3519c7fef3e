"""What studies of schedules found: how long to train, and what the paper preset gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from workflow.reporting.gathered import Gathered
from workflow.reporting.judges import trusted
from workflow.studies import budget, protocol
from workflow.studies.plan import titles_of
from workflow.studies.seeds import IMAGES

NOT_RUN = "Not run."
RATE = {"supervision_rate": str}


def budget_block(found: Gathered, link: str) -> list[str]:
    """Which orders between models change with the images that a training sees.

    Parameters
    ----------
    found
        The gathered folder.
    link
        Where it is from the page.
    """
    values, lines = found.config.values, list[str]()
    for name, study, _ in _studies(found, "budgets"):
        orders = _beside(found, f"{name}_orders")
        sentences = budget.sentences(orders, study["budgets"], titles(study, values))
        here = found.records[found.records["dataset"].isin(study["datasets"])]
        sentences.append(budget.in_images(orders, here[IMAGES].max()))
        lines += [
            *("", f"![{study['title']}]({link}/studies/{name}.png)", ""),
            *(f"* {sentence}" for sentence in sentences),
            *("", f"{budget.rule(orders)} Every row: [{name}]({link}/studies/{name}.md)."),
        ]
    return lines[1:] or [NOT_RUN]


def protocol_block(found: Gathered, link: str) -> list[str]:
    """How much of the paper the paper preset's schedule gives; parameters as of `budget_block`."""
    values, lines = found.config.values, list[str]()
    for name, study, summary in _studies(found, "beside_paper"):
        sentences = protocol.sentences(
            _beside(found, f"{name}_paper"), summary, titles(study, values)
        )
        lines += [f"* {sentence}" for sentence in sentences]
        lines += ["", f"Number by number: [{name}]({link}/studies/{name}.md)."]
    return lines or [NOT_RUN]


def titles(study: dict[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """What readers call the variants that are whole models."""
    return titles_of(study, values["model_settings"])


def _beside(found: Gathered, name: str) -> pd.DataFrame:
    """What stands beside a study, without what rests on a judge that failed its gate."""
    return trusted(pd.read_csv(found.folder / "studies" / f"{name}.csv", dtype=RATE), found.failed)


def _studies(found: Gathered, key: str) -> Iterator[tuple[str, dict[str, Any], pd.DataFrame]]:
    for name, study in found.config.values["studies"]["variants"].items():
        if key in study and name in found.studies:
            yield name, study, found.studies[name]
