"""Write tables and a front page of what is finished, while the rest still runs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

from ccvae.errors import InputError, known_instead
from ccvae.files import atomic_path, write_text
from workflow.config import Config
from workflow.planning.overlay import merged_config
from workflow.reporting.judges import failed_judges, first_lines
from workflow.reporting.page import page
from workflow.reporting.paper import TABLES, Table
from workflow.reporting.records import Plan, collect
from workflow.reporting.render import markdown
from workflow.reporting.tables import tidy
from workflow.settings import read_settings
from workflow.steps.command import add_configuration_arguments, run
from workflow.steps.reporting.front_page import TITLE, how_it_was_run, what_was_run

UNJUDGED = (
    "Cells that say missing have not run yet. Until all are there nothing is bold, and no claim is "
    "decided."
)


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_configuration_arguments(parser)
    parser.add_argument(
        "--settings", type=read_settings, help="the merged configuration as JSON or a file of it"
    )
    parser.add_argument("--datasets", nargs="+", default=[], help="only these")
    parser.add_argument("--out", type=Path, help="folder; peek/ of the preset if not given")


def work(given: Namespace) -> None:
    """Write front_page.html, and tables/ with a Markdown and a CSV file for each table."""
    config = Config(given.settings or merged_config(given.configfile, given.config))
    for name in given.datasets:
        if name not in config.datasets:
            known = known_instead(name, config.datasets)
            raise InputError(f"--datasets: '{name}' is not among the data sets that run; {known}")
    plan = Plan(**config.plan())
    chosen = {k: v for k, v in plan.datasets.items() if k in (given.datasets or plan.datasets)}
    plan = replace(plan, datasets=chosen)
    results = given.results / config.preset
    out = given.out or results / "peek"
    records = collect(results, plan)
    missing = plan.folders() - set(records["run"])
    sections = []
    for table in TABLES.values():
        shown = without_judgement(table) if missing else table
        frame = tidy(shown, records, plan)
        if (frame["supervision_rate"] == "").all():
            continue
        text = markdown(shown, frame, plan)
        sections.append((table.name, text))
        write_text(out / "tables" / f"{table.name}.md", text)
        with atomic_path(out / "tables" / f"{table.name}.csv") as path:
            frame.to_csv(path, index=False)
    summary = [
        *filter(None, first_lines(failed_judges(records).values())),
        what_was_run(records, plan),
        *([how_it_was_run(records)] if len(records) else []),
        *([UNJUDGED] if missing else []),
    ]
    write_text(out / "front_page.html", page(TITLE, summary, sections))
    print(f"{len(missing)} runs are missing; see {out / 'front_page.html'}")


def without_judgement(table: Table) -> Table:
    """The same table, which does not say which end of a measure is better: nothing is bold."""
    metrics = tuple(replace(metric, lower_is_better=None) for metric in table.metrics)
    return replace(table, metrics=metrics)


if __name__ == "__main__":
    run(__doc__, arguments, work)
