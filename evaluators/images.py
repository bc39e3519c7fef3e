"""Images with their labels, as training of a judge and every evaluator reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Integer, Shaped
from torch import Tensor

from ccvae.errors import InputError
from ccvae.feeding import as_floats
from ccvae.labels import LABEL_SPACES, LabelSpace
from ccvae.shapes import Bytes, Images, Labels

if TYPE_CHECKING:
    from datasets.store import Store

BATCH = 500


def to_unit(images: Bytes) -> Float[Tensor, "N C H W"]:
    """uint8 images (B, C, H, W) as floats in [0, 1], on the device they are on."""
    return as_floats(images, images.device)


@dataclass(frozen=True)
class ImageSet:
    """Images and labels held in memory as small integers.

    Attributes
    ----------
    images
        uint8 (N, C, H, W).
    labels
        int64 (N, F), each in 0..V-1.
    space
        The label space the labels belong to.

    Raises
    ------
    InputError
        If the two tensors do not have these types and shapes, or a label is out of range.
    """

    images: Tensor
    labels: Tensor
    space: LabelSpace

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise InputError(
                f"an image set was given images of {self.images.dtype} "
                f"{tuple(self.images.shape)}, but expects torch.uint8 (N, C, H, W); "
                "convert the images first"
            )
        expected = (len(self.images), self.space.n_factors)
        if tuple(self.labels.shape) != expected:
            raise InputError(
                f"an image set was given labels shaped {tuple(self.labels.shape)} for "
                f"{expected[0]} images and {expected[1]} label factors; expected {expected}, "
                "so check that labels and images come from the same store"
            )
        object.__setattr__(self, "labels", self.labels.long())
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < (
            self.space.n_values
        ):
            raise InputError(
                f"an image set was given labels from {int(self.labels.min())} to "
                f"{int(self.labels.max())}, but expects 0 to {self.space.n_values - 1}; "
                "check that the label names fit the labels"
            )

    @classmethod
    def read(cls, store: Store, split: str, space: LabelSpace | None = None) -> ImageSet:
        """Copy one split of a store into memory.

        Parameters
        ----------
        store
            An open store.
        split
            `train`, `validation` or `test`.
        space
            The label space; made from the store's label names when None.
        """
        rows = store.indices(split)
        if space is None:
            space = LABEL_SPACES[store.kind](store.label_names)
        images, labels = np.array(store.images[rows]), np.array(store.labels[rows])
        return cls(torch.from_numpy(images), torch.from_numpy(labels), space)

    def __len__(self) -> int:
        """Return the number of images, N."""
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    @property
    def prevalence(self) -> Float[Tensor, " outputs"]:
        """Share of each label, or of each class, among these images: float64 (n_outputs,)."""
        return self.space.encode(self.labels).double().mean(0)

    def batches(
        self, device: torch.device | str = "cpu", size: int = BATCH
    ) -> Iterator[tuple[Images, Labels]]:
        """Yield (images in [0, 1] (B, C, H, W), labels (B, F)) in order, on `device`."""
        for x, y in zip(self.images.split(size), self.labels.split(size), strict=True):
            yield to_unit(x.to(device)), y.to(device)

    def take(self, indices: Integer[Tensor, " n"]) -> ImageSet:
        """Return the images at `indices` (n,), in that order."""
        return ImageSet(self.images[indices], self.labels[indices], self.space)


@torch.no_grad()
def collect(
    function: Callable[[Images], Tensor], images: ImageSet, device: torch.device | str
) -> tuple[Shaped[Tensor, "N ..."], Integer[Tensor, "N F"]]:
    """Apply `function` to all images, in batches on `device`; its results and labels, on the CPU.

    Parameters
    ----------
    function
        Maps images (B, C, H, W) in [0, 1] to (B, ...).
    images
        The images.
    device
        Where `function` wants them.

    Returns
    -------
    tuple
        (N, ...) and the labels (N, F).
    """
    results: Tensor | None = None
    done = 0
    for x, _ in images.batches(device):
        result = function(x)
        if results is None:
            # One block for all of them: kept pieces between freed activations would keep the
            # allocator from using that room again.
            results = torch.empty(len(images), *result.shape[1:], dtype=result.dtype)
        results[done : done + len(x)] = result
        done += len(x)
    assert results is not None
    return results, images.labels
