"""How often a verdict is wrong where there is no difference, and how often one is reached.

Differences of two models are drawn, by f and seed, and judged as the claims are. `python -m
benchmarks.power --out docs/power.md` takes a few minutes and gives the same page every time.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.common import ROOT
from ccvae.files import write_text
from workflow.reporting.record_files import read_records
from workflow.reporting.records import Cell, by_cell
from workflow.reporting.statistics import (
    ALPHA,
    ENOUGH,
    LEAST,
    LEVEL,
    MOST_EXACT,
    ROUNDING,
    drawn_subsets,
    every,
    evidence,
    improvement,
    p_values,
    whole_seeds,
)

Differences = NDArray[np.float64]
"""By f and seed, (F, n), or of many draws, (M, F, n)."""
Decided = NDArray[np.bool_]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Differences]
Judge = Callable[[Differences], Decided]

SEEDS = (3, 5, 10)
DRAWS = 40_000
"""How many trainings are drawn for the share of wrong verdicts."""
FEWER_DRAWS = 2_000
"""And for everything else."""
PART = 500
"""Of them at a time, for memory."""
RATES = 4
EFFECTS = (0.5, 1.0, 2.0)
"""Mean difference, in standard deviations of one difference."""
SHARES = (0.1, 0.5)
"""Of the variance of differences that might belong to a seed, whatever the f."""
REFERENCE = ROOT / "results" / "reference"
RULES = "reproducibility.md#verdicts-on-the-papers-claims"


def equals(draw: Draw) -> Draw:
    """Differences of scores that follow the same law."""
    return lambda rng, shape: draw(rng, shape) - draw(rng, shape)


NULLS: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "heavy tails (t, 2 df)": equals(lambda rng, shape: rng.standard_t(2, size=shape)),
    "skewed scores (log-normal)": equals(lambda rng, shape: rng.lognormal(0, 1.5, size=shape)),
    "trainings that collapse, three in ten": equals(
        lambda rng, shape: (rng.uniform(size=shape) < 0.3) + 0.05 * rng.normal(size=shape)
    ),
    "differences of one of two sizes": lambda rng, shape: (
        np.sign(rng.normal(size=shape)) + 0.05 * rng.normal(size=shape)
    ),
    "33 times the spread at the smallest f": lambda rng, shape: (
        rng.normal(size=shape) * np.geomspace(10, 0.3, shape[-2])[:, None]
    ),
}
"""Laws of the differences of two equal models."""


def in_common(share: float) -> Draw:
    """Normal differences; a share of their variance is that of the seed, the same at all f."""
    return lambda rng, shape: (
        np.sqrt(share) * rng.normal(size=(*shape[:-2], 1, shape[-1]))
        + np.sqrt(1 - share) * rng.normal(size=shape)
    )


def one_collapses(rng: np.random.Generator, shape: tuple[int, ...]) -> Differences:
    """One model collapses in three of ten trainings; the other one never, with the same mean."""
    return 0.3 - (rng.uniform(size=shape) < 0.3) + 0.05 * rng.normal(size=shape)


def either(differences: Differences) -> Decided:
    """Whether one of two models is found to be better, over all f together; of many draws.

    The same as two-sided `evidence`. Beyond `MOST_EXACT` differences a draw is left alone as soon
    as more flips lie beyond it, on either side, than a verdict allows.

    Parameters
    ----------
    differences
        By draw, f and seed, (M, F, n).
    """
    values = differences.reshape(len(differences), -1)
    if values.shape[1] <= MOST_EXACT:
        return np.array([2 * min(p_values(each)) for each in values]) <= ALPHA
    slack = ROUNDING * np.abs(values).max(1)
    listed = drawn_subsets(values.shape[1])
    fewest, open_ = np.zeros(len(values)), np.arange(len(values))
    sides = np.ones((2, len(values)))
    for some in np.array_split(listed, math.ceil(len(listed) / 4096)):
        means = some @ values[open_].T
        sides[:, open_] += (means <= slack[open_]).sum(0), (means >= -slack[open_]).sum(0)
        fewest = 2 * sides.min(0) / (len(listed) + 1)
        open_ = np.flatnonzero(fewest <= ALPHA)
    return fewest <= ALPHA


def surest(cells: int) -> float:
    """Share of the patterns of signs of N differences of N sizes that give a verdict."""
    patterns = 2**cells
    return 2 * math.floor(ALPHA / 2 * patterns) / patterns


def one_by_one(judge: Callable[[Differences], bool]) -> Judge:
    """Let something that looks at one draw look at many."""
    return lambda differences: np.array([judge(draw) for draw in differences])


def generally(differences: Differences) -> bool:
    """Whether the subject is found to be better, over all f together."""
    return evidence("better", differences).p_for <= ALPHA


def at_every_f(differences: Differences) -> bool:
    """Whether it is found to be better at every f."""
    return every([evidence("better", row) for row in differences]).p_for <= ALPHA


def in_whole_seeds(differences: Differences) -> bool:
    """Whether it would be found to be better, over all f together, with seeds flipped whole."""
    return 2 * whole_seeds(differences) <= ALPHA


JUDGES = {
    "over all f together": generally,
    "at every f": at_every_f,
    "over all f, seeds flipped whole": in_whole_seeds,
}


def students(differences: Differences) -> bool:
    """Whether Student's paired test would find one of two models to be better."""
    return bool(stats.ttest_1samp(differences.ravel(), 0).pvalue <= ALPHA)


def covers(truth: float, differences: Differences) -> bool:
    """Whether the interval of the probability of improvement holds the truth."""
    _, low, high = improvement(differences)
    return low <= truth <= high


def bootstrap_covers(truth: float, differences: Differences) -> bool:
    """Whether the percentile bootstrap stratified by f does."""
    rng, n = np.random.default_rng(0), differences.shape[1]
    drawn = rng.integers(0, n, (200, *differences.shape))
    wins = np.take_along_axis(np.broadcast_to(differences > 0, drawn.shape), drawn, 2)
    low, high = np.quantile(wins.mean((1, 2)), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return bool(low <= truth <= high)


Blocks = dict[tuple[str, str], list[Differences]]


def blocks(cells: Mapping[Cell, Mapping[int, float]]) -> Blocks:
    """Values by f and seed, (F, n), of each model; by measure and data set.

    Only of models that have `ENOUGH` seeds, and as many at every f of their data set.
    """
    known: dict[str, set[str]] = {}
    for _, data, _, rate in cells:
        known.setdefault(data, set()).update({rate} - {""})
    rates = {data: sorted(of_data) for data, of_data in known.items()}
    found: Blocks = {}
    for metric, data, model in sorted({key[:3] for key in cells if key[3]}):
        by_rate = [cells.get((metric, data, model, rate), {}) for rate in rates[data]]
        seeds = sorted(by_rate[0])
        if len(seeds) >= ENOUGH and all(sorted(of_seed) == seeds for of_seed in by_rate):
            values = np.array([[of_seed[seed] for seed in seeds] for of_seed in by_rate])
            # Models are compared with those that have as many seeds.
            found.setdefault((metric, f"{data}, {len(seeds)} seeds"), []).append(values)
    return found


Pairs = list[tuple[str, Differences]]


def apart(found: Blocks) -> Pairs:
    """Differences of all pairs of models, centred and normed at each f, (P, F, n); by data set."""
    pairs = []
    for (_, data), models in found.items():
        values = np.stack(models)
        one, other = np.triu_indices(len(values), 1)
        rows = values[one] - values[other]
        rows -= rows.mean(2, keepdims=True)
        sizes = np.linalg.norm(rows, axis=2, keepdims=True)
        some = (sizes > 0).all((1, 2))
        pairs.append((data, rows[some] / sizes[some]))
    return pairs


def shared(pairs: Pairs, rng: np.random.Generator | None = None) -> float:
    """How much the differences of a seed have in common over f: 1 is nothing, F everything.

    Mean over all pairs of models of the squared sum over f of what `apart` gives; with `rng` after
    seeds were permuted at each f, the same way for all that shares a training.
    """
    orders: dict[str, NDArray[np.int64]] = {}
    sums = []
    for data, rows in pairs:
        _, rates, seeds = rows.shape
        mixed = rows
        if rng is not None:
            if data not in orders:
                orders[data] = np.stack([rng.permutation(seeds) for _ in range(rates)])
            mixed = rows[:, np.arange(rates)[:, None], orders[data]]
        sums += ((mixed.sum(1) ** 2).sum(1) / rates).tolist()
    return float(np.mean(sums))


def in_the_reference(folder: Path) -> str:
    """One sentence: whether seeds have anything in common over f in a folder of records."""
    cells = {k: v for k, v in by_cell(read_records(folder)).items() if "/" not in k[0]}
    found, rng = apart(blocks(cells)), np.random.default_rng(0)
    low, high = np.quantile([shared(found, rng) for _ in range(200)], [0.025, 0.975])
    return (
        f"In the records of the reference what seeds share is {shared(found):.2f}, over "
        f"{len(found)} measures and data sets, where 1 is nothing in common and {RATES} "
        f"everything; with seeds permuted at each f it is {low:.2f} to {high:.2f}."
    )


def rate_of(reached: Judge, draw: Draw, shape: tuple[int, int], count: int) -> float:
    """How often something is reached."""
    rng = np.random.default_rng(shape[1])
    parts = [min(PART, count - done) for done in range(0, count, PART)]
    return sum(int(reached(draw(rng, (part, *shape))).sum()) for part in parts) / count


def row(name: str, reached: Judge, draw: Draw, seeds: Sequence[int], count: int) -> str:
    """One line of a table: how often something is reached, by number of seeds."""
    cells = [f"{rate_of(reached, draw, (RATES, n), count):.1%}" for n in seeds]
    return f"| {name} | " + " | ".join(cells) + " |"


def margin(count: int) -> float:
    """Three standard errors of the share of wrong verdicts."""
    return 3 * math.sqrt(ALPHA * (1 - ALPHA) / count)


def page(seeds: Sequence[int], draws: int, fewer: int) -> str:
    """The page; the arguments are like `SEEDS`, `DRAWS` and `FEWER_DRAWS`."""
    head = [
        "| | " + " | ".join(f"{n} seeds" for n in seeds) + " |",
        "|---" * (len(seeds) + 1) + "|",
    ]
    apart = 2 / np.sqrt(2)
    truth = float(stats.norm.cdf(apart))
    two_sizes = NULLS["differences of one of two sizes"]

    def shifted(effect: float) -> Draw:
        return lambda rng, shape: rng.normal(effect, 1, shape)

    def rows(rules: Iterable[tuple[str, Judge, Draw]], count: int) -> list[str]:
        return [*head, *(row(*rule, seeds, count) for rule in rules)]

    lines = [
        "# How sure verdicts are",
        "",
        "Made by `python -m benchmarks.power --out docs/power.md`: differences are drawn for "
        f"{RATES} values of f and judged as [the claims]({RULES}) are. "
        f"With fewer than {ENOUGH} seeds nothing is decided.",
        "",
        f"**No difference: share of verdicts, all of them wrong**, over all f together, in "
        f"{draws:,} draws; the test promises at most {ALPHA:.0%}, and these shares are known to "
        f"{margin(draws):.1%} (three standard errors):",
        "",
        *rows(((name, either, draw) for name, draw in NULLS.items()), draws),
        "",
        f"Of the 2^{RATES * seeds[0]} patterns of signs that {RATES * seeds[0]} differences of "
        f"different sizes can have, as those of {seeds[0]} seeds, exactly "
        f"{surest(RATES * seeds[0]):.2%} give a verdict, whatever their law; where sizes are the "
        "same it is less.",
        "",
        f"At a single f fewer than {LEAST} seeds decide nothing. Student's paired test would, but "
        "where neither model is better and every difference is about as large, three of them have "
        "the same sign, and a difference is found, in "
        f"{rate_of(one_by_one(students), two_sizes, (1, 3), fewer):.0%} of cases.",
        "",
        "If one model collapses in three of ten trainings and the other, as good on average, never "
        "does, then the first is the better one in most trainings, and a verdict that it is speaks "
        "of these: it comes in "
        f"{rate_of(either, one_collapses, (RATES, 3), draws):.1%} of cases with 3 seeds.",
        "",
        "**No difference, and seeds that have something in common over f**: differences at all f "
        "are taken to be independent of each other, because labelled images and trainings draw "
        f"from seeds that hash f. {in_the_reference(REFERENCE)} If a share of the variance did "
        "belong to the seed, so many verdicts would be wrong:",
        "",
        *rows(((f"{share:.0%} in common", either, in_common(share)) for share in SHARES), draws),
        "",
        "**A difference: share of verdicts that find it**, normal differences whose mean is so "
        f"many standard deviations of a single one, in {fewer:,} draws:",
        "",
        *rows(
            (
                (f"{effect:g}, {words}", one_by_one(judge), shifted(effect))
                for effect in EFFECTS
                for words, judge in JUDGES.items()
            ),
            fewer,
        ),
        "",
        f"Seeds flipped whole cannot reach {ALPHA:.0%} on both sides with fewer than six of them. "
        "Holm's correction over the verdicts on one table asks for more: of n verdicts "
        f"the smallest p must be below {ALPHA:.0%} / n.",
        "",
        "**The interval of the probability of improvement**: how often it covers the truth, a "
        f"probability of {truth:.2f}:",
        "",
        *rows(
            (
                ("Clopper and Pearson", one_by_one(partial(covers, truth)), shifted(apart)),
                (
                    "bootstrap, stratified by f",
                    one_by_one(partial(bootstrap_covers, truth)),
                    shifted(apart),
                ),
            ),
            fewer,
        ),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", required=True, type=Path)
    write_text(parser.parse_args().out, page(SEEDS, DRAWS, FEWER_DRAWS))


if __name__ == "__main__":
    main()
