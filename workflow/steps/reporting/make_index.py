"""Write an index of a preset's tables."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ccvae.files import write_text
from workflow.reporting.paper import TABLES
from workflow.reporting.wording import in_cell
from workflow.steps.command import run


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--tables", nargs="*", default=[], help="names of those that are listed")
    parser.add_argument("--out", required=True, type=Path, help="index.md beside the tables")


def work(given: Namespace) -> None:
    """Link every table beside the index in its four forms."""
    lines = ["# Tables", "", "| table | what | files |", "|---|---|---|"]
    for table in TABLES.values():
        if table.name not in given.tables:
            continue
        files = " ".join(
            f"[{form}]({table.name}.{form})" for form in ("md", "csv", "wide.csv", "tex")
        )
        lines.append(f"| {table.heading} | {in_cell(table.title)} | {files} |")
    lines += ["", "Every value's runs are in [records.csv](../records.csv)."]
    write_text(given.out, "\n".join(lines) + "\n")


if __name__ == "__main__":
    run(__doc__, arguments, work)
