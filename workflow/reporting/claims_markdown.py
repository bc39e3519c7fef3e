"""Verdicts on the paper's claims, for readers: for each the sentence, numbers, verdict, budget."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from workflow.reporting.claims import EVERY, Claim
from workflow.reporting.judges import UNJUDGED, first_lines
from workflow.reporting.names import STAND_INS, dataset_name
from workflow.reporting.records import Plan
from workflow.reporting.statistics import ALPHA, ENOUGH, LEAST, LEVEL, POWER
from workflow.reporting.verdicts import (
    AGREES,
    DISAGREES,
    DRAWN_ONLY,
    FAILS,
    HOLDS,
    NOT_MEASURED,
    NOT_RUN,
    UNDECIDED,
    Comparison,
    Verdict,
    few,
)
from workflow.reporting.wording import (
    apart,
    budget,
    by_subject,
    counts_in_words,
    grouped,
    in_cell,
    least_in_favour,
    number,
    opponent_in_words,
    readings_in_words,
    scopes_in_words,
    share,
    title_of,
)

OWN, DRAWN = "Does it hold on the paper's own data?", "Does it show on drawn data?"
QUESTIONS = ((False, OWN), (True, DRAWN))
"""Whether data are drawn, and what is asked of them."""

TESTS = {
    "better": "{direction} is better",
    "not_worse": "{direction} is better; worse by at most {margin} is not worse",
    "similar": "a difference of at most {margin} is none",
}


def claims_markdown(
    verdicts: Sequence[Verdict],
    plan: Plan,
    runs: int,
    paper: pd.DataFrame,
    warnings: Sequence[str] = (),
    failed: Sequence[str] = (),
) -> str:
    """Render all verdicts: the two questions, what was not run, then each claim with its numbers.

    Parameters
    ----------
    verdicts
        From `workflow.reporting.court.decide`.
    plan
        What the preset asks for.
    runs
        How many trained models stand behind the verdicts.
    paper
        From `workflow.reporting.tables.counterparts`.
    warnings
        Sentences about Gaussian processes that missed what is asked of them.
    failed
        Sentences about judges that failed their gates.
    """
    lines = [
        "# The paper's claims",
        "",
        *first_lines(failed),
        f"Preset `{plan.preset}`, {plan.seeds_in_words()}, {runs} runs. Each claim is a sentence "
        "of the paper, or the bold figures of a table that its caption stands for. Means over "
        "labels leave out those that the judge reads badly; tables have all of them.",
        "",
        *_legend(),
        "",
        *_reservations(warnings),
    ]
    for drawn, question in QUESTIONS:
        lines += [f"## {question}", "", *overview(verdicts, plan, drawn=drawn), ""]
        if not drawn:
            lines += [not_run(paper), ""]
    lines += ["## Claim by claim"]
    for group in grouped(verdicts, lambda v: v.claim.id):
        lines += ["", *_section(group, plan)]
    lines += [
        "",
        "Every comparison is in [claims.csv](claims.csv), every figure in "
        "[records.csv](records.csv).",
    ]
    return "\n".join(lines) + "\n"


def _legend() -> list[str]:
    return [
        f"* **{HOLDS}**, **{FAILS}**: at {ALPHA:.0%}, after Holm's correction over all verdicts on "
        "one table and kind of data. The test is an exact sign-flip test of paired differences "
        "(same f, same labelled images). **fails** says that the opposite is the case; of several "
        "rivals, against at least one.",
        f"* **{UNDECIDED}**: the differences are compatible with both. Fewer than {LEAST} of them, "
        "as at a single f with few seeds, are compatible with anything.",
        f"* **{few(AGREES, 1)}**, **{few(DISAGREES, 1)}**: nothing is decided with fewer "
        f"than {ENOUGH} seeds; they only point one way.",
        f"* **so many seeds would make it hold**, or fail, with a probability of {POWER:.0%} and "
        "after the same correction, if differences stayed as they are; a single difference cannot "
        "say.",
        f"* {UNJUDGED}: nothing follows from what such a judge sees. "
        f"**{NOT_MEASURED}**: no run has the measure. **{NOT_RUN}**: nothing was run for it. "
        f"**{DRAWN_ONLY}**: no photographs have one, drawings do.",
        "* A verdict is about further trainings on these data, with these test images and this "
        f"judge. Intervals are at {LEVEL:.0%}, of each difference by itself: one may leave out 0 "
        "where nothing is decided after the correction. Each reading of CCVAE is judged by itself; "
        "the paper's own is equation (8) taken literally.",
    ]


def _reservations(warnings: Sequence[str]) -> list[str]:
    if not warnings:
        return []
    lead = "**Reservations.** Mutual information rests on these Gaussian processes:"
    return [lead, "", *(f"* {warning}" for warning in warnings), ""]


def overview(verdicts: Iterable[Verdict], plan: Plan, *, drawn: bool, page: str = "") -> list[str]:
    """Answer one of the two questions: a row for each claim and data set that was run.

    `page` is where the claims are listed one by one, if not on the same page.
    """
    verdicts = list(verdicts)
    asked = list(dict.fromkeys(v.claim.id for v in verdicts if not drawn or _drawable(v.claim)))
    here = [v for v in verdicts if v.stand_in == drawn]
    run = [v for v in here if v.run]
    answered = {v.claim.id for v in run}
    measured, beyond = (
        {v.claim.id for v in here if v.verdict == words} - answered
        for words in (NOT_MEASURED, DRAWN_ONLY)
    )
    lines = [f"{len(answered)} of {len(asked)} claims were run on such data."]
    if run:
        counts = counts_in_words(run)
        lines = [
            f"{lines[0]} Verdicts, one for each data set and reading of CCVAE: {counts}.",
            "",
            "| claim | data | verdict | least in favour, or closest to the border |",
            "|---|---|---|---|",
        ]
    for readings in grouped(run, lambda v: (v.claim.id, v.dataset)):
        first, name = readings[0], readings[0].claim.id
        cells = [
            f"[{name}]({page}#{name}): {first.claim.statement} ({first.claim.where})",
            dataset_name(first.dataset),
            readings_in_words(readings, plan),
            least_in_favour(first, plan),
        ]
        lines.append("| " + " | ".join(map(in_cell, cells)) + " |")
    for words, names in (
        ("Not run on such data", [n for n in asked if n not in answered | measured | beyond]),
        ("Run, but without the measure that would decide it", [n for n in asked if n in measured]),
        (
            "Not decidable on photographs, which have no known truth",
            [n for n in asked if n in beyond],
        ),
    ):
        if names:
            links = ", ".join(f"[{name}]({page}#{name})" for name in names)
            lines += ["", f"{words}, {len(names)} of {len(asked)} claims: {links}."]
    return lines


def _drawable(claim: Claim) -> bool:
    """Whether drawn data can stand in for one of its data sets."""
    return bool(set(claim.datasets) & set(STAND_INS.values()))


def not_run(paper: pd.DataFrame) -> str:
    """Count which cells of the paper's tables have no counterpart."""
    parts = []
    for (table, dataset), cells in paper.groupby(["table", "dataset"], sort=False):
        if missing := int((~cells["run"]).sum()):
            name = dataset_name(str(dataset))
            parts.append(f"Table {table}, {name}: {missing} of {len(cells)}")
    open_ = int((~paper["run"]).sum())
    return f"{open_} of the {len(paper)} cells of the paper's tables have no counterpart here" + (
        f": {'; '.join(parts)}." if parts else "."
    )


def _section(group: Sequence[Verdict], plan: Plan) -> list[str]:
    claim = group[0].claim
    lines = [f"### {claim.id}", "", f"{claim.statement} ({claim.where})", "", how(claim)]
    for words in (NOT_RUN, NOT_MEASURED, DRAWN_ONLY):
        names = dict.fromkeys(dataset_name(v.dataset) for v in group if v.verdict == words)
        if names:
            lines += ["", f"{words.capitalize()}: {', '.join(names)}."]
    for scopes in by_subject(v for v in group if v.run):
        first = scopes[0]
        where = f"{dataset_name(first.dataset)}, {title_of(first.subject, plan)}"
        comparisons = dict.fromkeys(c for v in scopes for c in (*v.deciding, *v.shown))
        lines += ["", f"{where}: {scopes_in_words(scopes)}", ""]
        lines += [*_comparisons(claim, list(comparisons), plan), "", budget(first, plan)]
    return lines


def how(claim: Claim) -> str:
    """One paragraph: what is compared, and what would decide it."""
    opponent = ", ".join(claim.rivals)
    if claim.against:
        opponent = f"`{claim.against.name}` ({claim.against.heading})"
    elif claim.value is not None:
        opponent = f"{claim.value:g}"
    direction = "lower" if claim.metric.lower_is_better else "higher"
    test = TESTS[claim.test].format(direction=direction, margin=claim.margin)
    scope = "at every f" if claim.scope == EVERY else "over all f together"
    if claim.at_most < 1:
        scope += f" up to {claim.at_most:g}"
    if claim.at_least > 0:
        scope += f" from {claim.at_least:g} on"
    sentences = [
        f"{claim.decided} `{claim.metric.name}` ({claim.metric.heading}) of {claim.subject} "
        f"against {opponent}, {scope}; {test}."
    ]
    if claim.only_with:
        sentences.append(
            f"Models of which `{claim.only_with}` is not measured are not asked: by construction "
            "they could not have it."
        )
    if claim.margin.because:
        sentences.append(f"The margin is {claim.margin}: {claim.margin.because}")
    if claim.study:
        sentences.append(f"From the study `{claim.study}`, which has a budget of its own.")
    return " ".join(sentences)


def _comparisons(claim: Claim, found: Sequence[Comparison], plan: Plan) -> list[str]:
    lines = [
        f"| against | f | here | there | difference, {LEVEL:.0%} | better in | seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    for c in found:
        opponent = opponent_in_words(claim, c.opponent, plan)
        if c.difference is None:
            cells = [opponent, c.supervision_rate, "", "", NOT_RUN, "", ""]
        else:
            better = share(c) if claim.test != "similar" else ""
            cells = [
                opponent,
                c.supervision_rate,
                number(c.subject_mean, 4),
                number(c.opponent_mean, 4),
                apart(claim, c),
                better,
                str(c.seeds),
            ]
        lines.append("| " + " | ".join(map(in_cell, cells)) + " |")
    return lines
