"""Each question about the paper: its claims, for each the sentence, numbers, verdict and budget."""

from __future__ import annotations

from collections.abc import Sequence

from workflow.reporting.answer import KINDS, Case, grouped_cases
from workflow.reporting.claims import Question
from workflow.reporting.names import dataset_name
from workflow.reporting.records import Plan
from workflow.reporting.verdicts import DRAWN_ONLY, NOT_MEASURED, NOT_RUN, Verdict
from workflow.reporting.wording import (
    budget,
    counts_in_words,
    grouped,
    in_cell,
    least_in_favour,
    on_its_side,
    readings_in_words,
    share,
)


def claims_at_a_glance(questions: Sequence[Question], verdicts: Sequence[Verdict]) -> list[str]:
    """A row per claim, by question, with what the paper's own reading says on each data set.

    Parameters
    ----------
    questions
        In order.
    verdicts
        From `workflow.reporting.court.decide`.
    """
    heads = [words[0].upper() + words[1:] for words in KINDS.values()]
    lines = [f"| claim | {' | '.join(heads)} |", "|---|---|---|"]
    for question in questions:
        lines.append(f"| [**{question.title}**](#{question.id}) | | |")
        own = [v for v in verdicts if v.claim.question == question.id]
        for cases in grouped_cases(grouped(own, lambda v: (v.claim.id, v.dataset))):
            claim = cases[0][0].claim
            cells = [f"[{claim.plain}](#{claim.id})"]
            firsts = {drawn: [c[0] for c in cases if c[0].stand_in == drawn] for drawn in KINDS}
            # A study is run on some of the data that its claim is about.
            cells += [_first(of) or (NOT_RUN if claim.study else "") for of in firsts.values()]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _first(verdicts: Sequence[Verdict]) -> str:
    """Verdicts on each data set; where nothing has one, why not."""
    run = [f"{dataset_name(v.dataset)}: {_in_a_cell(v)}" for v in verdicts if v.run]
    return "; ".join(run).replace(" (drawn)", "") or ", ".join({v.verdict: 0 for v in verdicts})


def _in_a_cell(verdict: Verdict) -> str:
    """A verdict with the number of its seeds behind it, where these are too few."""
    if verdict.outcome == verdict.verdict:
        return verdict.verdict
    return f"{verdict.outcome} ({verdict.verdict.partition(':')[0]})"


def on_question(
    question: Question, verdicts: Sequence[Verdict], plan: Plan, link: str
) -> list[str]:
    """Answer one question claim by claim.

    Parameters
    ----------
    question
        Which one.
    verdicts
        From `workflow.reporting.court.decide`.
    plan
        What was asked for.
    link
        Where the gathered folder is.
    """
    own = [v for v in verdicts if v.claim.question == question.id]
    lines = [_in_short(own), ""]
    for cases in grouped_cases(grouped(own, lambda v: (v.claim.id, v.dataset))):
        lines += [*_on_claim(cases, plan, link), ""]
    return lines[:-1]


def _in_short(own: Sequence[Verdict]) -> str:
    """Count the verdicts, on the paper's own data and on drawn data apart."""
    parts = []
    for drawn, words in KINDS.items():
        counts = counts_in_words(v for v in own if v.stand_in == drawn and v.run)
        parts.append(f"On {words}: {counts or 'nothing was run'}.")
    return " ".join(parts)


def _on_claim(cases: Sequence[Case], plan: Plan, link: str) -> list[str]:
    claim = cases[0][0].claim
    lines = [
        f'<a id="{claim.id}"></a>',
        "",
        f"### {claim.plain[0].upper()}{claim.plain[1:]}?",
        "",
        f"> {claim.statement} ({claim.where})",
        "",
    ]
    run = [case for case in cases if case[0].run]
    if run:
        lines += ["| data | numbers, least in favour | verdict | budget |", "|---|---|---|---|"]
    for case in run:
        cells = [
            dataset_name(case[0].dataset),
            _numbers(case[0], plan),
            readings_in_words(case, plan),
            budget(case[0], plan),
        ]
        lines.append("| " + " | ".join(map(in_cell, cells)) + " |")
    if run:
        lines.append("")
    lacking = []
    for words in (NOT_RUN, NOT_MEASURED, DRAWN_ONLY):
        names = [dataset_name(case[0].dataset) for case in cases if case[0].verdict == words]
        if names:
            lacking.append(f"{words.capitalize()}: {', '.join(names)}.")
    decided = [f"Decided by: {claim.decided}", f"[Every comparison]({link}/claims.md#{claim.id})."]
    return [*lines, " ".join([*lacking, *decided])]


def _numbers(verdict: Verdict, plan: Plan) -> str:
    words, c = least_in_favour(verdict, plan), verdict.decisive
    if c is not None and c.margin:
        words += f"; margin {c.margin:.2g}"
    if c is not None and c.improvement is not None and verdict.claim.test != "similar":
        words += f"; better in {share(c)} of {c.differences} pairs of trainings"
    others = on_its_side(verdict, plan)
    return f"{words}; {others}" if others else words
