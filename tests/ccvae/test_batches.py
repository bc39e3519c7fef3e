"""Which images each step sees."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch

from ccvae.batches import Batches, Schedule
from ccvae.errors import InputError


def split(n_labelled: int, n_unlabelled: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two subsets whose positions are mixed, so that a mix-up of the two shows."""
    generator = torch.Generator().manual_seed(0)
    every = torch.randperm(n_labelled + n_unlabelled, generator=generator)
    return every[:n_labelled], every[n_labelled:]


def mixed(n_labelled: int, n_unlabelled: int, steps: int = 60, seed: int = 3) -> Batches:
    schedule = Schedule("mixed", 1e-3, steps=steps, labelled_batch=8, unlabelled_batch=12)
    return Batches(schedule, *split(n_labelled, n_unlabelled), seed)


def interleaved(n_labelled: int, n_unlabelled: int, epochs: int = 3, seed: int = 3) -> Batches:
    schedule = Schedule("interleaved", 1e-3, epochs=epochs, batch_size=20)
    return Batches(schedule, *split(n_labelled, n_unlabelled), seed)


def seen(batches: Batches, subset: str, steps: range | None = None) -> list[int]:
    """Positions in the order in which the steps see them."""
    steps = range(batches.total) if steps is None else steps
    return torch.cat([getattr(batches[step], subset) for step in steps]).tolist()


@pytest.mark.parametrize("n_labelled", [1, 3, 8, 30, 101])
def test_mixed_cycles_the_labelled_images_evenly(n_labelled: int) -> None:
    batches = mixed(n_labelled, 50)
    order = seen(batches, "labelled")
    assert len(order) == 60 * 8
    counts = Counter(order)
    assert set(counts) == set(split(n_labelled, 50)[0].tolist())
    assert max(counts.values()) - min(counts.values()) <= 1
    for start in range(0, len(order) - n_labelled + 1, n_labelled):
        assert len(set(order[start : start + n_labelled])) == n_labelled


def test_mixed_unlabelled_passes_are_complete_and_reshuffled() -> None:
    batches = mixed(10, 50)
    order = seen(batches, "unlabelled")
    passes = [order[start : start + 50] for start in range(0, 700, 50)]
    everything = set(split(10, 50)[1].tolist())
    assert all(set(one) == everything for one in passes)
    assert len({tuple(one) for one in passes}) == len(passes)


def test_mixed_without_unlabelled_images_fills_the_batch_with_labelled_ones() -> None:
    batches = mixed(50, 0)
    assert all(len(batches[step].labelled) == 20 for step in range(60))
    assert all(len(batches[step].unlabelled) == 0 for step in range(60))
    assert set(Counter(seen(batches, "labelled")).values()) == {24}


def released_rule(n_labelled: int, n_unlabelled: int, batch: int) -> list[bool]:
    """One epoch of the released code: which batches are supervised.

    Period int(n / n_sup); batch i is supervised iff i % period == 0 and fewer than n_sup were.
    """
    n_sup = math.ceil(n_labelled / batch)
    n = n_sup + math.ceil(n_unlabelled / batch)
    period, done, rule = int(n / n_sup), 0, []
    for i in range(n):
        supervised = i % period == 0 and done < n_sup
        done += supervised
        rule.append(supervised)
    return rule


@pytest.mark.parametrize("rate", [0.0005, 0.004, 0.06, 0.2, 0.37, 0.5, 0.8, 1.0])
def test_interleaved_follows_the_released_code(rate: float) -> None:
    n = 2010
    n_labelled = max(1, round(rate * n))
    batches = interleaved(n_labelled, n - n_labelled)
    rule = released_rule(n_labelled, n - n_labelled, 20)
    assert batches.total == 3 * len(rule)
    assert [len(batches[step].labelled) > 0 for step in range(batches.total)] == 3 * rule
    orders = []
    for epoch in range(3):
        steps = range(epoch * len(rule), (epoch + 1) * len(rule))
        for subset, wanted in zip(
            ("labelled", "unlabelled"), split(n_labelled, n - n_labelled), strict=True
        ):
            order = seen(batches, subset, steps)
            assert sorted(order) == sorted(wanted.tolist())
            orders.append(tuple(order))
        sizes = [len(batches[step].labelled) + len(batches[step].unlabelled) for step in steps]
        assert max(sizes) <= 20
        assert min(sizes) > 0
        assert all(not len(batches[s].labelled) or not len(batches[s].unlabelled) for s in steps)
    shuffled = {order for order in orders if len(order) > 1}
    assert len(shuffled) == len([order for order in orders if len(order) > 1])


def test_every_pass_over_either_subset_has_an_order_of_its_own() -> None:
    batches = interleaved(40, 40, epochs=4)
    orders = set()
    for subset, positions in zip(("labelled", "unlabelled"), split(40, 40), strict=True):
        rank = {position: index for index, position in enumerate(positions.tolist())}
        for epoch in range(4):
            order = seen(batches, subset, range(4 * epoch, 4 * epoch + 4))
            orders.add(tuple(rank[position] for position in order))
    assert len(orders) == 8


@pytest.mark.parametrize("make", [mixed, interleaved])
def test_a_step_depends_on_seed_and_number_alone(make) -> None:
    forward, backward, again = make(30, 90), make(30, 90), make(30, 90, seed=4)
    torch.manual_seed(0)
    first = [forward[step] for step in range(forward.total)]
    torch.manual_seed(1)
    differs = False
    for step in reversed(range(backward.total)):
        assert torch.equal(first[step].labelled, backward[step].labelled)
        assert torch.equal(first[step].unlabelled, backward[step].unlabelled)
        differs |= not torch.equal(first[step].unlabelled, again[step].unlabelled)
    assert differs


@pytest.mark.parametrize("make", [mixed, interleaved])
def test_batches_leave_the_global_generator_alone(make) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    make(5, 30)[7]
    assert torch.equal(before, torch.get_rng_state())


def test_what_cannot_be_trained_on_is_refused() -> None:
    with pytest.raises(InputError, match="no labelled image"):
        mixed(0, 10)
    with pytest.raises(InputError, match="unknown training schedule 'random'"):
        Batches(Schedule("random", 1e-3), *split(2, 2), 0)


def test_images_weigh_alike_unless_equation_6_is_asked_for() -> None:
    assert mixed(10, 90).weights == (1.0, 1.0)
    schedule = Schedule("mixed", 1e-3, steps=1, labelled_batch=8, unlabelled_batch=12)
    asked = replace(schedule, weights="equation6")
    assert Batches(asked, *split(10, 90), 0).weights == pytest.approx((0.1 / 0.4, 0.9 / 0.6))
    assert Batches(asked, *split(40, 60), 0).weights == pytest.approx((1.0, 1.0))
    # There, every image is seen once an epoch, or has its label.
    epochs = Schedule("interleaved", 1e-3, epochs=1, batch_size=20, weights="equation6")
    assert Batches(epochs, *split(10, 90), 0).weights == (1.0, 1.0)
    assert Batches(asked, *split(10, 0), 0).weights == (1.0, 1.0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"weights": "equation7"}, "training.weights is 'equation7'.*'batch', 'equation6'"),
        ({"weights": "equation6", "unlabelled_batch": 0}, "raise labelled_batch or unlabelled"),
    ],
)
def test_unusable_weights(change: dict[str, object], sentence: str) -> None:
    schedule = Schedule("mixed", 1e-3, steps=1, labelled_batch=8, unlabelled_batch=12)
    with pytest.raises(InputError, match=sentence):
        Batches(replace(schedule, **change), *split(10, 90), 0)
