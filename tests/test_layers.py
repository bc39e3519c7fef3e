"""The packages depend on each other one way, and a file can be read in one sitting."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = {
    "ccvae": set(),
    "datasets": {"ccvae"},
    "baselines": {"ccvae"},
    "evaluators": {"ccvae", "datasets"},
    "workflow": {"ccvae", "datasets", "baselines", "evaluators"},
}
LIBRARIES = ("ccvae", "datasets", "baselines", "evaluators")
FOLDERS = (*ALLOWED, "tests")
LONGEST = 400


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(tree: ast.AST) -> set[str]:
    """Dotted names of everything that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer they reach into"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def violations(package: str, text: str) -> set[str]:
    """What `text`, a module of `package`, imports or reads and must not."""
    tree = ast.parse(text)
    names = imported(tree)
    found = {name for name in names if name.split(".")[0] in ALLOWED.keys() - {package}}
    found = {name for name in found if name.split(".")[0] not in ALLOWED[package]}
    if package != "workflow":
        found |= {name for name in names if name.split(".")[0] in ("argparse", "snakemake")}
        found |= {name for name in names if name == "sys.argv"}
        found |= {
            "sys.argv"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.argv"
        }
    return found


@pytest.mark.parametrize("path", sources(*ALLOWED), ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    assert violations(package, path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("package", "text", "found"),
    [
        ("ccvae", "from baselines.m2 import M2", {"baselines.m2.M2"}),
        ("ccvae", "def f():\n    import workflow.steps", {"workflow.steps"}),
        ("ccvae", "from datasets.store import Store", {"datasets.store.Store"}),
        ("datasets", "from evaluators.images import ImageSet", {"evaluators.images.ImageSet"}),
        ("baselines", "from datasets import store", {"datasets.store"}),
        ("baselines", "import evaluators as e", {"evaluators"}),
        ("evaluators", "from baselines import m2", {"baselines.m2"}),
        ("evaluators", "import sys\nprint(sys.argv[1])", {"sys.argv"}),
        ("baselines", "from sys import argv", {"sys.argv"}),
        ("ccvae", "import argparse", {"argparse"}),
        ("evaluators", "from snakemake.script import snakemake", {"snakemake.script.snakemake"}),
        ("baselines", "import sys\nfrom ccvae.model import CCVAE", set()),
        ("evaluators", "from datasets.store import Store", set()),
        ("workflow", "import argparse, sys\nfrom baselines import m2\nsys.argv", set()),
    ],
)
def test_a_broken_layer_would_be_noticed(package: str, text: str, found: set[str]) -> None:
    assert violations(package, text) == found


@pytest.mark.parametrize("package", LIBRARIES)
def test_every_library_was_looked_at(package: str) -> None:
    assert sources(package)


@pytest.mark.parametrize("path", sources(*FOLDERS), ids=name_of)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST
