from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from datasets.spec import StoreSpec
from datasets.writer import StoreWriter
from tests.workflow.recomputing import RATE, REFERENCE, values
from tests.workflow.running import step


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "tiny"
    generator = np.random.default_rng(0)
    counts = {"train": 120, "validation": 20, "test": 40}
    labels = generator.integers(0, 3, (180, 1)).astype(np.uint8)
    images = generator.integers(0, 60, (180, 1, 28, 28)).astype(np.uint8)
    images[np.arange(180), 0, labels[:, 0] * 9, :] = 255
    spec = StoreSpec(
        name="tiny",
        kind="multi_class",
        labels=("a", "b", "c"),
        image_shape=(1, 28, 28),
        counts=counts,
        source="test",
    )
    with StoreWriter(folder, spec) as writer:
        writer.write(images, labels)
    return folder


@pytest.fixture(scope="session")
def labelled(store, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("labelled") / "f.npy"
    done = step("label_subset", "--store", store, "--rate", "0.5", "--seed", 1, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def cells() -> dict:
    return values()


@pytest.fixture(scope="session")
def verdicts() -> pd.DataFrame:
    return pd.read_csv(REFERENCE / "claims.csv", dtype=RATE)


@pytest.fixture(scope="session")
def config() -> dict:
    return yaml.safe_load((REFERENCE / "config.yaml").read_text(encoding="utf-8"))
