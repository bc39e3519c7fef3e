"""Draw what a perfect model would answer on a stand-in, once for all models of it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from datasets.store import Store
from evaluators.answers import draw_answers, save_answers
from evaluators.images import ImageSet
from workflow.steps.command import add_settings_argument, folder, run


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--store", required=True, type=folder, help="the stand-in's store")
    parser.add_argument("--out", required=True, type=Path, help="the drawings, as .npz")


def work(given: Namespace) -> None:
    """Draw, and write answers.npz."""
    store = Store.open(given.store)
    answers = draw_answers(store, ImageSet.read(store, "test"), given.settings)
    save_answers(answers, given.out, store, given.settings)


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out.with_suffix(".settings.json"))
