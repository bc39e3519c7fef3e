"""Norms of the classifier's and the encoder's gradients, while training and at fixed parameters.

Appendix C.3.1 and Figure 8: "not reparameterizing leads to a lower variance in the gradient norm of
the classifier". The classifier's parameters do not act through z, so its gradient under equations
(4) and (8) is the same draw by draw; what equation (8) changes is the encoder's gradient, and by
it the parameters that training reaches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import pandas as pd
import torch
from torch import Tensor

from ccvae.model import CCVAE, SUPERVISED_GRADIENTS
from evaluators.measuring import evaluating, seeded

REFERENCE = "eq4"


def _classifier(model: CCVAE) -> list[Tensor]:
    return list(model.classifier.parameters())


def _encoder(model: CCVAE) -> list[Tensor]:
    return list(chain(model.trunk.parameters(), model.head.parameters()))


def gradient_norm(gradients: Iterable[Tensor | None]) -> float:
    """Euclidean norm over all entries; a parameter without a gradient counts as 0."""
    norms = [torch.linalg.vector_norm(g) for g in gradients if g is not None]
    return torch.stack(norms).norm().item() if norms else 0.0


class GradientRecorder:
    """Notes the norms at every step; a `ccvae.training.Trainer` calls it after each backward pass.

    Parameters
    ----------
    model
        The model in training.

    Attributes
    ----------
    rows
        One per step: `step` (from 1), `gradient_norm`, `encoder_gradient_norm`.
    """

    def __init__(self, model: CCVAE) -> None:
        self._classifier, self._encoder = _classifier(model), _encoder(model)
        self.rows: list[dict[str, float]] = []

    def __call__(self, step: int) -> None:
        """Note the norms of the gradients that are there now."""
        self.rows.append(
            {
                "step": step + 1,
                "gradient_norm": gradient_norm(p.grad for p in self._classifier),
                "encoder_gradient_norm": gradient_norm(p.grad for p in self._encoder),
            }
        )


def gradients_of_draws(
    model: CCVAE, x: Tensor, y: Tensor, readings: Sequence[str], n_draws: int, seed: int
) -> pd.DataFrame:
    """Gradients of the labelled objective at the model's parameters, over draws of the noise.

    Draw k is the same noise for every reading. The model's reading is left as it was.

    Parameters
    ----------
    model
        The model.
    x, y
        Labelled images (B, C, H, W) and their labels (B, F).
    readings
        Names in `SUPERVISED_GRADIENTS`.
    n_draws
        How often to draw.
    seed
        Of the draws.

    Returns
    -------
    pandas.DataFrame
        `reading`, `draw`, `gradient_norm`, `encoder_gradient_norm`, and `difference`: the norm of
        the classifier's gradient minus that under `eq4`, as a share of the latter's norm.
    """
    own = model.gradient
    classifier, encoder = _classifier(model), _encoder(model)
    rows = []
    with evaluating(model):
        for draw in range(n_draws):
            reference: list[Tensor] = []
            for reading in (REFERENCE, *readings):
                model.gradient = SUPERVISED_GRADIENTS[reading]
                with seeded(seed + draw, model.device):
                    loss = -model.bound(x, y).objective.mean()
                found = torch.autograd.grad(loss, [*classifier, *encoder])
                of_classifier = found[: len(classifier)]
                if not reference:
                    reference = list(of_classifier)
                    continue
                apart = gradient_norm(g - r for g, r in zip(of_classifier, reference, strict=True))
                rows.append(
                    {
                        "reading": reading,
                        "draw": draw,
                        "gradient_norm": gradient_norm(of_classifier),
                        "encoder_gradient_norm": gradient_norm(found[len(classifier) :]),
                        "difference": apart / gradient_norm(reference),
                    }
                )
    model.gradient = own
    return pd.DataFrame(rows)
