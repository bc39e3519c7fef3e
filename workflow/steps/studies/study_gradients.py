"""Gather the study of gradients: every step of every reading, and a summary."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pandas as pd

from ccvae.files import atomic_path, read_json, write_text
from workflow.reporting.records import images_seen
from workflow.steps.command import add_settings_argument, run
from workflow.studies.summary import SCORES, gradients_markdown, summarise_gradients


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--results", required=True, type=Path, help="folder of the preset")
    parser.add_argument("--draws", required=True, type=Path, help="gradients at fixed parameters")
    parser.add_argument("--out", required=True, type=Path, help="folder of the studies")


def work(given: Namespace) -> None:
    """Write gradients.csv, gradients_summary.csv and gradients_summary.md."""
    steps, scores = [], []
    for variant in given.settings["variants"]:
        folder = given.results / variant["folder"]
        record = read_json(folder / "run.json")
        identity = {"reading": variant["value"], "seed": variant["seed"]}
        norms = pd.read_csv(folder / "gradients.csv")
        steps.append(norms.assign(**identity)[[*identity, *norms.columns]])
        scores.append(identity | {name: record["validation"][name] for name in SCORES})
    every_step, draws = pd.concat(steps), pd.read_csv(given.draws)
    summary = summarise_gradients(every_step, pd.DataFrame(scores), draws)
    study = {
        "dataset": variant["dataset"],
        "supervision_rate": variant["supervision_rate"],
        "steps": record["steps"],
        "classifier_weight": record["settings"]["options"].get("classifier_weight", 1.0),
        "draws": draws["draw"].nunique(),
        "fixed": given.settings["variants"][0]["value"],
    }
    with atomic_path(given.out / "gradients.csv") as path:
        every_step.to_csv(path, index=False)
    where = {key: study[key] for key in ("dataset", "supervision_rate")}
    where["images_seen"] = images_seen(record)
    with atomic_path(given.out / "gradients_summary.csv") as path:
        summary.assign(**where).to_csv(path, index=False)
    page = gradients_markdown(summary, record["majority"], study)
    write_text(given.out / "gradients_summary.md", page)


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out / "gradients.settings.json")
