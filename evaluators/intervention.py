"""Single interventions: section 6.1 and Appendix D.1, Figures 10, 12, 14 and 16.

One label of an image is changed and the change in the log-probabilities of an independent
classifier is noted. An intervention that moves nothing but its own label gives a diagonal matrix:

    C[i, j] = mean over x of log p(y_j = 1 | do(y_i)) - log p(y_j = 1 | do(nothing))

To do nothing is to intervene with the model's own prediction. For all models but those that fuse
labels into z (MVAE, MoPoE) that is the reconstruction; theirs moves as soon as any label is given,
and what it moves is no effect of the change.

The paper does not say which way labels are changed; its captions speak of "switching on". Two
matrices answer both readings (deviation: intervention-matrix): `flip` changes every image's label
i to the other value and multiplies the image's row by -1 where that switches it off, so that an
ideal diagonal is positive; `switch_on` uses only the images that the model believes to lack the
label. What an image has before the change is the model's own prediction.

For one label with K classes, row k is "make it class k" over the images of other classes, and
column j the log-probability of class j; it counts as `switch_on`, and there is no flip. Making a
class likely makes others unlikely, so that an ideal matrix is not diagonal there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from ccvae.feeding import as_floats
from ccvae.interface import Inferred, LabelledVAE
from ccvae.labels import LabelSpace
from ccvae.shapes import Labels, LabelTable, Probabilities
from evaluators.images import BATCH, ImageSet
from evaluators.measuring import (
    NEGLIGIBLE,
    JudgeLike,
    device_of,
    measurement,
    most_probable,
    output_log_probs,
    ratios,
    seeded,
)


@dataclass(frozen=True)
class Matrix:
    """A matrix with names.

    Attributes
    ----------
    values
        float64 (R, C); rows that no image contributes to are NaN.
    rows, columns
        R and C names.
    """

    values: np.ndarray
    rows: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Interventions:
    """What single interventions do.

    Attributes
    ----------
    metrics
        See `intervention`.
    matrices
        By name, `flip` and `switch_on`; in nats.
    """

    metrics: dict[str, float]
    matrices: dict[str, Matrix] = field(default_factory=dict)


@dataclass(frozen=True)
class _Change:
    """What one intervention did to some images.

    Attributes
    ----------
    log_probs
        Differences of the judge's log-probabilities, (B, n_outputs).
    on
        Whether the label was switched on, (B,).
    unseen, seen
        Whether the judge does not see the new value before, and whether it does after, (B,).
    """

    log_probs: Probabilities
    on: Bool[Tensor, " B"]
    unseen: Bool[Tensor, " B"]
    seen: Bool[Tensor, " B"]

    @classmethod
    def join(cls, parts: list[_Change]) -> _Change | None:
        """Put the images of several batches together; None if there are none."""
        if not parts:
            return None
        return cls(
            torch.cat([part.log_probs for part in parts]),
            torch.cat([part.on for part in parts]),
            torch.cat([part.unseen for part in parts]),
            torch.cat([part.seen for part in parts]),
        )


@measurement
def intervention(
    model: LabelledVAE,
    judge: JudgeLike,
    images: ImageSet,
    inferred: Inferred,
    *,
    n_images: int,
    seed: int,
) -> Interventions:
    """Intervene on every label of the first `n_images` images.

    Parameters
    ----------
    model
        The model; it draws new characteristics for the changed label.
    judge
        The independent classifier, on the model's device.
    images
        Test images.
    inferred
        What the model infers from them.
    n_images
        How many of them to change, or all if there are fewer.
    seed
        Of the characteristics.

    Returns
    -------
    Interventions
        For binary labels `intervention_<what>` describes the flips and
        `intervention_switch_on_<what>` the other matrix; for classes there is only the latter.
        <what> is `condition`, the condition number in the 2-norm; `log_condition`, its logarithm to
        base 10, which may be averaged over trainings; `dominance`, the sum of the
        absolute diagonal over that of all entries; `diagonal`, its mean, also per label;
        `off_diagonal`, the mean absolute entry off it. `intervention_success`, also per label,
        is the share of images in which the judge sees the new value, among those in which it did
        not see it before: who changes nothing scores 0, however badly the judge and the model
        agree. Figures that are undefined, because a row has no images or the matrix is singular,
        are left out.
    """
    space = images.space
    changes: list[list[_Change]] = [[] for _ in space.names]
    predicted = space.predict(inferred.probabilities)
    with seeded(seed, model.device):
        for rows in torch.arange(min(n_images, len(images))).split(BATCH):
            x = as_floats(images.images[rows], model.device)
            before = predicted[rows].to(model.device)
            base = judge.log_probs(model.intervene(x, before))
            for row, so_far in enumerate(changes):
                wanted = changed_labels(before, row, space)
                differs = (wanted != before).any(1)
                if differs.any():
                    seen = judge.log_probs(model.intervene(x[differs], wanted[differs]))
                    so_far.append(_change(seen, base[differs], wanted[differs], row, space))
    return _describe_all([_Change.join(parts) for parts in changes], space)


@measurement
def true_redrawing(
    judge: JudgeLike, images: ImageSet, redrawn: UInt8[Tensor, "L n C H W"]
) -> Interventions:
    """Describe perfect interventions on drawings: the first n images with one label redrawn.

    Parameters
    ----------
    judge
        The independent classifier.
    images
        Drawings with binary labels.
    redrawn
        The first n of them with one label changed and nothing else, uint8 (L, n, C, H, W).

    Returns
    -------
    Interventions
        As from `intervention`.
    """
    space, device = images.space, device_of(judge)
    changes: list[list[_Change]] = [[] for _ in space.names]
    for rows in torch.arange(redrawn.shape[1]).split(BATCH):
        before = images.labels[rows].to(device)
        base = judge.log_probs(as_floats(images.images[rows], device))
        for row, so_far in enumerate(changes):
            seen = judge.log_probs(as_floats(redrawn[row, rows], device))
            so_far.append(_change(seen, base, changed_labels(before, row, space), row, space))
    return _describe_all([_Change.join(parts) for parts in changes], space)


def _describe_all(rows: Sequence[_Change | None], space: LabelSpace) -> Interventions:
    """Figures and matrices of the changes that each intervention makes."""
    matrices = {"switch_on": _matrix(rows, space, switched_on=True)}
    if space.kind == "multi_label":
        matrices["flip"] = _matrix(rows, space, switched_on=False)
    metrics = _success(rows, space)
    for name, matrix in matrices.items():
        prefix = "intervention" if name == "flip" else f"intervention_{name}"
        metrics |= describe(matrix, prefix)
    return Interventions(metrics, matrices)


def describe(matrix: Matrix, prefix: str) -> dict[str, float]:
    """Condition number and diagonality of a square matrix; keys as in `intervention`."""
    values, size = matrix.values, len(matrix.values)
    diagonal = np.diagonal(values)
    metrics = {
        f"{prefix}_diagonal/{name}": float(value)
        for name, value in zip(matrix.rows, diagonal, strict=True)
        if not np.isnan(value)
    }
    if np.isnan(values).any():
        return metrics
    own, everything = np.abs(diagonal).sum(), np.abs(values).sum()
    metrics[f"{prefix}_diagonal"] = float(diagonal.mean())
    metrics |= ratios(
        **{
            f"{prefix}_off_diagonal": (float(everything - own), size * size - size),
            f"{prefix}_dominance": (float(own), float(everything)),
        }
    )
    if everything > NEGLIGIBLE:
        condition = float(np.linalg.cond(values))
        if condition < 1 / np.finfo(np.float64).eps:
            metrics[f"{prefix}_condition"] = condition
            metrics[f"{prefix}_log_condition"] = math.log10(condition)
    return metrics


def changed_labels(before: Labels, row: int, space: LabelSpace) -> Labels:
    """Labels (B, F) after one is flipped, or after they are made one class: (B, F)."""
    if space.kind == "multi_class":
        return torch.full_like(before, row)
    after = before.clone()
    after[:, row] = 1 - before[:, row]
    return after


def _change(
    seen: LabelTable, base: LabelTable, wanted: Labels, row: int, space: LabelSpace
) -> _Change:
    factor = row if space.kind == "multi_label" else 0
    new = wanted[:, factor]
    # A class that was not there before has been switched on.
    on = new.bool() if space.kind == "multi_label" else torch.ones_like(new, dtype=torch.bool)
    before, after = (most_probable(table, space)[:, factor] == new for table in (base, seen))
    moved = output_log_probs(seen - base, space).double()
    return _Change(moved.cpu(), on.cpu(), ~before.cpu(), after.cpu())


def _matrix(rows: Sequence[_Change | None], space: LabelSpace, *, switched_on: bool) -> Matrix:
    """Mean change per intervention: only where it switches on, or all with their direction."""
    values = np.full((space.n_outputs, space.n_outputs), np.nan)
    for i, row in enumerate(rows):
        if row is not None:
            sign = torch.where(row.on, 1.0, -1.0).unsqueeze(1)
            moved = row.log_probs[row.on] if switched_on else sign * row.log_probs
            values[i] = moved.mean(0).numpy()
    return Matrix(values, space.names, space.names)


def _success(rows: Sequence[_Change | None], space: LabelSpace) -> dict[str, float]:
    """Share of interventions that the judge sees, per label and their mean."""
    shares = {
        f"intervention_success/{name}": row.seen[row.unseen].double().mean().item()
        for name, row in zip(space.names, rows, strict=True)
        if row is not None and row.unseen.any()
    }
    if len(shares) < len(rows):
        return shares
    return shares | {"intervention_success": sum(shares.values()) / len(shares)}
