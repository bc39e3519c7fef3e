"""Which orders change with the budget: constructed cases with known answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workflow.figures.budget import draw_budget
from workflow.figures.style import line
from workflow.studies.budget import (
    ORDERS,
    SEPARABLE,
    WITH_SEEDS,
    WITHOUT_SEEDS,
    changes,
    complete,
    conclusion,
    in_images,
    orders,
    rule,
    sentences,
    settled,
    spread_of_seeds,
    told,
    with_seeds,
)
from workflow.studies.variants import summarise_variants

N = 400
TITLES = {"a": "A", "b": "B"}


def training(model: str, budget: int, score: float, influence: np.ndarray, **more: object) -> dict:
    metric = str(more.pop("metric", "balanced_accuracy"))
    return {
        "dataset": "synthetic_faces",
        "supervision_rate": "0.06",
        "budget": budget,
        "images_seen": 100 * budget,
        "value": model,
        "seed": 0,
        "scores": {metric: score},
        "influence": {metric: influence},
        **more,
    }


def noise(seed: int, size: float = 1.0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=N) * size
    return values - values.mean()


def course(*differences: float, error: float = 0.01, metric: str = "balanced_accuracy"):
    """Orders of the models a and b, whose scores differ by so much at the budgets 1, 2, 4, ..."""
    return pd.DataFrame(
        [
            (
                *("synthetic_faces", "0.06", 2**index, 100 * 2**index, metric, "a", "b"),
                *(difference, error, np.nan, error),
            )
            for index, difference in enumerate(differences)
        ],
        columns=ORDERS,
    )


def of_images(trainings):
    """Orders whose errors are those of the images alone."""
    return with_seeds(orders(trainings), 1, {})


def test_errors_are_paired_image_by_image():
    hard, own = noise(0), noise(1, 0.1)
    found = of_images([training("a", 1, 0.8, hard + own), training("b", 1, 0.7, hard)])
    assert found["difference"].item() == pytest.approx(0.1)
    # What is hard for both is gone, and with it nine tenths of the error.
    assert found["standard_error"].item() == pytest.approx(np.sqrt((own**2).sum()) / N)
    unpaired = of_images([training("a", 1, 0.8, hard), training("b", 1, 0.7, noise(2))])
    assert unpaired["standard_error"].item() == pytest.approx(np.sqrt(2 / N), rel=0.1)


def test_what_seeds_move_is_an_error_too():
    """Of seeds that move both models alike nothing is left, of others the spread."""
    scores = {"a": (0.8, 0.9, 0.7), "b": (0.7, 0.8, 0.6), "c": (0.7, 0.7, 0.7)}
    runs = pd.DataFrame(
        {"dataset": "synthetic_faces", "supervision_rate": "0.06", "metric": "balanced_accuracy"}
        | {"model": model, "seed": seed, "value": value}
        for model, values in scores.items()
        for seed, value in enumerate(values)
    )
    place = ("synthetic_faces", "0.06", "balanced_accuracy")
    alike = runs[runs["model"] != "c"]
    assert spread_of_seeds(alike)[place] == pytest.approx(0, abs=1e-12)
    # The variances of the three pairs are 0, 0.01 and 0.01.
    assert spread_of_seeds(runs)[place] == pytest.approx(np.sqrt(0.02 / 3))
    assert spread_of_seeds(runs[runs["seed"] == 0]) == {}
    both = [training("a", 1, 0.8, noise(0)), training("b", 1, 0.7, noise(1))]
    alone, of_both = of_images(both), with_seeds(orders(both), 1, spread_of_seeds(runs))
    assert alone["training_error"].isna().all()
    assert of_both["training_error"].item() == pytest.approx(np.sqrt(0.02 / 3))
    assert of_both["standard_error"].item() == pytest.approx(
        np.hypot(alone["standard_error"].item(), np.sqrt(0.02 / 3))
    )
    # The mean of four seeds spreads half as far.
    of_four = with_seeds(orders(both), 4, spread_of_seeds(runs))
    assert of_four["training_error"].item() == pytest.approx(np.sqrt(0.02 / 3) / 2)
    assert "no two seeds" not in rule(of_both)
    assert rule(of_both).endswith(WITH_SEEDS)
    assert rule(alone).endswith(WITHOUT_SEEDS)


def test_budgets_are_told_in_images():
    assert in_images(course(0.1, 0.2), 400) == (
        "Images: once is 100, twice is 200; the runs behind the tables saw 400, 4 times as many as "
        "once."
    )
    assert in_images(course(0.1)) == "Images: once is 100."


def test_seeds_are_averaged_before_they_are_compared():
    parts = [
        training(model, 1, score, noise(seed), seed=seed)
        for model, scores in {"a": (0.8, 0.6), "b": (0.5, 0.5)}.items()
        for seed, score in enumerate(scores)
    ]
    found = of_images(parts)
    assert found["difference"].item() == pytest.approx(0.2)
    assert found["standard_error"].item() == pytest.approx(0, abs=1e-12)


def test_models_without_a_measure_have_no_order_in_it():
    found = orders(
        [
            training("a", 1, 0.8, noise(0)),
            training("b", 1, 0.8, noise(0), metric="swap_truth_normalised"),
        ]
    )
    assert found.empty


def test_the_lower_end_is_the_better_one_of_swaps():
    assert told(course(0.1))[0] == 1
    assert told(course(0.1, metric="swap_truth_normalised"))[0] == -1
    # Exactly as far as the noise is not further.
    assert told(course(SEPARABLE * 0.01))[0] == 0


def test_an_order_that_stays_and_one_that_is_noise_change_nothing():
    for still in (course(0.1, 0.2, 0.3), course(0.015, -0.015, 0.015), course(0.1, -0.015, 0.1)):
        assert changes(still) == []
        assert settled(still) == 1
    assert conclusion(course(0.1, 0.2, 0.3)) == (
        "From once the images on no order turns round any more, up to 4 times the images: of those "
        "that were run, it is the smallest such budget."
    )


def test_an_order_that_turns_round_is_named_with_its_budgets():
    turned = course(0.1, 0.2, -0.1, -0.1)
    (change,) = changes(turned)
    assert (change.ahead, change.behind, change.budget, change.longer) == ("b", "a", 2, 4)
    assert settled(turned) == 4
    lines = sentences(turned, [1, 2, 4, 8], TITLES)
    assert lines[0] == (
        "From once to twice the images: 1 of the 1 orders that are seen there were seen before, "
        "and none of those has turned round."
    )
    assert "were seen before, and 1 of those has turned round: in balanced" in lines[1]
    assert lines[1].endswith("(synthetic_faces (drawn), f = 0.06) B passes A.")
    assert lines[-1].startswith("From 4 times the images on no order turns round any more")


def test_only_orders_that_were_seen_before_could_turn_round():
    both = pd.concat([course(0.1, 0.2), course(0.0, 0.2, metric="generation_accuracy")])
    (line, *_) = sentences(both, [1, 2], TITLES)
    assert ": 1 of the 2 orders that are seen there were seen before, and none of those" in line


def test_an_order_that_turns_round_slowly_is_not_missed():
    """Through the noise: neither step alone goes from one order to the opposite one."""
    slow = course(0.1, 0.0, -0.1, -0.1)
    assert [change.longer for change in changes(slow)] == [4]
    assert settled(slow) == 4


def test_a_change_at_the_end_leaves_no_budget():
    moving = course(0.1, -0.1)
    assert settled(moving) is None
    assert conclusion(moving).startswith("Orders still turn round on the way to twice the images")
    # Two still steps in a row do not outweigh a later change.
    assert settled(course(0.1, 0.1, 0.1, -0.1)) is None


def test_what_was_not_run_is_said_and_nothing_else():
    lines = sentences(course(0.1, 0.2), [1, 2, 4, 8], TITLES)
    assert lines[1:3] == [
        "From twice to 4 times the images: not run.",
        "From 4 times to 8 times the images: not run.",
    ]
    assert "up to twice" in lines[-1]
    assert "takes two" in conclusion(course(0.1))
    assert "takes two" in sentences(course(), [1, 2], TITLES)[-1]


def test_a_budget_that_is_half_run_says_nothing():
    there = course(0.1, 0.1, -0.1)
    more = course(0.1, 0.1, metric="generation_accuracy")
    both = pd.concat([there, more], ignore_index=True)
    assert sorted(complete(both)["budget"].unique()) == [1, 2]
    lines = sentences(both, [1, 2, 4, 8], TITLES)
    assert "not run in full" in lines[1]
    assert "not run." in lines[2]
    assert lines[-1].startswith("From once the images on")


def test_the_figure_has_a_line_per_model_and_a_gap_where_nothing_was_run():
    rows = [
        {"dataset": "synthetic_faces", "supervision_rate": rate, "budget": budget, "value": model}
        | {"images_seen": 100 * budget, "seed": 0, "metric": metric, "score": 0.5}
        for rate in ("0.06", "1.0")
        for budget in (1, 2, 4)
        for model in ("a", "b")
        for metric in ("balanced_accuracy", "accuracy")
        if (model, budget) != ("b", 4)
    ]
    summary = summarise_variants(pd.DataFrame(rows))
    assert len(summary) == len(rows)
    figure = draw_budget(summary, TITLES, ["c", "b", "a"], "A title")
    assert len(figure.axes) == 2
    lines = {line.get_label(): line.get_xdata().tolist() for line in figure.axes[0].lines}
    assert lines == {"A": [100, 200, 400], "B": [100, 200]}
    assert figure.axes[0].get_xscale() == "log"


def test_a_model_looks_as_in_figures_of_all_models():
    row = {"dataset": "d", "supervision_rate": "0.06", "value": "b", "metric": "balanced_accuracy"}
    summary = pd.DataFrame([{**row, "images_seen": n, "mean": 0.5} for n in (100, 200)])
    figure = draw_budget(summary, {"b": "B"}, ["a", "b"], "A title")
    (own,) = figure.axes[0].lines
    assert own.get_color() == line(1)["color"] != line(0)["color"]
