"""Write the front page: what was run, which claims held, and every table."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from pathlib import Path

import pandas as pd

from ccvae.files import read_json, write_text
from workflow.reporting.claims import (
    FAILS,
    HOLDS,
    NOT_RUN,
    UNDECIDED,
    decide,
    load_claims,
)
from workflow.reporting.judges import UNJUDGED, failed_judges, first_lines, unreadable_labels
from workflow.reporting.names import dataset_name, original_name
from workflow.reporting.page import page
from workflow.reporting.paper import TABLES
from workflow.reporting.records import Plan
from workflow.steps.command import add_settings_argument, run

TITLE = 'Does "Capturing Label Characteristics in VAEs" (ICLR 2021) hold?'
CAPABILITIES = "capabilities"
"""The table of tasks, which is made otherwise than the tables of numbers."""


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--results", required=True, type=Path, help="folder of the preset")
    parser.add_argument("--tables", required=True, nargs="+", choices=TABLES, metavar="TABLE")
    parser.add_argument("--figures", type=int, default=0, help="how many figures there are")
    parser.add_argument("--out", required=True, type=Path, help="the page, as .html")


def work(given: Namespace) -> None:
    """Write the page."""
    plan, results = Plan(**given.settings), given.results
    records = pd.read_csv(results / "records.csv", dtype={"supervision_rate": str})
    sections = [("claims", (results / "claims.md").read_text(encoding="utf-8"))]
    sections += [
        (name, (results / "tables" / f"{name}.md").read_text(encoding="utf-8"))
        for name in (*given.tables, CAPABILITIES)
    ]
    failed = failed_judges(records).values()
    summary = [
        *filter(None, first_lines(failed)),
        what_was_run(records, plan),
        *(about_data(results, dataset) for dataset in plan.datasets),
        *unreadable_labels(records).values(),
        how_it_was_run(records),
        about_claims(records, plan),
    ]
    links = [f"[{TABLES[name].heading}](#{name})" for name in given.tables]
    links.append(f"[who can do what](#{CAPABILITIES})")
    summary.append(f"Tables: {', '.join(links)}.")
    summary.append(
        f"Figures: {given.figures}, under Figures in the report and in `figures/` of the preset, "
        "each with its caption."
    )
    write_text(given.out, page(TITLE, summary, sections))


def what_was_run(records: pd.DataFrame, plan: Plan) -> str:
    """Say which models were trained at which rates with how many seeds, and what is missing."""
    planned = {
        run.folder
        for dataset in plan.datasets
        for model in plan.models
        for rate in plan.rates
        for run in plan.runs(dataset, model, rate)
    }
    found = len(planned & set(records["run"]))
    titles = "; ".join(described["title"] for described in plan.models.values())
    count = f"all {found}" if found == len(planned) else f"**{found} of {len(planned)}**"
    return (
        f"Preset `{plan.preset}`, {count} runs: {titles}; f = {', '.join(plan.rates)}; "
        f"{plan.seeds_in_words()}."
    )


def about_data(results: Path, dataset: str) -> str:
    """Say whether a data set is real or drawn, how large it is, and what its judge can do."""
    store = read_json(results / "data" / dataset / "store.json")
    judge = read_json(results / "judges" / dataset / "judge.json")
    kind = "real images"
    if store["stand_in"]:
        kind = f"a **drawn stand-in** for {original_name(dataset)}"
    counts = store["counts"]
    sentences = [
        f"{dataset_name(dataset)}: {kind}; {counts['train']:,} training and {counts['test']:,} "
        f"test images. Its judge has accuracy {judge['metrics']['accuracy']:.3f}, the majority "
        f"{judge['majority']['accuracy']:.3f}."
    ]
    return " ".join(sentences)


def how_it_was_run(records: pd.DataFrame) -> str:
    """Say with which code and on what the numbers were made, and how long it took."""
    trained = records.drop_duplicates("run")
    commits = [str(commit)[:10] for commit in trained["commit"].dropna().unique()]
    code = f"code at {', '.join(commits)}" if commits else "code outside of a checkout"
    if (trained["dirty"].astype(str) == "True").any():
        code += " with changes on top"
    devices = ", ".join(sorted(trained["device"].dropna().unique()))
    versions = ", ".join(sorted(trained["torch"].dropna().astype(str).unique()))
    hours = (trained["train_wall_s"].sum() + trained["evaluate_wall_s"].sum()) / 3600
    return f"Made with {code}, torch {versions}, on {devices}, in {hours:.2f} hours of jobs."


def about_claims(records: pd.DataFrame, plan: Plan) -> str:
    """Count the verdicts on the paper's claims, and name those that are the same everywhere."""
    claims, tolerances = load_claims()
    by_claim: dict[str, list[str]] = {}
    for verdict in decide(records, plan, claims, tolerances):
        if verdict.verdict != NOT_RUN:
            by_claim.setdefault(verdict.claim.id, []).append(verdict.verdict)
    counts = Counter(verdict for group in by_claim.values() for verdict in group)
    names = (HOLDS, FAILS, UNDECIDED, *([UNJUDGED] if counts[UNJUDGED] else []))
    numbers = ", ".join(f"{name} {counts[name]}" for name in names)
    sentences = [
        f"[The paper's claims](#claims): {len(by_claim)} of {len(claims)} could be looked at; "
        f"verdicts over data sets and readings of CCVAE: {numbers}."
    ]
    for name, words in ((HOLDS, "Hold in all of them"), (FAILS, "Fail in all of them")):
        same = [claim for claim, group in by_claim.items() if set(group) == {name}]
        if same:
            sentences.append(f"{words}: {', '.join(f'[{c}](#{c})' for c in same)}.")
    return " ".join(sentences)


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out.with_suffix(".settings.json"))
