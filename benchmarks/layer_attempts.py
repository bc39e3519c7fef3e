"""Ways to compute the layers that are far from the convolution peak, each beside the present one.

Every attempt computes a 4x4 convolution of stride 2 and padding 1, or its transpose, with the ReLU
behind it, on the parameters of the layer that it stands for. Numbers agree with the layer's to
1e-5 (`tests/benchmarks/test_layer_attempts.py`); `benchmarks.layer_page` measures them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.released_recipe import share
from ccvae.convolutions import PADDING, STRIDE, ConvPlusBias, UpConvPlusBias, UpConvToPixels

Forward = Callable[[Tensor], Tensor]
Convolution = nn.Conv2d | nn.ConvTranspose2d
Attempt = Callable[[Convolution, bool], Forward | None]
"""A layer, and whether a ReLU follows -> what computes both, or None where it cannot."""

PART = 8
"""Images that `in_parts` computes at once."""


def strided(layer: nn.Module) -> bool:
    """Whether a layer is one of those that attempts are for."""
    return type(layer) in (nn.Conv2d, nn.ConvTranspose2d)


def slow(layer: Convolution) -> bool:
    """Whether it is one of the three: 3 <-> 32 channels at 64x64, 32 -> 32 up to 32x32."""
    if 3 in (layer.in_channels, layer.out_channels):
        return True
    return isinstance(layer, nn.ConvTranspose2d) and layer.in_channels == 32


def rectified(y: Tensor, relu: bool) -> Tensor:
    """Apply the ReLU, if there is one, as the networks do."""
    return y.relu_() if relu else y


def convolved(layer: Convolution, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The layer's convolution with another weight and bias."""
    convolve = F.conv2d if isinstance(layer, nn.Conv2d) else F.conv_transpose2d
    return convolve(x, weight, bias, STRIDE, PADDING)


def last(x: Tensor) -> Tensor:
    """Lay out channels-last."""
    return x.contiguous(memory_format=torch.channels_last)


def present(layer: Convolution, relu: bool) -> Forward:
    """Compute as the networks do."""
    return lambda x: rectified(layer(x), relu)


def bias_added(layer: Convolution, relu: bool) -> Forward:
    """Leave the bias to torch, in place: its gradient is torch's sum, not oneDNN's."""
    kind = ConvPlusBias if isinstance(layer, nn.Conv2d) else UpConvPlusBias
    return _in_place_of(layer, kind, relu)


class _Fused(torch.autograd.Function):
    """Convolution, bias and ReLU in one primitive of oneDNN; the result is the mask."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, transposed: bool) -> Tensor:
        padding, stride, ones = [PADDING] * 2, [STRIDE] * 2, [1, 1]
        if transposed:
            y = torch.ops.mkldnn._convolution_transpose_pointwise(
                x, weight, bias, padding, [0, 0], stride, ones, 1, "relu", [], ""
            )
        else:
            y = torch.ops.mkldnn._convolution_pointwise(
                x, weight, bias, padding, stride, ones, 1, "relu", [], ""
            )
        ctx.transposed = transposed
        ctx.save_for_backward(x, weight, y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, weight, y = ctx.saved_tensors
        gradient = torch.ops.aten.threshold_backward(gradient, y, 0)
        wanted = [ctx.needs_input_grad[0], True, False]
        of_x, of_weight = _backward(gradient, x, weight, ctx.transposed, wanted)
        return of_x, of_weight, gradient.sum((0, 2, 3)), None


def fused(layer: Convolution, relu: bool) -> Forward | None:
    """Bias and ReLU within oneDNN's pass; the bias's gradient is torch's sum."""
    if not relu or not torch.backends.mkldnn.is_available():
        return None
    transposed = isinstance(layer, nn.ConvTranspose2d)
    return lambda x: _Fused.apply(x, layer.weight, layer.bias, transposed)


def half_size(layer: Convolution, relu: bool) -> Forward:
    """A 2x2 convolution of stride 1 between images of half the size and four times the channels."""

    def down(x: Tensor) -> Tensor:
        blocks = F.pixel_unshuffle(F.pad(x, (PADDING,) * 4), STRIDE)
        y = F.conv2d(last(blocks), last(F.pixel_unshuffle(layer.weight, STRIDE)), layer.bias)
        return rectified(y, relu)

    def up(x: Tensor) -> Tensor:
        kernel = F.pixel_unshuffle(layer.weight, STRIDE).flip(2, 3).transpose(0, 1)
        bias = _bias(layer).repeat_interleave(STRIDE**2)
        y = F.pixel_shuffle(F.conv2d(x, last(kernel), bias, padding=1), STRIDE)
        return rectified(last(y[:, :, PADDING:-PADDING, PADDING:-PADDING]), relu)

    return down if isinstance(layer, nn.Conv2d) else up


def _patches(x: Tensor) -> Tensor:
    """Every 4x4 patch of a padded image as a row: (B, C, H, W) -> (B H/2 W/2, 4 * 4 * C)."""
    b, c, h, w = x.shape
    rows = F.pad(x.permute(0, 2, 3, 1), (0, 0, *(PADDING,) * 4)).contiguous()
    image, row, pixel, _ = rows.stride()
    steps = (image, STRIDE * row, STRIDE * pixel, row, 1)
    windows = rows.as_strided((b, h // STRIDE, w // STRIDE, 4, 4 * c), steps)
    return windows.reshape(-1, 16 * c)


class _Overlaid(torch.autograd.Function):
    """The transpose of `_patches`: patches are added up where they overlap."""

    @staticmethod
    def forward(ctx: Any, patches: Tensor, b: int, h: int, w: int) -> Tensor:
        c = patches.shape[1] // 16
        # A patch is 2x2 blocks of 2x2 pixels; blocks at one place in their patches do not overlap.
        blocks = patches.view(b, h, w, 2, 2, 2, 2 * c).transpose(2, 3).transpose(3, 4)
        padded = patches.new_zeros(b, h + 1, 2, w + 1, 2 * c)
        for i in (0, 1):
            for j in (0, 1):
                padded[:, i : i + h, :, j : j + w] += blocks[:, :, i, :, :, j]
        image = padded.view(b, 2 * h + 2, 2 * w + 2, c)[:, PADDING:-PADDING, PADDING:-PADDING]
        return image.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        return _patches(gradient), None, None, None


def one_product(layer: Convolution, relu: bool) -> Forward:
    """Patches laid out as rows, and one matrix product."""

    def down(x: Tensor) -> Tensor:
        weight = layer.weight.permute(2, 3, 1, 0).flatten(0, 2)
        y = torch.addmm(_bias(layer), _patches(x), weight)
        b, _, h, w = x.shape
        return rectified(y.view(b, h // STRIDE, w // STRIDE, -1).permute(0, 3, 1, 2), relu)

    def up(x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        weight = layer.weight.permute(0, 2, 3, 1).flatten(1)
        patches = x.permute(0, 2, 3, 1).reshape(-1, c) @ weight
        y = _Overlaid.apply(patches, b, h, w) + _bias(layer)[:, None, None]
        return rectified(y, relu)

    return down if isinstance(layer, nn.Conv2d) else up


def in_rows(layer: Convolution, relu: bool) -> Forward | None:
    """The last layer's rows of pixels, forward only; the bias's gradient is torch's sum."""
    if isinstance(layer, nn.Conv2d) or relu:
        return None
    return _in_place_of(layer, UpConvToPixels, relu)


def blocked(layer: Convolution, relu: bool) -> Forward:
    """In planes, which oneDNN turns into its blocks of channels and back."""

    def forward(x: Tensor) -> Tensor:
        y = convolved(layer, x.contiguous(), layer.weight.contiguous(), layer.bias)
        return last(rectified(y, relu))

    return forward


def in_parts(layer: Convolution, relu: bool) -> Forward:
    """A few images at a time, which stay in the processor's cache."""
    whole = present(layer, relu)
    return lambda x: last(torch.cat([whole(part) for part in x.split(PART)]))


def compiled(layer: Convolution, relu: bool) -> Forward | None:
    """By torch.compile. What it could freeze is weights that no longer change."""
    if shutil.which("c++") is None:
        return None
    return torch.compile(present(layer, relu), dynamic=False)


ATTEMPTS: dict[str, Attempt] = {
    "bias added by torch": bias_added,
    "bias and ReLU fused by oneDNN": fused,
    "2x2 on four times the channels": half_size,
    "patches and one matrix product": one_product,
    "2x2 into rows of pixels, forward only": in_rows,
    "blocks of channels": blocked,
    f"{PART} images at a time": in_parts,
    "torch.compile": compiled,
}


def rewrite(network: nn.Sequential, attempt: Attempt) -> nn.Sequential:
    """Have a network compute its convolutions by an attempt where that answers; in place."""
    steps: list[Forward] = []
    layers = list(network)
    while layers:
        layer: Any = layers.pop(0)
        forward = None
        if strided(layer):
            relu = bool(layers) and isinstance(layers[0], nn.ReLU)
            forward = attempt(layer, relu)
            if forward and relu:
                layers.pop(0)
        steps.append(forward or layer)

    def compute(x: Tensor) -> Tensor:
        for step in steps:
            x = step(x)
        return x

    network.forward = compute  # type: ignore[method-assign]
    return network


def _in_place_of(layer: Convolution, kind: type[nn.Module], relu: bool) -> Forward:
    return present(share(kind(layer.in_channels, layer.out_channels), layer), relu)  # type: ignore[arg-type]


def _bias(layer: Convolution) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def _backward(
    gradient: Tensor, x: Tensor, weight: Tensor, transposed: bool, wanted: list[bool]
) -> tuple[Tensor | None, Tensor]:
    """Torch's own gradients of the convolution with respect to input and weight."""
    of_x, of_weight, _ = torch.ops.aten.convolution_backward(
        gradient,
        x,
        weight,
        None,
        [STRIDE] * 2,
        [PADDING] * 2,
        [1, 1],
        transposed,
        [0, 0],
        1,
        wanted,
    )
    return of_x, of_weight
