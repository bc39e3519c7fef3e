"""Gather a study of named variants in one table."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pandas as pd

from ccvae.files import atomic_path, read_json, write_text
from workflow.reporting.judges import failed_judges
from workflow.reporting.records import images_seen, judge_records
from workflow.steps.command import add_settings_argument, run
from workflow.studies.variants import summarise_variants, variants_markdown


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--results", required=True, type=Path, help="folder of the preset")
    parser.add_argument("--out", required=True, type=Path, help="folder of the studies")


def work(given: Namespace) -> None:
    """Write the study as .csv and .md, named after it."""
    plan, rows = given.settings, []
    for variant in plan["variants"]:
        record = read_json(given.results / variant["folder"] / "run.json")
        # Figures of single labels are in the trainings' own records.
        found = {k: v for k, v in record["validation"].items() if "/" not in k}
        seen = {"images_seen": images_seen(record)}
        rows += [{**variant, **seen, "metric": k, "score": v} for k, v in found.items()]
    first = read_json(given.results / plan["variants"][0]["folder"] / "run.json")
    summary = summarise_variants(pd.DataFrame(rows))
    with atomic_path(given.out / f"{plan['name']}.csv") as path:
        summary.rename(columns={"value": "variant"}).to_csv(path, index=False)
    failed = failed_judges(judge_records(given.results, summary["dataset"].unique()))
    page = variants_markdown(summary, {**plan, "steps": first["steps"]}, failed.values())
    write_text(given.out / f"{plan['name']}.md", page)


def kept(given: Namespace) -> Path:
    """Where the settings stay: beside the study of that name."""
    return given.out / f"{given.settings['name']}.settings.json"


if __name__ == "__main__":
    run(__doc__, arguments, work, kept)
