"""The worked examples of CONTRIBUTING.md, run as they stand there."""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from baselines.registry import SYSTEMS, System
from ccvae.labels import LABEL_SPACES, MultiClass, MultiLabel
from datasets import readers
from datasets.subsets import labelled_subset
from evaluators.images import ImageSet
from tests.conformance import CHECKS, random_images
from tests.datasets.test_every_reader import check_reader
from workflow import models
from workflow.config import Config
from workflow.identity import Run
from workflow.reporting.paper import Metric, Table
from workflow.reporting.record_files import COLUMNS
from workflow.reporting.records import Plan
from workflow.reporting.tables import tidy

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(python|yaml)\n# (\S+?)(?:, in (\w+))?\n(.*?)```", PAGE, flags=re.DOTALL)


def block(where: str, number: int = 0) -> str:
    """Text of an example by the file that its first line names."""
    return [text for _, path, _, text in BLOCKS if path == where][number]


def module(path: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An example that is a whole file, importable by its name."""
    name = path.removesuffix(".py").replace("/", ".")
    made = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, made)
    exec(compile(block(path), f"CONTRIBUTING.md: {path}", "exec"), made.__dict__)
    return made


def configured(key: str, number: int, **more: object) -> Config:
    """The default configuration with an example's entry, and more on top."""
    values = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    values[key] |= yaml.safe_load(block("config/config.yaml", number))[key]
    return Config({**values, **more})


def test_every_example_of_the_page_is_run_here():
    assert len(BLOCKS) == len(re.findall(r"^```\w", PAGE, flags=re.M)) == 9
    wholes = [path for _, path, inside, _ in BLOCKS if path.endswith(".py") and not inside]
    assert wholes == [
        *("baselines/probed_vae.py", "datasets/small_digits.py", "evaluators/calibration.py")
    ]
    for path in wholes:
        assert not (ROOT / path).exists(), "an example must not be in the way of a real file"
        assert ast.get_docstring(ast.parse(block(path)))


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's entry in `SYSTEMS`, and its model."""
    entry = eval("{" + block("baselines/registry.py") + "}", {"System": System})
    for name, system in entry.items():
        monkeypatch.setitem(SYSTEMS, name, system)
    module("baselines/probed_vae.py", monkeypatch)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("dataset", ["mnist", "synthetic_faces"])
def test_the_documented_model_needs_one_entry_and_keeps_the_contract(
    probed: None, dataset: str, check: str
) -> None:
    config = configured("model_settings", 0, models=["probed_vae"])
    spec = readers.READERS[dataset].spec
    labels = LABEL_SPACES[spec.kind](spec.labels)
    torch.manual_seed(0)
    settings = config.run_settings(Run(dataset, "probed_vae", "1.0", 0))
    model = models.build_model(settings, labels, spec.image_shape)
    assert model.lacks == config.lacking("probed_vae", dataset)
    assert ("swap" in model.supports) == (dataset == "synthetic_faces")
    CHECKS[check](model, random_images(spec.image_shape))


def test_no_gradient_of_the_documented_probe_reaches_the_encoder(probed: None) -> None:
    config = configured("model_settings", 0, models=["probed_vae"])
    settings = config.run_settings(Run("mnist", "probed_vae", "1.0", 0))
    settings["architecture"] = {"name": "mlp28"}
    settings["options"] |= {"latents": 5, "latents_per_label": 2}
    model = models.build_model(settings, MultiLabel("ab"), (1, 28, 28))
    x, y = torch.rand(3, 1, 28, 28), torch.ones(3, 2, dtype=torch.long)
    bounds, gradients = [], []
    for labels in (y, None):
        torch.manual_seed(1)
        bounds.append(model.bound(x, labels).objective.sum())
        encoder = list(model.trunk.parameters())
        gradients.append(torch.autograd.grad(bounds[-1], encoder, retain_graph=True))
    assert bounds[0] != bounds[1]
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    (probe,) = torch.autograd.grad(bounds[0], [model.classifier.weight])
    assert probe.abs().min() > 0


def test_the_documented_data_set_needs_one_line_and_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module("datasets/small_digits.py", monkeypatch)
    line = block("datasets/readers.py")
    reader = eval(line, vars(readers))
    monkeypatch.setitem(readers.READERS, reader.name, reader)
    config = configured("data", 1, datasets=["small_digits"])
    asked = config.data_settings("small_digits")

    store = readers.prepare(
        asked["reader"], asked["options"], tmp_path / "store", raw=tmp_path, workers=1
    )
    assert (store.kind, store.image_shape) == ("multi_class", (1, 28, 28))
    assert [len(store.indices(s)) for s in ("train", "validation", "test")] == [1197, 300, 300]
    images = ImageSet.read(store, "test")
    assert sorted(images.labels.unique().tolist()) == list(range(10))
    assert images.images.max() == 255
    check_reader(asked["reader"], asked["options"], tmp_path)
    # A tenth of them keep their labels, and a planned model is built for them.
    train = store.labels[store.indices("train")]
    kept = labelled_subset(train, store.kind, "0.1", 0)
    assert np.bincount(train[kept, 0]).tolist() == [12] * 10
    run = next(config.runs())
    model = models.build_model(config.run_settings(run), images.space, store.image_shape)
    assert model.classify(images.images[:2] / 255).shape == (2, 10)


class Sure:
    """Answers with the truth, or with its opposite, and says how sure it is."""

    device = torch.device("cpu")

    def __init__(self, answers: torch.Tensor, confidence: float) -> None:
        self.answers, self.confidence = answers, confidence

    def predict(self, _x: torch.Tensor) -> torch.Tensor:
        return self.answers

    def classify(self, _x: torch.Tensor) -> torch.Tensor:
        chosen = torch.full(self.answers.shape, self.confidence)
        return torch.where(self.answers == 1, chosen, 1 - chosen)


def test_the_documented_metric_knows_perfect_idle_and_permuted_models(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calibration = module("evaluators/calibration.py", monkeypatch).calibration
    y = torch.arange(40).remainder(2).view(20, 2).roll(1, 0)
    images = ImageSet(torch.zeros(20, 1, 4, 4, dtype=torch.uint8), y, MultiLabel("ab"))
    assert calibration(Sure(y, 1.0), images) == {"calibration_error": 0}
    assert calibration(Sure(1 - y, 1.0), images) == {"calibration_error": 1}
    idle = Sure(torch.zeros_like(y), 0.5)
    assert calibration(idle, images)["calibration_error"] == pytest.approx(0)
    assert calibration(Sure(y, 0.75), images)["calibration_error"] == pytest.approx(0.25)
    classes = ImageSet(images.images[:3], torch.tensor([[0], [1], [2]]), MultiClass("abc"))
    one = SimpleNamespace(
        device=torch.device("cpu"),
        classify=lambda x: torch.tensor([0.75, 0.125, 0.125]).expand(len(x), 3),
        predict=lambda x: torch.zeros(len(x), 1, dtype=torch.long),
    )
    found = calibration(one, classes)["calibration_error"]
    assert found == pytest.approx(0.75 - 1 / 3)

    # The lines of the other two files.
    metrics: dict[str, float] = {}
    names = {"can": {"classify"}, "progress": print, "metrics": metrics, "model": one}
    lines = textwrap.dedent(block("workflow/measures.py"))
    space = {**names, "calibration": calibration, "images": classes}
    exec(lines, space)
    assert space["metrics"] == {"calibration_error": found}
    entry = block("workflow/reporting/paper.py")
    table = eval(entry, {"Table": Table, "Metric": Metric})
    described = {"system": "ccvae", "title": "CCVAE", "datasets": None}
    plan = Plan("p", {"mnist": "classes"}, {"ccvae": described}, ["1.0"], 1)
    row = {"dataset": "mnist", "model": "ccvae", "supervision_rate": "1.0", "seed": 0}
    records = pd.DataFrame(
        [{**row, "metric": "calibration_error", "value": found}], columns=COLUMNS
    )
    assert tidy(table, records, plan)["mean"].tolist() == [found]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/adding.md"])
def test_the_page_names_places_that_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    folders = "ccvae|datasets|baselines|evaluators|workflow|tests"
    paths = set(re.findall(rf"`((?:{folders})/[\w/]*(?:\.py)?)`", text))
    assert [path for path in paths if not (ROOT / path).exists()] == []
    for link in re.findall(r"\]\(((?!http|#)[^)#]+)\)", text):
        assert ((ROOT / page).parent / link).exists(), link
