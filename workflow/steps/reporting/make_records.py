"""Gather the metrics of all runs in one CSV."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ccvae.files import atomic_path
from workflow.reporting.records import Plan, collect
from workflow.steps.command import add_settings_argument, run


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--results", required=True, type=Path, help="folder of the preset")
    parser.add_argument("--out", required=True, type=Path, help="records.csv")


def work(given: Namespace) -> None:
    """Write the records."""
    with atomic_path(given.out) as path:
        collect(given.results, Plan(**given.settings)).to_csv(path, index=False)


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out.with_suffix(".settings.json"))
