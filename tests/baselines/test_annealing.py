from __future__ import annotations

import pytest

from baselines.annealing import linear_warm_up


@pytest.mark.parametrize(
    ("progress", "share", "weight"),
    [(0.0, 0.2, 0.0), (0.05, 0.2, 0.25), (0.2, 0.2, 1.0), (0.9, 0.2, 1.0), (0.0, 0.0, 1.0)],
)
def test_weight_rises_linearly_then_stays(progress: float, share: float, weight: float) -> None:
    assert linear_warm_up(progress, share) == pytest.approx(weight)
