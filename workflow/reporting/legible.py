"""Which labels the judge reads off what a model draws for them: what a picture can show."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from workflow.identity import Run
from workflow.reporting.names import readable

METRIC = "generation_balanced_accuracy"


def legibility(
    per_label: pd.DataFrame, run: Run, labels: Sequence[str], weak: Collection[str] = ()
) -> str:
    """One sentence on how often the judge agrees with the labels that images were generated for.

    Parameters
    ----------
    per_label
        records_per_label of a gathered folder.
    run
        The trained model.
    labels
        Labels, in the order in which they are told.
    weak
        Those that claims leave out, see `workflow.reporting.judges.weak_labels`.

    Returns
    -------
    str
        Empty where the records have none of them.
    """
    own = per_label[per_label["run"] == run.folder]
    value = own.set_index("metric")["value"]
    told = [
        f"{readable(name)} {value[key]:.0%}{' (left out of claims)' if name in weak else ''}"
        for name in labels
        if (key := f"{METRIC}/{name}") in value
    ]
    if not told:
        return ""
    return (
        "How often the judge reads a label as meant in images that this model generates for it "
        f"(balanced accuracy, 50% is chance): {', '.join(told)}."
    )
