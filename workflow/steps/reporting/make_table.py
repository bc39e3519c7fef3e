"""Write tables from the records of all runs: the paper's, and others."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ccvae.files import atomic_path, write_text
from workflow.reporting.paper import TABLES
from workflow.reporting.record_files import DIGITS
from workflow.reporting.records import Plan, collect
from workflow.reporting.render import latex, markdown
from workflow.reporting.tables import tidy, wide
from workflow.reporting.terms import terms
from workflow.steps.command import LOG, add_settings_argument, run


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--tables", required=True, nargs="+", choices=sorted(TABLES))
    add_settings_argument(parser)
    parser.add_argument("--results", required=True, type=Path, help="folder of the preset")
    parser.add_argument("--out", required=True, type=Path, help="folder of the tables")


def work(given: Namespace) -> None:
    """Write each table as tidy CSV, wide CSV, LaTeX and Markdown."""
    plan = Plan(**given.settings)
    records = collect(given.results, plan)
    for table in (TABLES[name] for name in given.tables):
        frame = tidy(table, records, plan)
        with atomic_path(given.out / f"{table.name}.csv") as path:
            frame.to_csv(path, index=False, float_format=DIGITS)
        with atomic_path(given.out / f"{table.name}.wide.csv") as path:
            wide(table, frame, plan).to_csv(path, index=False, float_format=DIGITS)
        write_text(given.out / f"{table.name}.tex", latex(table, frame, plan))
        page = markdown(table, frame, plan, terms(table, records, plan))
        write_text(given.out / f"{table.name}.md", page)
        missing = int(frame["mean"].isna().sum())
        LOG.info("%s: %d cells, %d missing", table.name, len(frame), missing)


def kept(given: Namespace) -> Path:
    """Where the settings of all tables stay: beside the first."""
    return given.out / f"{given.tables[0]}.settings.json"


if __name__ == "__main__":
    run(__doc__, arguments, work, kept)
