"""Studies of budgets: which orders between models change when all of them train for longer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from typing import Any

import numpy as np
import pandas as pd

from workflow.reporting.names import dataset_name
from workflow.studies.seeds import IMAGES
from workflow.studies.variants import HEADINGS, times

MEASURES = {
    "balanced_accuracy": False,
    "swap_truth_normalised": True,
    "generation_accuracy": False,
}
"""What models are ordered by, and whether lower is better."""

SEPARABLE = 2.0
"""Standard errors between two models whose order is told."""

PLACE = ["dataset", "supervision_rate"]
PAIR = [*PLACE, "metric", "first", "second"]
ORDERS = [
    *(*PLACE, "budget", IMAGES, "metric", "first", "second"),
    *("difference", "image_error", "training_error", "standard_error"),
]
"""Columns of `with_seeds`; `difference` is the first model's score minus the second's."""
OF_IMAGES = ORDERS[: ORDERS.index("training_error")]
"""Columns of `orders`, which knows nothing of seeds."""

RULE = (
    f"Two models have an order in a measure ({', '.join(HEADINGS[name] for name in MEASURES)}) "
    "where their scores differ by more than "
    f"{SEPARABLE:g} standard errors. The errors are those of the images that are looked at (pairs "
    "of images for swaps, generated images for generation): the two models' contributions are "
    "subtracted image by image, because both see the same ones. An order stands until the opposite "
    "one is seen; a difference inside the noise changes nothing."
)
WITH_SEEDS = (
    "Added to them is what another seed of the training moves: the standard deviation of the "
    "difference of two models over the seeds of the runs behind the tables, of all pairs together."
)
WITHOUT_SEEDS = "What another seed of the training would move is not in it."


@dataclass(frozen=True)
class Change:
    """An order that turned round.

    Attributes
    ----------
    dataset, supervision_rate, metric
        Where.
    ahead, behind
        The models, as they stand at the longer budget.
    budget, longer
        The budget before, and that at which the new order was first seen.
    """

    dataset: str
    supervision_rate: str
    metric: str
    ahead: str
    behind: str
    budget: int
    longer: int


def orders(trainings: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Compare every two models of a data set, f and budget in every measure that both have.

    Parameters
    ----------
    trainings
        Each with `dataset`, `supervision_rate`, `budget`, `images_seen`, `value` (the model),
        `seed`, `scores` (by measure) and `influence` (of each image on it, see
        `evaluators.influence`). Over seeds, both are averaged.

    Returns
    -------
    pandas.DataFrame
        With the columns `OF_IMAGES`.
    """
    places: dict[tuple[Any, ...], dict[str, list[Mapping[str, Any]]]] = {}
    for one in trainings:
        place = tuple(one[key] for key in (*PLACE, "budget"))
        places.setdefault(place, {}).setdefault(one["value"], []).append(one)
    rows = []
    for (dataset, rate, budget), models in places.items():
        for metric, (first, second) in product(MEASURES, combinations(models, 2)):
            found = _difference(models[first], models[second], metric)
            if found is None:
                continue
            seen = models[first][0][IMAGES]
            rows.append((dataset, rate, budget, seen, metric, first, second, *found))
    return pd.DataFrame(rows, columns=OF_IMAGES)


def with_seeds(
    frame: pd.DataFrame, seeds: int, spread: Mapping[tuple[str, str, str], float]
) -> pd.DataFrame:
    """Add to the errors of `orders` what another seed of the training moves.

    Parameters
    ----------
    frame
        From `orders`.
    seeds
        Of each training; differences are of their means.
    spread
        From `spread_of_seeds`; where it is not known, errors are those of the images alone.

    Returns
    -------
    pandas.DataFrame
        With the columns `ORDERS`.
    """
    places = zip(frame["dataset"], frame["supervision_rate"], frame["metric"], strict=True)
    training = np.array([spread.get(p, math.nan) for p in places]) / math.sqrt(seeds)
    whole = np.hypot(frame["image_error"], np.nan_to_num(training))
    return frame.assign(training_error=training, standard_error=whole)


def spread_of_seeds(records: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    """What another seed moves the difference of two models by, from runs of several seeds.

    Parameters
    ----------
    records
        From `workflow.reporting.records.collect`.

    Returns
    -------
    dict
        For each data set, f and measure of which two models have two seeds: the standard deviation
        (ddof = 1) of the difference of two models at the same seed, whose variance is the mean over
        all pairs of models.
    """
    found = {}
    known = records[records["metric"].isin(MEASURES) & records["seed"].notna()]
    for place, block in known.groupby([*PLACE, "metric"], sort=False):
        models = block.pivot_table(index="seed", columns="model", values="value")
        pairs = combinations(models.columns, 2)
        variances = [(models[a] - models[b]).var(ddof=1) for a, b in pairs]
        variance = float(pd.Series(variances, dtype=float).mean())
        if not math.isnan(variance):
            dataset, rate, metric = map(str, place)
            found[dataset, rate, metric] = math.sqrt(variance)
    return found


def _difference(
    first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]], metric: str
) -> tuple[float, float] | None:
    """Difference of two models over the same seeds, and its standard error."""
    if any(metric not in one["influence"] for one in (*first, *second)):
        return None
    score, influence = (
        np.mean([one["scores"][metric] for one in first], axis=0)
        - np.mean([one["scores"][metric] for one in second], axis=0),
        np.mean([one["influence"][metric] for one in first], axis=0, dtype=float)
        - np.mean([one["influence"][metric] for one in second], axis=0, dtype=float),
    )
    return float(score), float(np.linalg.norm(influence) / len(influence))


def told(frame: pd.DataFrame) -> pd.Series:
    """Order of each row of `orders`: 1 where the first model is better, 0 inside the noise."""
    lower = frame["metric"].map(MEASURES).astype(bool)
    better = np.sign(frame["difference"]).where(~lower, -np.sign(frame["difference"]))
    apart = frame["difference"].abs() > SEPARABLE * frame["standard_error"]
    return better.where(apart, 0).astype(int)


def changes(frame: pd.DataFrame) -> list[Change]:
    """Orders that turn round from one budget of `orders` to the next, by budget."""
    found = []
    for key, rows in frame.assign(told=told(frame)).groupby(PAIR, sort=False):
        stands = budget = 0
        dataset, rate, metric, first, second = map(str, key)
        for row in rows.sort_values("budget").to_dict("records"):
            sign, longer = int(row["told"]), int(row["budget"])
            if sign * stands < 0:
                ahead, behind = (first, second) if sign > 0 else (second, first)
                found.append(Change(dataset, rate, metric, ahead, behind, budget, longer))
            stands, budget = sign or stands, longer
    return sorted(found, key=lambda change: change.longer)


def complete(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of `orders` at the budgets at which every pair is there that is there at any."""
    whole = frame.drop_duplicates(PAIR).shape[0]
    return frame[frame.groupby("budget")["budget"].transform("size") == whole]


def settled(frame: pd.DataFrame) -> int | None:
    """Smallest budget of `orders` from which on no order changes; None where the last one does.

    The longest budget that was run says nothing of itself, only of the one before.
    """
    budgets = sorted(frame["budget"].unique())
    moved = {change.longer for change in changes(frame)}
    still = [b for b in budgets[:-1] if not any(longer > b for longer in moved)]
    return int(still[0]) if still else None


def sentences(frame: pd.DataFrame, budgets: Sequence[int], titles: Mapping[str, str]) -> list[str]:
    """What changes from each budget to the next, and which budget is enough.

    Parameters
    ----------
    frame
        From `orders`.
    budgets
        That were planned, in ascending order.
    titles
        What models are called; by their names where they have none.
    """
    begun, frame = set(frame["budget"]), complete(frame)
    there, turned = set(frame["budget"]), changes(frame)
    lines = []
    for budget, longer in pairwise(budgets):
        words = f"From {times(budget)} to {times(longer)} the images: "
        if not {budget, longer} <= there:
            started = {budget, longer} <= begun
            lines.append(f"{words}not run{' in full' if started else ''}.")
            continue
        before, there_now = (
            _seen(frame[rows]) for rows in (frame["budget"] < longer, frame["budget"] == longer)
        )
        of = [change for change in turned if change.longer == longer]
        words += (
            f"{len(there_now & before)} of the {len(there_now)} orders that are seen there were "
        )
        words += f"seen before, and {len(of) or 'none'} of those "
        words += f"{'has' if len(of) < 2 else 'have'} turned round"
        lines.append(f"{words}{': ' if of else ''}{'; '.join(_in_words(of, titles))}.")
    return [*lines, conclusion(frame)]


def _seen(frame: pd.DataFrame) -> set[tuple[str, ...]]:
    """Pairs of models, and where, that have an order in some row."""
    return set(frame.loc[told(frame) != 0, PAIR].itertuples(index=False, name=None))


def rule(frame: pd.DataFrame) -> str:
    """When two models have an order in `orders`, in words."""
    known = frame["training_error"].notna()
    if not known.any():
        return f"{RULE} {WITHOUT_SEEDS}"
    partly = "" if known.all() else " Where two models have no two seeds it is not in it."
    return f"{RULE} {WITH_SEEDS}{partly}"


def in_images(frame: pd.DataFrame, runs_saw: float | None = None) -> str:
    """How many images the budgets of `orders` are, and those of the runs behind the tables."""
    budgets = sorted(set(frame["budget"]))
    # Models that learn from labelled images alone see fewer.
    seen = {n: float(frame.loc[frame["budget"] == n, IMAGES].max()) for n in budgets}
    words = ", ".join(f"{times(n)} is {images:,.0f}" for n, images in seen.items())
    if runs_saw is None or math.isnan(runs_saw) or 1 not in seen:
        return f"Images: {words}."
    return (
        f"Images: {words}; the runs behind the tables saw {runs_saw:,.0f}, "
        f"{runs_saw / seen[1]:.3g} times as many as once."
    )


def conclusion(frame: pd.DataFrame) -> str:
    """Which budget is enough, or that none that was run is."""
    there = sorted(set(frame["budget"]))
    if len(there) < 2:
        return "Which budget is enough is not known: it takes two, and fewer were run."
    budget = settled(frame)
    if budget is None:
        last = [change for change in changes(frame) if change.longer == there[-1]]
        return (
            f"Orders still turn round on the way to {times(there[-1])} the images, the most that "
            f"was run ({len(last)} of them): no budget that was run is known to be enough."
        )
    return (
        f"From {times(budget)} the images on no order turns round any more, up to "
        f"{times(there[-1])} the images: of those that were run, it is the smallest such budget."
    )


def _in_words(found: Iterable[Change], titles: Mapping[str, str]) -> Iterator[str]:
    by_measure: dict[tuple[str, str, str], list[str]] = {}
    for change in found:
        pair = f"{titles.get(change.ahead, change.ahead)} passes "
        pair += titles.get(change.behind, change.behind)
        key = (change.metric, change.dataset, change.supervision_rate)
        by_measure.setdefault(key, []).append(pair)
    for (metric, dataset, rate), pairs in by_measure.items():
        where = f"{dataset_name(dataset)}, f = {rate}"
        yield f"in {HEADINGS[metric]} ({where}) {' and '.join(pairs)}"
