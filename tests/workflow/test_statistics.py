from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from workflow.config import Config
from workflow.identity import subset_seed
from workflow.reporting import statistics
from workflow.reporting.statistics import (
    ALPHA,
    DRAWN_SUBSETS,
    ENOUGH,
    LEAST,
    MOST_EXACT,
    Evidence,
    every,
    evidence,
    holm,
    improvement,
    interval,
    leader,
    p_values,
    seeds_needed,
    subset_means,
    whole_seeds,
)

ROOT = Path(__file__).parents[2]


def flipped(differences: np.ndarray, of: float = 0.0) -> float:
    """Share of sign flips whose sum is at least the one found, by going through all of them."""
    moved = np.asarray(differences).ravel() - of
    share, n = [], len(moved)
    for numbers in np.array_split(np.arange(2**n), max(1, 2**n // 2**14)):
        signs = 1 - 2 * (numbers[:, None] >> np.arange(n) & 1)
        share.append(np.mean(signs @ moved >= moved.sum() - 1e-9))
    return float(np.mean(share))


def allowed(draws: int, level: float = ALPHA) -> float:
    """The level, and three standard errors of a share of so many draws."""
    return level + 3 * math.sqrt(level * (1 - level) / draws)


@pytest.mark.parametrize("of", [0.0, 0.3])
@pytest.mark.parametrize("n", [6, 9])
def test_the_exact_test_is_that_of_all_sign_flips(n, of):
    values = np.random.default_rng(n).normal(0.2, 1, n)
    above, below = p_values(values, of)
    assert above == pytest.approx(flipped(values, of))
    assert below == pytest.approx(flipped(-values, -of))


def test_the_interval_is_what_the_test_does_not_reject():
    values = np.random.default_rng(0).normal(1, 1, 10)
    low, high = interval(values)
    inside, outside = 1e-6, -1e-6
    for end, side in ((low, 1), (high, -1)):
        both = [p_values(values, end + side * step) for step in (inside, outside)]
        assert [2 * min(sides) > ALPHA for sides in both] == [True, False]


def test_the_surest_outcome_has_the_smallest_p_that_flips_can_give():
    assert p_values(np.ones((4, 3))) == (2**-12, 1)
    assert p_values(-np.ones((4, 3))) == (1, 2**-12)
    assert p_values(np.zeros((4, 3))) == (1, 1)


def test_more_differences_than_can_be_listed_are_drawn():
    values = np.random.default_rng(1).normal(0.3, 1, MOST_EXACT + 1)
    drawn, (low, high) = p_values(values), interval(values)
    assert len(subset_means(values)) == DRAWN_SUBSETS
    assert drawn == pytest.approx((flipped(values), flipped(-values)), abs=0.01)
    for p in (flipped(values, low), flipped(-values, -high)):
        assert p == pytest.approx(ALPHA / 2, abs=0.005)
    assert drawn == p_values(values), "the draws are the same every time"


@pytest.mark.parametrize("n", [1, 5])
def test_every_subset_is_listed_once_and_not_the_empty_one(n):
    # Powers of two: no two subsets have one sum.
    values = 2.0 ** np.arange(n)
    chosen = [np.array(flips) for flips in itertools.product((0, 1), repeat=n) if any(flips)]
    expected = sorted(values @ each / each.sum() for each in chosen)
    assert sorted(subset_means(values)) == expected


def test_the_p_is_that_of_scipy():
    values = np.random.default_rng(5).normal(0.4, 1, 10)
    for side, p in zip(("greater", "less"), p_values(values), strict=True):
        found = stats.permutation_test(
            (values,), np.mean, permutation_type="samples", n_resamples=2**10, alternative=side
        )
        assert p == pytest.approx(found.pvalue)


@pytest.mark.parametrize("n", range(1, LEAST))
def test_few_differences_decide_nothing_however_large(n):
    assert interval(np.full(n, 9.0)) == (-math.inf, math.inf)
    assert p_values(np.full(n, 9.0)) == (2**-n, 1)
    assert evidence("better", np.full(n, 9.0)).p_for > ALPHA
    assert evidence("better", np.full(LEAST, 9.0)).p_for <= ALPHA


@pytest.mark.parametrize("shape", [(1, 6), (4, 3)])
def test_an_exact_tie_is_not_worse_and_similar_but_not_better(shape):
    tie = np.zeros(shape)
    assert evidence("not_worse", tie, 0.01).p_for <= ALPHA
    assert evidence("similar", tie, 0.01).p_for <= ALPHA
    better = evidence("better", tie)
    assert (better.p_for, better.p_against, better.agrees) == (1, 1, False)


@pytest.mark.parametrize(
    ("test", "shift", "sure"),
    [
        ("better", 1, "for"),
        ("better", -1, "against"),
        ("not_worse", -0.1, "for"),
        ("not_worse", -1, "against"),
        ("similar", 0.1, "for"),
        ("similar", 1, "against"),
        ("similar", -1, "against"),
        ("similar", 0.5, ""),
    ],
)
def test_each_test_knows_its_two_sides(test, shift, sure):
    differences = shift + 0.05 * np.random.default_rng(2).normal(size=(4, 3))
    found = evidence(test, differences, 0.5)
    assert (found.p_for <= ALPHA) == (sure == "for")
    assert (found.p_against <= ALPHA) == (sure == "against")
    if sure:
        assert found.agrees == (sure == "for")


def test_all_hold_with_the_least_certain_and_one_fails_with_the_surest():
    parts = [Evidence(0.01, 1, True), Evidence(0.04, 0.9, True)]
    assert every(parts) == Evidence(0.04, 1, True)
    parts.append(Evidence(1, 0.002, False))
    assert every(parts) == Evidence(1, pytest.approx(0.006), False)
    assert every(parts[:2], [0.001]).p_against == pytest.approx(0.003)


def test_holms_correction_is_the_published_one():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1, 1]
    assert holm([]) == []


def test_whole_seeds_cannot_decide_with_three_of_them():
    assert whole_seeds(np.ones((4, 3))) == 1 / 8
    assert whole_seeds(np.ones((4, 6))) == 1 / 64
    assert whole_seeds([[1.0, -3.0, 1.0], [1.0, 1.0, 1.0]]) == pytest.approx(
        flipped(np.array([1.0, -1.0, 1.0]))
    )


def test_the_share_of_wins_has_the_interval_of_clopper_and_pearson():
    differences = np.array([[1.0, 2.0, -1.0], [3.0, 1.0, 1.0]])
    share, low, high = improvement(differences)
    expected = stats.binomtest(5, 6).proportion_ci(statistics.LEVEL)
    assert share == pytest.approx(5 / 6)
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert improvement(np.ones(6))[1:] == (pytest.approx(0.025 ** (1 / 6)), 1.0)


def test_a_tie_is_half_a_win_and_neither_in_the_interval():
    share, low, high = improvement([1.0, 0.0, -1.0, 1e-15])
    assert share == 0.5
    assert low == pytest.approx(stats.beta.ppf(0.025, 1, 4))
    assert high == pytest.approx(stats.beta.ppf(0.975, 4, 1))


def test_the_interval_of_wins_covers_where_the_stratified_bootstrap_does_not():
    rng, draws = np.random.default_rng(3), 300
    shift, shape = 2.0, (4, 3)
    truth = stats.norm.cdf(shift / math.sqrt(2))
    covered = bootstrapped = 0
    for _ in range(draws):
        x, y = rng.normal(shift, 1, shape), rng.normal(0, 1, shape)
        _, low, high = improvement(x - y)
        covered += low <= truth <= high
        rows = rng.integers(0, shape[1], (200, *shape))
        xs, ys = (np.take_along_axis(np.broadcast_to(v, rows.shape), rows, 2) for v in (x, y))
        shares = (np.sign(xs[..., :, None] - ys[..., None, :]) / 2 + 0.5).mean((-3, -2, -1))
        ends = np.quantile(shares, [0.025, 0.975])
        bootstrapped += ends[0] <= truth <= ends[1]
    assert covered / draws >= 0.95
    assert bootstrapped / draws <= 0.8


def test_the_best_is_told_apart_from_every_other_by_paired_cells():
    spread = np.array([[0.0, 5.0, 10.0], [50.0, 0.0, 20.0]])
    values = [spread, spread + 0.1, spread - 3]
    best, p = leader(values, lower_is_better=False)
    assert (best, p) == (1, 2 / 2**6)
    assert leader(values, lower_is_better=True)[0] == 2
    assert leader([v[:, :2] for v in values], lower_is_better=False) == (1, 1.0)
    assert leader(values[:1], lower_is_better=False) == (0, 1.0)
    close = [*values, spread + np.array([[0.1, -0.3, 0.1], [0.0, 0.2, 0.1]])]
    assert leader(close, lower_is_better=False)[1] > ALPHA, "one that is close is enough"


def test_cells_share_no_seed():
    values = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    runs = list(Config({**values, "seeds": 5}).runs())
    trainings = {seed["torch_seed"] for seed in map(Config(values).run_settings, runs)}
    assert len(trainings) == len(runs)
    cells = {(run.dataset, run.rate, run.seed) for run in runs}
    assert len({subset_seed(*cell) for cell in cells}) == len(cells)


def students(differences: np.ndarray) -> bool:
    """Whether Student's paired test would find a difference."""
    return stats.ttest_1samp(differences, 0).pvalue <= ALPHA


def test_students_test_would_be_wrong_too_often():
    rng, draws = np.random.default_rng(0), 300
    differences = np.sign(rng.normal(size=(draws, 3))) + 0.05 * rng.normal(size=(draws, 3))
    errors = np.mean([students(three) for three in differences])
    assert errors > 2 * allowed(draws)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_only_whole_seeds_would_hold_if_seeds_had_something_in_common(seeds):
    rng, draws = np.random.default_rng(4), 300
    cells = whole = 0
    for _ in range(draws):
        shared = np.repeat(rng.normal(size=(1, seeds)), 3, axis=0)
        whole += 2 * min(whole_seeds(shared), whole_seeds(-shared)) <= ALPHA
        cells += evidence("better", shared + 1e-3 * rng.normal(size=shared.shape)).p_for <= ALPHA
    assert whole / draws <= allowed(draws)
    assert cells / draws > allowed(draws), "which is why they must have nothing in common"


@pytest.mark.parametrize("per_seed", [1, 4])
def test_as_many_seeds_as_are_needed_find_what_was_observed(per_seed):
    needed = int(seeds_needed(1.0, 1.2, per_seed))
    rng = np.random.default_rng(0)

    def found(seeds: int) -> float:
        drawn = rng.normal(1.0, 1.2, (200, seeds * per_seed))
        return float(np.mean([evidence("better", row).p_for <= 0.05 for row in drawn]))

    assert found(needed) > 0.7
    assert needed == 3 or found(needed - 1) < 0.86


def test_a_single_difference_does_not_say_how_many_seeds_are_needed():
    assert math.isnan(seeds_needed(1.0, math.nan, 1))
    assert math.isnan(seeds_needed(1.0, 0.0, 4))
    assert seeds_needed(0.0, 1.0, 4) == math.inf
    assert seeds_needed(100.0, 1.0, 1) == LEAST, "2 / 2^5 is more than 5 %"
    assert seeds_needed(100.0, 1.0, 4) == ENOUGH
    assert seeds_needed(1.0, 1.0, 4, level=0.05 / 10) > seeds_needed(1.0, 1.0, 4)
