"""Write docs/findings.md, and docs/decisions.md, from what `snakemake reference` gathered."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from ccvae.files import write_text
from workflow.reporting import findings, open_choices, schedules
from workflow.reporting.claims import load_questions
from workflow.reporting.claims_markdown import not_run
from workflow.reporting.gathered import Gathered
from workflow.reporting.judge_seeds_pages import moved_by_judges
from workflow.reporting.judges import first_lines, trusted
from workflow.reporting.pages import rendered
from workflow.reporting.published import beside_published
from workflow.reporting.questions import claims_at_a_glance, on_question
from workflow.reporting.reference import asked_for
from workflow.reporting.register import entries
from workflow.reporting.remarks import CONTRADICTED, STANDS, facts_of, load_remarks
from workflow.reporting.wording import in_cell
from workflow.steps.command import LOG, run

TEMPLATE, DECISIONS = "findings.md.j2", "decisions.md.j2"


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--reference", default=Path("results/reference"), type=Path)
    parser.add_argument("--out", default=Path("docs/findings.md"), type=Path)


def work(given: Namespace) -> None:
    """Write both pages, and say which remarks the records contradict."""
    found = Gathered(given.reference)
    write_text(given.out, page(found, given.out))
    write_text(given.out.with_name("decisions.md"), decisions(found, given.out))
    LOG.info("%s says what %s shows", given.out, given.reference)


def page(found: Gathered, out: Path) -> str:
    """Page on what was gathered, with links from where `out` is."""
    plan, link = found.plan, found.link_from(out.parent)
    believed = trusted(found.tables, found.failed)
    facts = facts_of(believed, trusted(found.records, found.failed), found.studies)
    remarks = load_remarks()
    for remark in remarks:
        if remark.check(facts) == CONTRADICTED:
            LOG.warning("the records contradict the remark %s, which is left out", remark.id)

    def remarks_on(section: str) -> str:
        stand = [r for r in remarks if r.section == section and r.check(facts) == STANDS]
        return "\n".join(f"* {remark.written(facts)}" for remark in stand)

    questions = [
        {
            "id": question.id,
            "title": question.title,
            "claims": "\n".join(on_question(question, found.verdicts, plan, link)),
            "rows": findings.rows_of(question, found.folder, link),
            "repeat": question.repeat,
        }
        for question in load_questions()
    ]
    blocks = {
        "failed": first_lines(found.failed.values()),
        "answer": found.answer(""),
        "scope": findings.scope(found.records, plan, found.weak),
        "judge_seeds": moved_by_judges(
            found.judge_seeds,
            found.judge_cells,
            found.records,
            f"{link}/tables/judge_seeds.md",
        ),
        "glance": claims_at_a_glance(load_questions(), found.verdicts),
        "not_run": [not_run(found.paper)],
        "asked_for": asked_for(found.provenance.get("not_run", ())),
        "paper_counts": findings.paper_counts(findings.against_paper(believed), plan),
        "published": beside_published(believed, found.config),
        "swap": findings.swap_agreement(trusted(found.records, found.failed), plan),
        "studies": open_choices.studies_block(found.config, found.studies, found.spreads, link),
        "budget": schedules.budget_block(found, link),
        "protocol": schedules.protocol_block(found, link),
    }
    return rendered(
        TEMPLATE,
        **{name: "\n".join(lines) for name, lines in blocks.items()},
        about=found.took,
        folder=found.folder.as_posix(),
        link=link,
        questions=questions,
        remarks=remarks_on,
        decisions={entry["id"]: entry for entry in entries()},
    )


def decisions(found: Gathered, out: Path) -> str:
    """Page of every decision, with what the studies that measured it moved."""
    link, values = found.link_from(out.parent), found.config.values
    rows: list[dict[str, Any]] = []
    for entry in entries():
        cells = {key: in_cell(entry[key]) for key in ("paper", "ours", "reason")}
        effect = open_choices.measured(
            entry, values, found.studies, found.spreads, link, found.folder
        )
        rows.append({**entry, **cells, "measured": effect})
    return rendered(DECISIONS, register=rows)


if __name__ == "__main__":
    run(__doc__, arguments, work)
