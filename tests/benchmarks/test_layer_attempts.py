"""Every attempt gives the numbers of the layer that it stands for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from benchmarks.layer_attempts import (
    ATTEMPTS,
    Convolution,
    Forward,
    compiled,
    rewrite,
    slow,
    strided,
)
from benchmarks.layer_page import AGAIN, IN_STEPS, PRESENT, STEP, document, slow_layers
from ccvae.networks import Table3

LAYERS: dict[str, tuple[Convolution, bool]] = {
    "3 to 32": (nn.Conv2d(3, 32, 4, 2, 1), True),
    "32 to 32": (nn.ConvTranspose2d(32, 32, 4, 2, 1), True),
    "32 to 3": (nn.ConvTranspose2d(32, 3, 4, 2, 1), False),
}
QUICK = [name for name, attempt in ATTEMPTS.items() if attempt is not compiled]
SLOW = [name for name in ATTEMPTS if name not in QUICK]


def close(found: Tensor, expected: Tensor) -> None:
    """Equal to 1e-5 of the largest entry."""
    scale = expected.abs().max()
    torch.testing.assert_close(found / scale, expected / scale, rtol=1e-5, atol=1e-5)


def results(forward: Forward, layer: Convolution, x: Tensor) -> list[Tensor]:
    """Result, and the gradients of a random function of it."""
    x = x.clone().requires_grad_()
    y = forward(x)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    direction = direction.contiguous(memory_format=torch.channels_last)
    return [y.detach(), *torch.autograd.grad(y, (x, *layer.parameters()), direction)]


@pytest.mark.parametrize("shape", LAYERS)
@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW)])
def test_an_attempt_agrees_with_the_layer(name: str, shape: str) -> None:
    layer, relu = LAYERS[shape]
    layer = layer.to(memory_format=torch.channels_last)
    forward = ATTEMPTS[name](layer, relu)
    if forward is None:
        pytest.skip("it is not for this layer")
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(9, layer.in_channels, 8, 12, generator=generator)
    x = x.contiguous(memory_format=torch.channels_last)
    plain = nn.Sequential(layer, nn.ReLU()) if relu else layer
    expected = results(plain, layer, x)
    found = results(forward, layer, x)
    assert found[0].is_contiguous(memory_format=torch.channels_last)
    for one, other in zip(found, expected, strict=True):
        close(one, other)


def test_the_slow_layers_are_three_of_table_3s() -> None:
    table3 = Table3()
    convolutions = [m for m in [*table3.trunk(), *table3.decoder(45)] if strided(m)]
    assert [slow(m) for m in convolutions] == [True, False, False, False, False, False, True, True]


@pytest.mark.parametrize("name", QUICK)
def test_a_rewritten_network_computes_the_same(name: str) -> None:
    torch.manual_seed(0)
    decoder = Table3(kaiming=True).decoder(5)
    z = torch.randn(3, 5)
    expected = decoder(z)
    names = list(decoder.state_dict())
    close(rewrite(decoder, ATTEMPTS[name])(z), expected)
    assert list(decoder.state_dict()) == names


def test_the_page_names_what_is_fastest_and_what_pays() -> None:
    titles = [layer.title for layer in slow_layers()]
    alone = {PRESENT: 10.0, AGAIN: 9.0, "torch.compile": 12.0, "blocks of channels": 9.5}
    step = {name: 100.0 for name in IN_STEPS} | {"bias added by torch": 90.0}
    bias = {"weight": 4.0, "both": 6.0, "sum": 0.2}
    times = {title: dict(alone) for title in titles} | {STEP: step}
    page = document(times, bias, peak=100.0, rounds=3)
    assert f"{titles[0]}: blocks of channels (0.95)" in page
    assert "what pays: bias added by torch (10.0 %)." in page
    assert "4 ms for the weight's gradient and 6 ms for weight's and bias's" in page
    # 2 x 32 images of 3.15 MFLOP, 0.2 GFLOP, in 10 ms are 20 of 100 GFLOP/s.
    assert "| present, ms (of peak) | 10 (20 %) |" in page
    step["bias added by torch"] = 96.0
    assert "bias added by torch saves most, and nothing pays" in document(times, bias, 100.0, 3)
