from __future__ import annotations

from benchmarks.common import milliseconds
from benchmarks.step_cost import BATCHES, CONTESTANTS, build, document
from workflow.models import SYSTEMS


def costs(**ms: float) -> dict[str, dict[str, float]]:
    return {c.title: {"supervised": ms.get(c.system, 100.0)} for c in CONTESTANTS}


def test_every_system_is_compared_and_can_be_built() -> None:
    assert {contestant.system for contestant in CONTESTANTS} == set(SYSTEMS)
    assert all(build(contestant).labels.n_factors == 18 for contestant in CONTESTANTS)


def test_page_has_ratios_and_names_what_is_above_its_limit() -> None:
    heading = next(iter(BATCHES))
    page = document({heading: costs(m2=210.0, mvae=160.0)}, rounds=3)
    assert "| M2, disarm | 210 (2.10) | 2.2 |" in page
    assert "Above the limit: MVAE supervised (1.60)." in page
    assert "Above the limit: none." in document({heading: costs()}, rounds=3)


def test_steps_alternate_and_warm_up_is_not_counted() -> None:
    seen: list[str] = []
    found = milliseconds({name: lambda n=name: seen.append(n) for name in "ab"}, rounds=1)
    assert seen == ["a", "b"] * 3
    assert set(found) == {"a", "b"}
