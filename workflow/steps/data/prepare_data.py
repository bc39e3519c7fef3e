"""Prepare one data set's store."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from datasets.readers import prepare
from workflow.steps.command import LOG, add_settings_argument, run


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--raw", required=True, type=Path, help="folder of downloads")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--out", required=True, type=Path, help="the store's folder")


def work(given: Namespace) -> None:
    """Prepare the store."""
    settings = given.settings
    store = prepare(
        settings["reader"], settings["options"], given.out, raw=given.raw, workers=given.workers
    )
    LOG.info("%s: %s images in %s", settings["name"], store.meta["counts"], given.out)


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out / "settings.json")
