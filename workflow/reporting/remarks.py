"""Remarks of people on the numbers, each of which says what it rests on.

A remark in workflow/resources/remarks.yaml names comparisons of facts that must be true, and is
shown while they are. Numbers in it are names of facts in braces, filled in from the records.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ccvae.errors import InputError

REMARKS = Path(__file__).parents[1] / "resources" / "remarks.yaml"
SECTIONS = ("claims", "paper", "readings", "alpha", "swap", "choices")
STANDS, CONTRADICTED, OPEN = "stands", "contradicted", "open"
"""Every requirement is true; one is not; facts are missing."""
FACT = re.compile(r"\{([^{}]+)\}")

Facts = Mapping[str, float]


@dataclass(frozen=True)
class Requirement:
    """That one fact is higher than another, or than a number, by at least `by`."""

    higher: str | float
    lower: str | float
    by: float = 0.0


@dataclass(frozen=True)
class Remark:
    """A remark, where it stands, and what it rests on."""

    id: str
    section: str
    text: str
    requires: tuple[Requirement, ...]

    def check(self, facts: Facts) -> str:
        """Whether the facts bear it out: one of `STANDS`, `CONTRADICTED`, `OPEN`."""
        ends = [(_value(r.higher, facts), _value(r.lower, facts), r.by) for r in self.requires]
        if any(a is not None and b is not None and a - b <= by for a, b, by in ends):
            return CONTRADICTED
        mentioned = FACT.findall(self.text)
        known = all(None not in end for end in ends) and all(name in facts for name in mentioned)
        return STANDS if known else OPEN

    def written(self, facts: Facts) -> str:
        """Text with its numbers."""
        return FACT.sub(lambda found: f"{facts[found[1]]:.3f}", self.text)


def _value(fact: str | float, facts: Facts) -> float | None:
    return facts.get(fact) if isinstance(fact, str) else fact


def load_remarks(path: Path = REMARKS) -> list[Remark]:
    """Read the remarks.

    Raises
    ------
    InputError
        If one has an unknown section, no requirement, or a number of its own.
    """
    remarks = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
        requires = tuple(Requirement(**requirement) for requirement in entry.get("requires", []))
        remark = Remark(entry["id"], entry["section"], " ".join(entry["text"].split()), requires)
        if remark.section not in SECTIONS:
            raise InputError(
                f"{path}: {remark.id} has the section '{remark.section}', not one of "
                f"{', '.join(SECTIONS)}"
            )
        if not requires:
            raise InputError(f"{path}: {remark.id} rests on nothing; give it `requires`")
        if typed := re.search(r"(?<!f = )(?<!section )\b\d+\.\d", FACT.sub("", remark.text)):
            raise InputError(
                f"{path}: {remark.id} has a typed number near '{typed[0]}'; name a fact in braces"
            )
        remarks.append(remark)
    return remarks


def facts_of(
    tables: pd.DataFrame, records: pd.DataFrame, studies: Mapping[str, pd.DataFrame]
) -> dict[str, float]:
    """Every number that a remark can rest on, by name.

    Parameters
    ----------
    tables
        Rows of `workflow.reporting.tables.tidy`, of all tables.
    records
        From `workflow.reporting.records.collect`.
    studies
        Frames of the studies of variants, and `alpha`.

    Returns
    -------
    dict
        `run/<data set>/<model>/<f>/<metric>`, mean over seeds; the same with `paper`; and
        `study/<study>/<data set>/<f>/<variant>/<metric>`, where alpha's variants are
        `<model>=<alpha>`.
    """
    facts: dict[str, float] = {}
    keys = ["dataset", "model", "supervision_rate", "metric"]
    trained = records[records["supervision_rate"].notna()]
    for key, value in trained.groupby(keys)["value"].mean().items():
        facts["/".join(["run", *map(str, _parts(key))])] = float(value)
    for row in tables[tables["paper"].notna()].to_dict("records"):
        facts["/".join(["paper", *(str(row[key]) for key in keys)])] = float(row["paper"])
    for name, frame in studies.items():
        for row in frame.to_dict("records"):
            variant = f"{row['model']}={row['alpha']}" if name == "alpha" else row["value"]
            key = (name, row["dataset"], row["supervision_rate"], variant, row["metric"])
            facts["/".join(["study", *map(str, key)])] = float(row["mean"])
    return facts


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)
