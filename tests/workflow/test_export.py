"""Trained models for other runtimes, and from a notebook."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ccvae.errors import InputError
from tests.workflow.explored import DIGITS, FACES, results
from tests.workflow.running import assert_one_sentence, step
from workflow.load import open_run, show
from workflow.steps import export

ROWS = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    results(folder)
    return folder


def run_of(folder: Path, dataset: str, name: str) -> Path:
    return folder / "runs" / dataset / name / "f=1.0" / "seed=0"


def test_three_lines_of_a_notebook(folder) -> None:
    model, x, y = open_run(run_of(folder, DIGITS, "ccvae"), images=ROWS)
    threes = model.intervene(x, torch.full_like(y, 3))
    picture = show(x, threes)
    assert picture.mode == "RGB"
    assert picture.width > ROWS * 28
    assert picture.height > 2 * 28
    pixel = picture.getpixel((2 + 5, 2 + 7))
    assert pixel == (round(255 * x[0, 0, 7, 5].item()),) * 3


def test_a_folder_that_is_no_run_is_named(folder, tmp_path) -> None:
    with pytest.raises(InputError, match="there is no trained model in"):
        open_run(tmp_path)
    assert_one_sentence(step("export", tmp_path), "there is no trained model in", str(tmp_path))


def test_a_missing_package_is_named_with_the_way_to_it(folder, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    given = Namespace(run=run_of(folder, DIGITS, "m2"), to="onnx", out=None)
    with pytest.raises(InputError, match=r"the package onnx, .* pip install -e \.\[onnx\]"):
        export.work(given)
    assert not (given.run / "onnx").exists()


class Onnx:
    """The exported files of a run, called as functions of arrays."""

    def __init__(self, out: Path) -> None:
        runtime = pytest.importorskip("onnxruntime")
        self.sessions = {path.stem: runtime.InferenceSession(path) for path in out.glob("*.onnx")}

    def __call__(self, name: str, *inputs: torch.Tensor) -> list[torch.Tensor]:
        session = self.sessions[name]
        names = [given.name for given in session.get_inputs()]
        fed = {key: value.numpy() for key, value in zip(names, inputs, strict=True)}
        return [torch.from_numpy(found) for found in session.run(None, fed)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "name"),
    [(FACES, "ccvae"), (FACES, "mvae"), (FACES, "vae_classifier"), (DIGITS, "m2")],
)
def test_exported_parts_compute_what_torch_does(folder, tmp_path, dataset: str, name: str) -> None:
    onnx = pytest.importorskip("onnx", reason="pip install -e .[onnx]")
    pytest.importorskip("onnxscript", reason="pip install -e .[onnx]")
    path = run_of(folder, dataset, name)
    done = step("export", path, "--to", "onnx", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    call = Onnx(tmp_path)
    for file in tmp_path.glob("*.onnx"):
        content = onnx.load(file)
        onnx.checker.check_model(content)
        assert {entry.version for entry in content.opset_import if not entry.domain} == {
            export.OPSET
        }

    model: Any
    model, x, _ = open_run(path, images=ROWS)
    same = {"atol": 1e-4, "rtol": 1e-4}
    if name == "m2":
        code = model.labels.encode(model.predict(x))
        mean, _ = call("encoder", x, code)
        (picture,) = call("decoder", mean, code)
        (probabilities,) = call("classifier", x)
    else:
        mean, deviation = call("encoder", x)
        torch.testing.assert_close(deviation, model.posterior(x).scale, **same)
        (picture,) = call("decoder", mean)
        held = mean if name == "mvae" else model.characteristics(mean)
        (probabilities,) = call("classifier", held)
    torch.testing.assert_close(picture, model.reconstruct(x), **same)
    torch.testing.assert_close(probabilities, model.classify(x), **same)
    assert ("prior" in call.sessions) == (name in ("ccvae", "diva", "mvae"))
    if name in ("ccvae", "diva"):
        y = model.labels.sample_prior(ROWS)
        means, _ = call("prior", model.labels.encode(y))
        table = model.conditional_prior.loc
        expected = torch.stack([table[torch.arange(len(row)), row] for row in y])
        torch.testing.assert_close(means, expected, **same)

    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "f = 1.0" in card
    assert "seed 0" in card
    assert ("nothing was computed from CelebA" in card) == (dataset == FACES)
    assert np.all([f"{part}.onnx" in card for part in call.sessions])
