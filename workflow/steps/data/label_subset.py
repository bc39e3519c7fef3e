"""Choose which training images keep their labels at a supervision rate."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np

from ccvae.files import atomic_path
from datasets.store import Store
from datasets.subsets import labelled_subset
from workflow.steps.command import LOG, run


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--store", required=True, type=Path, help="the data set's store")
    parser.add_argument("--rate", required=True, help="supervision rate f")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--out", required=True, type=Path, help="rows of the store, as .npy")


def work(given: Namespace) -> None:
    """Write the labelled images' rows in the store."""
    store = Store.open(given.store)
    train = store.indices("train")
    chosen = train[labelled_subset(store.labels[train], store.kind, given.rate, given.seed)]
    with atomic_path(given.out) as path:
        np.save(path, chosen)
    LOG.info("%d of %d training images are labelled", len(chosen), len(train))


if __name__ == "__main__":
    run(__doc__, arguments, work)
