"""How the lines of models look in figures."""

from __future__ import annotations

from pathlib import Path

import yaml

from workflow.figures import style


def test_no_two_models_that_are_known_have_lines_alike():
    text = Path("config", "config.yaml").read_text(encoding="utf-8")
    known = yaml.safe_load(text)["model_settings"]
    looks = [tuple(style.line(index).values()) for index in range(len(known))]
    assert len(set(looks)) == len(known)
    without_markers = {(colour, ls) for colour, _, ls in looks}
    assert len(without_markers) == len(known)
