"""Tests and intervals that hold with few seeds; pure functions of arrays.

What is compared are two models at one f with one seed: the same labelled images, trainings of
their own. One such pair is a *cell* and gives one difference. Labelled images and trainings draw
from seeds that hash (data set, f, k) and (data set, model, f, k) (`workflow.config.subset_seed`,
`Config.run_settings`), so cells share nothing but what is fixed for all of them: the data, the
judge and the questions that are asked of the models. Given these, cells are independent, over f as
over k; the number k of a seed at one f has nothing to do with the k-th at another (deviation:
verdict-cells). A verdict is one about further trainings on these data under this judge.

Tests are exact sign-flip tests (Fisher 1935, The Design of Experiments, section 21) of whole
trainings: never of the images or labels of one. If differences d_1 ... d_N are independent and
symmetric about a centre c, the signs of d - c are as good as coin tosses, and of the 2^N sums with
flipped signs

    sum_i e_i (d_i - c) >= sum_i (d_i - c)   <=>   mean of {d_i: e_i = -1} <= c,

so that p is the share of subsets of the differences whose mean is at most c, the empty one counted.
The same list of subset means gives the interval of all c that are not rejected (Hartigan 1969,
DOI 10.1080/01621459.1969.10501057), which `scipy.stats.permutation_test` does not; its p is the
same. If two models are equally good their differences are symmetric about 0, whatever the law of
their scores; against a number, or where only one of the two collapses now and then, the centre is
that of typical trainings (docs/power.md). Where it differs between f, a mean that one f alone
carries counts for little: the test asks for what is so in general.

With fewer cells, as at one f with few seeds, no sign-flip test reaches 5 % on both sides (2 / 2^N
is the least), and nothing else does without an assumption about the scores: of three differences
that are as often +1 as -1, Student's test takes every fourth for a difference. So fewer decide
nothing; the same formula says so by itself, with its large p and its infinite interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
ALPHA = 1 - LEVEL
ENOUGH = 3
"""Seeds from which on anything is decided."""
LEAST = 6
"""Differences from which on a sign-flip test can reach 5 % on both sides: 2 / 2^6 = 0.03."""
MOST_EXACT = 20
"""Differences up to which all 2^N subsets are looked at; beyond, `DRAWN_SUBSETS` of them."""
DRAWN_SUBSETS = 2**16 - 1
POWER = 0.8
"""How surely the seeds that a verdict is said to need would find what was observed."""
MOST_SEEDS = 100
"""Beyond so many nobody will train."""
ROUNDING = 1e-12
"""Differences that are this small a share of the largest are ties."""

Values = NDArray[np.float64]


def p_values(differences: ArrayLike, of: float = 0.0) -> tuple[float, float]:
    """Test whether differences are centred above or below a number.

    Parameters
    ----------
    differences
        Independent differences, any shape, at least one.
    of
        The number asked about.

    Returns
    -------
    above, below : float
        One-sided p-values of "the centre is above (below)" it.
    """
    values = np.asarray(differences, dtype=float).ravel()
    slack = ROUNDING * float(np.abs(values).max(initial=abs(of)))
    below, above, number = _sides(values - of, slack)
    return below / number, above / number


def _sides(values: Values, slack: float) -> tuple[int, int, int]:
    """How many subsets have a sum of at most 0, of at least 0, and how many there are.

    The empty one, which no flip at all stands for, is on both sides. Of all 2^N subsets the sums of
    two halves are enough: each of the first is looked up among those of the second.
    """
    if len(values) > MOST_EXACT:
        means = drawn_subsets(len(values)) @ values
        below, above = (means <= slack).sum(), (means >= -slack).sum()
        return 1 + int(below), 1 + int(above), 1 + len(means)
    half = len(values) // 2
    ones, others = subset_sums(values[:half]), np.sort(subset_sums(values[half:]))
    below = np.searchsorted(others, slack - ones, "right").sum()
    above = (len(others) - np.searchsorted(others, -slack - ones, "left")).sum()
    return int(below), int(above), 2 ** len(values)


def interval(differences: ArrayLike) -> tuple[float, float]:
    """All centres that the test on both sides does not reject: the lowest and the highest.

    Infinite for fewer than `LEAST` differences.

    Parameters
    ----------
    differences
        Independent differences, any shape, at least one.
    """
    means = subset_means(np.asarray(differences, dtype=float).ravel())
    number = len(means) + 1
    rejected = math.floor((1 - LEVEL) / 2 * number)
    if not rejected:
        return -math.inf, math.inf
    ends = np.partition(means, [rejected - 1, number - 1 - rejected])
    return float(ends[rejected - 1]), float(ends[number - 1 - rejected])


def whole_seeds(differences: ArrayLike) -> float:
    """One-sided p-value of a mean above 0 when the cells of a seed are flipped together.

    Holds even if the k-th seeds of different f had something in common; with n seeds it is never
    below 1 / 2^n.

    Parameters
    ----------
    differences
        By f and seed, (F, n).
    """
    return p_values(np.asarray(differences, dtype=float).mean(0))[0]


def subset_means(values: Values) -> Values:
    """Mean of N values over each non-empty subset: all up to `MOST_EXACT` values, or drawn ones."""
    if len(values) > MOST_EXACT:
        return drawn_subsets(len(values)) @ values
    means: Values = subset_sums(values)[1:] / _sizes(len(values))
    return means


def subset_sums(values: Values) -> Values:
    """Sum of N values over every subset, (2^N,); the empty one comes first."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


@cache
def _sizes(n: int) -> Values:
    return subset_sums(np.ones(n))[1:]


@cache
def drawn_subsets(n: int) -> Values:
    """`DRAWN_SUBSETS` subsets of n values: what each value weighs in the subset's mean.

    Each takes a value by the toss of a coin. A test whose flips are drawn keeps its level as long
    as the one that flips nothing is counted (Phipson and Smyth 2010,
    DOI 10.2202/1544-6115.1585).
    """
    chosen = np.random.default_rng(0).integers(0, 2, (DRAWN_SUBSETS, n)).astype(float)
    chosen[chosen.sum(1) == 0] = 1
    return chosen / chosen.sum(1, keepdims=True)


@dataclass(frozen=True)
class Evidence:
    """For and against a statement about the centre of differences.

    Attributes
    ----------
    p_for, p_against
        Two-sided p-values. If the statement is wrong, `p_for` <= 5 % in at most 2.5 % of cases; if
        it is not wrong, or on the border, `p_against` <= 5 % in at most as many.
    agrees
        Whether the mean is on the statement's side.
    """

    p_for: float
    p_against: float
    agrees: bool


TESTS = ("better", "not_worse", "similar")


def evidence(test: str, differences: ArrayLike, margin: float = 0.0) -> Evidence:
    """What differences in favour of the subject say about it.

    Parameters
    ----------
    test
        `better`: the centre is above 0, against it: below 0. `not_worse`: it is above -margin,
        against it: below. `similar`: it is within the margin, by two one-sided tests (Schuirmann
        1987, DOI 10.1007/BF01068419), against it: beyond it on either side.
    differences
        Independent differences, any shape, at least one.
    margin
        In the unit of the differences, not negative.
    """
    values = np.asarray(differences, dtype=float)
    mean, slack = float(values.mean()), _slack(values)
    if test == "better":
        (favour, against), agrees = p_values(values), mean > slack
    else:
        (favour, against), agrees = p_values(values, -margin), mean >= -margin - slack
        if test == "similar":
            beyond, within = p_values(values, margin)
            favour, against = max(favour, within), min(against, beyond)
            agrees = agrees and mean <= margin + slack
    return Evidence(min(1.0, 2 * favour), min(1.0, 2 * against), agrees)


def _slack(differences: ArrayLike) -> float:
    return ROUNDING * float(np.abs(np.asarray(differences)).max(initial=0.0))


def every(found: Sequence[Evidence], also_against: Sequence[float] = ()) -> Evidence:
    """What several statements amount to when all of them are meant.

    All hold if the least certain does (an intersection-union test: Berger 1982,
    DOI 10.1080/00401706.1982.10487790, no correction needed); one fails if the surest does, times
    their number (Bonferroni).

    Parameters
    ----------
    found
        Evidence about each statement.
    also_against
        More p-values, each of which speaks against all of them at once.
    """
    against = [part.p_against for part in found] + list(also_against)
    return Evidence(
        max(part.p_for for part in found),
        min(1.0, len(against) * min(against)),
        all(part.agrees for part in found),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values (1979, Scandinavian Journal of Statistics 6:65), in their order."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def improvement(differences: ArrayLike) -> tuple[float, float, float]:
    """Probability of improvement: how often the subject does better; with its interval.

    arXiv:2108.13264 averages P(X > Y) over tasks; here the tasks are the f, and X and Y have the
    same labelled images. Its interval is a bootstrap stratified by task (`rliable`, by way of
    `arch`), which with three seeds has no width at all as soon as all three agree (docs/power.md).
    This one is Clopper and Pearson's (1934, DOI 10.1093/biomet/26.4.404), which covers the truth
    with any number of seeds; probabilities that differ between f make it wider than need be
    (Hoeffding 1956, DOI 10.1214/aoms/1177728178) (deviation: improvement-interval).

    Parameters
    ----------
    differences
        Independent differences in favour of the subject, any shape, at least one; ties count half.

    Returns
    -------
    probability, low, high : float
        At the level `LEVEL`.
    """
    values = np.asarray(differences, dtype=float).ravel()
    slack, n = _slack(values), len(values)
    wins, losses = int((values > slack).sum()), int((values < -slack).sum())
    low = stats.binomtest(wins, n).proportion_ci(LEVEL).low
    high = stats.binomtest(n - losses, n).proportion_ci(LEVEL).high
    return (n + wins - losses) / (2 * n), float(low), float(high)


def seeds_needed(distance: float, spread: float, per_seed: float, level: float = ALPHA) -> float:
    """How many seeds would decide on which side of a border differences are centred.

    The least number with which Student's test, on both sides at `level`, finds a centre as far away
    as observed with the probability `POWER`. The sign-flip test of as many normal differences has
    nearly the same power, but never a smaller p than 2 / 2^N.

    Parameters
    ----------
    distance
        Of the mean from the border.
    spread
        Standard deviation of one difference; it is unknown where there is but one.
    per_seed
        Differences that a seed makes: the number of f that are meant.
    level
        Of the test; less than `ALPHA` where verdicts are corrected.

    Returns
    -------
    float
        At least `ENOUGH`; NaN where the spread is unknown, infinite beyond `MOST_SEEDS`.
    """
    if not spread > 0:
        return math.nan
    seeds = np.arange(ENOUGH, MOST_SEEDS + 1)
    seeds = seeds[(seeds * per_seed >= LEAST) & (2 * 0.5 ** (seeds * per_seed) <= level)]
    cells = seeds * per_seed
    border = stats.t.ppf(1 - level / 2, cells - 1)
    power = stats.nct.sf(border, cells - 1, abs(distance) / spread * np.sqrt(cells))
    enough = seeds[power >= POWER]
    return float(enough[0]) if len(enough) else math.inf


def leader(values: Sequence[Values], lower_is_better: bool) -> tuple[int, float]:
    """Which of several models is the best over all f, and how surely.

    Parameters
    ----------
    values
        Of each model, by f and the seeds that all of them have, (F, n); at least one model.
    lower_is_better
        Which end is the good one.

    Returns
    -------
    best : int
        Its place, by the mean.
    p : float
        Two-sided, of its difference to whichever other model it is told apart from least; 1 for a
        single model or fewer than `ENOUGH` seeds. That the best is chosen by the same values needs
        no correction, as it is asked to differ from every other one (Hung and Fithian 2019,
        DOI 10.1214/18-AOS1705).
    """
    sign = -1 if lower_is_better else 1
    best = max(range(len(values)), key=lambda i: sign * float(np.mean(values[i])))
    others = [value for i, value in enumerate(values) if i != best]
    if not others or values[best].shape[-1] < ENOUGH:
        return best, 1.0
    return best, max(evidence("better", sign * (values[best] - other)).p_for for other in others)
