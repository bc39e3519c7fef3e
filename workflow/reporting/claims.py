"""The paper's claims in its own words, and how each is decided: workflow/resources/claims.yaml.

A difference that counts as none is one that the paper calls so itself (deviation: claim-margins).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ccvae.errors import InputError
from workflow.reporting.statistics import TESTS
from workflow.reporting.tables import paper_values

CLAIMS = Path(__file__).parents[1] / "resources" / "claims.yaml"
EVERY, GENERALLY = "every", "generally"
SCOPES = (EVERY, GENERALLY)
THEMSELVES, BEST = "themselves", "best"
LARGEST, LEAD = "largest", "lead"


@dataclass(frozen=True)
class Measure:
    """What is measured; workflow/resources/claims.yaml says what each field means."""

    name: str
    heading: str
    lower_is_better: bool = False
    drawn_only: bool = False


@dataclass(frozen=True)
class Margin:
    """A difference that counts as none.

    Attributes
    ----------
    amount
        In the metric's unit, or as a share of the opponent where `relative`.
    relative
        Which of the two.
    because
        Why a difference of this size is none.
    """

    amount: float = 0.0
    relative: bool = False
    because: str = ""

    def of(self, opponent: float) -> float:
        """In the metric's unit."""
        return self.amount * abs(opponent) if self.relative else self.amount

    def __str__(self) -> str:
        return f"{self.amount:.1%}" if self.relative else f"{self.amount:.2g}"


@dataclass(frozen=True)
class Claim:
    """One claim; workflow/resources/claims.yaml says what each field means."""

    id: str
    plain: str
    question: str
    quote: str
    place: str
    shown: str
    datasets: tuple[str, ...]
    decided: str
    metric: Measure
    test: str
    subject: str
    scope: str
    bold: str = ""
    rivals: tuple[str, ...] = ()
    value: float | None = None
    against: Measure | None = None
    only_with: str = ""
    margin: Margin = Margin()
    at_most: float = 1.0
    at_least: float = 0.0
    study: str = ""

    def means(self, rate: str) -> bool:
        """Whether it speaks of this supervision rate."""
        return self.at_least <= float(rate) <= self.at_most

    @property
    def statement(self) -> str:
        """What the paper says, as it says it."""
        quoted = f'"{self.quote}"'
        return f"{self.shown} in bold: {self.bold} ({quoted})" if self.bold else quoted

    @property
    def where(self) -> str:
        """Where the paper says and shows it."""
        return self.place if self.shown == self.place else f"{self.place}, {self.shown}"


@dataclass(frozen=True)
class Question:
    """What several claims are about; workflow/resources/claims.yaml says what each field means."""

    id: str
    title: str
    repeat: str
    tables: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()


def load_questions(path: Path = CLAIMS) -> list[Question]:
    """Read the questions, in order."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = []
    for name, about in content["questions"].items():
        lists = {key: tuple(about.get(key, ())) for key in ("tables", "studies")}
        found.append(Question(name, about["title"], about["repeat"], **lists))
    return found


def load_claims(path: Path = CLAIMS) -> list[Claim]:
    """Read the claims; margins are computed from the paper's own figures.

    Raises
    ------
    InputError
        If an entry is malformed.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    measures = {name: Measure(name, **about) for name, about in content["measures"].items()}
    allowed = {
        "test": TESTS,
        "scope": SCOPES,
        "metric": tuple(measures),
        "question": tuple(content["questions"]),
    }
    return [_claim(path, entry, measures, allowed) for entry in content["claims"]]


def _claim(
    path: Path,
    entry: Mapping[str, Any],
    measures: Mapping[str, Measure],
    allowed: Mapping[str, Sequence[str]],
) -> Claim:
    values = {**entry, **entry.get("rates", {})}
    values.pop("rates", None)
    name = values.get("id", "a claim without id")
    known = {field.name for field in fields(Claim)}
    if unknown := sorted(set(values) - known):
        raise InputError(f"{path}: {name} has the unknown key '{unknown[0]}'")
    for key, known_words in allowed.items():
        if values.get(key) not in known_words:
            raise InputError(
                f"{path}: {name} has the {key} '{values.get(key)}', not one of "
                f"{', '.join(known_words)}"
            )
    opponents = [key for key in ("rivals", "value", "against") if key in values]
    if len(opponents) != 1:
        raise InputError(f"{path}: {name} needs one of rivals, value and against")
    if (values["test"] == "better") == ("margin" in values):
        raise InputError(
            f"{path}: {name} needs a margin if its test is not 'better', and else none"
        )
    values["metric"] = measures[values["metric"]]
    if "against" in values:
        if values["against"] not in measures:
            raise InputError(f"{path}: {name} is against '{values['against']}', not a measure")
        values["against"] = measures[values["against"]]
    if "margin" in values:
        values["margin"] = paper_margin(values["margin"], values["metric"].lower_is_better)
    for key in ("datasets", "rivals"):
        values[key] = tuple(values.get(key, ()))
    return Claim(**values)


def paper_margin(about: Mapping[str, Any], lower_is_better: bool) -> Margin:
    """A margin out of the paper's own tables.

    Parameters
    ----------
    about
        As in workflow/resources/claims.yaml.
    lower_is_better
        Which end of the figures is the good one.

    Raises
    ------
    InputError
        If it names no figure of the paper.
    """
    values = paper_values()
    values = values[(values["table"] == about["table"]) & (values["metric"] == about["metric"])]
    figures = values.pivot_table(
        index=["dataset", "supervision_rate"], columns="model", values="value"
    )
    against = about["against"]
    named = [*about["subjects"], *([against] if isinstance(against, str) else [])]
    if lost := [n for n in named if n not in (*figures.columns, BEST, THEMSELVES)]:
        raise InputError(
            f"claims: a margin names '{lost[0]}', which Table {about['table']} does not have for "
            f"'{about['metric']}'"
        )
    apart = pd.concat(
        [_apart(figures, subject, about, lower_is_better) for subject in about["subjects"]]
    )
    amount = float(apart.mean() if about["take"] == LEAD else apart.abs().max())
    # What floating point adds to the paper's figures, or to their shares, is no figure.
    return Margin(round(amount, 9), about.get("relative", False), about["because"])


def _apart(
    figures: pd.DataFrame, subject: str, about: Mapping[str, Any], lower_is_better: bool
) -> pd.Series:
    """By how much the subject is better, in every cell or, against itself, every data set."""
    own, against = figures[subject], about["against"]
    if against == THEMSELVES:
        by_data = own.groupby(level="dataset")
        apart, other = by_data.max() - by_data.min(), by_data.mean()
    else:
        if against == BEST:
            others = figures.drop(columns=subject)
            other = others.min(axis=1) if lower_is_better else others.max(axis=1)
        else:
            other = figures[against] if isinstance(against, str) else own * 0 + against
        apart = other - own if lower_is_better else own - other
    return apart / other if about.get("relative", False) else apart
