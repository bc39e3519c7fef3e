from __future__ import annotations

import dataclasses
import subprocess
import sys
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ccvae.errors import InputError
from datasets import readers
from datasets.labels import UNCERTAIN
from datasets.readers import READERS, inspect, prepare
from datasets.source import Arrays
from datasets.stand_ins import faces, xrays
from datasets.stand_ins import prepare as stand_ins
from datasets.stand_ins.drawn import Recipe
from datasets.store import Store
from datasets.writer import StoreWriter

SIZES = {"train": 20, "validation": 9, "test": 3}


def drawn(tmp_path: Path, store: str = "store", workers: int = 1, **options: Any) -> Store:
    name = options.pop("name", "synthetic_xrays")
    options = {"seed": 4, "sizes": SIZES, **options}
    return prepare(name, options, tmp_path / store, raw=tmp_path / "raw", workers=workers)


def test_every_reader_loads_and_says_its_options() -> None:
    assert {name: sorted(reader.options()) for name, reader in READERS.items()} == {
        "mnist": ["folder", "limit"],
        "fashion_mnist": ["folder", "limit"],
        "celeba": ["folder", "limit", "official_validation", "validation_size"],
        "chexpert": ["folder", "limit", "test", "uncertain", "views"],
        "synthetic_faces": ["seed", "sizes"],
        "synthetic_xrays": ["seed", "sizes", "uncertain"],
    }


@pytest.mark.parametrize("name", ["synthetic_faces", "synthetic_xrays"])
def test_labels_are_those_that_are_drawn(name: str) -> None:
    generator = import_module(stand_ins.GENERATORS[name])
    assert READERS[name].spec.labels == generator.LABELS


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("mnist", {}, [50_000, 10_000, 10_000]),
        ("mnist", {"limit": {"train": 100}}, [100, 10_000, 10_000]),
        ("celeba", {"folder": "x"}, [152_770, 10_000, 19_962]),
        ("synthetic_xrays", {"sizes": SIZES}, [20, 9, 3]),
        ("synthetic_xrays", {}, [0, 0, 0]),
    ],
)
def test_expected_counts(name: str, options: dict[str, Any], expected: list[int]) -> None:
    assert list(READERS[name].expected_counts(options).values()) == expected


@pytest.mark.parametrize("options", [{"sizes": 3}, {"limit": {"train": "many"}}, {"limit": 5}])
def test_expected_counts_of_nonsense(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="mnist give no number of train images"):
        READERS["mnist"].expected_counts(options)


def test_a_look_says_what_will_be_drawn_and_what_is_there(tmp_path: Path) -> None:
    options = {"seed": 4, "sizes": SIZES}
    look = partial(inspect, "synthetic_xrays", options, raw=tmp_path, store=tmp_path / "store")
    assert look().found == ("will be drawn", "20 train, 9 validation, 3 test images")
    assert not (tmp_path / "store").exists()
    store = drawn(tmp_path)
    assert look().found[0] == f"prepared in {store.folder}"
    assert look().spec.counts == SIZES


def test_arrays_continue_where_they_were(tmp_path: Path) -> None:
    spec = dataclasses.replace(READERS["mnist"].spec, counts=SIZES)
    images = np.arange(32 * 784, dtype=np.uint8).reshape(32, 1, 28, 28)
    source = Arrays(spec, images, np.arange(32, dtype=np.uint8)[:, None] % 10)
    with suppress(KeyboardInterrupt), StoreWriter(tmp_path / "store", spec) as writer:
        writer.write(images[:5], source.labels[:5])
        raise KeyboardInterrupt
    assert source.store(tmp_path / "store") is None
    store = source.write(tmp_path / "store")
    assert np.array_equal(store.images, images)
    assert source.store(tmp_path / "store") is not None


def test_reading_needs_no_torch() -> None:
    program = (
        "import sys; from datasets.readers import READERS; "
        "[reader.load() for reader in READERS.values()]; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_unknown_names_and_options(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no data set 'cifar'; the known ones are celeba, chex"):
        prepare("cifar", {}, tmp_path, raw=tmp_path, workers=1)
    with pytest.raises(InputError, match="mnist has no option 'size'; its options are folder, lim"):
        prepare("mnist", {"size": 3}, tmp_path, raw=tmp_path, workers=1)
    with pytest.raises(InputError, match="celeba needs the option 'folder'"):
        prepare("celeba", {}, tmp_path, raw=tmp_path, workers=1)
    with pytest.raises(InputError, match="synthetic_faces needs the option 'sizes'"):
        prepare("synthetic_faces", {"seed": 0}, tmp_path, raw=tmp_path, workers=1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("synthetic_faces", {"generator_version": faces.VERSION}),
        ("synthetic_xrays", {"generator_version": xrays.VERSION, "uncertain": "zeros"}),
    ],
)
def test_drawn_store_says_what_it_is(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    store = drawn(tmp_path, name=name)
    reader = readers.READERS[name]
    assert (store.name, store.kind, store.stand_in) == (name, "multi_label", True)
    assert store.label_names == reader.spec.labels
    assert store.stand_in
    assert store.meta["options"] == {"seed": 4, "sizes": SIZES, **options}
    assert store.meta["counts"] == SIZES
    store.verify()


@pytest.mark.parametrize(
    ("generator", "options"),
    [(faces, {}), *((xrays, {"uncertain": policy}) for policy in UNCERTAIN)],
)
def test_each_stored_image_can_be_drawn_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    generator: ModuleType,
    options: dict[str, Any],
) -> None:
    monkeypatch.setattr(stand_ins, "SLICE", 8)
    name = "synthetic_faces" if generator is faces else "synthetic_xrays"
    store = drawn(tmp_path, name=name, **options)
    for split, size in SIZES.items():
        again = generator.draw(size, seed=4, split=split, **options)
        rows = store.indices(split)
        assert np.array_equal(store.images[rows], again.images)
        assert np.array_equal(store.labels[rows], again.labels)


def test_workers_do_not_change_the_drawings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = drawn(tmp_path, "one")
    monkeypatch.setattr(stand_ins, "SLICE", 8)
    assert drawn(tmp_path, "two", workers=2).checksum == one.checksum


def test_killed_drawing_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn(tmp_path, "whole")
    monkeypatch.setattr(stand_ins, "SLICE", 8)
    original = stand_ins._draw

    def draw(recipe: Recipe, seed: int, task: tuple[str, int, int]) -> Any:
        if task == ("validation", 8, 1):
            raise KeyboardInterrupt
        return original(recipe, seed, task)

    monkeypatch.setattr(stand_ins, "_draw", draw)
    with pytest.raises(KeyboardInterrupt):
        drawn(tmp_path)
    tasks = []
    monkeypatch.setattr(
        stand_ins, "_draw", lambda *arguments: tasks.append(arguments[2]) or original(*arguments)
    )
    # Another slice length must not disturb the rows that are there.
    monkeypatch.setattr(stand_ins, "SLICE", 16)
    assert drawn(tmp_path).checksum == whole.checksum
    assert tasks == [("validation", 8, 1), ("test", 0, 3)]
    monkeypatch.setattr(stand_ins, "_draw", lambda *_: pytest.fail("drawn a second time"))
    drawn(tmp_path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"seed": -1}, "option 'seed' is -1, but"),
        ({"seed": "0"}, "option 'seed' is '0', but"),
        ({"sizes": {"train": 5, "test": 5}}, "has no number of images for 'validation'"),
        ({"sizes": {**SIZES, "test": 0}}, "asks for 0 images for 'test'"),
        ({"uncertain": "ignore"}, "option 'uncertain' is 'ignore', but one of zeros, ones, drop"),
    ],
)
def test_unusable_options_of_drawn_sets(
    tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        drawn(tmp_path, **options)
    assert not (tmp_path / "store").exists()
