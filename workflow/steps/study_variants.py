"""Gather a study of named variants in one table."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pandas as pd

from ccvae.files import atomic_path, read_json, write_text
from workflow.steps.command import json_object, run
from workflow.studies.variants import summarise_variants, variants_markdown


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--plan", required=True, type=json_object, help="the study's trainings")
    parser.add_argument("--results", required=True, type=Path, help="folder of the preset")
    parser.add_argument("--out", required=True, type=Path, help="folder of the studies")


def work(given: Namespace) -> None:
    """Write the study as .csv and .md, named after it."""
    plan, rows = given.plan, []
    for variant in plan["variants"]:
        record = read_json(given.results / variant["folder"] / "run.json")
        # Figures of single labels are in the trainings' own records.
        found = {k: v for k, v in record["validation"].items() if "/" not in k}
        rows += [{**variant, "metric": k, "score": v} for k, v in found.items()]
    first = read_json(given.results / plan["variants"][0]["folder"] / "run.json")
    summary = summarise_variants(pd.DataFrame(rows))
    with atomic_path(given.out / f"{plan['name']}.csv") as path:
        summary.rename(columns={"value": "variant"}).to_csv(path, index=False)
    page = variants_markdown(summary, {**plan, "steps": first["steps"]})
    write_text(given.out / f"{plan['name']}.md", page)


if __name__ == "__main__":
    run(__doc__, arguments, work)
