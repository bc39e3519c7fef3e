"""Convolutions in fewer passes: torch's own numbers, names and beginnings."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ccvae.convolutions import ConvPlusBias, UpConvPlusBias, UpConvToPixels
from ccvae.networks import Table3
from ccvae.numerics import Numerics

KINDS: list[tuple[Any, Any]] = [
    (ConvPlusBias, nn.Conv2d),
    (UpConvPlusBias, nn.ConvTranspose2d),
    (UpConvToPixels, nn.ConvTranspose2d),
]
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def close(found: Tensor, expected: Tensor) -> None:
    """Equal to 1e-5 of the largest entry."""
    scale = expected.abs().max()
    torch.testing.assert_close(found / scale, expected / scale, rtol=1e-5, atol=1e-5)


def results(network: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Result, and gradients of a function of it that weighs every entry differently."""
    x = x.clone().requires_grad_()
    y = network(x)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    of_x, *others = torch.autograd.grad(y, (x, *network.parameters()), direction)
    names = [name for name, _ in network.named_parameters()]
    return {"result": y.detach(), "input": of_x, **dict(zip(names, others, strict=True))}


def pair(kind: Any, plain: Any, inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    """Both layers after the same seed."""
    torch.manual_seed(0)
    fast = kind(inputs, outputs)
    torch.manual_seed(0)
    return fast, plain(inputs, outputs, 4, 2, 1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(2, 5, 6, 10), (1, 3, 2, 2)])
@pytest.mark.parametrize("outputs", [1, 3, 4, 9])
@pytest.mark.parametrize(("kind", "plain"), KINDS)
def test_results_and_gradients_are_those_of_torchs_layer(
    kind: Any, plain: Any, outputs: int, shape: tuple[int, ...], layout: torch.memory_format
) -> None:
    fast, slow = pair(kind, plain, shape[1], outputs)
    fast, slow = fast.to(memory_format=layout), slow.to(memory_format=layout)
    x = torch.randn(shape).contiguous(memory_format=layout)
    expected = results(slow, x)
    found = results(fast, x)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        close(value, expected[name])


@pytest.mark.parametrize(("kind", "plain"), KINDS)
def test_a_layer_begins_as_torchs_does_and_takes_the_same_random_numbers(
    kind: Any, plain: Any
) -> None:
    fast, slow = pair(kind, plain, 6, 3)
    after = torch.rand(())
    torch.manual_seed(0)
    plain(6, 3, 4, 2, 1)
    assert torch.equal(after, torch.rand(()))
    assert fast.state_dict().keys() == slow.state_dict().keys()
    for name, value in slow.state_dict().items():
        assert torch.equal(fast.state_dict()[name], value)


def test_gradients_of_the_rows_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    layer = UpConvToPixels(2, 1).double()
    x = torch.randn(1, 2, 2, 3, dtype=torch.double, requires_grad=True)

    def rows(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))

    assert torch.autograd.gradcheck(rows, (x, layer.weight, layer.bias))


@pytest.mark.parametrize("kaiming", [False, True])
@pytest.mark.parametrize("part", ["trunk", "decoder"])
def test_the_fast_networks_are_table_3(part: str, kaiming: bool) -> None:
    networks: list[nn.Module] = []
    for fast in (False, True):
        torch.manual_seed(0)
        table3 = Table3(kaiming=kaiming, fast=fast)
        networks.append(table3.trunk() if part == "trunk" else table3.decoder(7))
    first, second = (network.state_dict() for network in networks)
    assert list(first) == list(second)
    assert all(torch.equal(first[name], second[name]) for name in first)
    x = torch.rand(3, 3, 64, 64) if part == "trunk" else torch.randn(3, 7)
    expected = results(networks[0], x)
    for name, value in results(networks[1], x).items():
        close(value, expected[name])


def test_without_the_option_layers_are_torchs() -> None:
    table3 = Table3()
    kinds = {type(layer) for layer in [*table3.trunk(), *table3.decoder(7)]}
    assert not kinds & {kind for kind, _ in KINDS}


def test_in_bf16_too() -> None:
    decoder = Numerics("bf16").apply(Table3(kaiming=True, fast=True)).decoder(7)
    y = decoder(torch.randn(3, 7))
    y.square().mean().backward()
    assert y.dtype == torch.float32
    assert all(p.grad is not None and p.grad.isfinite().all() for p in decoder.parameters())
