"""Write which model can do what, from the models' classes and the records of all runs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ccvae.files import atomic_path, write_text
from ccvae.tasks import TASKS
from workflow.reporting.capabilities import capabilities
from workflow.reporting.capabilities_markdown import capabilities_markdown
from workflow.reporting.record_files import DIGITS, read_records
from workflow.reporting.records import Plan
from workflow.steps.command import add_settings_argument, run


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--records", required=True, type=Path, help="records.csv")
    parser.add_argument("--out", required=True, type=Path, help="folder of the tables")


def work(given: Namespace) -> None:
    """Write capabilities.csv and capabilities.md."""
    plan = Plan(**given.settings)
    frame = capabilities(read_records(given.records.parent), TASKS, plan)
    with atomic_path(given.out / "capabilities.csv") as path:
        frame.to_csv(path, index=False, float_format=DIGITS)
    titles = {name: described["title"] for name, described in plan.models.items()}
    write_text(given.out / "capabilities.md", capabilities_markdown(frame, TASKS, titles))


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out / "capabilities.settings.json")
