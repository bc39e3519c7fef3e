"""The contract of `LabelledVAE`, for every model of the configuration on both label spaces."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from baselines.registry import SYSTEMS
from ccvae.interface import LabelledVAE
from ccvae.labels import LABEL_SPACES
from ccvae.tasks import TASKS
from datasets.readers import READERS
from tests.conformance import CHECKS, inputs, random_images
from workflow.config import Config
from workflow.figures.catalogue import PAPER_SYSTEMS
from workflow.identity import Run
from workflow.models import build_model

CONFIG = Config(yaml.safe_load((Path(__file__).parents[2] / "config/config.yaml").read_text()))
MODELS = CONFIG.values["model_settings"]
DATASETS = ("mnist", "celeba")
"""One of each label space."""
SHOWN = (*PAPER_SYSTEMS, "vae_classifier")
"""Systems that the paper draws or describes."""


def build(name: str, dataset: str) -> LabelledVAE:
    """A model as it is configured for a data set, untrained."""
    spec = READERS[dataset].spec
    torch.manual_seed(0)
    labels = LABEL_SPACES[spec.kind](spec.labels)
    return build_model(CONFIG.run_settings(Run(dataset, name, "1.0", 0)), labels, spec.image_shape)


def test_every_registered_system_is_configured_and_so_tested() -> None:
    assert {entry["system"] for entry in MODELS.values()} == set(SYSTEMS)
    assert {READERS[name].spec.kind for name in DATASETS} == set(LABEL_SPACES)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("name", MODELS)
def test_every_model_keeps_the_contract(name: str, dataset: str, check: str) -> None:
    CHECKS[check](build(name, dataset), random_images(READERS[dataset].spec.image_shape))


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("name", MODELS)
def test_a_built_model_lacks_what_planning_says(name: str, dataset: str) -> None:
    assert build(name, dataset).lacks == CONFIG.lacking(name, dataset)


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("name", MODELS)
def test_the_bound_of_images_without_labels_is_reconstruction_minus_divergence(
    name: str, dataset: str
) -> None:
    model = build(name, dataset)
    if "reconstruct" not in model.supports:
        pytest.skip("it has no decoder")
    if getattr(model, "characteristic_beta", 1) != 1:
        pytest.skip("its objective weighs a part of the divergence more, and is no bound as it is")
    x, _ = inputs(model, random_images(READERS[dataset].spec.image_shape))
    model.set_progress(1.0)
    terms = model.bound(x).terms
    torch.testing.assert_close(terms["objective"], terms["reconstruction"] - terms["divergence"])


@pytest.mark.parametrize("name", [n for n, m in MODELS.items() if m["system"] in SHOWN])
def test_what_the_paper_says_that_models_cannot_do(name: str) -> None:
    """Section 6.1: no traversals for M2 and MVAE; section 6.2: no diversity at fixed z for them.

    Where all of z is z_c (64 of 64 latents on digits) there is no background to swap.
    """
    classes = MODELS[name]["classes"]
    is_label = MODELS[name]["system"] in ("m2", "mvae")
    without = {"diversify", "traverse"} if is_label else set()
    has_style = is_label or classes["latents"] > classes["latents_per_label"]
    assert set(CONFIG.lacking(name, "celeba")) == without
    assert set(CONFIG.lacking(name, "mnist")) == (without if has_style else without | {"swap"})


def test_a_classifier_alone_can_only_classify() -> None:
    for dataset in DATASETS:
        assert set(CONFIG.lacking("supervised", dataset)) == set(TASKS) - {"classify"}
