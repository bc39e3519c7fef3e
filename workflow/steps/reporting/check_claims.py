"""Judge the paper's claims by the records, and compare CCVAE with the best baseline."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ccvae.files import atomic_path, read_json, write_text
from workflow.reporting.claims import load_claims
from workflow.reporting.claims_markdown import claims_markdown
from workflow.reporting.comparison import comparison, comparison_markdown
from workflow.reporting.court import decide
from workflow.reporting.judges import failed_judges
from workflow.reporting.names import dataset_name
from workflow.reporting.record_files import DIGITS, read_records
from workflow.reporting.records import Plan
from workflow.reporting.tables import counterparts
from workflow.reporting.verdicts import verdicts_frame
from workflow.steps.command import LOG, add_settings_argument, run
from workflow.studies.seeds import read_studies


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--records", required=True, type=Path, help="records.csv; studies/ beside")
    parser.add_argument("--claims", required=True, type=Path, help="verdicts, as .csv; .md beside")
    parser.add_argument("--comparison", required=True, type=Path, help="table, as .csv; .md beside")


def work(given: Namespace) -> None:
    """Write claims.csv and claims.md, comparison.csv and comparison.md."""
    folder = given.records.parent
    write(Plan(**given.settings), folder, given.claims, given.comparison, judges=folder / "judges")


def write(plan: Plan, folder: Path, claims: Path, comparison_: Path, judges: Path) -> None:
    """Judge the claims by the records and studies in a folder, and write what `work` says.

    Parameters
    ----------
    plan
        What the preset asks for.
    folder
        Of a preset, or one that `snakemake reference` gathered.
    claims, comparison_
        Where to write, as .csv; .md beside.
    judges
        Where each data set's Gaussian process said what it misses.
    """
    records = read_records(folder)
    verdicts = decide(
        records, plan, load_claims(), read_studies(folder / "studies", plan.records_from)
    )
    runs = records.loc[records["seed"].notna(), "run"].nunique()
    paper, warnings = counterparts(records, plan), _warnings(judges, plan)
    compared, failed = comparison(records, plan), list(failed_judges(records).values())
    page = claims_markdown(verdicts, plan, runs, paper, warnings, failed)
    for place, frame, text in (
        (claims, verdicts_frame(verdicts), page),
        (comparison_, compared, comparison_markdown(compared, plan)),
    ):
        with atomic_path(place.with_suffix(".csv")) as path:
            frame.to_csv(path, index=False, float_format=DIGITS)
        write_text(place.with_suffix(".md"), text)
    for verdict in verdicts:
        LOG.info(
            "%s, %s, %s: %s", verdict.claim.id, verdict.dataset, verdict.subject, verdict.verdict
        )


def _warnings(judges: Path, plan: Plan) -> list[str]:
    """What fitting said about the judges' Gaussian processes."""
    return [
        f"{dataset_name(dataset)}: {warning}"
        for dataset in plan.datasets
        if (path := judges / dataset / "gp.json").exists()
        for warning in read_json(path)["warnings"]
    ]


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.claims.with_suffix(".settings.json"))
