"""No speed is bought with a changed number: each fast path beside the plain one."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from benchmarks.released_recipe import ReleasedRecipe, plain
from benchmarks.training_step import LATENTS, N_LABELS, build, our_loss, with_plain_layers
from ccvae.model import CCVAE

B, K = 6, 100
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(B, 3, 64, 64, generator=generator)
    return x, torch.randint(2, (B, N_LABELS), generator=generator)


def lively() -> CCVAE:
    """A model whose terms all matter: not at the identity initialisation."""
    model = build()
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in (*model.classifier.parameters(), *model.conditional_prior.parameters()):
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def close(found: Tensor, expected: Tensor) -> None:
    """Equal to 1e-5 of the largest entry: sums of many terms cancel in the small ones."""
    scale = expected.abs().max().clamp_min(1e-12)
    torch.testing.assert_close(found / scale, expected / scale, **CLOSE)


@pytest.mark.parametrize("part", ["trunk", "decoder"])
def test_matrix_products_equal_convolutions(part: str) -> None:
    model = build()
    fast = getattr(model, part)
    slow = plain(fast)
    generator = torch.Generator().manual_seed(0)
    shape = (B, 3, 64, 64) if part == "trunk" else (B, LATENTS)
    x = torch.rand(shape, generator=generator)
    expected = slow(x)
    direction = torch.randn(expected.shape, generator=generator)
    expected.backward(direction)
    wanted = {name: g.clone() for name, g in gradients(model).items()}
    model.zero_grad()
    found = fast(x)
    found.backward(direction)
    torch.testing.assert_close(found, expected, **CLOSE)
    assert wanted.keys() == gradients(model).keys()
    for name, gradient in gradients(model).items():
        close(gradient, wanted[name])


def test_parameters_have_the_same_names_and_shapes_as_plain_layers() -> None:
    state = build().trunk[-2].state_dict()
    nn.Conv2d(128, 256, 4).load_state_dict(state)
    nn.ConvTranspose2d(256, 128, 4).load_state_dict(build().decoder[2].state_dict())


@pytest.mark.parametrize("labelled", [True, False])
def test_one_encoder_pass_equals_two(labelled: bool) -> None:
    """With the same noise, the released recipe and ours have one loss and one gradient."""
    model = lively()
    x, y = batch()
    torch.manual_seed(5)
    torch.randn(B, LATENTS)
    own = torch.randn(K, B, N_LABELS)
    noise = torch.cat([own, torch.randn(K, B, LATENTS - N_LABELS)], dim=-1)

    recipe = ReleasedRecipe(model, K)
    torch.manual_seed(5)
    expected = recipe.loss(x, y if labelled else None, noise)
    expected.backward()
    wanted = {name: g.clone() for name, g in gradients(model).items()}
    model.zero_grad()
    torch.manual_seed(5)
    found = our_loss(model)(x, y if labelled else None)
    found.backward()
    torch.testing.assert_close(found, expected, **CLOSE)
    for name, gradient in gradients(model).items():
        close(gradient, wanted[name])


def test_channels_last_changes_no_number() -> None:
    x, y = batch()
    losses, found = [], []
    for layout in (torch.contiguous_format, torch.channels_last):
        model = lively().to(memory_format=layout)
        images = x.contiguous(memory_format=layout)
        torch.manual_seed(6)
        loss = our_loss(model)(images, y)
        loss.backward()
        losses.append(loss.detach())
        found.append(gradients(model))
    torch.testing.assert_close(losses[1], losses[0], **CLOSE)
    for name, gradient in found[0].items():
        close(found[1][name], gradient)


def test_fused_adam_takes_the_same_steps() -> None:
    x, _ = batch()
    first = build().trunk
    second = copy.deepcopy(first)
    for network, fused in ((first, True), (second, False)):
        optimizer = torch.optim.Adam(network.parameters(), 1e-3, fused=fused)
        for _ in range(4):
            optimizer.zero_grad(set_to_none=True)
            network(x).square().mean().backward()
            optimizer.step()
    for found, expected in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(found, expected, **CLOSE)


def test_plain_layers_leave_the_loss_as_it_is() -> None:
    x, y = batch()
    model = lively()
    torch.manual_seed(7)
    expected = our_loss(model)(x, y)
    slow = our_loss(with_plain_layers(model))
    torch.manual_seed(7)
    torch.testing.assert_close(slow(x, y), expected, **CLOSE)
