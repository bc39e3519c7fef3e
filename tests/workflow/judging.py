"""Records whose verdicts are known, and a claim about them."""

from __future__ import annotations

import pandas as pd

from workflow.reporting.claims import GENERALLY, Claim, Measure
from workflow.reporting.court import decide
from workflow.reporting.record_files import COLUMNS
from workflow.reporting.records import Plan
from workflow.reporting.verdicts import Verdict

RATES = ["0.06", "1.0"]
SWAP = Claim(
    id="swap",
    plain="CCVAE swaps best",
    question="swaps",
    quote="CCVAE has the smallest difference.",
    place="Section 6.4",
    shown="Table 2",
    datasets=("celeba",),
    decided="So.",
    metric=Measure("swap", "difference, nats", lower_is_better=True),
    test="better",
    subject="ccvae",
    scope=GENERALLY,
    rivals=("m2", "mvae"),
)
ALONE = {"rivals": ("m2",)}


def claim(**changes) -> Claim:
    return Claim(**{**vars(SWAP), **changes})


def plan(**changes) -> Plan:
    values = {
        "preset": "test",
        "datasets": {"synthetic_faces": "attributes", "mnist": "classes"},
        "models": {
            "ccvae": {"system": "ccvae", "title": "CCVAE", "datasets": None},
            "detached": {"system": "ccvae", "title": "CCVAE, detached", "datasets": None},
            "m2": {"system": "m2", "title": "M2", "datasets": None},
            "mvae": {"system": "mvae", "title": "MVAE", "datasets": None},
        },
        "rates": RATES,
        "seeds": 3,
    }
    return Plan(**{**values, **changes})


def records(values: dict[tuple[str, str, str], list[float]], dataset="synthetic_faces"):
    """Records from (model, metric, rate) -> values of the seeds 0, 1, ...; "" is a reference."""
    rows = [
        {
            "run": f"runs/{dataset}/{model}/f={rate}/seed={seed}",
            "dataset": dataset,
            "model": model,
            "supervision_rate": rate or None,
            "seed": seed if rate else None,
            "metric": metric,
            "value": value,
            "images_seen": 1000 if rate else None,
        }
        for (model, metric, rate), found in values.items()
        for seed, value in enumerate(found)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def swaps(dataset="synthetic_faces", metric="swap", **by_model: list[float]) -> pd.DataFrame:
    values = {(m, metric, rate): v for m, v in by_model.items() for rate in RATES}
    return records(values, dataset)


def verdict_of(
    frame, judged=SWAP, subject="ccvae", dataset="synthetic_faces", **changes
) -> Verdict:
    """The verdict in the claim's own scope."""
    found = decide(frame, plan(**changes), [judged])
    return next(v for v in found if (v.subject, v.dataset, v.main) == (subject, dataset, True))


FAILED_JUDGE = records(
    {("judge", "balanced_accuracy", ""): [0.5], ("judge", "minimum_balanced_accuracy", ""): [0.9]}
)
BETTER = {"ccvae": [1.0, 1.1, 1.2], "m2": [2.0, 2.1, 2.25], "mvae": [3.0, 3.1, 3.2]}
