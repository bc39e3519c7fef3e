"""How often a verdict is wrong where there is no difference, and how often one is reached.

Differences of two models are drawn, by f and seed, and judged as the claims are. `python -m
benchmarks.power --out docs/power.md` takes minutes and gives the same page every time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ccvae.files import write_text
from workflow.reporting.statistics import ALPHA, ENOUGH, every, evidence, improvement, whole_seeds

Differences = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Differences]

DRAWS = {3: 2000, 5: 1000, 10: 1000}
"""How many differences are drawn, by number of seeds."""
RATES = 4
EFFECTS = (0.5, 1.0, 2.0)
"""Mean difference, in standard deviations of one difference."""
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
    "33 times the spread at the smallest f": lambda rng, shape: (
        rng.normal(size=shape) * np.geomspace(10, 0.3, shape[0])[:, None]
    ),
}
"""Laws of the differences of two equal models."""


def either(differences: Differences) -> bool:
    """Whether one of two models is found to be better, over all f together."""
    found = evidence("better", differences)
    return min(found.p_for, found.p_against) <= ALPHA


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


def covers(truth: float, differences: Differences) -> bool:
    """Whether the interval of the probability of improvement holds the truth."""
    _, low, high = improvement(differences)
    return low <= truth <= high


def row(
    name: str, reached: Callable[[Differences], bool], draw: Draw, draws: Mapping[int, int]
) -> str:
    """One line of a table: how often something is reached, by number of seeds."""
    cells = []
    for seeds, count in draws.items():
        rng = np.random.default_rng(seeds)
        found = sum(reached(draw(rng, (RATES, seeds))) for _ in range(count))
        cells.append(f"{found / count:.1%}")
    return f"| {name} | " + " | ".join(cells) + " |"


def page(draws: Mapping[int, int]) -> str:
    """The page; `draws` is like `DRAWS`."""
    head = [
        "| | " + " | ".join(f"{n} seeds" for n in draws) + " |",
        "|---" * (len(draws) + 1) + "|",
    ]
    times = ", ".join(f"{count:,} times for {seeds} seeds" for seeds, count in draws.items())
    apart = 2 / np.sqrt(2)
    truth = float(norm.cdf(apart))

    def shifted(effect: float) -> Draw:
        return lambda rng, shape: rng.normal(effect, 1, shape)

    lines = [
        "# How sure verdicts are",
        "",
        "Made by `python -m benchmarks.power --out docs/power.md`: differences are drawn for "
        f"{RATES} values of f, {times}, and judged as [the claims]({RULES}) are. "
        f"With fewer than {ENOUGH} seeds nothing is decided.",
        "",
        f"**No difference: share of verdicts, all of them wrong** (at most {ALPHA:.0%}, up to "
        "chance), over all f together:",
        "",
        *head,
        *(row(name, either, draw, draws) for name, draw in NULLS.items()),
        "",
        "**A difference: share of verdicts that find it**, normal differences whose mean is so "
        "many standard deviations of a single one:",
        "",
        *head,
        *(
            row(f"{effect:g}, {words}", judge, shifted(effect), draws)
            for effect in EFFECTS
            for words, judge in JUDGES.items()
        ),
        "",
        f"Seeds flipped whole cannot reach {ALPHA:.0%} on both sides with fewer than six of them. "
        "Holm's correction over the verdicts on one table asks for more: of so many verdicts, for "
        "a p as many times smaller.",
        "",
        "**The interval of the probability of improvement**: how often it covers the truth, a "
        f"probability of {truth:.2f}:",
        "",
        *head,
        row("Clopper and Pearson", partial(covers, truth), shifted(apart), draws),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", required=True, type=Path)
    write_text(parser.parse_args().out, page(DRAWS))


if __name__ == "__main__":
    main()
