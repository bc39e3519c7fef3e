"""Options of models, networks and readers, read from their source, since importing it is slow."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "int": ("a whole number", (int,)),
    "float": ("a number", (int, float)),
    "bool": ("true or false", (bool,)),
    "str": ("a word", (str,)),
}
"""What the configuration may give for an annotation, in words and types; others are not checked."""

_BARE = next(
    node
    for node in ast.walk(ast.parse("def __init__(self): ..."))
    if isinstance(node, ast.FunctionDef)
)
"""The constructor of a class that has none."""


@dataclass(frozen=True)
class Option:
    """A keyword argument.

    Attributes
    ----------
    name
        As in the configuration.
    kind
        Its annotation, as written.
    required
        Whether it has no default.
    """

    name: str
    kind: str
    required: bool

    def expected(self, value: Any) -> str | None:
        """Say what was expected where a value is of another kind; None where it is not."""
        words, types = KINDS.get(self.kind, ("", (object,)))
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        return None if fits or not words else words


@cache
def options_of(place: str, leading: int = 0) -> dict[str, Option] | None:
    """Arguments of a function, or of a class's constructor, by name.

    Parameters
    ----------
    place
        `module:name`. A constructor is inherited from the first base class that has one.
    leading
        How many are given by position, not counting `self`, and are no options.

    Returns
    -------
    dict or None
        None where the source does not tell, because it is elsewhere or takes anything.
    """
    module, _, name = place.partition(":")
    found = _definition(module, name)
    if isinstance(found, ast.ClassDef):
        found, leading = _constructor(module, found), leading + 1
    if found is None or found.args.kwarg is not None:
        return None
    given = found.args
    plain = [*given.posonlyargs, *given.args]
    without: list[ast.expr | None] = [None] * (len(plain) - len(given.defaults))
    pairs = list(zip(plain, [*without, *given.defaults], strict=True))[leading:]
    pairs += zip(given.kwonlyargs, given.kw_defaults, strict=True)
    return {
        argument.arg: Option(
            argument.arg,
            ast.unparse(argument.annotation) if argument.annotation else "",
            default is None,
        )
        for argument, default in pairs
    }


def members_of(place: str) -> dict[str, str]:
    """Names in a registry, a dictionary of classes at the top of a module, and their places."""
    module, _, name = place.partition(":")
    value = _assigned(_tree(module).body, name)
    assert isinstance(value, ast.Dict), f"{place} is no dictionary"
    return {
        ast.literal_eval(key): f"{module}:{ast.unparse(member)}"
        for key, member in zip(value.keys, value.values, strict=True)
        if key is not None
    }


def constant_of(place: str, name: str) -> Any:
    """Value of a class's attribute that is written out in the class; None if it is not."""
    module, _, of_class = place.partition(":")
    found = _definition(module, of_class)
    value = _assigned(found.body, name) if isinstance(found, ast.ClassDef) else None
    return None if value is None else ast.literal_eval(value)


def _assigned(body: Sequence[ast.stmt], name: str) -> ast.expr | None:
    for node in body:
        if isinstance(node, ast.Assign) and name in map(ast.unparse, node.targets):
            return node.value
    return None


def _definition(module: str, name: str) -> ast.ClassDef | ast.FunctionDef | None:
    """Find a definition at the top of a module."""
    for node in _tree(module).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node
    return None


def _constructor(module: str, definition: ast.ClassDef) -> ast.FunctionDef | None:
    """Find the constructor of a class or of the first base that has one."""
    for node in definition.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return node
    if not definition.bases:
        return _BARE
    for base in map(ast.unparse, definition.bases):
        home = _imports(module).get(base, module)
        parent = _definition(home, base)
        if isinstance(parent, ast.ClassDef) and (found := _constructor(home, parent)) is not None:
            return found
    return None


def _imports(module: str) -> dict[str, str]:
    """Return the modules that names of a module come from."""

    def pairs() -> Iterator[tuple[str, str]]:
        for node in _tree(module).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                yield from ((alias.name, node.module) for alias in node.names)

    return dict(pairs())


@cache
def _tree(module: str) -> ast.Module:
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])
