"""What measures share changes no figure: encoded once or by each measure itself."""

from __future__ import annotations

import pytest
import torch

from ccvae.labels import MultiLabel
from ccvae.model import CCVAE
from ccvae.networks import Table3
from evaluators.counterfactual import counterfactual
from evaluators.images import ImageSet
from evaluators.latents import encode
from evaluators.leakage import leakage
from evaluators.reconstruction import reconstruct_all, reconstruction
from evaluators.swap import swap

N = 40


class Shades:
    """A judge that reads two brightnesses off an image."""

    def __init__(self, labels: MultiLabel) -> None:
        self.labels = labels

    def log_probs(self, x: torch.Tensor) -> torch.Tensor:
        shades = torch.stack([x[:, 0].mean((1, 2)), x[:, 1].mean((1, 2))], dim=1)
        return self.labels.log_probs(10 * shades - 5)


@pytest.fixture(scope="module")
def world() -> tuple[CCVAE, Shades, ImageSet]:
    torch.manual_seed(0)
    labels = MultiLabel(["first", "second"])
    model = CCVAE(
        labels, Table3(kaiming=True), latents=6, latents_per_label=1, likelihood="laplace"
    ).eval()
    pixels = torch.randint(256, (N, 3, 64, 64), dtype=torch.uint8)
    return model, Shades(labels), ImageSet(pixels, torch.randint(2, (N, 2)), labels)


def test_reconstructions_are_those_of_the_model(world: tuple[CCVAE, Shades, ImageSet]) -> None:
    model, _, images = world
    together = reconstruct_all(model, images)
    x = torch.cat([x for x, _ in images.batches()])
    with torch.no_grad():
        alone = torch.cat([model.reconstruct(part) for part in x.split(7)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    found = reconstruction(model, images, together)["reconstruction_l1"]
    assert found == pytest.approx((alone - x).abs().mean().item(), abs=1e-5)


def test_swap_is_the_same_with_shared_reconstructions(
    world: tuple[CCVAE, Shades, ImageSet],
) -> None:
    model, judge, images = world
    alone = swap(model, judge, images, n_pairs=30, seed=1)
    shared = reconstruct_all(model, images)
    assert swap(model, judge, images, n_pairs=30, seed=1, reconstructions=shared) == pytest.approx(
        alone, abs=1e-5
    )


def test_counterfactual_is_the_same_with_shared_reconstructions(
    world: tuple[CCVAE, Shades, ImageSet],
) -> None:
    model, _, images = world

    def redraw(indices: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        drawn = images.images[indices].clone()
        drawn[:, :, :20] = (labels[:, :1, None, None] * 200).to(torch.uint8)
        return drawn

    alone = counterfactual(model, images, redraw, n_images=10, seed=0)
    shared = reconstruct_all(model, images)
    found = counterfactual(model, images, redraw, n_images=10, seed=0, reconstructions=shared)
    assert found == pytest.approx(alone, abs=1e-5)


def test_leakage_is_the_same_with_shared_latents(world: tuple[CCVAE, Shades, ImageSet]) -> None:
    model, _, images = world
    sides = [images.take(torch.arange(N)[part]) for part in (slice(0, 20), slice(20, None))]
    shared = encode(model, images).halves()
    assert leakage(model, *sides, shared) == pytest.approx(leakage(model, *sides), abs=1e-5)
