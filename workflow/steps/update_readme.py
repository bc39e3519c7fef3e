"""Put the obtained tables between the marks in README.md."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pandas as pd

from ccvae.errors import InputError
from ccvae.files import write_text
from workflow.steps.command import LOG, run

BEGIN, END = "<!-- BEGIN generated: make readme -->", "<!-- END generated -->"
SHOWN = ("table6", "table7", "table1")


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--results", required=True, type=Path, help="folder of a finished preset")
    parser.add_argument("--readme", default=Path("README.md"), type=Path)


def work(given: Namespace) -> None:
    """Rewrite the part between the marks."""
    text = given.readme.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise InputError(f"{given.readme} has no marks {BEGIN} and {END} to write between")
    records = pd.read_csv(given.results / "records.csv", dtype={"supervision_rate": str})
    parts = [summary(records)]
    for name in SHOWN:
        path = given.results / "tables" / f"{name}.md"
        if path.exists():
            parts.append(demoted(path.read_text(encoding="utf-8")))
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    write_text(given.readme, "\n\n".join([before + BEGIN, *parts, END]) + after)
    LOG.info("%s shows %s", given.readme, given.results)


def summary(records: pd.DataFrame) -> str:
    """One sentence on what the numbers come from."""
    runs = records[records["run"].str.startswith("runs/")].drop_duplicates("run")
    seconds = runs["train_wall_s"].sum() + runs["evaluate_wall_s"].sum()
    devices = ", ".join(sorted(runs["device"].unique()))
    return (
        f"{len(runs)} trained models on {devices}: {seconds / 3600:.1f} hours of jobs in all, at "
        f"most {runs['train_peak_mb'].max() / 1000:.1f} GB of memory each. In brackets: the "
        "paper's value, and obtained minus paper."
    )


def demoted(markdown: str) -> str:
    """Lower a table's headings by two levels and leave out the list of decisions."""
    kept = markdown.split("\nDecisions that")[0].split("\nFrom ")[0]
    return kept.replace("# ", "### ", 1).strip()


if __name__ == "__main__":
    run(__doc__, arguments, work)
