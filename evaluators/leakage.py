r"""Which latents know which labels: a check of "isolate" in sections 4.1 and 6.

The paper has no such figure (deviation: leakage-probe). Logistic regression is fitted from groups
of latents to each label on one set of images and scored on another. A probe's score is balanced
accuracy above chance: 0 says that the latents know nothing of the label, 1 - 1/V that they
determine it. The characteristics z_c^i of a label should know it, and z_\c should not.

Labels of real images depend on each other, so that z_c^i may know label j without any leak; how
much label i itself says about label j, by the same probe, is the reference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from ccvae.interface import Inferred
from evaluators.images import ImageSet
from evaluators.inferring import as_features


def leakage(fit: ImageSet, test: ImageSet, inferred: Sequence[Inferred]) -> dict[str, float]:
    r"""Probe a model's posterior means for labels.

    Parameters
    ----------
    fit, test
        Images to fit the probes on and to score them on, both unseen in training.
    inferred
        What the model infers from `fit` and from `test`.

    Returns
    -------
    dict
        Means over labels, and `<key>/<label>` for binary labels:

        `leakage_own`
            From z_c^i to label i.
        `leakage_other`
            From z_c^i to the other labels, mean over them; `leakage_other/<label>` is of z_c^i.
        `leakage_other_reference`
            The same from label i in place of z_c^i.
        `leakage_rest`
            From z_\c, or from all latents of a model without characteristics. A z_\c that holds
            nothing at all scores 0, too; whether it does is told by what swaps keep of the
            background, and on drawings by `truth_nuisance_r2_rest`.

        The first two are left out for models without characteristics, the two about other labels
        for a single label, the last for a model without z_\c, and labels that have only one value
        in either set of images are left out of all.
    """
    names = fit.space.names if fit.space.kind == "multi_label" else ("",)
    y_fit, y_test = fit.labels.numpy(), test.labels.numpy()
    usable = [j for j in range(len(names)) if _varies(y_fit[:, j]) and _varies(y_test[:, j])]

    def scores(x_fit: np.ndarray, x_test: np.ndarray) -> dict[int, float]:
        return {j: probe(x_fit, y_fit[:, j], x_test, y_test[:, j]) for j in usable}

    def probed(latents: Sequence[Float[Tensor, "_ ..."]]) -> dict[int, float]:
        return scores(*map(as_features, latents))

    def told(i: int) -> dict[int, float]:
        return {j: probe_label(y_fit[:, [i, j]], y_test[:, [i, j]]) for j in usable}

    groups: dict[str, dict[int, float]] = {}
    rest = [side.rest for side in inferred if side.rest is not None and side.rest.shape[1]]
    if rest:
        groups["rest"] = probed(rest)
    own = [side.characteristics for side in inferred if side.characteristics is not None]
    if own:
        seen = {i: probed([z_c[:, i] for z_c in own]) for i in usable}
        groups["own"] = {i: seen[i][i] for i in usable}
        if len(usable) > 1:
            groups["other"] = {i: _mean_of_others(seen[i], i) for i in usable}
            groups["other_reference"] = {i: _mean_of_others(told(i), i) for i in usable}
    metrics = {}
    for group, values in groups.items():
        if values:
            metrics[f"leakage_{group}"] = float(np.mean(list(values.values())))
        if fit.space.kind == "multi_label":
            metrics |= {f"leakage_{group}/{names[j]}": value for j, value in values.items()}
    return metrics


def probe(x_fit: np.ndarray, y_fit: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> float:
    """Balanced accuracy above chance of a logistic probe.

    Parameters
    ----------
    x_fit, x_test
        Features, (N, D) and (M, D); standardised here.
    y_fit, y_test
        One label, integers (N,) and (M,).
    """
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
    )
    predicted = classifier.fit(x_fit, y_fit).predict(x_test)
    return float(balanced_accuracy_score(y_test, predicted) - 1 / len(np.unique(y_test)))


def probe_label(fit: np.ndarray, test: np.ndarray) -> float:
    """`probe` of one binary label for another, without a fit.

    The best bias of the balanced fit makes its mean probability one half, so that the two values
    of a binary feature fall on either side of it: the probe answers with the feature itself, or
    with its opposite if that is what the association of the two calls for.

    Parameters
    ----------
    fit, test
        The label that is known and the one that is asked for, integers (N, 2) and (M, 2).
    """
    return float(np.sign(_association(fit)) * _association(test) / 2)


def _association(labels: np.ndarray) -> float:
    """How much commoner the first label is where the second one is on: from -1 to 1."""
    known, asked = labels.T
    return known[asked == 1].mean() - known[asked == 0].mean()


def _varies(y: np.ndarray) -> bool:
    return len(np.unique(y)) > 1


def _mean_of_others(scores: dict[int, float], own: int) -> float:
    return float(np.mean([score for j, score in scores.items() if j != own]))
