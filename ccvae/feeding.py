"""Training images on their way to the device that trains.

Images are held as bytes, because floats would take four times the memory and the bus. A batch
becomes floats on the device.
"""

from __future__ import annotations

import torch
from jaxtyping import Integer, UInt8
from torch import Tensor

from ccvae.shapes import Bytes, Images

Positions = Integer[Tensor, " B"]
RESIDENT_SHARE = 0.5
"""Images may fill this share of a GPU's free memory; the rest is for the training itself and for
other jobs on the card. CelebA at 64x64 is 2.5 GB."""


class Feed:
    """Batches of images that lie in the memory of one device, perhaps another one than the model.

    On a CPU the images are usually a memory-mapped file, of which a batch is the only copy.

    Parameters
    ----------
    images
        uint8 (N, C, H, W), anywhere.
    device
        Where batches are wanted.
    """

    def __init__(self, images: Bytes, device: torch.device) -> None:
        self._images, self._device = images, device

    @property
    def lies_on(self) -> str:
        """Type of the device whose memory holds the images."""
        return self._images.device.type

    def take(self, positions: Positions) -> Images:
        """Images at `positions` (B,), as floats in [0, 1] on the device: (B, C, H, W)."""
        return as_floats(self._gather(positions), self._device)

    def _gather(self, positions: Positions) -> UInt8[Tensor, "B C H W"]:
        # Indexing with [] gives the same on a CPU, in six times the time.
        return torch.index_select(self._images, 0, positions.to(self._images.device))


class Streamed(Feed):
    """Batches of images in host memory, gathered into page-locked memory for a GPU to fetch.

    The copy to the device is asynchronous. There is no prefetching on a stream of its own: the
    host gathers a batch while the device is still busy with the previous step's gradients.
    """

    def _gather(self, positions: Positions) -> UInt8[Tensor, "B C H W"]:
        # torch keeps page-locked buffers, and gives one out again only after its copy is done.
        batch = torch.empty(
            (len(positions), *self._images.shape[1:]),
            dtype=self._images.dtype,
            pin_memory=self._device.type == "cuda",
        )
        return torch.index_select(self._images, 0, positions, out=batch)


def feed(images: Bytes, device: torch.device) -> Feed:
    """Choose how images reach a device.

    A GPU gets all of them at once if they fill at most `RESIDENT_SHARE` of its free memory, and
    batches from page-locked memory if not. A CPU reads them where they are.

    Parameters
    ----------
    images
        uint8 (N, C, H, W): a whole store, so that a row's number stays its position.
    device
        Where the model is.
    """
    if device.type != "cuda" or images.device.type == "cuda":
        return Feed(images, device)
    free, _ = torch.cuda.mem_get_info(device)
    if images.nbytes <= RESIDENT_SHARE * free:
        return Feed(images.to(device), device)
    return Streamed(images, device)


def as_floats(images: UInt8[Tensor, "B C H W"], device: torch.device) -> Images:
    """uint8 images (B, C, H, W) -> floats in [0, 1] on `device`.

    Colour images come out channels-last, which convolutions on a CPU are fastest with.
    """
    layout = torch.channels_last if images.shape[1] > 1 else torch.contiguous_format
    # Rows are converted and divided before they are laid out anew, which is fastest; dividing the
    # bytes themselves gives the same floats in twice the time.
    floats = images.to(device, non_blocking=True).to(torch.float32).div_(255)
    return floats.contiguous(memory_format=layout)
