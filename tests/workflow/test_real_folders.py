"""CelebA and CheXpert as people have them, through the shipped configuration, to the very end."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ccvae.files import read_json
from datasets.stand_ins import faces, xrays
from tests import folders
from tests.workflow.running import ROOT

pytestmark = pytest.mark.slow

PARTITION = (0,) * 70 + (2,) * 30
LABELS = {"celeba": 18, "chexpert": 5}
FIGURES = ("3", "4", "5", "10", "11", "12", "13", "18", "20")
TABLES = ("table1", "table2", "table4", "table5", "interventions", "leakage")


def with_pictures(folder: Path, draw) -> Path:
    """Put pictures with something in them in place of images of one grey level."""
    paths = sorted(folder.rglob("*.jpg"))
    pictures = draw(len(paths), seed=0, split="train", start=0).images
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture.transpose(1, 2, 0)).save(path)
    return folder


def with_every_finding(folder: Path) -> Path:
    """Give every finding each of its values."""
    random = np.random.default_rng(0)
    for path in folder.glob("*.csv"):
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            row |= {
                name: str(random.choice(["", "1.0", "0.0", "-1.0"])) for name in folders.FINDINGS
            }
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, folders.CHEXPERT_HEADER.split(","))
            writer.writeheader()
            writer.writerows(rows)
    return folder


def run(module: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results of the smoke preset on two made-up folders, which a variable names."""
    place = tmp_path_factory.mktemp("data")
    with_pictures(folders.celeba(place / "celeba", PARTITION), faces.draw)
    chexpert = with_every_finding(folders.chexpert(place / "CheXpert-v1.0-small", patients=60))
    with_pictures(chexpert, xrays.draw)
    preset = ROOT / "results" / f"folders_{os.getpid()}"
    settings = [
        "--configfile",
        "config/smoke.yaml",
        "--config",
        f"preset={preset.name}",
        "datasets=[celeba, chexpert]",
        "models=[ccvae, m2]",
        "model_settings={m2: {datasets: [celeba, chexpert]}}",
        "supervision_rates=['1.0']",
        "folders={celeba: $MADE_UP/celeba, chexpert: $MADE_UP}",
        "data={celeba: {options: {validation_size: 10}}}",
        "device=cpu",
    ]
    try:
        told = run("workflow.steps.doctor", *settings, MADE_UP=str(place))
        assert "nothing stops this configuration from running" in told
        options = ("--nolock", "--cores", "2", *settings, "--", "all")
        run("snakemake", *options, MADE_UP=str(place))
        yield preset
    finally:
        shutil.rmtree(preset, ignore_errors=True)


@pytest.mark.parametrize("dataset", LABELS)
def test_every_figure_and_table_is_there(results, dataset):
    for number in FIGURES:
        model = "m2" if number in ("12", "13") else "ccvae"
        path = results / "figures" / f"figure{number}" / f"{dataset}_{model}"
        assert path.with_name(f"{path.name}.pdf").stat().st_size > 1000, path
    for name in TABLES:
        table = pd.read_csv(results / "tables" / f"{name}.csv")
        assert {"ccvae", "m2"} <= set(table.loc[table["dataset"] == dataset, "model"])
        latex = (results / "tables" / f"{name}.tex").read_text()
        assert latex.count("{") == latex.count("}")


@pytest.mark.parametrize("dataset", LABELS)
def test_what_is_written_is_about_real_images(results, dataset):
    store = read_json(results / "data" / dataset / "store.json")
    assert not store["stand_in"]
    assert len(store["labels"]) == LABELS[dataset]
    record = read_json(results / "runs" / dataset / "ccvae" / "f=1.0" / "seed=0" / "run.json")
    assert not record["stand_in"]
    records = pd.read_csv(results / "records.csv")
    found = records[records["dataset"] == dataset]
    assert not found["stand_in"].any()
    per_label = {name.split("/")[1] for name in found["metric"] if name.startswith("accuracy/")}
    assert per_label == set(store["labels"])
    pages = [*results.rglob("*.md"), *results.rglob("*.txt"), results / "front_page.html"]
    written = {path: path.read_text(encoding="utf-8") for path in pages}
    assert not any("synthetic" in text for text in written.values())
    captions = [text for path, text in written.items() if path.name.startswith(dataset)]
    assert captions
    assert not any("stand-in" in text for text in captions)
    name = {"celeba": "CelebA", "chexpert": "CheXpert"}[dataset]
    assert all(f"Data: {name}." in text for text in captions)
    assert f"{name}: real images" in written[results / "front_page.html"]


def test_the_findings_are_called_what_their_owners_call_them(results):
    labels = read_json(results / "data" / "chexpert" / "store.json")["labels"]
    assert labels == list(folders.FINDINGS)
    everything = "".join(path.read_text() for path in results.rglob("*.csv"))
    assert "Pleural Effusion" in everything
    assert "Pleural_Effusion" not in everything
