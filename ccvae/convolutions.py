"""Convolutions of kernel 4, stride 2 and padding 1 in fewer passes over memory than torch's own.

They have the parameters, names and initialisation of the layers that they extend, and results and
gradients that agree to 1e-5, not to the bit. docs/layers.md says what they save and what else was
tried.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

KERNEL, STRIDE, PADDING = 4, 2, 1
LANES = 8
"""Channels that oneDNN computes at once, at least."""


class ConvPlusBias(nn.Conv2d):
    """A convolution whose bias is added after it.

    oneDNN's gradient of a bias takes many times as long as torch's sum.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, KERNEL, STRIDE, PADDING)

    def forward(self, input: Float[Tensor, "B C H W"]) -> Float[Tensor, "B out h w"]:
        """(B, C, H, W) -> (B, out, H / 2, W / 2)."""
        y = F.conv2d(input, self.weight, None, STRIDE, PADDING)
        assert self.bias is not None
        return y.add_(self.bias[:, None, None])


class UpConvPlusBias(nn.ConvTranspose2d):
    """A transposed convolution whose bias is added after it, as in `ConvPlusBias`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, KERNEL, STRIDE, PADDING)

    def forward(
        self, input: Float[Tensor, "B C h w"], output_size: list[int] | None = None
    ) -> Float[Tensor, "B out H W"]:
        """(B, C, h, w) -> (B, out, 2 h, 2 w)."""
        y = F.conv_transpose2d(input, self.weight, None, STRIDE, PADDING)
        assert self.bias is not None
        return y.add_(self.bias[:, None, None])


class UpConvToPixels(nn.ConvTranspose2d):
    """A transposed convolution to a few channels, forward as rows of pixels.

    Elsewhere than on a CPU in float32 it is torch's own.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, KERNEL, STRIDE, PADDING)

    def forward(
        self, input: Float[Tensor, "B C h w"], output_size: list[int] | None = None
    ) -> Float[Tensor, "B out H W"]:
        """(B, C, h, w) -> (B, out, 2 h, 2 w)."""
        if input.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        return _RowsOfPixels.apply(input, self.weight, self.bias)


class _RowsOfPixels(torch.autograd.Function):
    """A transposed convolution as one of 2x2 whose results are rows of pixels.

    Of stride 2 and with few channels to fill the processor's vectors, oneDNN's forward pass is
    slow, its backward pass is not. Channels of the 2x2 one are a place in a block of 2x2 pixels,
    row first: those of one row make a row of the image, and are filled up to `LANES`.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Float[Tensor, "B C h w"],
        weight: Float[Tensor, "C out 4 4"],
        bias: Float[Tensor, " out"],
    ) -> Float[Tensor, "B out H W"]:
        ctx.save_for_backward(x, weight)
        b, inputs, h, w = x.shape
        c = weight.shape[1]
        spare = -2 * c % LANES
        # (in, out, block, row, block, column) -> (row, column and out, in, block, block).
        kernel = weight.view(inputs, c, 2, 2, 2, 2).flip(2, 4).permute(3, 5, 1, 0, 2, 4)
        kernel = F.pad(kernel.flatten(1, 2), (0, 0) * 3 + (0, spare)).flatten(0, 1)
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        y = F.conv2d(x, kernel, F.pad(bias.repeat(2), (0, spare)).repeat(2), padding=1)
        blocks = y.permute(0, 2, 3, 1).unflatten(3, (2, -1))[..., : 2 * c]
        # The blocks begin a pixel outside the image: its first row is the second of a block.
        padded = x.new_empty(b, h, 2, w + 1, 2 * c)
        padded[:, :, 0] = blocks[:, :-1, :, 1]
        padded[:, :, 1] = blocks[:, 1:, :, 0]
        image = padded.view(b, 2 * h, -1)[:, :, c:-c].contiguous()
        return image.view(b, 2 * h, 2 * w, c).permute(0, 3, 1, 2)

    @staticmethod
    def backward(
        ctx: Any, gradient: Float[Tensor, "B out H W"]
    ) -> tuple[
        Float[Tensor, "B C h w"] | None,
        Float[Tensor, "C out 4 4"] | None,
        Float[Tensor, " out"],
    ]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            *(gradient, x, weight, None, [STRIDE] * 2, [PADDING] * 2, [1, 1]),
            *(True, [0, 0], 1, [ctx.needs_input_grad[0], ctx.needs_input_grad[1], False]),
        )
        return of_x, of_weight, gradient.sum((0, 2, 3))
