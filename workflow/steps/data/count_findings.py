"""Count how CheXpert's findings go together: the law of the drawn X-rays' labels.

`make counts` calls it: the counts of CheXpert's own list are committed, since the list may not be.
"""

from __future__ import annotations

import csv
from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np

from ccvae.files import atomic_path
from datasets.chexpert_lists import read_list
from datasets.labels import FINDINGS
from datasets.stand_ins.xrays.labels import COUNTS
from workflow.steps.command import LOG, run

SMALLEST = 11
"""Views that a combination of findings must be on to be told: fewer could point at a patient."""


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("list", type=Path, help="CheXpert's train.csv")
    parser.add_argument("--out", type=Path, default=COUNTS, help="the counts")


def work(given: Namespace) -> None:
    """Count the frontal views of each combination, and write the larger counts, largest first."""
    denied, affirmed = (
        np.array([row.labels for row in read_list(given.list, uncertain=policy, views="frontal")])
        for policy in ("zeros", "ones")
    )
    # Where the policies disagree the finding is uncertain: 0 and 1 become -1.
    combinations, views = np.unique(2 * denied - affirmed, axis=0, return_counts=True)
    told = views >= SMALLEST
    order = np.argsort(-views, kind="stable")[: told.sum()]
    with atomic_path(given.out) as temporary, open(temporary, "w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*FINDINGS, "views"])
        writer.writerows([*combinations[i], views[i]] for i in order)
    LOG.info(
        "%d frontal views; combinations on fewer than %d views, left out: %d, on %d views",
        *(views.sum(), SMALLEST, (~told).sum(), views[~told].sum()),
    )


if __name__ == "__main__":
    run(__doc__, arguments, work)
