"""What a step costs, counted in operations, and how the page says what is above its limit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from baselines.registry import SYSTEMS
from benchmarks.layers import layers, operations, step_gflop
from benchmarks.step_cost import (
    CONTESTANTS,
    IMAGE_SHAPES,
    N_CLASSES,
    N_LABELS,
    Batch,
    Cost,
    above_limit,
    batches,
    build,
    document,
    measure,
    one_step,
    ratios,
)


def of(*names: str) -> Batch:
    """A batch of some models, drawn faces."""
    models = tuple(contestant for contestant in CONTESTANTS if contestant.name in names)
    return Batch("a batch", "attributes", 2, 2, models)


def counted(name: str, labelled: int, unlabelled: int) -> float:
    model = build(of(name).models[0])
    x = torch.rand(labelled + unlabelled, *IMAGE_SHAPES["attributes"])
    y = torch.randint(2, (labelled, N_LABELS))
    optimizer = torch.optim.Adam(model.parameters())
    return operations(lambda: one_step(model, optimizer, x, y, labelled))


MVAE = of("ccvae", "mvae")


def costs(**mvae: Cost) -> dict[str, dict[str, Cost]]:
    return {"ccvae": dict.fromkeys(mvae, Cost(100.0, 10.0)), "mvae": mvae}


def test_every_system_is_compared_on_both_kinds_of_labels() -> None:
    assert {contestant.system for contestant in CONTESTANTS} == set(SYSTEMS)
    whole = [batch.kind for batch in batches() if batch.models == CONTESTANTS]
    assert whole == ["attributes", "classes"]
    for contestant in CONTESTANTS:
        assert build(contestant).labels.n_factors == N_LABELS
        assert build(contestant, "classes").labels.n_values == N_CLASSES


def test_operations_of_a_step_are_those_of_its_layers() -> None:
    # The heads and the label networks come to it, and channels that fill up the last layer's; the
    # convolutions are nearly all.
    assert counted("ccvae", 2, 0) == pytest.approx(step_gflop(2), rel=0.02)


def test_a_labelled_step_of_mvae_decodes_once_more() -> None:
    decoder = sum(layer.mflop for layer in layers() if layer.title.startswith("decoder"))
    more = counted("mvae", 2, 0) - counted("ccvae", 2, 0)
    assert more == pytest.approx(3 * 2 * decoder / 1000, rel=0.12)
    assert counted("mvae", 0, 2) == pytest.approx(counted("ccvae", 0, 2), rel=0.01)


def test_an_unlabelled_step_of_adgm_costs_what_m2s_does() -> None:
    assert counted("adgm", 0, 2) == pytest.approx(counted("m2", 0, 2), rel=0.05)


def test_digits_are_measured_as_faces_are() -> None:
    batch = replace(of("ccvae", "m2"), kind="classes")
    found = measure(batch, 1)
    assert all(cost.ms > 0 for kinds in found.values() for cost in kinds.values())
    unlabelled = [found[name]["unlabelled"].gflop for name in ("ccvae", "m2")]
    assert unlabelled[1] > 2 * unlabelled[0], "every class is decoded"
    page = document([(batch, found)], 1)
    assert "Above the limit" not in page


def test_what_is_above_the_limit_is_named_with_what_its_operations_ask() -> None:
    found = costs(labelled=Cost(170.0, 16.0), unlabelled=Cost(160.0, 10.0), both=Cost(150, 16))
    assert above_limit(MVAE, found) == [
        "MVAE labelled (1.70), which its operations alone put at 1.60",
        "MVAE unlabelled (1.60)",
    ]
    row = "| MVAE | 170 (1.70; 1.60) | 160 (1.60; 1.00) | 150 (1.50; 1.60) | 1.5 |"
    assert row in ratios(MVAE, found)
    page = document([(MVAE, found)], 3)
    assert "## A batch" in page
    assert "put at 1.60; MVAE unlabelled (1.60)." in page


def test_every_system_has_a_limit_of_its_own() -> None:
    found = costs(labelled=Cost(160.0, 10.0)) | {"m2": {"labelled": Cost(210.0, 10.0)}}
    page = document([(of("ccvae", "m2", "mvae"), found)], 3)
    assert "| M2 | 210 (2.10; 1.00) | 2.2 |" in page
    assert "Above the limit: MVAE labelled (1.60)." in page


def test_nothing_above_the_limit_is_said_so() -> None:
    page = document([(MVAE, costs(labelled=Cost(150.0, 15.0)))], 3)
    assert "Above the limit: none." in page
