"""Every figure of trained models, drawn of every system that the paper has no figure of."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch

from baselines.registry import SYSTEMS
from ccvae.interface import LabelledVAE
from ccvae.labels import MultiClass, MultiLabel
from tests.conformance import small_options
from tests.tiny import Tiny
from tests.workflow.test_figures import LABELS, scene
from workflow.figures.catalogue import FIGURES, OTHER_SYSTEMS

SPACES = {"attributes": lambda: MultiLabel(LABELS), "classes": lambda: MultiClass("01234")}
WITH_PICTURES = [name for name in OTHER_SYSTEMS if "reconstruct" not in SYSTEMS[name].lacks]
FROM_MODELS = {name: figure for name, figure in FIGURES.items() if figure.needs == "model"}


def tiny(system: str, kind: str) -> LabelledVAE:
    torch.manual_seed(0)
    options = {**small_options(system), "likelihood": "laplace"}
    return SYSTEMS[system].load()(SPACES[kind](), Tiny(), **options).eval()


@pytest.mark.slow
@pytest.mark.parametrize("kind", SPACES)
@pytest.mark.parametrize("system", WITH_PICTURES)
def test_figures_that_show_a_system_can_be_drawn_of_it(system: str, kind: str) -> None:
    model = tiny(system, kind)
    drawn = 0
    for figure in FROM_MODELS.values():
        if kind in figure.kinds and figure.shows(system) and figure.task in model.supports:
            module, function = figure.drawn_by.split(":")
            draw = getattr(import_module(f"workflow.figures.{module}"), function)
            assert draw(scene(model)).axes, figure.name
            drawn += 1
    assert drawn >= 3
