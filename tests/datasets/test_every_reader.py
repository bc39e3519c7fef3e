"""The contract of a reader, for every one that is registered.

A new reader needs a small made-up data set of its own in `MADE`; the rest runs by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ccvae.labels import LABEL_SPACES
from ccvae.networks import ARCHITECTURES
from datasets import mnist
from datasets.readers import READERS, inspect, prepare
from datasets.spec import SPLITS
from evaluators.images import ImageSet
from tests import folders

Made = dict[str, Any]
Maker = Callable[[Path, pytest.MonkeyPatch], Made]


def idx(name: str) -> Maker:
    """Four idx files of 60 and 20 images, in place of those that are known by their sums."""

    def make(root: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
        contents = folders.idx_contents(60, 20)
        md5 = {file: hashlib.md5(data).hexdigest() for file, data in contents.items()}
        monkeypatch.setitem(mnist.DATASETS, name, replace(mnist.DATASETS[name], md5=md5))
        monkeypatch.setattr(mnist, "VALIDATION", 10)
        counts = {"train": 50, "validation": 10, "test": 20}
        reader = READERS[name]
        small = replace(reader, spec=replace(reader.spec, counts=counts))
        monkeypatch.setitem(READERS, name, small)
        return {"folder": str(folders.fill(root, contents))}

    return make


def drawn(_root: Path, _monkeypatch: pytest.MonkeyPatch) -> Made:
    return {"seed": 1, "sizes": {"train": 12, "validation": 4, "test": 4}}


MADE: dict[str, Maker] = {
    "mnist": idx("mnist"),
    "fashion_mnist": idx("fashion_mnist"),
    "celeba": lambda root, _: {"folder": str(folders.celeba(root)), "validation_size": 3},
    "chexpert": lambda root, _: {"folder": str(folders.chexpert(root))},
    "synthetic_faces": drawn,
    "synthetic_xrays": drawn,
}


def test_every_reader_has_a_small_data_set_to_be_tested_with() -> None:
    assert set(MADE) == set(READERS)


@pytest.mark.parametrize("name", READERS)
def test_what_is_known_beforehand_fits_what_models_and_reports_need(name: str) -> None:
    spec = READERS[name].spec
    assert spec.name == name
    labels = LABEL_SPACES[spec.kind](spec.labels)
    assert labels.n_factors == spec.factors
    assert len(set(spec.labels)) == len(spec.labels) > 1
    assert spec.image_shape in {network.image_shape for network in ARCHITECTURES.values()}
    assert spec.stand_in == bool(spec.stands_for)
    if spec.stand_in:
        original = READERS[spec.stands_for].spec
        assert not original.stand_in
        assert (spec.kind, spec.labels) == (original.kind, original.labels)


@pytest.mark.parametrize("name", READERS)
def test_every_reader_keeps_the_contract(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_reader(name, MADE[name](tmp_path / "found", monkeypatch), tmp_path)


def check_reader(name: str, options: Made, tmp_path: Path) -> None:
    """Hold a registered reader to its contract, on a data set that it finds with `options`."""
    assert set(options) <= set(READERS[name].options())
    raw, places = tmp_path / "raw", [tmp_path / "one", tmp_path / "two"]
    seen = inspect(name, options, raw=raw)
    store, again = (
        prepare(name, options, place, raw=raw, workers=workers)
        for place, workers in zip(places, (1, 2), strict=True)
    )
    # What was said beforehand is what was written, and the workers do not matter.
    assert store.checksum == again.checksum
    store.verify()
    spec = seen.spec
    assert (store.name, store.kind, store.stand_in) == (name, spec.kind, spec.stand_in)
    assert (store.label_names, store.image_shape) == (spec.labels, spec.image_shape)
    sizes = {split: len(store.indices(split)) for split in SPLITS}
    assert sizes == dict(spec.counts)
    assert min(sizes.values()) > 0
    assert any(str(n) in sentence for sentence in seen.found for n in sizes.values())
    assert store.images.dtype == store.labels.dtype == np.uint8
    assert store.images.shape == (spec.total, *spec.image_shape)
    assert store.labels.shape == (spec.total, spec.factors)
    assert ImageSet.read(store, "train").space.n_factors == spec.factors
    # A second preparation finds it, and so does a look.
    written = (places[0] / "images.npy").stat().st_mtime_ns
    assert prepare(name, options, places[0], raw=raw, workers=1).checksum == store.checksum
    assert (places[0] / "images.npy").stat().st_mtime_ns == written
    found = inspect(name, options, raw=raw, store=places[0]).found
    assert any(str(places[0]) in sentence for sentence in found)
