from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ccvae.errors import InputError
from ccvae.labels import MultiClass, MultiLabel
from evaluators.classifier import NETWORKS, Judge, fit_temperature

SHAPES = [(1, 28, 28), (3, 64, 64)]


@pytest.mark.parametrize("network", sorted(NETWORKS))
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("labels", [MultiLabel("abc"), MultiClass("abcd")])
def test_shapes_and_normalisation(network, shape, labels):
    judge = Judge(labels, network, shape).eval()
    x = torch.rand(2, *shape)
    assert judge.features(x).shape == (2, judge.n_features)
    assert judge.raw_logits(x).shape == (2, labels.n_outputs)
    log_probs = judge.log_probs(x)
    assert log_probs.shape == (2, labels.n_factors, labels.n_values)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(2, labels.n_factors))


def test_unknown_network_is_refused():
    with pytest.raises(InputError, match="choose one of"):
        Judge(MultiClass("ab"), "vgg", (1, 28, 28))


def test_temperature_divides_the_logits():
    judge = Judge(MultiLabel("ab"), "small_cnn", (1, 28, 28)).eval()
    x = torch.rand(3, 1, 28, 28)
    before = judge.raw_logits(x)
    judge.temperature.copy_(torch.tensor([1.0, 4.0]))
    off, on = judge.log_probs(x).unbind(-1)
    torch.testing.assert_close(on - off, before / torch.tensor([1.0, 4.0]))
    torch.testing.assert_close(judge.last(judge.features(x)), before)


def test_temperature_is_recovered_per_label():
    """Labels drawn from sigmoid(l): logits 3 l need temperature 3, and l / 2 is clamped to 1."""
    generator = torch.Generator().manual_seed(0)
    true = 2 * torch.randn(200_000, 3, generator=generator)
    y = (torch.rand(true.shape, generator=generator) < true.sigmoid()).long()
    stated = true * torch.tensor([3.0, 1.0, 0.5])
    found = fit_temperature(MultiLabel("abc"), stated, y)
    torch.testing.assert_close(found, torch.tensor([3.0, 1.0, 1.0]), atol=0.05, rtol=0)


def test_temperature_of_classes_is_one_number():
    generator = torch.Generator().manual_seed(0)
    true = 2 * torch.randn(50_000, 4, generator=generator)
    y = torch.multinomial(F.softmax(true, -1), 1, generator=generator)
    found = fit_temperature(MultiClass("abcd"), 2.5 * true, y)
    torch.testing.assert_close(found, torch.tensor([2.5]), atol=0.1, rtol=0)


def test_separable_labels_are_not_sharpened():
    logits = torch.tensor([[1.0], [-1.0]])
    assert fit_temperature(MultiLabel("a"), logits, torch.tensor([[1], [0]])).item() == 1.0


def test_normalised_images_are_what_the_network_sees():
    labels, x = MultiLabel("ab"), torch.rand(4, 3, 64, 64)
    judge = Judge(labels, "small_cnn", (3, 64, 64)).eval()
    plain = judge.network((x - 0.25) / torch.tensor([0.5, 1.0, 2.0]).view(3, 1, 1))
    judge.normalise(torch.full((3,), 0.25), torch.tensor([0.5, 1.0, 2.0]))
    torch.testing.assert_close(judge.features(x), plain)
    fresh = Judge(labels, "small_cnn", (3, 64, 64)).eval()
    fresh.load_state_dict(judge.state_dict())
    assert torch.equal(fresh.features(x), judge.features(x))


@pytest.mark.parametrize("shape", SHAPES)
def test_what_differs_between_pale_images_reaches_the_logits(shape):
    """Judges stayed at the prevalence because their logits differed by a thousandth at first."""
    torch.manual_seed(0)
    judge = Judge(MultiLabel("abc"), "small_cnn", shape).train()
    x = 0.5 + 0.02 * torch.randn(64, *shape)
    judge.normalise(torch.full(shape[:1], 0.5), torch.full(shape[:1], 0.02))
    assert judge.raw_logits(x).std(0).mean() > 0.05
