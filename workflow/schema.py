"""The schema of the configuration: its keys, their types, and what they mean.

Snakemake plans with this module, so everything here is cheap to import.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ccvae.errors import InputError, known_instead

SCHEMA = Path(__file__).parent / "schemas" / "config.schema.yaml"
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def read_yaml(text: str) -> Any:
    """Read YAML, where libyaml is there twenty times faster: a fifth of a second of every start."""
    if yaml.__with_libyaml__:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    return yaml.safe_load(text)


@cache
def read_schema() -> dict[str, Any]:
    """Read the schema of the configuration."""
    return read_yaml(SCHEMA.read_text(encoding="utf-8"))


def validated(raw: dict[str, Any]) -> dict[str, Any]:
    """Read a merged configuration as the types of the schema, and hold it to the schema.

    Raises
    ------
    InputError
        If a key is unknown, missing, or has an illegal value.
    """
    import jsonschema

    schema = read_schema()
    values = _as_types(raw, schema, schema)
    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(schema).iter_errors(values)
    )
    if error is not None:
        raise InputError(f"configuration: {_where(error.absolute_path)}{_sentence(error)}")
    return values


def _as_types(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """Read strings as the numbers or lists that the schema asks for.

    Values given by `--config` arrive as strings where they stand inside a list or mapping, and
    a single value stands for a list of one.
    """
    schema = resolved(schema, root)
    kind = schema.get("type")
    if kind is None or isinstance(kind, list):
        return _plain(value)
    if kind == "object" and isinstance(value, dict):
        return {key: _as_types(item, schema_of(key, schema), root) for key, item in value.items()}
    if kind == "array":
        items = value if isinstance(value, list) else [value]
        return [_as_types(item, schema.get("items", {}), root) for item in items]
    if kind in ("integer", "number", "boolean") and isinstance(value, str):
        # YAML reads on and off as truth values, but 1e-2 as a word.
        try:
            return _plain(yaml.safe_load(value))
        except yaml.YAMLError:
            return value
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if kind == "string" and value is None:
        return ""
    return value


def resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Put the definition of `root` that a schema refers to, if any, under what stands beside it."""
    if "$ref" not in schema:
        return schema
    below = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    properties = {**below.get("properties", {}), **schema.get("properties", {})}
    return {**below, **schema, "properties": properties}


def schema_of(key: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Look up the schema of a key of a mapping; empty where anything may stand."""
    if key in schema.get("properties", {}):
        return schema["properties"][key]
    for pattern, found in schema.get("patternProperties", {}).items():
        if re.search(pattern, key):
            return found
    rest = schema.get("additionalProperties")
    return rest if isinstance(rest, dict) else {}


def _plain(value: Any) -> Any:
    """Read strings that look like numbers or truth values as such, where no schema says more."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return float(value) if re.search("[.e]", value.lower()) else int(value)
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _where(path: Any) -> str:
    keys = ".".join(map(str, path))
    return f"{keys}: " if keys else ""


def _sentence(error: Any) -> str:
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known))
        return f"unknown key {', '.join(map(repr, unknown))}; {known_instead(unknown[0], known)}"
    if error.validator == "pattern" and "description" in error.schema:
        return f"{error.instance!r} does not fit: {error.schema['description']}"
    return error.message
