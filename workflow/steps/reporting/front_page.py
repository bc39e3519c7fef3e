"""Write the front page: whether the paper holds, what was run, and every table."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from ccvae.files import read_json, write_text
from workflow.reporting.answer import answer
from workflow.reporting.claims import load_claims
from workflow.reporting.claims_markdown import QUESTIONS
from workflow.reporting.court import decide
from workflow.reporting.judges import failed_judges, first_lines, unreadable_labels
from workflow.reporting.names import dataset_name, original_name
from workflow.reporting.page import page
from workflow.reporting.paper import TABLES
from workflow.reporting.records import Plan
from workflow.reporting.tables import counterparts
from workflow.reporting.verdicts import Verdict
from workflow.reporting.wording import counts_in_words
from workflow.steps.command import add_settings_argument, run
from workflow.studies.seeds import read_studies

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
    verdicts = decide(
        records, plan, load_claims(), read_studies(results / "studies", plan.records_from)
    )
    summary = [
        *filter(None, first_lines(failed)),
        *answer(verdicts, plan, counterparts(records, plan), page=""),
        what_was_run(records, plan),
        *about_all_data(results, plan),
        *unreadable_labels(records).values(),
        how_it_was_run(records),
        about_claims(verdicts),
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
    planned = plan.folders()
    found = len(planned & set(records["run"]))
    titles = "; ".join(described["title"] for described in plan.models.values())
    count = f"all {found}" if found == len(planned) else f"**{found} of {len(planned)}**"
    return (
        f"Preset `{plan.preset}`, {count} runs: {titles}; f = {', '.join(plan.rates)}; "
        f"{plan.seeds_in_words()}."
    )


def about_all_data(results: Path, plan: Plan) -> Iterator[str]:
    """What `about_data` says of the data sets that are here, and where the others are recorded."""
    here = [d for d in plan.datasets if (results / "data" / d / "store.json").exists()]
    yield from (about_data(results, dataset) for dataset in here)
    if elsewhere := [dataset_name(d) for d in plan.datasets if d not in here]:
        yield f"{' and '.join(elsewhere)}: as recorded in `{plan.records_from}`."


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
    on = trained["device"].where(trained["card"].isna(), trained["card"])
    devices = ", ".join(sorted(on.dropna().unique()))
    versions = ", ".join(sorted(trained["torch"].dropna().astype(str).unique()))
    hours = (trained["train_wall_s"].sum() + trained["evaluate_wall_s"].sum()) / 3600
    return f"Made with {code}, torch {versions}, on {devices}, in {hours:.2f} hours of jobs."


def about_claims(verdicts: Sequence[Verdict]) -> str:
    """Count the verdicts on the paper's claims, on its own data and on drawn data."""
    parts = []
    for drawn, question in QUESTIONS:
        found = [v for v in verdicts if v.stand_in == drawn and v.run]
        counts = counts_in_words(found) or "nothing was run for it"
        parts.append(f"{question} {counts[0].upper()}{counts[1:]}.")
    return f"[The paper's claims](#claims). {' '.join(parts)}"


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out.with_suffix(".settings.json"))
