from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks import power
from benchmarks.common import ROOT
from workflow.reporting.statistics import ALPHA, LEAST, every, evidence, leader

DRAWS = 10_000


@pytest.mark.parametrize("seeds", power.SEEDS)
def test_many_draws_are_judged_as_one_is(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    draws = power.NULLS["differences of one of two sizes"](rng, (40, 4, seeds)) + 0.3
    draws[0] = 0
    found = [evidence("better", draw) for draw in draws]
    expected = [min(each.p_for, each.p_against) <= ALPHA for each in found]
    assert power.either(draws).tolist() == expected
    assert 0 < sum(expected) < len(expected)


@pytest.mark.parametrize("law", power.NULLS)
@pytest.mark.parametrize(("rates", "seeds"), [(4, 3), (3, 3), (2, 5), (1, 10)])
def test_of_all_patterns_of_signs_at_most_one_in_twenty_gives_a_verdict(
    law: str, rates: int, seeds: int
) -> None:
    sizes = power.NULLS[law](np.random.default_rng(0), (rates, seeds))
    signs = np.array(list(itertools.product((-1, 1), repeat=rates * seeds)))
    share = power.either(signs.reshape(-1, rates, seeds) * sizes).mean()
    assert share == power.surest(rates * seeds) <= ALPHA
    assert power.either(np.sign(signs).reshape(-1, rates, seeds) * 1.0).mean() <= share


@pytest.mark.slow
@pytest.mark.parametrize("law", power.NULLS)
@pytest.mark.parametrize("seeds", [5, 10])
def test_a_verdict_is_wrong_in_at_most_one_case_in_twenty(law: str, seeds: int) -> None:
    """Beyond `MOST_EXACT` differences flips are drawn, and so are the cases here: +- 0.5 %."""
    share = power.rate_of(power.either, power.NULLS[law], (power.RATES, seeds), DRAWS)
    assert share <= ALPHA + power.margin(DRAWS)


def wrong(rng: np.random.Generator, law: str, kind: str, shape: tuple[int, int]) -> bool:
    """Whether a verdict is reached where none is due: no difference, or one on the border."""
    null = power.NULLS[law]
    differences = null(rng, shape)
    if kind == "bold":
        values = [null(rng, shape) for _ in range(4)]
        return leader(values, lower_is_better=True)[1] <= ALPHA
    if kind == "at every f":
        # One f without a difference, the others with a sure one.
        differences[1:] += 1e3
        found = every([evidence("better", row) for row in differences])
    elif kind == "against two rivals":
        found = every([evidence("better", d) for d in (differences, null(rng, shape) + 1e3)])
    else:
        found = evidence(kind, differences + (-2 if kind == "not_worse" else 2), 2)
    return min(found.p_for, found.p_against) <= ALPHA


@pytest.mark.slow
@pytest.mark.parametrize("law", power.NULLS)
@pytest.mark.parametrize(
    "kind", ["not_worse", "similar", "at every f", "against two rivals", "bold"]
)
@pytest.mark.parametrize(("seeds", "rates"), [(3, 4), (3, 1), (5, 3), (5, 1), (10, 1)])
def test_it_is_so_whatever_is_asked(law: str, kind: str, seeds: int, rates: int) -> None:
    rng, draws = np.random.default_rng(seeds), 2000
    errors = np.mean([wrong(rng, law, kind, (rates, seeds)) for _ in range(draws)])
    assert errors <= (ALPHA + power.margin(draws) if rates * seeds >= LEAST else 0)


def test_page_has_every_law_and_effect() -> None:
    text = power.page([3], 20, 20)
    assert "| | 3 seeds |" in text
    for law in power.NULLS:
        assert f"| {law} | " in text
    assert "| 2, over all f, seeds flipped whole | 0.0% |" in text
    assert text == power.page([3], 20, 20)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (1.0, 4.0)])
def test_what_seeds_have_in_common_is_found(share: float, expected: float) -> None:
    rng = np.random.default_rng(0)
    found = power.apart(
        {
            (f"metric {i}", "data"): [power.in_common(share)(rng, (4, 5)), np.zeros((4, 5))]
            for i in range(200)
        }
    )
    assert power.shared(found) == pytest.approx(expected, abs=0.2)
    assert power.shared(found, rng) < 1.6


def test_only_models_with_every_seed_at_every_f_are_compared() -> None:
    whole = {seed: float(seed) for seed in range(3)}
    cells = {("m", "d", "a", f): whole for f in ("0.1", "1.0")}
    cells |= {("m", "d", "b", "0.1"): whole, ("m", "d", "c", ""): whole}
    ((values,),) = power.blocks(cells).values()
    assert values.tolist() == [[0.0, 1.0, 2.0]] * 2


@pytest.mark.parametrize("law", power.NULLS)
def test_laws_of_no_difference_are_symmetric(law: str) -> None:
    values = power.NULLS[law](np.random.default_rng(0), (4, 20_000))
    share = (values > 0).mean(1)
    assert share == pytest.approx([0.5] * 4, abs=0.02)


def test_the_committed_page_has_no_law_that_breaks_its_level() -> None:
    text = (ROOT / "docs" / "power.md").read_text(encoding="utf-8")
    for law in power.NULLS:
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {law} |")]
        shares = [float(cell.strip(" %")) for cell in row.strip("|").split("|")[1:]]
        assert len(shares) == len(power.SEEDS)
        assert max(shares) <= 100 * (ALPHA + power.margin(power.DRAWS))
