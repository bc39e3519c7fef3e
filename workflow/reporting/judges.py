"""Which judges failed their gate, and what rests on a judge: the one place that pages ask."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pandas as pd

from evaluators.gates import shortcomings, unreadable
from workflow.reporting.names import dataset_name, readable

MINIMUM, LABEL_MINIMUM = "minimum_", "label_minimum_"
"""Before the name of a metric, in the records: the least value of it that the judge must reach, and
that a label must reach to be readable."""
UNJUDGED = "not decided: judge failed its gate"
"""The verdict on what would rest on such a judge."""

SCORES = ("accuracy", "balanced_accuracy")
"""What is told of a judge wherever something rests on it."""

NOISE, TEST = "mutual_information_noise", "mutual_information_test"
"""Of a judge's Gaussian process, on uniform noise and on test images."""

READ_BY_A_JUDGE = (
    "swap",
    "generation",
    "intervention",
    "frechet_distance_judge",
    "mutual_information",
    "region_redraw_success",
    "region_closest_success",
    "region_within_success",
    "style_kept_interventions",
    "style_kept_swaps",
    "style_taken_swaps",
)
READ_OFF_PIXELS = (
    "swap_background_change",
    "swap_background_distance",
    "swap_outside_change",
    "swap_truth_",
)
"""Names of metrics, or their beginnings."""


def gate_metrics(record: Mapping[str, Any]) -> dict[str, float]:
    """What judge.json asks of the judge, as metrics of the records."""
    return {
        f"{prefix}{metric}": least
        for prefix in (MINIMUM, LABEL_MINIMUM)
        for metric, least in record["gate"][prefix.removesuffix("_")].items()
    }


def information_metrics(record: Mapping[str, Any]) -> dict[str, float]:
    """What gp.json says of the gate of the mutual information, as metrics of the records."""
    found = record.get("metrics", {})
    return {name: found[name] for name in (NOISE, TEST) if name in found}


def information_gates(records: pd.DataFrame) -> dict[str, str]:
    """By data set, whether the mutual information passed its own gate, in words.

    It must be larger on noise than on test images, or it does not say how far from the data images
    are. A data set whose Gaussian process did not record both is left out.
    """
    return {
        dataset: f"{judge[NOISE]:.2g} on noise, {judge[TEST]:.2g} on test images, gate "
        f"{'passed' if judge[NOISE] > judge[TEST] else 'failed'}"
        for dataset, judge in _metrics(records, "judge").items()
        if {NOISE, TEST} <= judge.keys()
    }


def information_gate(records: pd.DataFrame, datasets: Iterable[str]) -> str:
    """One sentence on the gates of some data sets; empty where none is recorded."""
    found = information_gates(records)
    gates = [f"{dataset_name(d)} {found[d]}" for d in datasets if d in found]
    return f"Mutual information in nats by its own gate: {'; '.join(gates)}." if gates else ""


def rests_on_judge(metric: str, model: str = "") -> bool:
    """Whether a metric is what a judge says, or a row is the judge's own."""
    judged = metric.startswith(READ_BY_A_JUDGE) and not metric.startswith(READ_OFF_PIXELS)
    return judged or model == "judge"


def failed_judges(records: pd.DataFrame) -> dict[str, str]:
    """Data sets whose judge failed its gate, each with the sentence that says so.

    Parameters
    ----------
    records
        From `workflow.reporting.records.collect`; those of judges and constant answers count.
    """
    return {
        dataset: f"The judge of {dataset_name(dataset)} failed its gate: {'; '.join(clauses)}. "
        "Nothing that rests on it is decided."
        for dataset, clauses in why_failed(records).items()
    }


def why_failed(records: pd.DataFrame) -> dict[str, list[str]]:
    """The same, with a clause for each shortcoming."""
    constants = _metrics(records, "majority")
    return {
        dataset: clauses
        for dataset, judge in _metrics(records, "judge").items()
        if (clauses := shortcomings(judge, constants.get(dataset, {}), _asked(judge, MINIMUM)))
    }


def credentials(records: pd.DataFrame) -> dict[str, str]:
    """How good the judge of each data set is, and whether it passed its gate, in words."""
    failed = failed_judges(records)
    found = {}
    for dataset, judge in _metrics(records, "judge").items():
        scores = [f"{readable(name)} {judge[name]:.3f}" for name in SCORES if name in judge]
        asked = bool(_asked(judge, MINIMUM))
        gate = "failed" if dataset in failed else "passed" if asked else "not recorded"
        found[dataset] = ", ".join([*scores, f"gate {gate}"])
    return found


def weak_labels(records: pd.DataFrame) -> dict[str, list[str]]:
    """Labels that nothing may rest on, by data set; data sets without any are left out.

    The judge reads them off real images worse than it must, or sees fewer of their true redrawings,
    where images are drawn.

    Parameters
    ----------
    records
        From `workflow.reporting.records.collect`.
    """
    redrawn = _metrics(records, "true_redrawing")
    found = {}
    for dataset, judge in _metrics(records, "judge").items():
        asked = _asked(judge, LABEL_MINIMUM)
        labels = unreadable(judge, asked)
        least = asked.get("balanced_accuracy")
        if least is not None:
            labels += unreadable(redrawn.get(dataset, {}), {"intervention_success": least})
        if labels:
            found[dataset] = list(dict.fromkeys(labels))
    return found


def unreadable_labels(records: pd.DataFrame) -> dict[str, str]:
    """Data sets with `weak_labels`, each with the sentence that says so."""
    return {
        dataset: f"Left out of claims, because the judge of {dataset_name(dataset)} reads them too "
        f"badly off real images or off their true redrawings: {', '.join(map(readable, labels))}."
        for dataset, labels in weak_labels(records).items()
    }


def _metrics(records: pd.DataFrame, row: str) -> dict[str, dict[str, float]]:
    """Metrics of a row that is no model, by data set."""
    found: dict[str, dict[str, float]] = {}
    own = records.loc[records["model"] == row, ["dataset", "metric", "value"]]
    for dataset, metric, value in own.itertuples(index=False):
        found.setdefault(dataset, {})[metric] = value
    return found


def _asked(judge: Mapping[str, float], prefix: str) -> dict[str, float]:
    return {k.removeprefix(prefix): v for k, v in judge.items() if k.startswith(prefix)}


def trusted(frame: pd.DataFrame, failed: Collection[str]) -> pd.DataFrame:
    """Rows of a frame with `dataset` and `metric` that rest on no judge which failed its gate."""
    resting = frame["dataset"].isin(failed) & frame["metric"].map(rests_on_judge)
    return frame[~resting]


def first_lines(sentences: Iterable[str]) -> list[str]:
    """Markdown that stands before anything else on a page: each sentence of `failed_judges` once.

    Empty strings are passed over, so that a column of a frame can be given.
    """
    words = "failed its gate"
    found = dict.fromkeys(sentence.replace(words, f"**{words}**") for sentence in sentences)
    return [line for sentence in found if sentence for line in (sentence, "")]
