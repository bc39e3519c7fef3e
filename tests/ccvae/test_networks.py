from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from ccvae.labels import LabelSpace
from ccvae.networks import (
    ARCHITECTURES,
    ConditionalPrior,
    ConvToVector,
    Diagonal,
    GaussianHead,
    Table3,
    VectorToConv,
    positive,
)
from tests.tiny import binary_labels, classes


def count(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def with_parameters_of(layer: nn.Module, source: nn.Module) -> nn.Module:
    layer.load_state_dict(source.state_dict())
    return layer


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [True, False])
def test_conv_to_vector_is_a_convolution(layout: torch.memory_format, bias: bool) -> None:
    torch.manual_seed(0)
    layer = ConvToVector(6, 10, 4, bias=bias)
    plain = with_parameters_of(nn.Conv2d(6, 10, 4, bias=bias), layer)
    x = torch.randn(3, 6, 4, 4).to(memory_format=layout).requires_grad_()
    torch.testing.assert_close(layer(x), plain(x).flatten(1), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(*(gradient(n, x) for n in (layer, plain)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_vector_to_conv_is_a_transposed_convolution(bias: bool) -> None:
    torch.manual_seed(0)
    layer = VectorToConv(6, 5, 4, bias=bias)
    plain = with_parameters_of(nn.ConvTranspose2d(6, 5, 4, bias=bias), layer)
    x = torch.randn(3, 6)
    torch.testing.assert_close(layer(x), plain(x[:, :, None, None]), rtol=1e-6, atol=1e-6)


def test_table3_lays_out_what_is_convolved_and_not_what_is_multiplied() -> None:
    torch.manual_seed(0)
    for network in (Table3(kaiming=True).trunk(), Table3(kaiming=True).decoder(45)):
        for layer in network:
            if isinstance(layer, ConvToVector | VectorToConv):
                assert layer.weight.is_contiguous()
            elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                assert layer.weight.is_contiguous(memory_format=torch.channels_last)


def gradient(layer: nn.Module, x: Tensor) -> Tensor:
    return torch.autograd.grad(layer(x).square().sum(), layer.weight)[0]


@pytest.mark.parametrize(
    ("layer", "plain"), [(ConvToVector, nn.Conv2d), (VectorToConv, nn.ConvTranspose2d)]
)
def test_matrix_layers_start_like_the_layers_they_replace(layer, plain) -> None:
    torch.manual_seed(4)
    ours = layer(6, 5, 4).state_dict()
    torch.manual_seed(4)
    theirs = plain(6, 5, 4).state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_table_3_has_the_papers_number_of_parameters() -> None:
    table3 = Table3()
    assert count(table3.trunk(), GaussianHead(table3.features, 45)) == 729_690
    assert count(table3.decoder(45)) == 718_083


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architectures_fit_their_image_shape(name: str) -> None:
    architecture = ARCHITECTURES[name]()
    x = torch.rand(2, *architecture.image_shape)
    features = architecture.trunk()(x)
    assert features.shape == (2, architecture.features)
    assert architecture.decoder(7)(torch.randn(2, 7)).shape == x.shape


def test_table_3_decoder_returns_logits_that_use_every_latent() -> None:
    torch.manual_seed(0)
    z = torch.randn(1, 5).requires_grad_()
    logits = Table3(kaiming=True).decoder(5)(30 * z)
    assert logits.min() < 0 < 1 < logits.max()
    assert (torch.autograd.grad(logits.square().sum(), z)[0] != 0).all()


def test_kaiming_keeps_the_size_of_activations() -> None:
    """E[output^2] = 2 E[input^2], of which a ReLU leaves half, away from the padded border."""
    torch.manual_seed(0)
    table3 = Table3(kaiming=True)
    checked = 0
    for layer in [*table3.trunk(), *table3.decoder(45)]:
        if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            continue
        assert (layer.bias == 0).all()
        if isinstance(layer, VectorToConv | nn.Linear):
            x = torch.randn(400, layer.weight.shape[isinstance(layer, nn.Linear)])
            out = layer(x)
        else:
            side = 4 if isinstance(layer, ConvToVector) else 16
            x = torch.randn(60, layer.in_channels, side, side)
            out = layer(x)
            out = out if out.ndim == 2 else out[:, :, 2:-2, 2:-2]
        assert out.square().mean().item() == pytest.approx(2, rel=0.15)
        checked += 1
    assert checked == 11


def test_without_kaiming_the_initialisation_is_torchs() -> None:
    torch.manual_seed(2)
    ours = Table3().trunk()[0].state_dict()
    torch.manual_seed(2)
    theirs = nn.Conv2d(3, 32, 4, 2, 1).state_dict()
    assert torch.equal(ours["weight"], theirs["weight"])


def test_positive_is_softplus_with_a_floor() -> None:
    raw = torch.tensor([-100.0, 0.0, 1.0, 50.0])
    expected = torch.tensor([1e-3, math.log(2), 1.313262, 50.0])
    torch.testing.assert_close(positive(raw), expected)


def test_gaussian_head_splits_mean_and_scale() -> None:
    head = GaussianHead(3, 2)
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.copy_(torch.tensor([5.0, -6.0, 1.0, -100.0]))
    q = head(torch.randn(4, 3))
    torch.testing.assert_close(q.loc, torch.tensor([[5.0, -6.0]]).expand(4, 2))
    torch.testing.assert_close(q.scale, torch.tensor([[1.313262, 1e-3]]).expand(4, 2))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_posterior_starts_about_as_wide_as_asked(name: str) -> None:
    torch.manual_seed(5)
    plain, narrow = ARCHITECTURES[name](), ARCHITECTURES[name](posterior_scale=0.05)
    h = torch.randn(64, 256).relu()
    assert narrow.posterior(256, 40)(h).scale.median().item() == pytest.approx(0.05, rel=0.1)
    assert plain.posterior(256, 40)(h).scale.median().item() == pytest.approx(0.69, rel=0.1)


def test_the_first_scale_takes_no_random_numbers_and_moves_no_mean() -> None:
    torch.manual_seed(5)
    plain = GaussianHead(8, 3)
    torch.manual_seed(5)
    narrow = GaussianHead(8, 3, 0.05)
    h = torch.randn(4, 8)
    assert torch.equal(plain(h).loc, narrow(h).loc)
    assert torch.equal(plain.linear.weight, narrow.linear.weight)


SPACES = [(binary_labels(3), 1), (binary_labels(3), 2), (classes(4), 1), (classes(4), 5)]


@pytest.mark.parametrize(("labels", "width"), SPACES)
def test_diagonal_equals_a_loop(labels: LabelSpace, width: int) -> None:
    torch.manual_seed(0)
    layer = Diagonal(labels, width)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    z_c = torch.randn(2, 6, labels.n_factors, width)
    logits = layer(z_c)
    assert logits.shape == (2, 6, labels.n_outputs)
    per_factor = labels.n_outputs // labels.n_factors
    for k in range(2):
        for b in range(6):
            for f in range(labels.n_factors):
                for o in range(per_factor):
                    total = layer.bias[f, o].item()
                    for d in range(width):
                        total += z_c[k, b, f, d].item() * layer.weight[f, d, o].item()
                    assert logits[k, b, f * per_factor + o].item() == pytest.approx(total, abs=1e-5)


def test_a_label_sees_its_own_latents_only() -> None:
    layer = Diagonal(binary_labels(3), 2)
    z_c = torch.randn(1, 3, 2, requires_grad=True)
    (gradient_of_one,) = torch.autograd.grad(layer(z_c)[0, 1], z_c)
    assert (gradient_of_one[0, 1] != 0).all()
    assert (gradient_of_one[0, [0, 2]] == 0).all()


def test_diagonal_starts_at_the_identity() -> None:
    labels = binary_labels(18)
    layer = Diagonal(labels, 1)
    assert count(layer) == 36
    z_c = torch.randn(5, 18, 1)
    assert torch.equal(layer(z_c), z_c.squeeze(-1))


@pytest.mark.parametrize(("labels", "width"), SPACES)
def test_conditional_prior_equals_a_loop(labels: LabelSpace, width: int) -> None:
    torch.manual_seed(0)
    prior = ConditionalPrior(labels, width)
    nn.init.normal_(prior.loc)
    nn.init.normal_(prior.raw_scale)
    z_c = torch.randn(5, labels.n_factors, width)
    density = prior.log_density(z_c)
    assert density.shape == (5, labels.n_factors, labels.n_values)
    for b in range(5):
        for f in range(labels.n_factors):
            for v in range(labels.n_values):
                total = 0.0
                for d in range(width):
                    scale = math.log1p(math.exp(prior.raw_scale[f, v, d].item()))
                    distance = (z_c[b, f, d].item() - prior.loc[f, v, d].item()) / scale
                    total -= 0.5 * distance**2 + math.log(scale) + 0.5 * math.log(2 * math.pi)
                assert density[b, f, v].item() == pytest.approx(total, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(("labels", "width"), SPACES)
def test_conditional_prior_looks_up_the_parameters_of_y(labels: LabelSpace, width: int) -> None:
    prior = ConditionalPrior(labels, width)
    nn.init.normal_(prior.loc)
    nn.init.normal_(prior.raw_scale)
    y = labels.sample_prior(7)
    loc, scale = prior.parameters_given(labels.one_hot(y))
    for b in range(7):
        for f in range(labels.n_factors):
            torch.testing.assert_close(loc[b, f], prior.loc[f, y[b, f]])
            torch.testing.assert_close(scale[b, f], prior.scale[f, y[b, f]])


def test_conditional_prior_starts_at_plus_and_minus_the_spread() -> None:
    prior = ConditionalPrior(binary_labels(18), 1)
    assert (prior.loc[:, 0] == -2).all()
    assert (prior.loc[:, 1] == 2).all()
    torch.testing.assert_close(prior.scale, torch.full((18, 2, 1), 1.313262))
    assert (ConditionalPrior(binary_labels(2), 1, spread=0.0).loc == 0).all()


def test_class_means_start_apart() -> None:
    torch.manual_seed(0)
    prior = ConditionalPrior(classes(10), 64, spread=0.5)
    assert prior.loc.std().item() == pytest.approx(0.5, rel=0.1)
    assert torch.pdist(prior.loc[0]).min() > 1
