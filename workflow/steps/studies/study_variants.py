"""Gather a study of named variants in one table, and what its budgets or the paper say of it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ccvae.errors import InputError
from ccvae.files import atomic_path, read_json, write_text
from workflow.figures.budget import draw_budget
from workflow.figures.style import save
from workflow.reporting.judges import failed_judges
from workflow.reporting.names import dataset_name, in_a_row
from workflow.reporting.record_files import DIGITS
from workflow.reporting.records import images_seen, judge_records, run_records
from workflow.steps.command import LOG, add_settings_argument, run
from workflow.studies import budget, earlier, protocol
from workflow.studies.seeds import IMAGES
from workflow.studies.variants import summarise_variants, times, variants_markdown

Variants = tuple[list[dict[str, Any]], list[dict[str, Any]]]
"""Of a study: those that are trained here, and those that are recorded elsewhere."""


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--results", required=True, type=Path, help="folder of the preset")
    parser.add_argument("--out", required=True, type=Path, help="folder of the studies")


def work(given: Namespace) -> None:
    """Write the study as .csv and .md, named after it; trainings that are not there are left out.

    Of budgets also the orders of the models, as <name>_orders.csv, and a figure; beside the paper
    also the comparison, as <name>_paper.csv. Trainings that are recorded elsewhere are as their
    study says there.
    """
    plan = given.settings
    here = [v for v in plan["variants"] if (given.results / v["folder"] / "run.json").exists()]
    before = [v for v in plan["variants"] if v.get("recorded") and v not in here]
    there = [v for v in plan["variants"] if v in here or v in before]
    if not there:
        raise InputError(
            f"no training of the study '{plan['name']}' is in {given.results}; run "
            f"`snakemake study_{plan['name']}`"
        )
    if missing := [v for v in plan["variants"] if v not in there]:
        LOG.warning("%s: %d trainings are missing", plan["name"], len(missing))
    records = {v["folder"]: read_json(given.results / v["folder"] / "run.json") for v in here}
    folder = Path(plan.get("records_from", ""), "studies")
    scores = pd.concat([earlier.scores(before, folder, plan["name"]), _scores(here, records)])
    order = {v["folder"]: place for place, v in enumerate(there)}
    scores = scores.sort_values("folder", key=lambda of: of.map(order), kind="stable")
    summary = summarise_variants(scores)
    path = given.out / f"{plan['name']}.csv"
    _write(summary.rename(columns={"value": "variant"}), path)
    about: list[str] = []
    if "budgets" in plan:
        about = _budgets(given, (here, before), records, summary)
    if "beside_paper" in plan:
        about = _paper(given, (here, before), records, summary)
    judges = judge_records(
        given.results, summary["dataset"].unique(), records_from=plan.get("records_from", "")
    )
    about_all = {
        "steps": _steps(scores),
        "missing": missing_in_words(missing, plan["variants"]),
        "varied": _varied(there),
    }
    failed = failed_judges(judges).values()
    page = variants_markdown(summary, {**plan, **about_all}, failed, about)
    write_text(path.with_suffix(".md"), page)


def _steps(scores: pd.DataFrame) -> str:
    """Steps of the first variant, of every budget and data set, in words."""
    first = scores[scores["value"] == scores["value"].iloc[0]]
    own = set((first[IMAGES] // first["images_per_step"]).astype(int))
    return in_a_row(f"{steps:,}" for steps in sorted(own))


def missing_in_words(some: list[dict[str, Any]], every: list[dict[str, Any]]) -> str:
    """Trainings of a study that are not there, place by place, in words."""
    words = []
    for place in dict.fromkeys(map(_place, some)):
        here, whole = ([v for v in of if _place(v) == place] for of in (some, every))
        names = "all"
        if len(here) < len(whole):
            names = ", ".join(_with_seeds(name, here, whole) for name in _values(here))
        dataset, rate, factor = place
        where = f"{dataset_name(dataset)}, f = {rate}"
        where += "" if factor is None else f", {times(factor)} the images"
        words.append(f"{where}: {names}")
    return "; ".join(words)


def _place(variant: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(variant.get(key) for key in ("dataset", "supervision_rate", "budget"))


def _values(variants: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(variant["value"] for variant in variants))


def _with_seeds(name: str, here: list[dict[str, Any]], whole: list[dict[str, Any]]) -> str:
    """A variant, with its seeds where only some of them are meant."""
    seeds, of = ([v["seed"] for v in some if v["value"] == name] for some in (here, whole))
    if len(seeds) == len(of):
        return f"`{name}`"
    return f"`{name}` (seed {in_a_row(map(str, seeds))})"


def _varied(variants: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of the first variant of each data set, what others change."""
    found: dict[str, dict[str, Any]] = {}
    for variant in filter(_is_first, variants):
        found.setdefault(variant["dataset"], variant.get("varied", {}))
    return found


def _is_first(variant: Mapping[str, Any]) -> bool:
    return variant["value"] == variant.get("against", variant["value"])


def _scores(
    variants: list[dict[str, Any]], records: Mapping[str, Any], split: str = "validation"
) -> pd.DataFrame:
    """One row per training and metric."""
    rows = []
    for variant in variants:
        record = records[variant["folder"]]
        seen = {"images_seen": images_seen(record)}
        # Figures of single labels are in the trainings' own records.
        found = {k: v for k, v in record.get(split, {}).items() if "/" not in k}
        rows += [{**variant, **seen, "metric": k, "score": v} for k, v in found.items()]
    return pd.DataFrame(rows)


def _budgets(
    given: Namespace, variants: Variants, records: Mapping[str, Any], summary: pd.DataFrame
) -> list[str]:
    plan, (here, before) = given.settings, variants
    trainings = []
    for variant in here:
        path = given.results / variant["folder"] / "influence.npz"
        with np.load(path, allow_pickle=False) as file:
            influence = {name: file[name] for name in file.files}
        record = records[variant["folder"]]
        scores, seen = record["validation"], images_seen(record)
        bearing = {"scores": scores, "influence": influence, IMAGES: seen}
        trainings.append({**variant, **bearing})
    runs = _runs(given, [*here, *before])
    known = earlier.orders(before, Path(plan.get("records_from", ""), "studies"), plan["name"])
    own = budget.orders(trainings)
    both = pd.concat([frame for frame in (known, own) if len(frame)] or [own])
    seeds = len({variant["seed"] for variant in [*here, *before]})
    orders = budget.with_seeds(both, seeds, budget.spread_of_seeds(runs))
    _write(orders, given.out / f"{plan['name']}_orders.csv")
    title = f"{plan['title']}, {'one seed' if seeds == 1 else f'{seeds} seeds'}"
    figure = draw_budget(summary, plan["titles"], plan["models"], title)
    save(figure, given.out / plan["name"])
    lines = budget.sentences(orders, plan["budgets"], plan["titles"])
    picture = f"![{plan['title']}]({plan['name']}.png)"
    lines.append(budget.in_images(orders, runs[IMAGES].max() if len(runs) else None))
    return [picture, "", *(f"* {line}" for line in lines), "", budget.rule(orders)]


def _paper(
    given: Namespace, variants: Variants, records: Mapping[str, Any], summary: pd.DataFrame
) -> list[str]:
    plan = given.settings
    here, before = ([v for v in of if v["value"] in plan["beside_paper"]] for of in variants)
    folder = Path(plan.get("records_from", ""), "studies")
    known = earlier.test_scores(before, folder, plan["name"])
    order = {v["folder"]: place for place, v in enumerate(plan["variants"])}
    test = pd.concat([known, _scores(here, records, "test")])
    test = test.sort_values("folder", key=lambda of: of.map(order), kind="stable")
    frame = protocol.beside_paper(test, _runs(given, [*here, *before]))
    _write(frame, given.out / f"{plan['name']}_paper.csv")
    lines = protocol.sentences(frame, summary, plan["titles"])
    tables = protocol.beside_paper_markdown(frame, plan["titles"])
    return [*(f"* {line}" for line in lines), *tables]


def _runs(given: Namespace, variants: list[dict[str, Any]]) -> pd.DataFrame:
    """Records of the preset's own runs of these models on these data."""
    models = sorted({(v["dataset"], v["model"]) for v in variants})
    return run_records(given.results, models, given.settings.get("records_from", ""))


def _write(frame: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, float_format=DIGITS)


def kept(given: Namespace) -> Path:
    """Where the settings stay: beside the study of that name."""
    return given.out / f"{given.settings['name']}.settings.json"


if __name__ == "__main__":
    run(__doc__, arguments, work, kept)
