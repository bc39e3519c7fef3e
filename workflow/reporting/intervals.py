"""How sure a difference over seeds is.

Runs of one seed share their labelled images, so models are compared seed by seed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.95
ENOUGH = 3
"""Seeds from which on the spread over seeds is worth using."""
RESAMPLES = 10_000
LARGEST_EXACT = 5

Cell = tuple[str, str, str, str]
"""(metric, data set, model, supervision rate); the rate of a reference row is empty."""


def by_cell(records: pd.DataFrame) -> dict[Cell, dict[int, float]]:
    """Values of `records.collect` by cell and seed; a reference row has the seed 0."""
    cells: dict[Cell, dict[int, float]] = {}
    columns = ["metric", "dataset", "model", "supervision_rate", "seed", "value"]
    for metric, dataset, model, rate, seed, value in records[columns].itertuples(index=False):
        key = (metric, dataset, model, "" if pd.isna(rate) else str(rate))
        if not pd.isna(value):
            cells.setdefault(key, {})[0 if pd.isna(seed) else int(seed)] = float(value)
    return cells


def paired(ours: dict[int, float], theirs: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Values of the seeds that both have, in their order."""
    seeds = sorted(ours.keys() & theirs.keys())
    return np.array([ours[s] for s in seeds]), np.array([theirs[s] for s in seeds])


def seed_interval(
    differences: Sequence[float] | np.ndarray, tolerance: float
) -> tuple[float, float]:
    """Interval of the mean of paired differences.

    Student's t interval at the level `LEVEL` from `ENOUGH` seeds on; with fewer, the mean plus
    and minus `tolerance`.

    Parameters
    ----------
    differences
        One per seed, at least one.
    tolerance
        How far a difference of few seeds may be off.
    """
    values = np.asarray(differences, dtype=float)
    mean, n = float(values.mean()), len(values)
    if n < ENOUGH:
        return mean - tolerance, mean + tolerance
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * values.std(ddof=1) / math.sqrt(n))
    return mean - half, mean + half


def bootstrap_interval(differences: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Percentile interval, at the level `LEVEL`, of the mean of paired differences.

    Seeds are drawn with replacement (Efron and Tibshirani 1993, chapter 13): all n^n ways for up
    to `LARGEST_EXACT` seeds, and `RESAMPLES` draws for more. With few seeds it is too narrow:
    three seeds give no values outside their own range.

    Parameters
    ----------
    differences
        One per seed, at least one; NaN twice for a single one.
    """
    values = np.asarray(differences, dtype=float)
    n = len(values)
    if n < 2:
        return math.nan, math.nan
    if n <= LARGEST_EXACT:
        chosen = np.array(list(itertools.product(range(n), repeat=n)))
    else:
        chosen = np.random.default_rng(0).integers(0, n, (RESAMPLES, n))
    low, high = np.quantile(values[chosen].mean(1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
