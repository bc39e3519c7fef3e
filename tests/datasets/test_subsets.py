from __future__ import annotations

import numpy as np
import pytest

from ccvae.errors import InputError
from datasets.subsets import labelled_subset

CLASSES = np.random.default_rng(0).integers(0, 10, (50_000, 1)).astype(np.uint8)
ATTRIBUTES = np.random.default_rng(1).integers(0, 2, (16_000, 18)).astype(np.uint8)


@pytest.mark.parametrize(
    ("rate", "size"), [("0.004", 200), ("0.06", 3000), ("0.2", 10_000), ("1.0", 50_000)]
)
def test_mnist_sizes(rate: str, size: int) -> None:
    chosen = labelled_subset(CLASSES, "multi_class", rate, 0)
    assert chosen.dtype == np.int64
    assert len(chosen) == len(np.unique(chosen)) == size
    if rate != "1.0":
        assert np.bincount(CLASSES[chosen, 0]).tolist() == [size // 10] * 10


def test_remainder_is_spread() -> None:
    chosen = labelled_subset(CLASSES, "multi_class", "0.00046", 0)
    counts = np.bincount(CLASSES[chosen, 0])
    assert len(chosen) == 23
    assert set(counts) == {2, 3}


def test_a_class_that_runs_out_is_made_up_by_others() -> None:
    labels = np.repeat([0, 1, 2], [3, 50, 47]).astype(np.uint8)[:, None]
    chosen = labelled_subset(labels, "multi_class", "0.93", 0)
    assert np.bincount(labels[chosen, 0]).tolist() in ([3, 45, 45], [3, 46, 44], [3, 44, 46])
    chosen = labelled_subset(labels, "multi_class", "0.99", 0)
    assert np.bincount(labels[chosen, 0]).sum() == 99
    assert np.bincount(labels[chosen, 0])[0] == 3


def test_first_takes_the_first_of_each_class() -> None:
    labels = np.array([1, 1, 1, 0, 0, 1, 0, 1, 0, 0], dtype=np.uint8)[:, None]
    assert labelled_subset(labels, "multi_class", "0.4", 7, how="first").tolist() == [0, 1, 3, 4]
    assert labelled_subset(labels, "multi_class", "0.5", 7, how="first").tolist() == [0, 1, 3, 4, 6]
    chosen = labelled_subset(ATTRIBUTES, "multi_label", "0.004", 0, how="first")
    assert chosen.tolist() == list(range(64))


def test_multi_label_is_uniform() -> None:
    counts = np.zeros(100)
    for seed in range(400):
        counts[labelled_subset(ATTRIBUTES[:100], "multi_label", "0.2", seed)] += 1
    # 80 expected with standard deviation 8; five of them for the extremes of a hundred.
    assert np.abs(counts - 80).max() < 40


@pytest.mark.parametrize("kind", ["multi_class", "multi_label"])
def test_depends_on_the_seed_and_the_arguments_only(kind: str) -> None:
    labels = CLASSES if kind == "multi_class" else ATTRIBUTES
    first = labelled_subset(labels, kind, "0.06", 5)
    np.random.default_rng(3).random(10)
    assert np.array_equal(labelled_subset(labels, kind, "0.06", 5), first)
    assert not np.array_equal(labelled_subset(labels, kind, "0.06", 6), first)
    assert np.all(np.diff(first) > 0)


def test_choice_is_pinned() -> None:
    # Saved results name these images: a change here makes them irreproducible.
    labels = (np.arange(100) % 10).astype(np.uint8)[:, None]
    classes = labelled_subset(labels, "multi_class", "0.1", 0)
    assert classes.tolist() == [
        3,
        11,
        17,
        20,
        48,
        55,
        59,
        64,
        92,
        96,
    ]
    assert labelled_subset(labels, "multi_label", "0.05", 0).tolist() == [3, 11, 13, 20, 92]


def test_smaller_rates_are_nested() -> None:
    small = labelled_subset(ATTRIBUTES, "multi_label", "0.004", 2)
    large = labelled_subset(ATTRIBUTES, "multi_label", "0.06", 2)
    assert len(small) == 64
    assert set(small) < set(large)


@pytest.mark.parametrize("rate", ["0", "-0.1", "1.0001", "nan", "inf", "half", ""])
def test_rates_outside(rate: str) -> None:
    with pytest.raises(InputError, match="a number above 0 and at most 1 was expected"):
        labelled_subset(ATTRIBUTES, "multi_label", rate, 0)


def test_too_few_says_how_many_and_the_smallest_rate() -> None:
    with pytest.raises(
        InputError,
        match=r"rate 0.004 gives 4 labelled images of the 1000 in the train split, but at least 10 "
        r"\(one of each class\) are needed; the smallest usable rate is 0.01\.",
    ):
        labelled_subset(CLASSES[:1000], "multi_class", "0.004", 0)
    with pytest.raises(InputError, match=r"smallest usable rate is 0.0334\."):
        labelled_subset(ATTRIBUTES[:30], "multi_label", "0.004", 0)
    assert len(labelled_subset(ATTRIBUTES[:30], "multi_label", "0.0334", 0)) == 1
    with pytest.raises(InputError, match="no images to choose"):
        labelled_subset(ATTRIBUTES[:0], "multi_label", "1.0", 0)


def test_unknown_choice() -> None:
    with pytest.raises(InputError, match="is 'best', but one of random, first"):
        labelled_subset(ATTRIBUTES, "multi_label", "1.0", 0, how="best")
