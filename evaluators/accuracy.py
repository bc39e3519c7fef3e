"""Classification accuracy: section 6.3, Tables 1 and 6.

The mean over images and labels of 1[prediction = label], where the prediction is the most
probable label at the mean of the posterior (deviation: accuracy-posterior-mean). Labels are rare,
so that always answering with the commoner value scores .8 on CelebA: the majority row belongs
beside every accuracy, and so does the balanced accuracy.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ccvae.interface import Inferred
from ccvae.labels import LabelSpace
from ccvae.shapes import Labels
from evaluators.images import ImageSet


def accuracy(inferred: Inferred, images: ImageSet) -> dict[str, float]:
    """How often the model's own classifier is right; keys as `label_scores`.

    Parameters
    ----------
    inferred
        What the model infers from `images`.
    images
        Test images.
    """
    predicted = images.space.predict(inferred.probabilities)
    return label_scores(predicted, images.labels, images.space)


def majority(images: ImageSet, prevalence: Float[Tensor, " outputs"]) -> dict[str, float]:
    """How often the best constant answer is right; keys as `label_scores`.

    Parameters
    ----------
    images
        Images to score on.
    prevalence
        Share of each label, or of each class, among the training images, (n_outputs,).
    """
    constant = images.space.predict(prevalence)
    return label_scores(constant.expand_as(images.labels), images.labels, images.space)


def constant_loss(images: ImageSet, prevalence: Float[Tensor, " outputs"]) -> float:
    """Cross-entropy of answering with the prevalence, in nats per image and label.

    Parameters
    ----------
    images, prevalence
        As in `majority`.
    """
    several = images.space.kind == "multi_label"
    shares = torch.stack([1 - prevalence, prevalence], -1) if several else prevalence.unsqueeze(0)
    log_probs = shares.double().clamp_min(torch.finfo(torch.float64).tiny).log()
    found = log_probs.expand(len(images), -1, -1).gather(-1, images.labels.unsqueeze(-1))
    return -found.mean().item()


def label_scores(predicted: Labels, labels: Labels, space: LabelSpace) -> dict[str, float]:
    """Compare predicted with true labels, both (N, F).

    Returns
    -------
    dict
        `accuracy`, over images and labels; `balanced_accuracy`, the mean over the values that
        occur of the share of them found, then over labels; `accuracy/<label>` and
        `balanced_accuracy/<label>` for binary labels; `accuracy/<class>`, the share of a class
        found, for the classes that occur.
    """
    right = predicted == labels
    recall = _recall(right, labels, space)
    balanced = recall.nanmean(-1)
    scores = {
        "accuracy": right.double().mean().item(),
        "balanced_accuracy": balanced.mean().item(),
    }
    if space.kind == "multi_class":
        for name, found in zip(space.names, recall[0].tolist(), strict=True):
            if not math.isnan(found):
                scores[f"accuracy/{name}"] = found
        return scores
    for name, plain, even in zip(
        space.names, right.double().mean(0).tolist(), balanced.tolist(), strict=True
    ):
        scores |= {f"accuracy/{name}": plain, f"balanced_accuracy/{name}": even}
    return scores


def _recall(right: Bool[Tensor, "B F"], labels: Labels, space: LabelSpace) -> Float[Tensor, "F V"]:
    """Share of each value's images that are right: (N, F) twice -> (F, V), NaN for none."""
    occurs = torch.nn.functional.one_hot(labels, space.n_values).double()
    return (occurs * right.unsqueeze(-1)).sum(0) / occurs.sum(0)
