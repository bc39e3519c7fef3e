from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from ccvae.errors import InputError
from evaluators import inception
from evaluators.inception import load, verify
from tests.inception import random_weights, torchvision_weights

WEIGHTS: dict[str, Callable[[], object]] = {
    "as published": random_weights,
    "wrapped": lambda: {"epoch": 3, "state_dict": random_weights()},
    "wrapped twice": lambda: {"model": {"state_dict": random_weights()}},
    "of DataParallel": lambda: {f"module.{k}": v for k, v in random_weights().items()},
    "wrapped, of DataParallel": lambda: {
        "state_dict": {f"module.{k}": v for k, v in random_weights().items()}
    },
    "without counters": lambda: {
        k: v for k, v in random_weights().items() if not k.endswith("num_batches_tracked")
    },
}
OTHERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda path: None, "does not exist"),
    "a folder": (lambda path: path.mkdir(), "is a folder"),
    "an empty file": (lambda path: path.touch(), "is empty"),
    "a page": (lambda path: path.write_text("<!DOCTYPE html>"), "is no file of torch's"),
    "a file cut off": (
        lambda path: (
            torch.save({"fc.weight": torch.ones(99, 99)}, path),
            path.write_bytes(path.read_bytes()[:-5000]),
        ),
        "cut off",
    ),
    "a whole network": (lambda path: torch.save(nn.Linear(1, 1), path), "more than tensors"),
    "a list": (lambda path: torch.save([torch.ones(1)], path), "has no tensor 'Conv2d_1a"),
    "other names": (
        lambda path: torch.save({"fc.weight": torch.ones(1)}, path),
        "has no tensor 'Conv2d_1a",
    ),
    "another shape": (
        lambda path: torch.save({**random_weights(), "fc.bias": torch.ones(3)}, path),
        "'fc.bias' is (3,) and not (1008,)",
    ),
    "torchvision's": (lambda path: torch.save(torchvision_weights(), path), "torchvision's"),
    "torchvision's, wrapped": (
        lambda path: torch.save({"state_dict": torchvision_weights()}, path),
        "torchvision's",
    ),
    "torchvision's without its second head": (
        lambda path: torch.save(torchvision_weights(auxiliary=False), path),
        "torchvision's",
    ),
}


@pytest.fixture(scope="module")
def features() -> torch.Tensor:
    """Features of one picture in the shallowest layer, by torch-fidelity's own loading."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "load", lambda *_, **__: random_weights())
        network = FeatureExtractorInceptionV3("own", ["64"], feature_extractor_weights_path="any")
    return network(picture())[0]


def picture() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (1, 3, 8, 8), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_right_tensors_are_found_however_they_are_wrapped(name, features, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(WEIGHTS[name](), path)
    assert torch.equal(load(path, "64", "cpu")(picture()), features)
    assert "not the published file" in verify(path)


@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_refused_in_one_sentence_that_says_what_is_wanted(name, tmp_path):
    make, words = OTHERS[name]
    path = tmp_path / "weights.pth"
    make(path)
    with pytest.raises(InputError) as caught:
        verify(path)
    sentence = str(caught.value)
    assert words in sentence
    assert "\n" not in sentence
    for wanted in ("weights.pth", "weights-inception-2015-12-05-6726825d.pth", "torch-fidelity"):
        assert wanted in sentence
    for torchs_own in ("Error", "state_dict", "weights_only", "Traceback"):
        assert torchs_own not in sentence


def test_the_published_file_is_known_by_its_digest_alone(tmp_path, monkeypatch):
    path = tmp_path / "weights.pth"
    torch.save({}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "PUBLISHED", digest[:8])
    monkeypatch.setattr(torch, "load", None)
    assert "the published file" in verify(path)
    assert "not the published file" not in verify(path)


def test_torchvisions_file_is_known_by_its_digest_alone(tmp_path, monkeypatch):
    path = tmp_path / "weights.pth"
    torch.save({}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "TORCHVISION", (digest[:8],))
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(InputError, match="torchvision's classifier"):
        verify(path)
