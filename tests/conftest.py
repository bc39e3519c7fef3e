"""Under pytest every call checks the types and shapes in its signature."""

from __future__ import annotations

import os

import pytest
from jaxtyping import install_import_hook

import tests.checker

CHECKED = ("ccvae", "baselines", "evaluators")
"""Packages whose annotations are checked; must not be imported before."""

if "PYTEST_XDIST_WORKER" in os.environ:
    # Processes side by side share the cores, with the steps that they start.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

install_import_hook(CHECKED, f"{tests.checker.__name__}.checker")


@pytest.fixture
def plain_adam(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam without the fused kernel, which the card's name keeps torch from using."""
    # Not before the threads are set.
    import torch

    adam = torch.optim.Adam
    monkeypatch.setattr(
        torch.optim, "Adam", lambda groups, *rates, **_: adam(groups, *rates, foreach=False)
    )
