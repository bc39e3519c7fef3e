"""The five findings and how they go together.

The shares of positive findings are close to those of CheXpert's frontal training views (Irvin et
al. 2019, arXiv:1901.07031), which leave .798 right when every finding is denied. The links
between findings (fluid in the pleura with oedema, oedema with a large heart, fluid with collapse)
are guesses of ours: they have the right sign, and their size is not an estimate.
"""

from __future__ import annotations

import numpy as np

from datasets.stand_ins.drawing import Array

LABELS = ("Cardiomegaly", "Edema", "Consolidation", "Atelectasis", "Pleural Effusion")
"""The findings in the order of the paper, Appendix C.2."""

DICE = 8
"""Columns of uniforms set aside for the labels."""


def sample_labels(uniforms: Array) -> Array:
    """Draw the findings.

    Parameters
    ----------
    uniforms
        Numbers in [0, 1), shape (n, DICE or more).

    Returns
    -------
    Array
        uint8 (n, 5) in the order of LABELS.
    """
    effusion = uniforms[:, 0] < 0.40
    edema = uniforms[:, 1] < np.where(effusion, 0.36, 0.195)
    cardiomegaly = uniforms[:, 2] < np.where(edema, 0.21, 0.093)
    consolidation = uniforms[:, 3] < np.where(effusion, 0.090, 0.053)
    atelectasis = uniforms[:, 4] < np.where(effusion, 0.205, 0.125)
    return np.stack([cardiomegaly, edema, consolidation, atelectasis, effusion], 1).astype(np.uint8)
