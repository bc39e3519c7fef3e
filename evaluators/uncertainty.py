r"""Mutual information between label and parameters: how unsure the judge is (App. D.6, Table 7).

I(y, \omega | x, D) = H[p(y | x, D)] - E_{p(\omega | D)} H[p(y | x, \omega)], in nats, after
Gal (2016) and Smith and Gal (arXiv:1803.08533). Images that look like the training data have
little of it. \omega are draws of the GP head's functions.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ccvae.labels import MultiLabel
from evaluators.gaussian_process import GPHead
from evaluators.images import BATCH
from evaluators.measuring import measurement, seeded

Samples = Float[Tensor, "S B F V"]
"""Log-probabilities under draws of the parameters."""


def entropy(log_probs: Float[Tensor, "*batch V"]) -> Float[Tensor, "*batch"]:
    """Entropy in nats over the last axis, (..., V) -> (...); impossible values count nothing."""
    return torch.special.entr(log_probs.exp()).sum(-1)


def information_per_label(log_probs: Samples) -> Float[Tensor, "B F"]:
    """Mutual information of each label factor and the parameters.

    The plug-in estimate: with S draws it lies O(1/S) below the true value.

    Parameters
    ----------
    log_probs
        log p(y_f = v | x, omega_s), (S, B, F, V).

    Returns
    -------
    Tensor
        (B, F), in nats, between 0 and log min(S, V).
    """
    log_probs = log_probs.double()
    average = log_probs.logsumexp(0) - math.log(len(log_probs))
    return (entropy(average) - entropy(log_probs).mean(0)).clamp_min(0)


@measurement
def mutual_information(
    head: GPHead, features: Float[Tensor, "N D"], samples: int, seed: int
) -> dict[str, float]:
    """Average the mutual information over images.

    Parameters
    ----------
    head
        The Gaussian process.
    features
        The judge's, of the images, (N, D).
    samples
        Draws of the GP's functions per image, S.
    seed
        Of the draws.

    Returns
    -------
    dict
        `mutual_information` in nats, mean over images and labels; for binary labels also
        `mutual_information/<label>`.

    Notes
    -----
    Draws are independent from image to image, which the average over images does not notice.
    """
    tables = []
    with seeded(seed, head.device):
        for some in features.split(BATCH):
            draws = head.sample_log_probs(some.to(head.device), samples)
            tables.append(information_per_label(draws).cpu())
    per_label = torch.cat(tables).mean(0)
    result = {"mutual_information": float(per_label.mean())}
    if isinstance(head.labels, MultiLabel):
        for name, value in zip(head.labels.names, per_label.tolist(), strict=True):
            result[f"mutual_information/{name}"] = value
    return result
