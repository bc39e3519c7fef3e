"""Whether a judge is good enough to judge models by (deviation: judge-gates); needs no torch."""

from __future__ import annotations

from collections.abc import Mapping

LOSS = "negative_log_likelihood"


def shortcomings(
    metrics: Mapping[str, float], constant: Mapping[str, float], minimum: Mapping[str, float]
) -> list[str]:
    """Say what keeps a judge from judging models; an empty list if nothing does.

    Parameters
    ----------
    metrics
        Of the judge on test images, from `evaluators.assessment.assess`.
    constant
        The same of the best constant answer. Who loses as many nats as it has learnt nothing,
        whatever its accuracy.
    minimum
        Smallest acceptable value of any of the metrics.

    Returns
    -------
    list of str
        One clause per shortcoming, for a sentence that says whose they are.
    """
    clauses = []
    for key, least in minimum.items():
        name = key.replace("_", " ").replace("auroc", "AUROC")
        if key not in metrics:
            clauses.append(f"its {name} is not defined on the test images")
        elif metrics[key] < least:
            clauses.append(
                f"its {name} on test images is {metrics[key]:.4f}, below the {least:g} asked of it"
            )
    if LOSS in metrics and metrics[LOSS] >= constant.get(LOSS, float("inf")):
        clauses.append(
            f"its probabilities lose {metrics[LOSS]:.4f} nats per label on test images, no fewer "
            f"than the {constant[LOSS]:.4f} of a constant answer"
        )
    return clauses


def unreadable(metrics: Mapping[str, float], minimum: Mapping[str, float]) -> list[str]:
    """Labels that a judge cannot be relied on to read.

    Parameters
    ----------
    metrics
        As above; those of a label are named `<metric>/<label>`.
    minimum
        Smallest acceptable value of such metrics, without the label.
    """
    weak = {
        label: None
        for key, value in metrics.items()
        for name, slash, label in [key.partition("/")]
        if slash and value < minimum.get(name, float("-inf"))
    }
    return list(weak)
