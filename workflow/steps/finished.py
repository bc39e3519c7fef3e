"""Write the part of a configuration that has been run, for what shall be gathered now."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import yaml

from ccvae.files import write_text
from workflow.config import Config
from workflow.planning.finished import finished
from workflow.planning.overlay import merged_config
from workflow.steps.command import add_configuration_arguments, run

HEAD = "# What was there when `python -m workflow.steps.finished` looked.\n"


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_configuration_arguments(parser)
    parser.add_argument("--out", type=Path, help="a configuration; finished.yaml of the preset")


def work(given: Namespace) -> None:
    """Write the overlay, and print what it leaves out."""
    config = Config(merged_config(given.configfile, given.config))
    results = given.results / config.preset
    overlay = finished(config, results)
    out = given.out or results / "finished.yaml"
    write_text(out, HEAD + yaml.safe_dump(overlay, sort_keys=False, allow_unicode=True))
    missing = overlay["reference"]["not_run"]
    print("\n".join([f"{out}: {'without' if missing else 'everything'}", *missing]))


if __name__ == "__main__":
    run(__doc__, arguments, work)
