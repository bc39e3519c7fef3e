"""Networks as a list of layers that page/network.js can compute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ccvae.convolutions import ConvPlusBias, UpConvPlusBias, UpConvToPixels
from ccvae.errors import InputError
from ccvae.networks import ConvToVector, VectorToConv
from evaluators.classifier import Judge
from workflow.explorer.arrays import Blob, rounded

ACTIVATIONS: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.Softplus: "softplus",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
}
CONVOLUTIONS: dict[type[nn.Module], str] = {
    nn.Conv2d: "convolution",
    ConvToVector: "convolution",
    ConvPlusBias: "convolution",
    nn.ConvTranspose2d: "transposed",
    VectorToConv: "transposed",
    UpConvPlusBias: "transposed",
    UpConvToPixels: "transposed",
}
NOTHING = (nn.Identity, nn.Dropout)
"""Layers that do nothing once a network has been trained."""


def layers_of(network: nn.Module, blob: Blob, rounding: str) -> list[dict[str, Any]]:
    """Describe a network layer by layer; weights go into `blob`.

    Parameters
    ----------
    network
        `nn.Sequential`, nested or not, of the layers below, as it computes in evaluation mode.
    blob
        Takes the weights.
    rounding
        Of weights, see `Blob.add`; biases are kept in float32.

    Raises
    ------
    InputError
        If there is a layer that the page does not know.
    """
    return [_described(layer, blob, rounding) for layer in _leaves(network)]


def judge_layers(judge: Judge, blob: Blob, rounding: str) -> list[dict[str, Any]]:
    """Describe a judge, from images in [0, 1] to calibrated logits; see `layers_of`."""
    deviation = judge.channel_deviation.flatten()
    return [
        _affine(1 / deviation, -judge.channel_mean.flatten() / deviation, blob),
        *layers_of(nn.Sequential(judge.network, judge.last), blob, rounding),
        _affine(
            (1 / judge.temperature).expand(judge.labels.n_outputs),
            torch.zeros(judge.labels.n_outputs),
            blob,
        ),
    ]


def round_weights(network: nn.Module, rounding: str) -> None:
    """Give a network, in place, the weights that the page will compute with."""
    with torch.no_grad():
        layer: Any
        for layer in _leaves(network):
            if type(layer) is nn.Linear or type(layer) in CONVOLUTIONS:
                weight = rounded(layer.weight.numpy(force=True), rounding)
                layer.weight.copy_(torch.from_numpy(weight))


def _leaves(network: nn.Module) -> Iterator[nn.Module]:
    if isinstance(network, nn.Sequential):
        for part in network:
            yield from _leaves(part)
    elif not isinstance(network, NOTHING):
        yield network


def _described(layer: Any, blob: Blob, rounding: str) -> dict[str, Any]:
    # A subclass may compute something else.
    kind: Any = type(layer)
    if kind in ACTIVATIONS and repr(layer).replace("inplace=True", "") == repr(kind()):
        return {"layer": ACTIVATIONS[kind]}
    if kind is nn.Linear:
        return {"layer": "linear", **_weights(layer, blob, rounding)}
    if kind in CONVOLUTIONS and _plain(layer):
        where = {"stride": layer.stride[0], "padding": layer.padding[0]}
        return {"layer": CONVOLUTIONS[kind], **where, **_weights(layer, blob, rounding)}
    if kind in (nn.BatchNorm2d, nn.BatchNorm1d) and layer.running_var is not None:
        factor = 1 / (layer.running_var + layer.eps).sqrt()
        shift = -layer.running_mean * factor
        if layer.affine:
            factor, shift = factor * layer.weight, shift * layer.weight + layer.bias
        return _affine(factor, shift, blob)
    if kind is nn.MaxPool2d and repr(layer) == repr(nn.MaxPool2d(layer.kernel_size)):
        return {"layer": "pool", "size": layer.kernel_size}
    if kind is nn.Flatten:
        return {"layer": "flatten"}
    if kind is nn.Unflatten:
        return {"layer": "unflatten", "shape": list(layer.unflattened_size)}
    raise InputError(f"the explorer cannot compute the layer {layer}")


def _plain(layer: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    """Whether a convolution is square, whole, and padded with zeros by a number of pixels."""
    squares = (layer.kernel_size, layer.stride, layer.padding)
    return (
        all(not isinstance(pair, str) and pair[0] == pair[1] for pair in squares)
        and layer.groups == 1
        and set(layer.dilation) == {1}
        and set(layer.output_padding) == {0}
        and layer.padding_mode == "zeros"
    )


def _weights(
    layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, blob: Blob, rounding: str
) -> dict[str, Any]:
    outputs = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
    bias = np.zeros(outputs) if layer.bias is None else _array(layer.bias)
    return {
        "weight": blob.add(_array(layer.weight), rounding),
        "bias": blob.add(bias, "float32"),
    }


def _affine(factor: Tensor, shift: Tensor, blob: Blob) -> dict[str, Any]:
    """Layer that multiplies and shifts each channel."""
    return {
        "layer": "affine",
        "factor": blob.add(_array(factor), "float32"),
        "shift": blob.add(_array(shift), "float32"),
    }


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.numpy(force=True)
