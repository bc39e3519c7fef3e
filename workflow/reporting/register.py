"""The register of decisions that the paper does not make: which tables each of them touches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from baselines.registry import SYSTEMS
from workflow.reporting.paper import TABLES, Table

DEVIATIONS = Path(__file__).parents[1] / "resources" / "deviations.yaml"

SHARED = "all"
"""Stands for the model in the name of a setting that all models share."""

KINDS = ("attributes", "classes")
OF_MEASURES = ("judge", "gaussian_process", "evaluation")
"""Settings of what measures; an entry about them says what it measures."""


def entries() -> list[dict[str, Any]]:
    """Every entry of the register, with the `tables` that it touches."""
    register = yaml.safe_load(DEVIATIONS.read_text(encoding="utf-8"))
    return [{**entry, "tables": touched(entry)} for entry in register]


def touched(entry: dict[str, Any]) -> list[int | str]:
    """Tables that an entry touches: numbers of the paper's, names of additional ones.

    Those of every model that has one of its `settings`, those that show one of its `metrics`, and
    those that it names itself.
    """
    found = set(entry.get("tables", ()))
    for table in TABLES.values():
        if _is_set(table, entry.get("settings", ())) or _is_measured(table, entry):
            found.add(name_of(table))
    return [name for name in map(name_of, TABLES.values()) if name in found]


def name_of(table: Table) -> int | str:
    """What entries call a table."""
    return table.name if table.number is None else table.number


def _is_set(table: Table, settings: Sequence[str]) -> bool:
    for pattern in settings:
        model, kind, key = pattern.split(".", 2)
        if key.split(".")[0] in OF_MEASURES or not fnmatchcase(table.kind, kind):
            continue
        shown = [system for system in SYSTEMS if table.shows(system)]
        if any(fnmatchcase(name, model) for name in (SHARED, *shown)):
            return True
    return False


def _is_measured(table: Table, entry: dict[str, Any]) -> bool:
    beginnings = tuple(entry.get("metrics", ()))
    return any(metric.name.startswith(beginnings) for metric in table.metrics)


def deviations_of(
    table: Table, datasets: Sequence[str], systems: Collection[str]
) -> list[dict[str, Any]]:
    """Entries of the register that touch a table of these data sets and systems."""
    return [
        entry
        for entry in entries()
        if name_of(table) in entry["tables"]
        and not set(entry.get("data", datasets)).isdisjoint(datasets)
        and ("systems" not in entry or not set(entry["systems"]).isdisjoint(systems))
    ]
