"""Container recipes install what environment.yml lists, and nothing beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "containers").iterdir())


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_a_recipe_installs_the_environment_and_nothing_else(recipe):
    text = re.sub(r"\\\n\s*", "", recipe.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    (install,) = [line for line in lines if re.search(r"\b(install|create)\b", line)]
    assert "micromamba install --yes --name base --file /tmp/environment.yml" in install
    assert any(re.search(r"environment\.yml /tmp/environment\.yml$", line) for line in lines)


def test_both_recipes_start_from_the_same_image_and_the_same_cuda():
    texts = [recipe.read_text(encoding="utf-8") for recipe in RECIPES]
    assert len({re.search(r"mambaorg/micromamba:\S+", text).group() for text in texts}) == 1
    assert len({re.search(r"^.*cuda=(\S+)$", text, re.I | re.M).group(1) for text in texts}) == 1
