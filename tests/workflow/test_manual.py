"""What the configuration means is said once, and stands wherever a reader looks."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from baselines.registry import SYSTEMS
from ccvae.batches import Schedule
from ccvae.errors import InputError
from ccvae.networks import ARCHITECTURES
from ccvae.numerics import Numerics
from datasets.readers import READERS
from evaluators.learning import JudgeSettings
from workflow.manual import Manual
from workflow.planning.overlay import DEFAULT
from workflow.schema import SCHEMA, read_schema, resolved, schema_of
from workflow.steps.reporting.config_docs import written

ROOT = Path(__file__).parents[2]
CONFIG = DEFAULT.read_text(encoding="utf-8")


def keys(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key of a schema, wherever in it, without following references."""
    if not isinstance(schema, dict):
        return
    for word in ("properties", "patternProperties"):
        for name, below in schema.get(word, {}).items():
            yield f"{path}/{name}", below
            yield from keys(below, f"{path}/{name}")
    if isinstance(schema.get("additionalProperties"), dict):
        yield f"{path}/*", schema["additionalProperties"]
        yield from keys(schema["additionalProperties"], f"{path}/*")
    for name, below in schema.get("$defs", {}).items():
        yield from keys(below, f"{path}/$defs/{name}")


KEYS = dict(keys(read_schema()))


@pytest.mark.parametrize("key", KEYS)
def test_every_key_has_a_description_and_a_default_that_it_may_be(key):
    schema = KEYS[key]
    assert schema["description"].endswith(".")
    assert "\n" not in schema["description"]
    if schema["default"] == {}:
        whole = resolved(schema, read_schema())
        assert whole.get("type") == "object" or "additionalProperties" in whole
    elif schema["default"] is not None:
        jsonschema.Draft202012Validator(schema).validate(schema["default"])


def test_what_is_said_twice_is_the_same_twice():
    for path, text in written(SCHEMA, DEFAULT, DEFAULT.with_name("README.md")).items():
        assert text == path.read_text(encoding="utf-8"), "run `make config-docs`"


@pytest.mark.parametrize("name", read_schema()["properties"])
def test_the_comment_above_a_key_is_its_description(name):
    above = CONFIG[: re.search(rf"^{name}:", CONFIG, flags=re.M).start()]
    lines = above.rsplit("\n\n", 1)[1].splitlines()
    comment = " ".join(line.removeprefix("## ") for line in lines if line.startswith("## "))
    assert comment.startswith(KEYS[f"/{name}"]["description"])


@pytest.mark.parametrize("name", ["config.yaml", "smoke.yaml", "paper.yaml", "reference.yaml"])
def test_every_key_that_a_preset_sets_is_in_the_schema(name):
    root = read_schema()

    def unknown(values: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
        for key, value in values.items():
            below = schema_of(key, resolved(schema, root))
            if not below:
                yield key
            elif isinstance(value, dict):
                yield from unknown(value, below)

    assert list(unknown(yaml.safe_load((ROOT / "config" / name).read_text()), root)) == []


def options(function: Any, *skip: str) -> dict[str, Any]:
    """Options of a function or a dataclass, and their defaults."""
    if hasattr(function, "__dataclass_fields__"):
        found = {f.name: None if f.default is MISSING else f.default for f in fields(function)}
    else:
        found = {
            p.name: None if p.default is p.empty else p.default
            for p in inspect.signature(function).parameters.values()
        }
    return {name: value for name, value in found.items() if name not in skip}


CODE = [
    *(("options", options(SYSTEMS[name].load(), "labels", "architecture")) for name in SYSTEMS),
    *(
        (
            "dataset/properties/options",
            {
                name: None if value is inspect.Parameter.empty else value
                for name, value in reader.options().items()
                if name != "folder"
            },
        )
        for reader in READERS.values()
    ),
    ("training", options(Schedule)),
    ("training", options(Numerics)),
    ("judge", options(JudgeSettings, "seed")),
    *(("setting/properties/architecture", options(a)) for a in ARCHITECTURES.values()),
]


@pytest.mark.parametrize(("where", "found"), CODE)
def test_every_option_of_the_code_is_a_key_and_has_its_default(where, found):
    node: Any = read_schema()["$defs"]
    for part in where.split("/"):
        node = node[part]
    for name, default in found.items():
        assert name in node["properties"], f"{name} is not in workflow/schemas"
        schema = node["properties"][name]
        if re.search(rf"\b{name}:", re.sub(r"^ *#.*", "", CONFIG, flags=re.M)) or "$ref" in schema:
            continue
        assert schema["default"] in (default, None)


SMALL = """
type: object
properties:
  size: {description: How large., default: 1, type: integer}
  things:
    description: All things.
    default: {}
    type: object
    additionalProperties:
      title: thing
      description: One thing.
      default: {}
      type: object
      properties:
        colour: {description: "Its colour|hue.", default: red, type: string}
        edge: {description: Its edge., default: {}, $ref: "#/$defs/edge"}
        hidden: {description: Rarely set., default: 7, type: integer}
$defs:
  edge:
    type: object
    properties:
      width: {description: Points., default: null, type: integer}
"""
PLAIN = """\
# By hand.

# Why three.
size: 3
things:
  ball: &ball
    colour: blue
    edge: {width: 2}
  box:
    ## An old description.
    colour: green
  same: *ball
"""
ANNOTATED = """\
# By hand.

## How large.
# Why three.
size: 3
## All things.
##   <thing>.hidden: Rarely set. Default: 7.
things:
  ball: &ball
    ## Its colour|hue.
    colour: blue
    ## Its edge.
    ##   width: Points.
    edge: {width: 2}
  box:
    colour: green
  same: *ball
"""


def test_comments_go_above_the_first_place_of_a_key_and_remarks_stay():
    assert Manual(SMALL, PLAIN).annotated() == ANNOTATED
    assert Manual(SMALL, ANNOTATED).annotated() == ANNOTATED


def test_defaults_are_those_of_the_first_entry_and_the_rest_of_the_schema_stays():
    changed = Manual(SMALL, PLAIN).with_defaults()
    wanted = SMALL.replace("default: 1", "default: 3").replace("default: red", 'default: "blue"')
    assert changed == wanted.replace("default: null", "default: 2")


def test_tables_name_entries_that_differ_and_escape_what_markdown_would_read():
    schema = Manual(SMALL, PLAIN).with_defaults()
    rows = [line for line in Manual(schema, PLAIN).tables().splitlines() if "`" in line]
    assert rows == [
        "| `size` | `3` | How large. |",
        "`things`: All things.",
        "| `<thing>` |  | One thing. |",
        "| `<thing>.colour` | `blue`, `green` (box) | Its colour\\|hue. |",
        "| `<thing>.edge` |  | Its edge. |",
        "| `<thing>.edge.width` | `2` | Points. |",
        "| `<thing>.hidden` | `7` | Rarely set. |",
    ]


def test_a_key_without_a_description_is_named():
    with pytest.raises(InputError, match=r"schema: size has no description; write one"):
        Manual("properties: {size: {default: 1}}", "size: 2")


def test_a_page_without_marks_is_left_alone(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("nothing generated")
    with pytest.raises(InputError, match="no marks"):
        written(SCHEMA, DEFAULT, page)
