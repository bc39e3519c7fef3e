from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml

from ccvae.labels import MultiLabel
from ccvae.training import Batches, Schedule, Trainer
from workflow import models
from workflow.config import Config, Run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return found


@pytest.fixture
def documented(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's model, as a module, and its one line in `SYSTEMS`."""
    module = ModuleType("documented_model")
    exec(compile(block("python"), "docs/adding.md", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(models.SYSTEMS, "probed_vae", "documented_model:ProbedVAE")


def test_the_documented_model_needs_one_line_and_trains(documented: None) -> None:
    values = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    values["model_settings"] |= yaml.safe_load(block("yaml"))["model_settings"]
    values["models"] = [*values["models"], "probed_vae"]
    config = Config(values)
    settings = config.run_settings(Run("synthetic_faces", "probed_vae", "1.0", 0))
    torch.manual_seed(0)
    labels = MultiLabel("abc")
    model = models.build_model(settings, labels, (3, 64, 64))
    before = {name: value.clone() for name, value in model.named_parameters()}
    images = torch.randint(256, (8, 3, 64, 64), dtype=torch.uint8)
    y = torch.randint(2, (8, 3))
    schedule = Schedule("mixed", 1e-3, steps=2, labelled_batch=2, unlabelled_batch=2)
    batches = Batches(schedule, torch.arange(4), torch.arange(4, 8), 0)
    trainer = Trainer(model, images, y, batches, schedule)
    while not trainer.finished:
        trainer.run_interval()
    assert all(not torch.equal(before[n], value) for n, value in model.named_parameters())
    x = images.float() / 255
    assert model.classify(x).shape == (8, 3)
    assert model.swap(x[:4], x[4:]).shape == model.sample(4).shape == (4, 3, 64, 64)


def test_no_gradient_of_the_documented_probe_reaches_the_encoder(documented: None) -> None:
    values = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    values["model_settings"] |= yaml.safe_load(block("yaml"))["model_settings"]
    settings = Config(values).run_settings(Run("mnist", "probed_vae", "1.0", 0))
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


def test_the_page_names_places_that_exist() -> None:
    folders = "ccvae|baselines|evaluators|workflow|tests"
    paths = set(re.findall(rf"`((?:{folders})/[\w/]*(?:\.py)?)`", PAGE))
    assert {"workflow/models.py", "ccvae/data/readers.py"} <= paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
