"""Under pytest every call checks the types and shapes in its signature."""

from __future__ import annotations

from jaxtyping import install_import_hook

import tests.checker

CHECKED = ("ccvae", "baselines", "evaluators")
"""Packages whose annotations are checked; must not be imported before."""

install_import_hook(CHECKED, f"{tests.checker.__name__}.checker")
