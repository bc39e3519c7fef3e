"""How good a judge is on real test images.

Beside accuracy: the area under the ROC curve, and the expected calibration error with 15 bins
(Guo et al., arXiv:1706.04599).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Shaped
from sklearn.metrics import roc_auc_score
from torch import Tensor

from evaluators.accuracy import label_scores
from evaluators.images import ImageSet, collect
from evaluators.measuring import (
    JudgeLike,
    device_of,
    measurement,
    most_probable,
    output_log_probs,
)

BINS = 15


def calibration_error(
    probability: Float[Tensor, " N"], outcome: Shaped[Tensor, " N"], bins: int = BINS
) -> float:
    """Expected calibration error of stated probabilities against 0/1 outcomes, both (N,).

    Mean over images of |mean outcome - mean probability| within the image's bin, bins of equal
    width on [0, 1].
    """
    position = (probability * bins).long().clamp(0, bins - 1)
    excess = torch.zeros(bins, dtype=torch.float64)
    excess.index_add_(0, position, outcome.double() - probability.double())
    return float(excess.abs().sum() / len(probability))


@measurement
def assess(judge: JudgeLike, images: ImageSet) -> dict[str, float]:
    """Measure a judge on images that it was not trained on.

    Parameters
    ----------
    judge
        The classifier.
    images
        Test images.

    Returns
    -------
    dict
        `accuracy`, `balanced_accuracy` and theirs per label as in `accuracy.label_scores`;
        `negative_log_likelihood` in nats per label; `auroc`, a mean over labels or over classes
        (one against the rest), and `auroc/<name>`; `calibration_error`, of p(y = 1) and a mean
        over binary labels, or of the predicted class, and `calibration_error/<name>`, of
        p(y = name). An AUROC that is undefined because the images show only one value of a
        label is left out, and out of the mean.
    """
    space = images.space
    log_probs, y = collect(judge.log_probs, images, device_of(judge))
    scores = label_scores(most_probable(log_probs, space), y, space)
    scores["negative_log_likelihood"] = -float(log_probs.gather(-1, y.unsqueeze(-1)).mean())
    stated, truth = output_log_probs(log_probs, space).double(), space.encode(y).bool()
    areas, errors = {}, {}
    for i, name in enumerate(space.names):
        outcome = truth[:, i]
        errors[name] = calibration_error(stated[:, i].exp(), outcome)
        if outcome.any() and not outcome.all():
            areas[name] = float(roc_auc_score(outcome.numpy(), stated[:, i].numpy()))
    if areas:
        scores["auroc"] = float(np.mean(list(areas.values())))
    scores["calibration_error"] = float(np.mean(list(errors.values())))
    if space.kind == "multi_class":
        confidence, predicted = log_probs[:, 0].exp().max(-1)
        scores["calibration_error"] = calibration_error(confidence, predicted == y[:, 0])
    return scores | _named("auroc", areas) | _named("calibration_error", errors)


def _named(key: str, values: Mapping[str, float]) -> dict[str, float]:
    return {f"{key}/{name}": value for name, value in values.items()}
