"""The five findings: how they go together, and what an uncertain one means.

Findings are drawn from the joint law of CheXpert's own labels (Irvin et al. 2019,
arXiv:1901.07031) on the 191,027 frontal training views. `findings.csv` has it as counts: a row for
each combination of the five, 1 present, 0 denied or not mentioned, -1 uncertain, and on how many
views it is. The 42 combinations that are on ten views or fewer, 209 views together, are left out,
lest a count point at a patient. `workflow/steps/data/count_findings.py` made the file from
CheXpert's list, which itself may not be passed on.

Whether there is anything to see of an uncertain finding, a fair coin decides; what there is has a
part of its usual strength (deviation: drawn-uncertainty). The picture does not depend on whether
uncertain findings are labelled 0 or 1.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from ccvae.errors import InputError
from datasets.labels import FINDINGS as LABELS
from datasets.labels import UNCERTAIN
from datasets.stand_ins.drawing import Array, Dice

COUNTS = Path(__file__).with_name("findings.csv")

DICE = 1 + 2 * len(LABELS)
"""Columns of uniforms set aside for the labels: the findings, and how each uncertain one looks."""

SHOWN = 0.5
"""Probability that an uncertain finding can be seen."""

STRENGTH = (0.15, 0.45)
"""Smallest and largest strength of an uncertain finding that can be seen; a certain one has 1."""


def sample_findings(uniforms: Array, uncertain: str) -> Array:
    """Draw what is said about each finding.

    Parameters
    ----------
    uniforms
        Numbers in [0, 1), shape (n, DICE or more).
    uncertain
        One of UNCERTAIN; `drop` draws from the law given that no finding is uncertain.

    Returns
    -------
    Array
        int8 (n, 5) in the order of LABELS: 1 present, 0 absent, -1 uncertain.
    """
    findings, cumulative = _law(uncertain)
    return findings[np.searchsorted(cumulative, uniforms[:, 0], side="right")]


def sample_labels(uniforms: Array, uncertain: str) -> Array:
    """Draw the labels: uint8 (n, 5) in the order of LABELS; see `sample_findings`."""
    return _labels(sample_findings(uniforms, uncertain), uncertain)


def sample_strengths(labels: Array, uniforms: Array, uncertain: str) -> Array:
    """Draw how strongly each finding shows.

    A finding whose label is the sampled one shows as it was sampled, uncertain or not; one whose
    label was changed is certain.

    Parameters
    ----------
    labels
        0 or 1, shape (n, 5), in the order of LABELS.
    uniforms
        Numbers in [0, 1), shape (n, DICE or more).
    uncertain
        One of UNCERTAIN.

    Returns
    -------
    Array
        (n, 5): 0 is absent, 1 present, what is between can be seen and is uncertain.
    """
    findings = sample_findings(uniforms, uncertain)
    dice = Dice(uniforms, first=1)
    shown = np.stack([dice.chance(SHOWN) for _ in LABELS], 1)
    strength = np.stack([dice.uniform(*STRENGTH) for _ in LABELS], 1)
    as_sampled = (findings == -1) & (labels == _labels(findings, uncertain))
    return np.where(as_sampled, shown * strength, labels)


def check_policy(uncertain: str) -> None:
    """Refuse what is none of UNCERTAIN.

    Raises
    ------
    InputError
        If it is not.
    """
    if uncertain not in UNCERTAIN:
        raise InputError(
            f"option 'uncertain' is {uncertain!r}, but one of {', '.join(UNCERTAIN)} was expected."
        )


def _labels(findings: Array, uncertain: str) -> Array:
    return (findings != 0 if uncertain == "ones" else findings == 1).astype(np.uint8)


@cache
def _law(uncertain: str) -> tuple[Array, Array]:
    """Return the possible findings int8 (C, 5) and the cumulated probabilities of them, (C,)."""
    table = np.loadtxt(COUNTS, dtype=int, delimiter=",", skiprows=1)
    if uncertain == "drop":
        table = table[(table[:, :-1] != -1).all(1)]
    cumulative = table[:, -1].cumsum()
    return table[:, :-1].astype(np.int8), cumulative / cumulative[-1]
