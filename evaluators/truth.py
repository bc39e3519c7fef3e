r"""How much of a label's true characteristics its latents hold, known for drawings only.

Section 3 asks for latents that hold the characteristics of a label (how wide the smile is) and not
only its value. Where images are drawn, the characteristics are known, and a linear probe answers
directly. The paper has no such figure (deviation: truth-measures).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ccvae.interface import Inferred
from evaluators.images import ImageSet
from evaluators.inferring import as_features

RIDGE_PENALTIES = tuple(10.0**power for power in range(-1, 5))

ROUNDING = 1e-9
"""A factor whose standard deviation is no larger does not vary."""

GREY_SIZE, COLOUR_SIZE = 32, 8
"""Sides to which images are shrunk for the pixel probe: grey for shape, colour for colour."""


@dataclass(frozen=True)
class Drawings:
    """Drawn images and what they show.

    Attributes
    ----------
    images
        N images with their labels.
    factors
        Every true factor of them by name, (N,), or (N, 3) for a colour.
    """

    images: ImageSet
    factors: Mapping[str, np.ndarray]


def characteristics_r2(
    fit: Drawings,
    test: Drawings,
    inferred: Sequence[Inferred],
    characteristics: Mapping[str, Sequence[str]],
) -> dict[str, float]:
    r"""Probe posterior means for the true characteristics of each label, by ridge regression.

    Parameters
    ----------
    fit, test
        Drawings to fit the probes on and to score them on, both unseen in training.
    inferred
        What the model infers from the images of `fit` and of `test`.
    characteristics
        Names of the factors that each label moves, by label.

    Returns
    -------
    dict
        Each is R^2 on `test`, averaged over a label's factors, then over labels, with
        `<key>/<label>`; factors that do not vary are passed over.

        `truth_r2_own`
            From z_c^i.
        `truth_r2_other`
            From the other labels' characteristic latents.
        `truth_r2_rest`
            From z_\c, or from all latents of a model without characteristics.
        `truth_r2_within_own`, `truth_r2_within_other`
            Within the classes, of what the values of all labels leave of the factors: how diverse
            the characteristics are that z_c^i holds, and what other labels' characteristic latents
            know of them.
        `truth_r2_within_ceiling`
            The most that as many numbers as z_c^i has could tell linearly: a single one cannot
            hold nine independent factors.
        `truth_r2_label`
            From the label's true value: what a model must beat to hold more than the label.
        `truth_r2_pixels`
            From shrunken images: how much a linear probe can read off the image itself.
        `truth_nuisance_r2_characteristics`, `truth_nuisance_r2_rest`, `truth_nuisance_r2_pixels`
            Of all factors that no label moves, from z_c, from z_\c and from shrunken images; no
            value per label.

        Figures about latents that a model does not have are left out.
    """
    sides = (fit, test)
    everything = list(fit.factors)

    def r2(sources: Sequence[np.ndarray | None], factors: Sequence[str]) -> dict[str, float]:
        x_fit, x_test = sources
        if x_fit is None or x_test is None or x_fit.shape[1] == 0:
            return {}
        return factor_r2(x_fit, fit.factors, x_test, test.factors, factors)

    encoded = [side.images.space.encode(side.images.labels).double().numpy() for side in sides]
    left = {f: _residuals(encoded, [side.factors[f] for side in sides]) for f in everything}

    def r2_within(labels: Sequence[int], factors: Sequence[str]) -> dict[str, float]:
        found = [_characteristics(side, labels) for side in inferred]
        if any(z_c is None or z_c.shape[1] == 0 for z_c in found):
            return {}
        x_fit, x_test = _residuals(encoded, [z_c for z_c in found if z_c is not None])
        y_fit, y_test = ({f: left[f][k] for f in factors} for k in (0, 1))
        return factor_r2(x_fit, y_fit, x_test, y_test, factors)

    # One fit for all factors: these have the most inputs, and the penalty is per factor anyway.
    rest = r2([_rest(side) for side in inferred], everything)
    pixels = r2([_shrunken(side.images) for side in sides], everything)
    labels = range(fit.images.space.n_factors)
    per_label: dict[str, dict[str, float]] = defaultdict(dict)
    for i, name in enumerate(fit.images.space.names):
        factors = characteristics[name]
        others = [j for j in labels if j != i]
        for kind, scores in (
            ("own", r2([_characteristics(side, [i]) for side in inferred], factors)),
            ("other", r2([_characteristics(side, others) for side in inferred], factors)),
            ("within_own", r2_within([i], factors)),
            ("within_other", r2_within(others, factors)),
            ("within_ceiling", _ceiling(inferred[1], [left[f][1] for f in factors], factors)),
            ("rest", rest),
            ("label", r2([side.images.labels[:, [i]].numpy() for side in sides], factors)),
            ("pixels", pixels),
        ):
            per_label[kind] |= _mean({name: [scores[f] for f in factors if f in scores]})
    driven = {factor for moved in characteristics.values() for factor in moved}
    nuisances = [factor for factor in everything if factor not in driven]
    held = r2([_characteristics(side, list(labels)) for side in inferred], nuisances)
    metrics = _mean({f"truth_r2_{kind}": list(of.values()) for kind, of in per_label.items()})
    for kind, of in per_label.items():
        metrics |= {f"truth_r2_{kind}/{name}": value for name, value in of.items()}
    return metrics | _mean(
        {
            f"truth_nuisance_r2_{kind}": [scores[f] for f in nuisances if f in scores]
            for kind, scores in (("characteristics", held), ("rest", rest), ("pixels", pixels))
        }
    )


def factor_r2(
    x_fit: np.ndarray,
    fit_factors: Mapping[str, np.ndarray],
    x_test: np.ndarray,
    test_factors: Mapping[str, np.ndarray],
    factors: Sequence[str],
) -> dict[str, float]:
    """R^2 of ridge regression from features to factors.

    Parameters
    ----------
    x_fit, x_test
        Features (N, D) and (M, D); standardised here. The penalty of each factor is chosen by
        leave-one-out error on the fitting side.
    fit_factors, test_factors
        Factors by name, (N,) or (N, k) and (M,) or (M, k).
    factors
        Which of them to predict.

    Returns
    -------
    dict
        By factor, the mean over its columns; factors of which a column is constant on one side
        are left out.
    """
    pairs = {
        factor: [_columns(side[factor]) for side in (fit_factors, test_factors)]
        for factor in factors
    }
    pairs = {
        factor: sides
        for factor, sides in pairs.items()
        if all((side.std(axis=0) > ROUNDING).all() for side in sides)
    }
    if not pairs:
        return {}
    y_fit, y_test = (np.hstack([sides[k] for sides in pairs.values()]) for k in (0, 1))
    scale = StandardScaler().fit(y_fit)
    regression = make_pipeline(
        StandardScaler(), RidgeCV(RIDGE_PENALTIES, alpha_per_target=y_fit.shape[1] > 1)
    ).fit(x_fit, scale.transform(y_fit))
    predicted = regression.predict(x_test).reshape(y_test.shape)
    scores = iter(r2_score(scale.transform(y_test), predicted, multioutput="raw_values"))
    return {
        factor: float(np.mean([next(scores) for _ in range(sides[0].shape[1])]))
        for factor, sides in pairs.items()
    }


def _columns(factor: np.ndarray) -> np.ndarray:
    """A factor (N,) or (N, k) as float64 columns, (N, 1) or (N, k)."""
    return np.asarray(factor, dtype=np.float64).reshape(len(factor), -1)


def _residuals(
    labels: Sequence[np.ndarray], values: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """What labels leave of values on the fitting and on the testing side, by least squares.

    Parameters
    ----------
    labels
        0 or 1, (N, L) and (M, L).
    values
        (N,) or (N, k), and (M,) or (M, k).
    """
    y_fit, y_test = (_columns(side) for side in values)
    explained = LinearRegression().fit(labels[0], y_fit)
    return y_fit - explained.predict(labels[0]), y_test - explained.predict(labels[1])


def _ceiling(
    inferred: Inferred, values: Sequence[np.ndarray], factors: Sequence[str]
) -> dict[str, float]:
    """R^2, a mean over factors (N, k), of the best linear functions, as many as z_c^i is long.

    These are the principal components of the standardised factors. The mean stands for every
    factor.
    """
    z_c = inferred.characteristics
    values = [columns for columns in values if (columns.std(axis=0) > ROUNDING).all()]
    if z_c is None or not values:
        return {}
    weighted = [
        (columns - columns.mean(axis=0)) / columns.std(axis=0) / np.sqrt(columns.shape[1])
        for columns in values
    ]
    joined = np.hstack(weighted) / np.sqrt(len(values) * len(values[0]))
    variances = np.linalg.svd(joined, compute_uv=False) ** 2
    return dict.fromkeys(factors, float(variances[: z_c.shape[-1]].sum()))


def _characteristics(inferred: Inferred, labels: Sequence[int]) -> np.ndarray | None:
    """Characteristic latents of some labels, (N, D); None for a model without."""
    z_c = inferred.characteristics
    return None if z_c is None else as_features(z_c[:, labels])


def _rest(inferred: Inferred) -> np.ndarray | None:
    """All other latents, (N, D); None for a model without."""
    return None if inferred.rest is None else as_features(inferred.rest)


def _shrunken(images: ImageSet) -> np.ndarray:
    """Images as features for a linear probe: larger in grey, smaller in colour, (N, D)."""
    parts = []
    for x, _ in images.batches():
        grey = F.adaptive_avg_pool2d(x.mean(1, keepdim=True), GREY_SIZE)
        colour = F.adaptive_avg_pool2d(x, COLOUR_SIZE)
        parts.append(torch.cat([grey.flatten(1), colour.flatten(1)], dim=1))
    return torch.cat(parts).double().numpy()


def _mean(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Mean of each list of numbers; empty ones are left out."""
    return {name: float(np.mean(numbers)) for name, numbers in values.items() if numbers}
