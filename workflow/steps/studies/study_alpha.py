"""Gather the study of classifier weights in one table."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pandas as pd

from ccvae.files import atomic_path, read_json, write_text
from workflow.reporting.records import images_seen
from workflow.steps.command import add_settings_argument, run
from workflow.studies.plan import WEIGHTS
from workflow.studies.summary import ALPHA_METRICS, alpha_markdown, summarise_alpha


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--results", required=True, type=Path, help="folder of the preset")
    parser.add_argument("--out", required=True, type=Path, help="folder of the studies")


def work(given: Namespace) -> None:
    """Write alpha.csv and alpha.md."""
    rows, steps = [], []
    for variant in given.settings["variants"]:
        record = read_json(given.results / variant["folder"] / "run.json")
        settings = record["settings"]
        weight = settings["options"][WEIGHTS.get(settings["system"], "classifier_weight")]
        scores = {name: record["validation"][name] for name in ALPHA_METRICS}
        seen = images_seen(record)
        rows.append({**variant, "classifier_weight": weight, "images_seen": seen, **scores})
        steps.append(record["steps"])
    summary = summarise_alpha(pd.DataFrame(rows))
    with atomic_path(given.out / "alpha.csv") as path:
        summary.rename(columns={"value": "alpha"}).to_csv(path, index=False)
    write_text(given.out / "alpha.md", alpha_markdown(summary, given.settings["titles"], steps))


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out / "alpha.settings.json")
