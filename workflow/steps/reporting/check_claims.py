"""Judge the paper's claims by the records, and compare CCVAE with the best baseline."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pandas as pd

from ccvae.files import atomic_path, read_json, write_text
from workflow.reporting.claims import comparisons_frame, decide, load_claims
from workflow.reporting.claims_markdown import claims_markdown
from workflow.reporting.comparison import comparison, comparison_markdown
from workflow.reporting.judges import failed_judges
from workflow.reporting.names import dataset_name
from workflow.reporting.records import Plan
from workflow.steps.command import LOG, add_settings_argument, run


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--records", required=True, type=Path, help="records.csv")
    parser.add_argument("--claims", required=True, type=Path, help="verdicts, as .csv; .md beside")
    parser.add_argument("--comparison", required=True, type=Path, help="table, as .csv; .md beside")


def work(given: Namespace) -> None:
    """Write claims.csv and claims.md, comparison.csv and comparison.md."""
    plan = Plan(**given.settings)
    records = pd.read_csv(given.records, dtype={"supervision_rate": str})
    claims, tolerances = load_claims()
    verdicts = decide(records, plan, claims, tolerances)
    compared = comparison(records, plan)
    warnings = _warnings(given.records.parent, plan)
    failed = list(failed_judges(records).values())
    for place, frame, text in (
        (
            given.claims,
            comparisons_frame(verdicts),
            claims_markdown(verdicts, plan, tolerances, _trained(records), warnings, failed),
        ),
        (given.comparison, compared, comparison_markdown(compared, plan)),
    ):
        with atomic_path(place.with_suffix(".csv")) as path:
            frame.to_csv(path, index=False)
        write_text(place.with_suffix(".md"), text)
    for verdict in verdicts:
        LOG.info(
            "%s, %s, %s: %s", verdict.claim.id, verdict.dataset, verdict.subject, verdict.verdict
        )


def _warnings(results: Path, plan: Plan) -> list[str]:
    """What fitting said about the judges' Gaussian processes."""
    return [
        f"{dataset_name(dataset)}: {warning}"
        for dataset in plan.datasets
        if (path := results / "judges" / dataset / "gp.json").exists()
        for warning in read_json(path)["warnings"]
    ]


def _trained(records: pd.DataFrame) -> int:
    return records.loc[records["seed"].notna(), "run"].nunique()


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.claims.with_suffix(".settings.json"))
