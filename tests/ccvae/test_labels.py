from __future__ import annotations

import math

import pytest
import torch

from ccvae.errors import InputError
from ccvae.labels import LABEL_SPACES, LabelSpace, MultiClass, MultiLabel
from tests.tiny import binary_labels, classes

SPACES = {"binary": binary_labels(3), "classes": classes(4)}


@pytest.fixture(params=SPACES.values(), ids=SPACES.keys())
def labels(request: pytest.FixtureRequest) -> LabelSpace:
    return request.param


def test_log_probs_are_normalised_per_factor(labels: LabelSpace) -> None:
    log_probs = labels.log_probs(3 * torch.randn(2, 5, labels.n_outputs))
    assert log_probs.shape == (2, 5, labels.n_factors, labels.n_values)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(2, 5, labels.n_factors))


def test_binary_log_probs_by_hand() -> None:
    log_probs = MultiLabel(["a", "b"]).log_probs(torch.tensor([[math.log(3.0), -math.log(4.0)]]))
    expected = torch.tensor([[[0.25, 0.75], [0.8, 0.2]]]).log()
    torch.testing.assert_close(log_probs, expected)


def test_class_log_probs_by_hand() -> None:
    logits = torch.tensor([[1.0, 2.0, 5.0]]).log()
    expected = torch.tensor([[[0.125, 0.25, 0.625]]]).log()
    torch.testing.assert_close(classes(3).log_probs(logits), expected)


def test_extreme_logits_stay_finite(labels: LabelSpace) -> None:
    logits = torch.zeros(1, labels.n_outputs)
    logits[0, 0] = 300.0
    assert torch.isfinite(labels.log_probs(logits)).all()
    assert torch.isfinite(labels.log_probs(-logits)).all()


def test_encode_and_predict_are_inverse(labels: LabelSpace) -> None:
    y = labels.joint_values()
    code = labels.encode(y)
    assert code.shape == (len(y), labels.n_outputs)
    assert code.dtype == torch.float32
    assert torch.equal(labels.predict(code), y)


def test_encoding_by_hand() -> None:
    assert binary_labels(3).encode(torch.tensor([[1, 0, 1]])).tolist() == [[1, 0, 1]]
    assert classes(4).encode(torch.tensor([[2]])).tolist() == [[0, 0, 1, 0]]


def test_stored_unsigned_labels_are_understood(labels: LabelSpace) -> None:
    y = labels.joint_values()
    assert torch.equal(labels.one_hot(y.to(torch.uint8)), labels.one_hot(y))
    assert torch.equal(labels.encode(y.to(torch.uint8)), labels.encode(y))
    assert torch.equal(labels.log_prior_of(y.to(torch.uint8)), labels.log_prior_of(y))


def test_probabilities_read_as_users_expect() -> None:
    logits = torch.tensor([[0.3, -2.0, 1.0]])
    binary, one_of = binary_labels(3), classes(3)
    torch.testing.assert_close(binary.probabilities(binary.log_probs(logits)), logits.sigmoid())
    torch.testing.assert_close(one_of.probabilities(one_of.log_probs(logits)), logits.softmax(-1))
    assert binary.predict(logits.sigmoid()).tolist() == [[1, 0, 1]]
    assert one_of.predict(logits.softmax(-1)).tolist() == [[2]]


def test_joint_values_list_every_label_once(labels: LabelSpace) -> None:
    values = labels.joint_values()
    assert values.shape == (labels.n_values**labels.n_factors, labels.n_factors)
    assert len({tuple(value) for value in values.tolist()}) == len(values)
    assert values.min() == 0
    assert values.max() == labels.n_values - 1
    assert labels.log_prior_of(values).exp().sum().item() == pytest.approx(1, abs=1e-6)


def test_too_many_joint_values_are_refused() -> None:
    assert len(binary_labels(12).joint_values()) == 4096
    with pytest.raises(InputError, match="8192 decoder passes"):
        binary_labels(13).joint_values()


def test_log_prior_of_is_a_product_over_factors() -> None:
    labels = MultiLabel(["a", "b"])
    labels.fit_prior(torch.tensor([[1, 0], [0, 0], [1, 1], [1, 0]]))
    expected = torch.tensor([0.75 * 0.75, 0.25 * 0.25]).log()
    torch.testing.assert_close(labels.log_prior_of(torch.tensor([[1, 0], [0, 1]])), expected)


def test_fitted_prior_is_clipped() -> None:
    labels = MultiLabel(["never", "always", "half"])
    y = torch.tensor([[0, 1, 1], [0, 1, 0]], dtype=torch.uint8)
    labels.fit_prior(y)
    expected = torch.tensor([[0.999, 0.001], [0.001, 0.999], [0.5, 0.5]])
    torch.testing.assert_close(labels.prior, expected)
    assert torch.isfinite(labels.log_prior).all()
    assert "prior" in labels.state_dict()


def test_class_prior_stays_uniform() -> None:
    labels = MultiClass(["a", "b", "c"])
    labels.fit_prior(torch.tensor([[0], [0], [1]]))
    torch.testing.assert_close(labels.prior, torch.full((1, 3), 1 / 3))


def test_prior_samples_have_the_prior_frequencies(labels: LabelSpace) -> None:
    torch.manual_seed(0)
    y = labels.sample_prior(40_000)
    assert y.shape == (40_000, labels.n_factors)
    # Four standard errors of a frequency are at most 4 * 0.5 / 200.
    assert (labels.one_hot(y).mean(0) - labels.prior).abs().max() < 0.01


def test_prior_samples_of_labels_are_independent() -> None:
    torch.manual_seed(1)
    y = binary_labels(3).sample_prior(40_000).float()
    correlation = torch.corrcoef(y.T)
    assert (correlation - torch.eye(3)).abs().max() < 0.025


def test_spaces_are_found_by_kind(labels: LabelSpace) -> None:
    assert isinstance(labels, LABEL_SPACES[labels.kind])
