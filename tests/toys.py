"""A world in which every score is known: pixels are labels, and models rearrange pixels.

Images are 1 x 2 x L. Pixel i of the upper row shows label i (its value is the characteristic), the
lower row is background. The judge reads labels off the upper row, whatever the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ccvae.interface import Bound, Inferred, LabelledVAE
from ccvae.labels import LabelSpace, MultiClass, MultiLabel
from evaluators.images import ImageSet

SHARPNESS = 4.0
OFF, ON = 51, 204


class PixelJudge:
    """Logit i is SHARPNESS * (2 * pixel i - 1)."""

    def __init__(self, space: LabelSpace) -> None:
        self.labels = space

    def features(self, x: Tensor) -> Tensor:
        return x[:, 0, 0]

    def read(self, features: Tensor) -> Tensor:
        return self.labels.log_probs(SHARPNESS * (2 * features - 1))

    def log_probs(self, x: Tensor) -> Tensor:
        return self.read(self.features(x))


class PixelModel(LabelledVAE):
    """Copies pixels.

    Parameters
    ----------
    space
        The label space.
    order
        Where in the upper row the model believes label i to be.
    swaps
        `both`: characteristics of one image on the background of the other; `characteristics` or
        `background`: that image alone.
    """

    def __init__(
        self, space: LabelSpace, order: Sequence[int] | None = None, swaps: str = "both"
    ) -> None:
        super().__init__()
        self.labels = space
        self.order = list(order if order is not None else range(space.n_outputs))
        self.swaps = swaps

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def bound(self, x: Tensor, y: Tensor | None = None) -> Bound:
        raise NotImplementedError

    def classify(self, x: Tensor) -> Tensor:
        assert not self.training
        logits = SHARPNESS * (2 * x[:, 0, 0, self.order] - 1)
        return self.labels.probabilities(self.labels.log_probs(logits))

    def reconstruct(self, x: Tensor) -> Tensor:
        return x

    def sample(self, n: int) -> Tensor:
        return self.generate(self.labels.sample_prior(n))

    def generate(self, y: Tensor) -> Tensor:
        x = torch.rand(len(y), 1, 2, self.labels.n_outputs)
        x[:, 0, 0, self.order] = OFF / 255 + (ON - OFF) / 255 * self.labels.encode(y)
        return x

    def intervene(self, x: Tensor, y_new: Tensor) -> Tensor:
        before, after = (self.labels.encode(y).bool() for y in (self.predict(x), y_new))
        pixels = x[:, 0, 0, self.order]
        drawn = torch.where(after, ON / 255, OFF / 255)
        x = x.clone()
        x[:, 0, 0, self.order] = torch.where(before != after, drawn, pixels)
        return x

    def swap(self, characteristics: Tensor, background: Tensor) -> Tensor:
        if self.swaps != "both":
            return {"characteristics": characteristics, "background": background}[self.swaps]
        return torch.cat([characteristics[:, :, :1], background[:, :, 1:]], dim=2)


class CharacteristicPixels(PixelModel):
    """A `PixelModel` that shows its latents: the two rows of the image, the upper one reordered."""

    def infer(self, x: Tensor) -> Inferred:
        z_c = x[:, 0, 0, self.order].unflatten(1, (self.labels.n_factors, -1))
        return replace(super().infer(x), characteristics=z_c, rest=x[:, 0, 1])


def toy_images(
    n: int = 300, space: LabelSpace | None = None, seed: int = 0, spread: int = 50
) -> ImageSet:
    """Random labels, shown as OFF or ON give or take `spread` grey values; random background."""
    space = space if space is not None else MultiLabel("abcd")
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(space.n_values, (n, space.n_factors), generator=generator)
    shape = (n, space.n_outputs)
    jitter = torch.randint(-spread, spread + 1, shape, generator=generator)
    upper = OFF + (ON - OFF) * space.encode(y).long() + jitter
    lower = torch.randint(256, shape, generator=generator)
    pixels = torch.stack([upper, lower], dim=1).unsqueeze(1)
    return ImageSet(pixels.to(torch.uint8), y, space)


def toy_classes(n: int = 300, classes: int = 4, seed: int = 0) -> ImageSet:
    return toy_images(n, MultiClass([str(k) for k in range(classes)]), seed)


def one_hot_rows(order: Sequence[int]) -> Tensor:
    """Permutation matrix P with P[i, order[i]] = 1."""
    return F.one_hot(torch.tensor(order), len(order))
