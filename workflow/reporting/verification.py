"""Whether runs that were made again are those of a gathered reference, value by value."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ccvae.errors import InputError
from ccvae.files import read_json
from workflow.config import Config
from workflow.identity import Run, settings_hash
from workflow.reporting.names import STAND_INS
from workflow.reporting.record_files import DIGITS, LABEL_MARK, OF_LABELS, file_of, split_records

SAME, CLOSE, DIFFERENT = "same", "within tolerance", "differs"
LABEL, GONE, NEW = "differs for one label", "not measured here", "not in the reference"
PARTS = ("records", OF_LABELS, "runs")
JUDGES = ("judge", "majority")
"""Rows of records that the making of a judge leaves, beside those of runs."""

TOLERANCES = Path(__file__).parents[1] / "resources" / "tolerances.yaml"


@dataclass(frozen=True)
class Amount:
    """A number in a metric's unit, or as a share of what it is compared with."""

    absolute: float = 0.0
    relative: float = 0.0

    def of(self, scale: float) -> float:
        """In the metric's unit."""
        return self.absolute + self.relative * abs(scale)


Tolerance = Callable[[str, float], float]
UNSTATED = Amount(absolute=0.02, relative=0.1)
"""Tolerance of a metric for which tolerances.yaml states none."""


def load_tolerances(path: Path = TOLERANCES) -> dict[str, Amount]:
    """Read by how much each metric may differ."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {name: Amount(**amount) for name, amount in content.items()}


CONDITION = "_condition"
SINGULAR = Amount(relative=3.0)
"""Tolerance of a condition number: of a nearly singular matrix it says an order of magnitude."""


@dataclass(frozen=True)
class Gathered:
    """Records as `make reference` writes them: every value is text, with the digits that it keeps.

    Attributes
    ----------
    values
        (run, model) -> metric -> value, single labels among them.
    origins
        (run, model) -> its row of runs.csv.
    machine
        From `workflow.provenance.machine`.
    """

    values: Mapping[tuple[str, str], Mapping[str, str]]
    origins: Mapping[tuple[str, str], Mapping[str, str]]
    machine: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Gathered:
        """Read a gathered folder.

        Raises
        ------
        InputError
            If it is none.
        """
        try:
            parts = {name: _read(folder / file_of(name)) for name in PARTS}
            return cls._of(parts, read_json(folder / "provenance.json")["machine"])
        except (OSError, EOFError, KeyError, ValueError) as error:
            raise InputError(
                f"{folder} is no gathered reference ({error}); `make reference` makes one"
            ) from error

    @classmethod
    def of(cls, records: pd.DataFrame, machine: Mapping[str, Any]) -> Gathered:
        """What would be gathered of these records, from `workflow.reporting.records.collect`."""
        parts = {
            name: _read(io.StringIO(part.to_csv(index=False, float_format=DIGITS)))
            for name, part in split_records(records).items()
        }
        return cls._of(parts, machine)

    @classmethod
    def _of(cls, frames: Mapping[str, pd.DataFrame], machine: Mapping[str, Any]) -> Gathered:
        values: dict[tuple[str, str], dict[str, str]] = {}
        for frame in (frames["records"], frames[OF_LABELS]):
            rows = zip(frame["run"], frame["model"], frame["metric"], frame["value"], strict=True)
            for run, model, metric, value in rows:
                values.setdefault((run, model), {})[metric] = value
        origins = {
            (row["run"], row["model"]): {str(name): value for name, value in row.items()}
            for row in frames["runs"].to_dict("records")
        }
        return cls(values, origins, machine)


def _read(source: Path | io.StringIO) -> pd.DataFrame:
    """Records with every value as the text that it is."""
    return pd.read_csv(source, dtype=str, keep_default_na=False)


@dataclass(frozen=True)
class Value:
    """One metric of one run, as committed and as obtained here."""

    metric: str
    committed: str | None
    obtained: str | None
    status: str


@dataclass(frozen=True)
class Checked:
    """What became of one run or judge.

    Attributes
    ----------
    name
        Its folder, and its name in records.
    code
        The commits of both sides.
    other
        Why it is not the same computation as in the reference, in words; empty when it is.
    rounding
        Why the same computation may round differently here, in words; empty when it may not.
    values
        Every metric of either side.
    """

    name: str
    code: str
    other: tuple[str, ...]
    rounding: tuple[str, ...]
    values: tuple[Value, ...]

    @property
    def counts(self) -> Counter[str]:
        """How many values have each status."""
        return Counter(value.status for value in self.values)

    @property
    def holds(self) -> bool:
        """Whether every committed value is what it should be here."""
        allowed = {SAME, NEW}
        if self.rounding and not self.other:
            # What is measured on one label rests on few images and has no tolerance.
            allowed |= {CLOSE, LABEL}
        return set(self.counts) <= allowed


def check(
    committed: Gathered,
    obtained: Gathered,
    runs: Sequence[Run],
    config: Config,
    tolerances: Mapping[str, Amount],
) -> Iterator[Checked]:
    """Compare runs, and the judges of their data sets, with the reference.

    Parameters
    ----------
    committed, obtained
        The reference, and what was made here.
    runs
        Those that were made again.
    config
        With which they were.
    tolerances
        From `load_tolerances`.
    """
    tolerance = _tolerance(committed, tolerances)
    machines = tuple(_machines(committed.machine, obtained.machine))
    judges: dict[str, tuple[str, ...]] = {}
    for dataset in dict.fromkeys(run.dataset for run in runs):
        settings = config.judge_settings(dataset)
        for key in ((f"judges/{dataset}", model) for model in JUDGES):
            if key in committed.values and key in obtained.values:
                judges[dataset] = tuple(_other("judge", committed, obtained, key, settings))
                yield _checked(committed, obtained, key, judges[dataset], machines, tolerance)
    for run in runs:
        key, settings = (run.folder, run.model), config.run_settings(run)
        own = _other("model", committed, obtained, key, settings)
        other = (*own, *judges.get(run.dataset, ()))
        yield _checked(committed, obtained, key, other, machines, tolerance)


def _tolerance(committed: Gathered, stated: Mapping[str, Amount]) -> Tolerance:
    """What another rounding may change, from a metric and its committed value.

    It sends a training another way, as another seed does: what is stated, or the largest share by
    which two seeds of one model at one f differ anywhere in the reference, if that is more.
    """
    cells: dict[tuple[str, str], list[float]] = {}
    for (run, _), metrics in committed.values.items():
        cell, _, seed = run.partition("/seed=")
        for metric, value in metrics.items():
            if seed and value:
                cells.setdefault((metric, cell), []).append(float(value))
    spread: dict[str, float] = {}
    for (metric, _), values in cells.items():
        shares = [abs(a - b) / abs(a) for a, b in permutations(values, 2) if a]
        spread[metric] = max([spread.get(metric, 0.0), *shares])

    def tolerance(metric: str, value: float) -> float:
        amount = SINGULAR if metric.endswith(CONDITION) else stated.get(metric, UNSTATED)
        return max(amount.of(value), spread.get(metric, 0.0) * abs(value))

    return tolerance


def _checked(
    committed: Gathered,
    obtained: Gathered,
    key: tuple[str, str],
    other: tuple[str, ...],
    machines: tuple[str, ...],
    tolerance: Tolerance,
) -> Checked:
    there, here = committed.origins[key], obtained.origins[key]
    both = zip(there["versions"].split(", "), here["versions"].split(", "), strict=False)
    rounding = [*(f"{a} there, {b} here" for a, b in both if a != b), *machines]
    if there["data_checksum"] != here["data_checksum"]:
        if rounding and key[0].split("/")[1] in STAND_INS:
            rounding.append("the stand-in's images are drawn here, with other bytes")
        else:
            other = (*other, "the reference saw other images or labels")
    before, after = committed.values[key], obtained.values[key]
    values = []
    for metric in {**before, **after}:
        old, new = before.get(metric), after.get(metric)
        values.append(Value(metric, old, new, _status(metric, old, new, tolerance)))
    code = f"{_code(there)} there; {_code(here)} here"
    return Checked(" ".join(key), code, other, tuple(rounding), tuple(values))


def _code(origin: Mapping[str, str]) -> str:
    """Commits that trained and, where there is more to it, measured."""
    commits = (origin["commit"], origin["evaluate_commit"])
    return " and ".join(dict.fromkeys(commit[:10] for commit in commits if commit)) or "no commit"


def _status(metric: str, old: str | None, new: str | None, tolerance: Tolerance) -> str:
    if old is None or new is None:
        return NEW if old is None else GONE
    if old == new:
        return SAME
    if LABEL_MARK in metric:
        return LABEL
    if not old or not new:
        return DIFFERENT
    near = abs(float(new) - float(old)) <= tolerance(metric, float(old))
    return CLOSE if near else DIFFERENT


def _other(
    what: str,
    committed: Gathered,
    obtained: Gathered,
    key: tuple[str, str],
    settings: Mapping[str, Any],
) -> Iterator[str]:
    """Why a model or a judge was not trained as in the reference."""
    there, here = committed.origins[key], obtained.origins[key]
    if there["settings_hash"] != here["settings_hash"]:
        recipes = {
            settings_hash({**settings, "recipe": recipe}): recipe
            for recipe in range(settings["recipe"])
        }
        recipe = recipes.get(there["settings_hash"])
        yield (
            f"the {what} of the reference was trained with other settings than this code's"
            if recipe is None
            else f"the {what} of the reference was trained by recipe {recipe}, and this code has "
            f"recipe {settings['recipe']}"
        )
    if there["device"] != here["device"]:
        yield f"the {what} of the reference was trained on {there['device']}"


def _machines(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    """Why this machine may round differently than that of the reference."""
    named = [
        f"{m['system']}, {m['processor']}, {m.get('processor_type', 'its type not recorded')}"
        for m in (there, here)
    ]
    if named[0] != named[1]:
        yield f"{named[0]} there; {named[1]} here"


def report(checked: Checked) -> list[str]:
    """Lines on one run: why values may differ, and every value of the whole model."""
    lines = [checked.name, f"  code: {checked.code}"]
    lines += [f"  not the same computation: {reason}" for reason in checked.other]
    lines += [f"  may round differently: {reason}" for reason in checked.rounding]
    for value in checked.values:
        if LABEL_MARK not in value.metric or value.status in (GONE, LABEL):
            cells = (value.committed or "-", value.obtained or "-")
            lines.append(f"  {value.metric:<44} {cells[0]:>12} {cells[1]:>12}  {value.status}")
    counts = ", ".join(f"{count} {status}" for status, count in checked.counts.items())
    return [*lines, f"  {len(checked.values)} values: {counts}", ""]


def conclusion(all_checked: Sequence[Checked]) -> tuple[bool, str]:
    """Whether the reference is verified, and the sentence that says so."""
    counts: Counter[str] = sum((checked.counts for checked in all_checked), Counter())
    counts.pop(NEW, None)
    total = sum(counts.values())
    if all(checked.holds for checked in all_checked):
        rest = (
            f", {counts[CLOSE]} within tolerance, {counts[LABEL]} of single labels have none"
            if counts[SAME] < total
            else ""
        )
        return True, f"verified: {counts[SAME]} of {total} values are the same{rest}"
    others = list(dict.fromkeys(reason for checked in all_checked for reason in checked.other))
    if others:
        return False, (
            f"{total - counts[SAME]} of {total} values are not the same, and need not be: "
            f"{'; '.join(others)}; `make reference` makes the reference anew"
        )
    failed = next(checked for checked in all_checked if not checked.holds)
    return False, (
        f"{total - counts[SAME]} of {total} values are not the same and should be, the first of "
        f"them of {failed.name}; if the code was meant to change numbers, raise its recipe and run "
        "`make reference`"
    )
