from __future__ import annotations

import numpy as np
import pytest

from benchmarks import power
from benchmarks.common import ROOT


def test_page_has_every_law_and_effect() -> None:
    text = power.page({3: 20})
    assert "| | 3 seeds |" in text
    for law in power.NULLS:
        assert f"| {law} | " in text
    assert "| 2, over all f, seeds flipped whole | 0.0% |" in text
    assert text == power.page({3: 20})


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (1.0, 4.0)])
def test_what_seeds_have_in_common_is_found(share: float, expected: float) -> None:
    rng = np.random.default_rng(0)
    found = {
        (f"metric {i}", "data"): [power.in_common(share)(rng, (4, 5)), np.zeros((4, 5))]
        for i in range(200)
    }
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
        assert len(shares) == len(power.DRAWS)
        # Three standard errors of three hundred draws.
        assert max(shares) <= 5 + 3.8
