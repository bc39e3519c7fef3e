"""Write the table of judge seeds: how far another judge moves what is measured."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ccvae.files import atomic_path, write_text
from workflow.reporting.claims import load_claims
from workflow.reporting.judge_seeds import NAME, compared_cells, summary
from workflow.reporting.judge_seeds_pages import judge_seeds_latex, judge_seeds_markdown
from workflow.reporting.record_files import DIGITS
from workflow.reporting.records import Plan, collect, judge_records
from workflow.steps.command import LOG, add_settings_argument, run


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--results", required=True, type=Path, help="folder of the preset")
    parser.add_argument("--out", required=True, type=Path, help="folder of the tables")


def work(given: Namespace) -> None:
    """Write the table as CSV, cell by cell and in short, as LaTeX and as Markdown.

    Settings: the `plan`, and the number of `judges` of each data set.
    """
    plan, claims = Plan(**given.settings["plan"]), load_claims()
    numbers: dict[str, int] = given.settings["judges"]
    every = range(max(numbers.values()))
    records = {judge: collect(given.results, plan, judge) for judge in every}
    judges = {
        judge: judge_records(given.results, [d for d, n in numbers.items() if n > judge], judge)
        for judge in every
    }
    cells = compared_cells(records, judges, claims)
    write(cells, records[0], judges, plan, given.out)


def write(
    cells: pd.DataFrame,
    records: pd.DataFrame,
    judges: Mapping[int, pd.DataFrame],
    plan: Plan,
    out: Path,
) -> None:
    """Write what `work` says.

    Parameters
    ----------
    cells
        From `workflow.reporting.judge_seeds.compared_cells`.
    records
        Of the first judge, with every seed of training.
    judges
        Judge -> `workflow.reporting.records.judge_records`.
    plan
        What was run.
    out
        Folder of the tables.
    """
    found = summary(cells, records, plan, load_claims())
    for name, frame in ((NAME, cells), (f"{NAME}.wide", found)):
        with atomic_path(out / f"{name}.csv") as path:
            frame.to_csv(path, index=False, float_format=DIGITS)
    write_text(out / f"{NAME}.md", judge_seeds_markdown(found, cells, judges, plan))
    write_text(out / f"{NAME}.tex", judge_seeds_latex(found, plan))
    LOG.info("%s: %d cells", NAME, len(cells))


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out / f"{NAME}.settings.json")
