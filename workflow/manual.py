"""The manual of the configuration, from its schema.

The schema says what a key means, and config/config.yaml what it is unless somebody sets it. The
comments there, the tables of config/README.md and the defaults in the schema are written here, so
that each is said in one place.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from ccvae.errors import InputError
from workflow.schema import resolved, schema_of

MARK = "##"
"""Begins a comment that is written here; others belong to whoever wrote them."""

WIDTH = 100
LONGEST_DEFAULT = 40
MOST_OTHERS = 3
HEAD = ("| key | default | what it says |", "|---|---|---|")


@dataclass(frozen=True)
class Key:
    """A key of the schema, wherever it is used.

    Attributes
    ----------
    path
        From the top; a name that is free to choose, like that of a data set, stands in <>.
    schema
        What the schema says of it.
    above
        The keys that lead to it.
    """

    path: tuple[str, ...]
    schema: dict[str, Any]
    above: tuple[Key, ...]

    @property
    def is_free(self) -> bool:
        """Whether its name is free to choose."""
        return self.path[-1].startswith("<")

    def at(self, entry: Sequence[str]) -> tuple[str, ...]:
        """Path with names chosen for those that are free, in their order."""
        names = iter(entry)
        return tuple(next(names, part) if part.startswith("<") else part for part in self.path)


@dataclass(frozen=True)
class Place:
    """A key in a configuration.

    Attributes
    ----------
    path, value
        Where it is, and what it holds.
    line
        The line above which a comment on it goes.
    shown
        Its path from the key that stands on that line; empty when it is that key.
    """

    path: tuple[str, ...]
    value: Any
    line: int
    shown: tuple[str, ...]


class Manual:
    """The keys of a schema, and their places in a configuration.

    Parameters
    ----------
    schema, config
        As text.

    Raises
    ------
    InputError
        If a key of the schema has no description or no default.
    """

    def __init__(self, schema: str, config: str) -> None:
        self._schema_text = schema
        self._lines = [
            line for line in config.splitlines() if not re.match(rf"\s*{MARK}( |$)", line)
        ]
        self._root = yaml.safe_load(schema)
        self.keys: dict[int, Key] = {}
        self._find_keys(self._root, ())
        self.places: dict[int, list[Place]] = {}
        text = "\n".join(self._lines)
        self._find_places(yaml.compose(text), yaml.safe_load(text), self._root, (), (0, 0), set())

    def _find_keys(self, schema: dict[str, Any], above: tuple[Key, ...]) -> None:
        schema = resolved(schema, self._root)
        rest = schema.get("additionalProperties")
        free = [*schema.get("patternProperties", {}).values(), rest]
        found = dict(schema.get("properties", {}))
        found |= {f"<{s.get('title', 'name')}>": s for s in free if isinstance(s, dict)}
        for name, below in found.items():
            if id(below) in self.keys:
                continue
            path = (*(above[-1].path if above else ()), name)
            if lacking := {"description", "default"} - below.keys():
                raise InputError(f"schema: {'.'.join(path)} has no {min(lacking)}; write one")
            key = self.keys[id(below)] = Key(path, below, above)
            self._find_keys(below, (*above, key))

    def _find_places(
        self,
        node: yaml.Node | None,
        values: dict[str, Any],
        schema: dict[str, Any],
        path: tuple[str, ...],
        behind: tuple[int, int],
        seen: set[int],
    ) -> None:
        """Go through a mapping; `behind` is line and depth of the key that a {} stands behind."""
        # An alias leads to what was seen where its anchor is.
        if not isinstance(node, yaml.MappingNode) or id(node) in seen:
            return
        seen.add(id(node))
        schema = resolved(schema, self._root)
        for name, below in node.value:
            here, value = (*path, name.value), values[name.value]
            line, depth = behind if node.flow_style else (name.start_mark.line, len(here))
            of_key = schema_of(name.value, schema)
            if of_key:
                place = Place(here, value, line, here[depth:])
                self.places.setdefault(id(of_key), []).append(place)
                self._find_places(below, value, of_key, here, (line, depth), seen)

    def annotated(self) -> str:
        """Return the configuration with a comment above the first place of every key.

        Keys that it does not have are explained where the nearest key above them is.
        """
        comments: dict[int, list[str]] = {}
        for key in self.keys.values():
            here = [k for k in (*key.above, key) if not k.is_free and id(k.schema) in self.places]
            if key.is_free or not here:
                continue
            place, text = self.places[id(here[-1].schema)][0], key.schema["description"]
            name = ".".join((*place.shown, *key.path[len(here[-1].path) :]))
            if here[-1] is not key and key.schema["default"] not in (None, {}):
                text += f" Default: {_shown(key.schema['default'])}."
            comments.setdefault(place.line, []).extend(self._comment(text, name, place.line))
        lines: list[str] = []
        for number, line in enumerate(self._lines):
            above = len(lines)
            # Remarks of others on this place come after what the key means everywhere.
            while above and lines[above - 1].startswith(_indent(line) + "# "):
                above -= 1
            lines[above:above] = comments.get(number, [])
            lines.append(line)
        return "\n".join(lines) + "\n"

    def _comment(self, text: str, name: str, line: int) -> list[str]:
        start = _indent(self._lines[line]) + MARK + " "
        return textwrap.wrap(
            f"{name}: {text}" if name else text,
            WIDTH,
            initial_indent=start + ("  " if name else ""),
            subsequent_indent=start + ("    " if name else ""),
            break_long_words=False,
            break_on_hyphens=False,
        )

    def with_defaults(self) -> str:
        """Return the schema with the values of first entries as defaults."""
        nodes: dict[int, yaml.Node] = {}
        _pair(self._root, yaml.compose(self._schema_text), nodes)
        changes: dict[int, tuple[int, str]] = {}
        for identity, key in self.keys.items():
            names = tuple(self._first_name(k) for k in (*key.above, key))
            for place in self.places.get(identity, []):
                value = {} if isinstance(place.value, dict) else place.value
                if place.path == names and _json(value) != _json(key.schema["default"]):
                    node = nodes[identity]
                    changes[node.start_mark.index] = node.end_mark.index, _json(value)
        text = self._schema_text
        for start, (end, value) in sorted(changes.items(), reverse=True):
            text = text[:start] + value + text[end:]
        return text

    def _first_name(self, key: Key) -> str:
        """Name of a key, and of the first entry where it is free to choose."""
        places = self.places.get(id(key.schema), [])
        return places[0].path[-1] if key.is_free and places else key.path[-1]

    def tables(self) -> str:
        """Markdown tables of all keys, one for each mapping at the top."""
        groups: dict[str, list[str]] = {}
        for key in self.keys.values():
            top, *below = key.path
            is_mapping = resolved(self._root["properties"][top], self._root).get("type") == "object"
            group, path = (top, below) if is_mapping else ("", [top])
            meaning = key.schema["description"].replace("|", "\\|").replace("<", "&lt;")
            if path:
                row = f"| `{'.'.join(path)}` | {self._default(key)} | {meaning} |"
                groups.setdefault(group, [*HEAD]).append(row)
            else:
                groups[group] = [f"`{top}`: {meaning}", "", *HEAD]
        return "\n\n".join("\n".join(rows) for rows in groups.values())

    def _default(self, key: Key) -> str:
        """Say what a key is unless set, and in which entries it is something else."""
        if key.is_free or key.schema["default"] == {}:
            return ""
        others: dict[str, list[str]] = {}
        free = [n for n, name in enumerate(key.path) if name.startswith("<")]
        for place in self.places.get(id(key.schema), []):
            entry = [place.path[n] for n in free if n < len(place.path)]
            # Other paths lead to the same key, as from a study to a schedule.
            if key.at(entry) == place.path and place.value != key.schema["default"]:
                others.setdefault(_cell(place.value), []).append(".".join(entry))
        shown = [_cell(key.schema["default"])]
        if sum(map(len, others.values())) > MOST_OTHERS:
            shown.append(f"others by {key.path[free[0]].strip('<>')}")
        else:
            shown += [f"{value} ({', '.join(names)})" for value, names in others.items()]
        return ", ".join(shown)


def _pair(value: Any, node: yaml.Node | None, found: dict[int, yaml.Node]) -> None:
    """Note the node of the default of every mapping in a loaded schema."""
    if isinstance(node, yaml.MappingNode):
        for name, below in node.value:
            if name.value == "default":
                found[id(value)] = below
            _pair(value[name.value], below, found)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _cell(value: Any) -> str:
    """Show a value in a cell of a table."""
    if value is None:
        return "unset"
    return f"`{_shown(value)}`" if len(_shown(value)) <= LONGEST_DEFAULT else "see config.yaml"


def _shown(value: Any) -> str:
    return value if value and isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
