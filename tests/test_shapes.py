"""Signatures say shapes; pytest checks them, and a run does not pay for it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError

from ccvae.distributions import Gaussian, laplace_log_prob
from ccvae.interface import Bound
from ccvae.model import CCVAE
from tests.tiny import Tiny, binary_labels

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for folder in ("ccvae", "baselines", "evaluators")
    for path in (ROOT / folder).glob("*.py")
    # The rest of what is checked here; weights of networks have any shape.
    if path.name not in ("shapes.py", "numerics.py", "training.py", "capture.py", "inception.py")
)
WITHOUT_SHAPE = {
    # Checks its tensors itself, in a sentence for users.
    "evaluators/images.py:ImageSet",
    # Takes any function of images.
    "evaluators/images.py:collect",
}
"""Where a plain Tensor may stand in a signature."""


def model() -> CCVAE:
    return CCVAE(binary_labels(2), Tiny(), latents=3, latents_per_label=1, likelihood="laplace")


X, Y = torch.rand(4, 1, 2, 2), torch.ones(4, 2, dtype=torch.long)
WRONG = {
    "an image without its batch": lambda: model().classify(X[0]),
    "labels of fewer images": lambda: model().bound(X, Y[:3]),
    "labels that are no integers": lambda: model().bound(X, Y.float()),
    "more labels than there are": lambda: model().labels.encode(Y.repeat(1, 2)),
    "a class where factors are meant": lambda: model().labels.log_probs(torch.zeros(4, 3)),
    "images of two sizes": lambda: laplace_log_prob(X, X[..., :1]),
    "a scale of another batch": lambda: Gaussian(torch.zeros(4, 3), torch.ones(1, 3)),
    "one number for all images": lambda: Bound.of(torch.zeros(())),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_shape_is_refused(call: object) -> None:
    with pytest.raises(TypeCheckError):
        call()


def test_nothing_is_checked_outside_of_pytest() -> None:
    program = (
        "import sys, evaluators.generation, baselines.m2; from ccvae.model import CCVAE; "
        "assert not hasattr(CCVAE.bound, '__wrapped__'); "
        "sys.exit('beartype' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def signatures(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Annotations of arguments, results and fields, with the name at the top of the module."""
    for top in tree.body:
        for node in ast.walk(top):
            found: list[ast.expr | None] = []
            if isinstance(node, ast.FunctionDef):
                arguments = (a for a in ast.walk(node.args) if isinstance(a, ast.arg))
                found = [node.returns, *(argument.annotation for argument in arguments)]
            elif isinstance(node, ast.ClassDef):
                found = [part.annotation for part in node.body if isinstance(part, ast.AnnAssign)]
            yield from ((getattr(top, "name", ""), each) for each in found if each is not None)


def has_bare_tensor(annotation: ast.expr) -> bool:
    """Whether a Tensor stands there without a shape, which is a constant beside it."""
    if ast.unparse(annotation) in ("Tensor", "torch.Tensor"):
        return True
    parts = [part for part in ast.iter_child_nodes(annotation) if isinstance(part, ast.expr)]
    if isinstance(annotation, ast.Tuple) and any(isinstance(p, ast.Constant) for p in parts):
        return False
    return any(map(has_bare_tensor, parts))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_tensor_in_a_signature_has_a_shape(path: Path) -> None:
    place = path.relative_to(ROOT).as_posix()
    bare = {
        f"{place}:{name}"
        for name, annotation in signatures(ast.parse(path.read_text(encoding="utf-8")))
        if has_bare_tensor(annotation)
    }
    assert bare <= WITHOUT_SHAPE
