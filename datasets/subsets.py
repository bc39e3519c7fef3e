"""Which training images are labelled at a supervision rate f (deviation: label-subsets)."""

from __future__ import annotations

from decimal import ROUND_UP, Context, Decimal, InvalidOperation

import numpy as np

from ccvae.errors import InputError

METHODS = ("random", "first")


def labelled_subset(
    labels: np.ndarray, kind: str, rate: str, seed: int, *, how: str = "random"
) -> np.ndarray:
    """Choose the labelled images of a train split; the choice depends on the arguments only.

    A multi-class set gets equally many images of each class; when a class runs out, the others
    share what is left. A multi-label set gets a uniform choice. With the same seed a smaller rate
    chooses a subset of what a larger rate chooses from a multi-label set.

    Parameters
    ----------
    labels
        uint8 (N, F), the labels of the train split.
    kind
        `multi_label` or `multi_class`.
    rate
        Supervision rate f in (0, 1], as the decimal number that stands in the configuration.
    seed
        Seed of the choice, not negative; without effect for `how="first"`.
    how
        `random`, or `first` for the first images (of each class), as in the released code.

    Returns
    -------
    numpy.ndarray
        int64 (round(f N),), increasing rows of the train split.

    Raises
    ------
    InputError
        If the rate is no number in (0, 1], `how` is unknown, or the rate is too small for one
        image (multi-label) or one image per class (multi-class).
    """
    if how not in METHODS:
        raise InputError(
            f"The choice of labelled images is {how!r}, but one of {', '.join(METHODS)} was "
            "expected."
        )
    fraction, total = _fraction(rate), len(labels)
    if total == 0:
        raise InputError("The train split has no images to choose labelled ones from.")
    size = round(fraction * total)
    classes = np.unique(labels[:, 0]) if kind == "multi_class" else np.zeros(1)
    if size < len(classes):
        smallest = Context(prec=3, rounding=ROUND_UP).divide(len(classes), total)
        wanted = "one of each class" if kind == "multi_class" else "one"
        raise InputError(
            f"The supervision rate {rate} gives {size} labelled images of the {total} in the train "
            f"split, but at least {len(classes)} ({wanted}) are needed; the smallest usable rate "
            f"is {smallest.normalize():f}."
        )
    if size == total:
        return np.arange(total, dtype=np.int64)
    generator = np.random.default_rng(seed)
    # Sorting uniforms: numpy may change how it shuffles, hardly how it draws doubles.
    order = np.arange(total) if how == "first" else np.argsort(generator.random(total))
    if kind == "multi_class":
        members = [order[labels[order, 0] == value] for value in classes]
        turns = np.arange(len(classes)) if how == "first" else generator.random(len(classes))
        quotas = _quotas([len(rows) for rows in members], size, np.argsort(turns))
        chosen = [rows[:quota] for rows, quota in zip(members, quotas, strict=True)]
        return np.sort(np.concatenate(chosen)).astype(np.int64)
    return np.sort(order[:size]).astype(np.int64)


def _fraction(rate: str) -> Decimal:
    try:
        fraction = Decimal(str(rate))
    except InvalidOperation:
        fraction = Decimal("NaN")
    if not (fraction.is_finite() and 0 < fraction <= 1):
        raise InputError(
            f"The supervision rate is {rate!r}, but a number above 0 and at most 1 was expected."
        )
    return fraction


def _quotas(sizes: list[int], total: int, order: np.ndarray) -> np.ndarray:
    """Share `total` equally among classes of the given sizes; odd ones follow `order`."""
    room = np.array(sizes)
    quotas = np.zeros_like(room)
    while (left := total - int(quotas.sum())) > 0:
        unfilled = [index for index in order if quotas[index] < room[index]]
        share, odd = divmod(left, len(unfilled))
        if share == 0:
            quotas[unfilled[:odd]] += 1
        else:
            quotas[unfilled] = np.minimum(quotas[unfilled] + share, room[unfilled])
    return quotas
