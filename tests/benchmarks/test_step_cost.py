"""What a step costs, counted in operations, and how the page says what is above its limit."""

from __future__ import annotations

import pytest
import torch

from baselines.registry import SYSTEMS
from benchmarks.layers import layers, operations, step_gflop
from benchmarks.step_cost import (
    BATCHES,
    CONTESTANTS,
    IMAGE_SHAPE,
    N_LABELS,
    Cost,
    above_limit,
    build,
    document,
    one_step,
    ratios,
)


def counted(name: str, labelled: int, unlabelled: int) -> float:
    model = build(next(contestant for contestant in CONTESTANTS if contestant.name == name))
    x = torch.rand(labelled + unlabelled, *IMAGE_SHAPE)
    y = torch.randint(2, (labelled, N_LABELS))
    optimizer = torch.optim.Adam(model.parameters())
    return operations(lambda: one_step(model, optimizer, x, y, labelled))


def costs(**mvae: Cost) -> dict[str, dict[str, Cost]]:
    plain = dict.fromkeys(mvae, Cost(100.0, 10.0))
    return {contestant.name: plain for contestant in CONTESTANTS} | {"mvae": mvae}


def test_every_system_is_compared_and_can_be_built() -> None:
    assert {contestant.system for contestant in CONTESTANTS} == set(SYSTEMS)
    assert all(build(contestant).labels.n_factors == N_LABELS for contestant in CONTESTANTS)


def test_operations_of_a_step_are_those_of_its_layers() -> None:
    # The heads and the label networks come to it; the convolutions are nearly all.
    assert counted("ccvae", 2, 0) == pytest.approx(step_gflop(2), rel=0.01)


def test_a_labelled_step_of_mvae_decodes_once_more() -> None:
    decoder = sum(layer.mflop for layer in layers() if layer.title.startswith("decoder"))
    more = counted("mvae", 2, 0) - counted("ccvae", 2, 0)
    assert more == pytest.approx(3 * 2 * decoder / 1000, rel=0.1)
    assert counted("mvae", 0, 2) == pytest.approx(counted("ccvae", 0, 2), rel=0.01)


def test_what_is_above_the_limit_is_named_with_what_its_operations_ask() -> None:
    found = costs(supervised=Cost(170.0, 16.0), unsupervised=Cost(160.0, 10.0), both=Cost(150, 16))
    assert above_limit(found) == [
        "MVAE supervised (1.70), which its operations alone put at 1.60",
        "MVAE unsupervised (1.60)",
    ]
    row = "| MVAE | 170 (1.70; 1.60) | 160 (1.60; 1.00) | 150 (1.50; 1.60) | 1.5 |"
    assert row in ratios(found)
    page = document({"a batch": found}, 3)
    assert "## A batch" in page
    assert "put at 1.60; MVAE unsupervised (1.60)." in page


def test_every_system_has_a_limit_of_its_own() -> None:
    found = costs(supervised=Cost(160.0, 10.0)) | {"m2": {"supervised": Cost(210.0, 10.0)}}
    page = document({next(iter(BATCHES)): found}, 3)
    assert "| M2 | 210 (2.10; 1.00) | 2.2 |" in page
    assert "Above the limit: MVAE supervised (1.60)." in page


def test_nothing_above_the_limit_is_said_so() -> None:
    page = document({"a batch": costs(supervised=Cost(150.0, 15.0))}, 3)
    assert "Above the limit: none." in page
