"""Labels that a judge reads badly are left out of the means that claims rest on."""

from __future__ import annotations

import pandas as pd
import pytest

from workflow.reporting.judges import unreadable_labels, weak_labels
from workflow.reporting.readable import for_claims, readable_means, readable_off_diagonal

JUDGE = {
    "label_minimum_balanced_accuracy": 0.85,
    "balanced_accuracy/a": 0.95,
    "balanced_accuracy/b": 0.80,
    "balanced_accuracy/c": 0.90,
}
RUN = {
    "swap": 2.0,
    "swap/a": 1.0,
    "swap/b": 3.0,
    "swap/c": 2.0,
    "swap_self": 0.5,
    "swap_self/a": 0.5,
    "swap_self/b": 0.5,
    "swap_self/c": 0.5,
    "swap_no_transfer": 3.0,
    "swap_no_transfer/a": 3.0,
    "swap_no_transfer/b": 2.0,
    "swap_no_transfer/c": 4.0,
    "swap_normalised": 0.6,
    "intervention_success": 0.6,
    "intervention_success/a": 0.9,
    "accuracy": 0.5,
    "accuracy/a": 0.5,
    "accuracy/b": 0.5,
}


def records(**rows: dict[str, float]) -> pd.DataFrame:
    """Of a data set `drawn`, by model."""
    return pd.DataFrame(
        [
            {"run": f"r/{model}", "dataset": "drawn", "model": model, "metric": k, "value": v}
            for model, metrics in rows.items()
            for k, v in metrics.items()
        ]
    )


def test_a_label_that_the_judge_reads_badly_is_left_out_of_means():
    found = readable_means(records(judge=JUDGE, ccvae=RUN))
    values = dict(zip(found["metric"], found["value"], strict=True))
    assert values == pytest.approx(
        {
            "swap_readable": 1.5,
            "swap_self_readable": 0.5,
            "swap_no_transfer_readable": 3.5,
            "swap_normalised_readable": 1 / 3,
        }
    )
    assert set(found["run"]) == {"r/ccvae"}


def test_a_label_whose_true_redrawings_are_not_seen_is_as_weak():
    seen = {"intervention_success/a": 0.5, "intervention_success/b": 0.9}
    frame = records(judge=JUDGE, true_redrawing=seen)
    assert weak_labels(frame) == {"drawn": ["b", "a"]}
    assert unreadable_labels(frame)["drawn"].endswith("off their true redrawings: b, a.")


def test_nothing_is_added_where_every_label_is_readable():
    frame = records(judge={**JUDGE, "balanced_accuracy/b": 0.86}, ccvae=RUN)
    assert readable_means(frame).empty
    assert for_claims(frame) is frame


def test_nothing_is_added_without_a_minimum():
    frame = records(judge={"balanced_accuracy/a": 0.1}, ccvae=RUN)
    assert readable_means(frame).empty


def test_claims_rest_on_the_readable_labels():
    frame = records(judge=JUDGE, ccvae=RUN)
    frame = for_claims(pd.concat([frame, readable_means(frame)], ignore_index=True))
    own = frame[frame["model"] == "ccvae"].set_index("metric")["value"]
    assert own["swap"] == 1.5
    assert own["swap_normalised"] == pytest.approx(1 / 3)
    # Not a mean of its labels, and nothing that a judge reads.
    assert own["intervention_success"] == 0.6
    assert own["accuracy"] == 0.5
    assert own.index.is_unique


FLIP = {
    "rows": ["a", "b", "c"],
    "columns": ["a", "b", "c"],
    "values": [[9.0, 5.0, -1.0], [5.0, 9.0, 5.0], [3.0, 5.0, 9.0]],
}


def test_changes_of_one_label_by_another_are_averaged_over_readable_labels_too():
    frame = records(judge=JUDGE, ccvae={**RUN, "intervention_off_diagonal": 4.0})
    found = readable_means(frame, {"r/ccvae": FLIP})
    values = dict(zip(found["metric"], found["value"], strict=True))
    assert values["intervention_off_diagonal_readable"] == 2.0
    claimed = for_claims(pd.concat([frame, found], ignore_index=True))
    own = claimed[claimed["model"] == "ccvae"].set_index("metric")["value"]
    assert own["intervention_off_diagonal"] == 2.0


@pytest.mark.parametrize(
    ("weak", "mean"), [([], 4.0), (["b"], 2.0), (["a", "b"], None), (["a", "b", "c"], None)]
)
def test_one_readable_label_has_no_other(weak, mean):
    assert readable_off_diagonal(FLIP, weak) == mean


def test_an_undefined_entry_leaves_the_mean_undefined_unless_it_is_left_out():
    matrix = {**FLIP, "values": [[9.0, 5.0, 1.0], [None, None, None], [1.0, 5.0, 9.0]]}
    assert readable_off_diagonal(matrix, []) is None
    assert readable_off_diagonal(matrix, ["b"]) == 1.0
