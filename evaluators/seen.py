"""What a judge sees in images, asked for once: the judge takes most of the time of measuring.

In evaluation mode it looks at each image by itself, so that others beside it do not matter.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from ccvae.feeding import as_floats
from ccvae.shapes import Images, LabelTable
from evaluators.images import BATCH, ImageSet
from evaluators.measuring import Features, JudgeLike, device_of, measurement

Rows = Integer[Tensor, " n"]


class Seen:
    """Some images as a judge sees them; it looks at an image when that is first wanted.

    Parameters
    ----------
    judge
        The classifier.
    n
        Number of images, N.
    images
        Gives those with the numbers (n,): in [0, 1], (n, C, H, W), on the judge's device.
    """

    def __init__(self, judge: JudgeLike, n: int, images: Callable[[Rows], Images]) -> None:
        self._judge, self._n, self._images = judge, n, images
        self._known = torch.zeros(n, dtype=torch.bool)
        self._features = torch.empty(n, 0)

    @classmethod
    def of_set(cls, judge: JudgeLike, images: ImageSet) -> Seen:
        """Images that are stored, or that a model was asked for."""
        device = device_of(judge)
        return cls(judge, len(images), lambda rows: as_floats(images.images[rows], device))

    @classmethod
    def of_floats(cls, judge: JudgeLike, images: Float[Tensor, "N ..."]) -> Seen:
        """Images as a model draws them, (N, C, H, W), or (N, 0) if it cannot and nobody asks."""
        device = device_of(judge)
        return cls(judge, len(images), lambda rows: images[rows].to(device))

    def features(self, rows: Rows | None = None) -> Features:
        """The judge's features of the images with these numbers (n,), or of all; on the CPU."""
        rows = torch.arange(self._n) if rows is None else rows
        wanted = rows.unique()
        wanted = wanted[~self._known[wanted]]
        for some in wanted.split(BATCH) if len(wanted) else ():
            found = _features(self._judge, self._images(some)).cpu()
            if not self._known.any():
                self._features = found.new_empty(self._n, *found.shape[1:])
            self._features[some], self._known[some] = found, True
        return self._features[rows]

    def log_probs(self, rows: Rows | None = None) -> LabelTable:
        """log p(y_f = v | x) in nats of the images with these numbers, or of all; on the CPU."""
        return _log_probs(self._judge, self.features(rows).to(device_of(self._judge))).cpu()


@measurement
def _features(judge: JudgeLike, x: Images) -> Features:
    return judge.features(x)


@measurement
def _log_probs(judge: JudgeLike, features: Features) -> LabelTable:
    return judge.read(features)
