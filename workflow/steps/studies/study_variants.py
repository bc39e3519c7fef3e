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
from workflow.reporting.records import images_seen, judge_records, run_records
from workflow.reporting.reference import DIGITS
from workflow.steps.command import LOG, add_settings_argument, run
from workflow.studies import budget, protocol
from workflow.studies.seeds import IMAGES
from workflow.studies.variants import summarise_variants, variants_markdown


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--results", required=True, type=Path, help="folder of the preset")
    parser.add_argument("--out", required=True, type=Path, help="folder of the studies")


def work(given: Namespace) -> None:
    """Write the study as .csv and .md, named after it; trainings that are not there are left out.

    Of budgets also the orders of the models, as <name>_orders.csv, and a figure; beside the paper
    also the comparison, as <name>_paper.csv.
    """
    plan = given.settings
    there = [v for v in plan["variants"] if (given.results / v["folder"] / "run.json").exists()]
    if not there:
        raise InputError(
            f"no training of the study '{plan['name']}' is in {given.results}; run "
            f"`snakemake study_{plan['name']}`"
        )
    if missing := len(plan["variants"]) - len(there):
        LOG.warning("%s: %d trainings are missing", plan["name"], missing)
    records = {v["folder"]: read_json(given.results / v["folder"] / "run.json") for v in there}
    summary = summarise_variants(_scores(there, records, "validation"))
    path = given.out / f"{plan['name']}.csv"
    _write(summary.rename(columns={"value": "variant"}), path)
    about: list[str] = []
    if "budgets" in plan:
        about = _budgets(given, there, records, summary)
    if "beside_paper" in plan:
        about = _paper(given, there, records, summary)
    failed = failed_judges(judge_records(given.results, summary["dataset"].unique()))
    about_all = {"steps": _steps(there, records), "missing": missing, "varied": _varied(there)}
    page = variants_markdown(summary, {**plan, **about_all}, failed.values(), about)
    write_text(path.with_suffix(".md"), page)


def _steps(variants: list[dict[str, Any]], records: Mapping[str, Any]) -> str:
    """Steps of the first variant, of every budget."""
    first = variants[0]["value"]
    own = {records[v["folder"]]["steps"] for v in variants if v["value"] == first}
    return ", ".join(f"{steps:,}" for steps in sorted(own))


def _varied(variants: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of the first variant of each data set, what others change."""
    return {v["dataset"]: v.get("varied", {}) for v in reversed(variants) if _is_first(v)}


def _is_first(variant: Mapping[str, Any]) -> bool:
    return variant["value"] == variant.get("against", variant["value"])


def _scores(variants: list[dict[str, Any]], records: Mapping[str, Any], split: str) -> pd.DataFrame:
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
    given: Namespace,
    variants: list[dict[str, Any]],
    records: Mapping[str, Any],
    summary: pd.DataFrame,
) -> list[str]:
    plan, trainings = given.settings, []
    for variant in variants:
        path = given.results / variant["folder"] / "influence.npz"
        with np.load(path, allow_pickle=False) as file:
            influence = {name: file[name] for name in file.files}
        record = records[variant["folder"]]
        scores, seen = record["validation"], images_seen(record)
        bearing = {"scores": scores, "influence": influence, IMAGES: seen}
        trainings.append({**variant, **bearing})
    runs = _runs(given, variants)
    orders = budget.orders(trainings, budget.spread_of_seeds(runs))
    _write(orders, given.out / f"{plan['name']}_orders.csv")
    save(draw_budget(summary, plan["titles"], plan["title"]), given.out / plan["name"])
    lines = budget.sentences(orders, plan["budgets"], plan["titles"])
    picture = f"![{plan['title']}]({plan['name']}.png)"
    lines.append(budget.in_images(orders, runs[IMAGES].max() if len(runs) else None))
    return [picture, "", *(f"* {line}" for line in lines), "", budget.rule(orders)]


def _paper(
    given: Namespace,
    variants: list[dict[str, Any]],
    records: Mapping[str, Any],
    summary: pd.DataFrame,
) -> list[str]:
    plan = given.settings
    stated = [v for v in variants if v["value"] in plan["beside_paper"]]
    frame = protocol.beside_paper(_scores(stated, records, "test"), _runs(given, stated))
    _write(frame, given.out / f"{plan['name']}_paper.csv")
    lines = protocol.sentences(frame, summary, plan["titles"])
    tables = protocol.beside_paper_markdown(frame, plan["titles"])
    return [*(f"* {line}" for line in lines), *tables]


def _runs(given: Namespace, variants: list[dict[str, Any]]) -> pd.DataFrame:
    """Records of the preset's own runs of these models on these data."""
    return run_records(given.results, sorted({(v["dataset"], v["model"]) for v in variants}))


def _write(frame: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, float_format=DIGITS)


def kept(given: Namespace) -> Path:
    """Where the settings stay: beside the study of that name."""
    return given.out / f"{given.settings['name']}.settings.json"


if __name__ == "__main__":
    run(__doc__, arguments, work, kept)
