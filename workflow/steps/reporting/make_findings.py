"""Write docs/findings.md from a folder that `snakemake reference` gathered."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ccvae.errors import InputError
from ccvae.files import read_json, write_text
from workflow.config import Config
from workflow.reporting import findings
from workflow.reporting.claims import load_claims
from workflow.reporting.claims_markdown import not_run, overview
from workflow.reporting.court import decide
from workflow.reporting.judges import failed_judges, first_lines, trusted
from workflow.reporting.records import Plan, read_records
from workflow.reporting.reference import took
from workflow.reporting.register import entries
from workflow.reporting.remarks import CONTRADICTED, STANDS, facts_of, load_remarks
from workflow.reporting.tables import counterparts
from workflow.steps.command import LOG, run
from workflow.studies.seeds import read_studies as seeds_of_studies

TEMPLATE = Path(__file__).parents[2] / "resources" / "findings.md.j2"
TEXT = {"supervision_rate": str, "alpha": str}


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--reference", default=Path("results/reference"), type=Path)
    parser.add_argument("--out", default=Path("docs/findings.md"), type=Path)


def work(given: Namespace) -> None:
    """Write the page, and say which remarks the records contradict."""
    write_text(given.out, page(given.reference, given.out))
    LOG.info("%s says what %s shows", given.out, given.reference)


def page(folder: Path, out: Path) -> str:
    """Page on the results in `folder`, with links from where `out` is.

    Raises
    ------
    InputError
        If the folder was not gathered by `snakemake reference`.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    if not (folder / "config.yaml").exists():
        raise InputError(
            f"{folder} has no config.yaml and so was not gathered by `snakemake reference`; run "
            "`make reference`, or name another folder with --reference"
        )
    config = Config.recorded(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")))
    plan = Plan(**config.plan())
    records = read_records(folder)
    tables = pd.concat(
        pd.read_csv(path, dtype=TEXT)
        for path in sorted(folder.glob("tables/*[a-z0-9].csv"))
        if not path.name.endswith(".wide.csv") and path.stem not in ("comparison", "capabilities")
    )
    verdicts = decide(records, plan, load_claims(), seeds_of_studies(folder / "studies"))
    failed, studies = failed_judges(records), read_studies(folder, config)
    believed = trusted(tables, failed)
    link = Path(os.path.relpath(folder, out.parent)).as_posix()
    facts = facts_of(
        believed,
        trusted(records, failed),
        {name: trusted(frame, failed) for name, frame in studies.items()},
    )
    remarks = load_remarks()
    for remark in remarks:
        if remark.check(facts) == CONTRADICTED:
            LOG.warning("the records contradict the remark %s, which is left out", remark.id)

    def remarks_on(section: str) -> str:
        stand = [r for r in remarks if r.section == section and r.check(facts) == STANDS]
        return "\n".join(f"* {remark.written(facts)}" for remark in stand)

    def study(name: str) -> str:
        frame = studies.get(name)
        return findings.NONE if frame is None else "\n".join(findings.study_block(frame))

    alpha = studies.get("alpha")
    blocks = {
        "failed": first_lines(failed.values()),
        "in_short": findings.in_short(verdicts),
        "own": overview(verdicts, plan, drawn=False, page=f"{link}/claims.md"),
        "drawn": overview(verdicts, plan, drawn=True, page=f"{link}/claims.md"),
        "not_run": [not_run(counterparts(records, plan))],
        "paper_counts": findings.paper_counts(findings.against_paper(believed), plan),
        "readings_at_every_rate": findings.readings_at_every_rate(tables, plan),
        "alpha": [findings.NONE] if alpha is None else findings.alpha_block(alpha, plan),
        "swap": findings.swap_block(trusted(records, failed), plan),
    }
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent), undefined=StrictUndefined, autoescape=False
    )
    text = environment.get_template(TEMPLATE.name).render(
        **{name: "\n".join(lines) for name, lines in blocks.items()},
        about=took(read_json(folder / "provenance.json")),
        folder=folder.as_posix(),
        link=link,
        study=study,
        remarks=remarks_on,
        register=register(config, studies),
    )
    return without_gaps(text)


def read_studies(folder: Path, config: Config) -> dict[str, pd.DataFrame]:
    """Studies of variants that are in the folder, by name, and `alpha`."""
    found = {}
    for name in (*config.values["studies"]["variants"], "alpha"):
        path = folder / "studies" / f"{name}.csv"
        if path.exists():
            frame = pd.read_csv(path, dtype=TEXT)
            found[name] = frame.rename(columns={"variant": "value"})
    return found


def register(config: Config, studies: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Every decision, with the studies that measured it."""
    named = config.values["studies"]["variants"]
    by_id: dict[str, list[str]] = {"m2-alpha": ["alpha"], "diva-alpha": ["alpha"]}
    for name, study in named.items():
        for identity in study.get("deviations", []):
            by_id.setdefault(identity, []).append(name)
    found = []
    for entry in entries():
        cells = {key: findings.in_cell(entry[key]) for key in ("paper", "ours")}
        runs = [name for name in by_id.get(entry["id"], []) if name in studies]
        measured = "; ".join(f"`study_{name}`, above" for name in runs)
        found.append({**entry, **cells, "measured": measured})
    return found


def without_gaps(text: str) -> str:
    """Text with at most one empty line in a row, where blocks were empty."""
    lines: list[str] = []
    for line in text.splitlines():
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    run(__doc__, arguments, work)
