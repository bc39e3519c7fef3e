"""Verdicts on the paper's claims, for readers: for each the sentence, numbers, verdict, budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence

import pandas as pd

from workflow.reporting.claims import EVERY, GENERALLY, Claim
from workflow.reporting.judges import UNJUDGED, first_lines
from workflow.reporting.names import STAND_INS, dataset_name
from workflow.reporting.records import Plan
from workflow.reporting.statistics import ALPHA, ENOUGH, LEAST, LEVEL, MOST_SEEDS, POWER
from workflow.reporting.verdicts import (
    AGREES,
    ALL_RATES,
    DISAGREES,
    DRAWN_ONLY,
    FAILS,
    HOLDS,
    NOT_MEASURED,
    NOT_RUN,
    UNDECIDED,
    Comparison,
    Verdict,
    counted,
    few,
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
        "(same f, same labelled images). **fails** says that the opposite is the case.",
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
        f"judge. Intervals are at {LEVEL:.0%}. Each reading of CCVAE is judged by itself; the "
        "paper's own is equation (8) taken literally.",
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


def grouped(verdicts: Iterable[Verdict], key: Callable[[Verdict], Hashable]) -> list[list[Verdict]]:
    """Put verdicts with the same key together, in the order in which they first come."""
    groups: dict[Hashable, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(key(verdict), []).append(verdict)
    return list(groups.values())


def _by_subject(verdicts: Iterable[Verdict]) -> list[list[Verdict]]:
    """Put verdicts that differ in their scope only together, the claim's own scope first."""
    return grouped(verdicts, lambda v: (v.dataset, v.subject))


def readings_in_words(verdicts: Sequence[Verdict], plan: Plan) -> str:
    """Verdicts on one data set: once if all readings have the same."""
    groups = _by_subject(verdicts)
    words = {_scopes(scopes) for scopes in groups}
    if len(groups) > 1 and len(words) == 1:
        return f"{words.pop()}, every reading"
    return "; ".join(
        f"{title_of(scopes[0].subject, plan)}: {_scopes(scopes)}"
        if len(groups) > 1
        else _scopes(scopes)
        for scopes in groups
    )


def _scopes(scopes: Sequence[Verdict]) -> str:
    """A verdict in the claim's own scope, and over all f together where that differs."""
    if len({v.verdict for v in scopes}) == 1:
        return _verdict_words(scopes[0])
    words = {EVERY: "at every f", GENERALLY: "over all f together"}
    return ", ".join(f"{words[v.scope]} {_verdict_words(v)}" for v in scopes)


def _verdict_words(verdict: Verdict) -> str:
    words = verdict.verdict if verdict.verdict == UNJUDGED else f"**{verdict.verdict}**"
    tested = "" if verdict.p is None else p_in_words(verdict.p)
    more = "; ".join(filter(None, [verdict.undecidable or tested, needed_in_words(verdict)]))
    return f"{words} ({more})" if more else words


def needed_in_words(verdict: Verdict) -> str:
    """How many seeds would decide an open verdict, and how; empty if nobody can say."""
    needed = verdict.seeds_needed
    if needed is None or math.isnan(needed):
        return ""
    count = f"more than {MOST_SEEDS}" if math.isinf(needed) else f"about {needed:.0f}"
    return f"{count} seeds would make it {'hold' if verdict.leans == HOLDS else 'fail'}"


def counts_in_words(verdicts: Iterable[Verdict]) -> str:
    """How many verdicts have each outcome: "4 hold, 2 are undecided"."""
    counts = counted(verdicts)
    order = (
        HOLDS,
        FAILS,
        UNDECIDED,
        AGREES,
        DISAGREES,
        UNJUDGED,
        NOT_MEASURED,
        DRAWN_ONLY,
        NOT_RUN,
    )
    few_seeds = " (too few seeds to decide)"
    verbs = {
        HOLDS: ("holds", "hold"),
        FAILS: ("fails", "fail"),
        UNDECIDED: ("is undecided", "are undecided"),
        AGREES: (f"agrees{few_seeds}", f"agree{few_seeds}"),
        DISAGREES: (f"disagrees{few_seeds}", f"disagree{few_seeds}"),
    }
    return ", ".join(
        f"{counts[name]} {verbs.get(name, (name, name))[counts[name] > 1]}"
        for name in order
        if counts[name]
    )


def p_in_words(p: float) -> str:
    """A p-value with two digits, and no more zeros than tell something."""
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


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


def title_of(model: str, plan: Plan) -> str:
    """Title of a planned model, also with a weight: "diva=10"; or the name of anything else."""
    name, _, alpha = model.partition("=")
    title = plan.models[name]["title"] if name in plan.models else name
    return f"{title}, alpha = {alpha}" if alpha else title


def _opponent(claim: Claim, opponent: str, plan: Plan) -> str:
    if claim.against:
        return claim.against.heading
    return title_of(opponent, plan) if claim.rivals else f"`{opponent}`"


def in_cell(text: object) -> str:
    """Text as it may stand in a cell of a Markdown table."""
    return str(text).replace("|", r"\|")


def _section(group: Sequence[Verdict], plan: Plan) -> list[str]:
    claim = group[0].claim
    lines = [f"### {claim.id}", "", f"{claim.statement} ({claim.where})", "", how(claim)]
    for words in (NOT_RUN, NOT_MEASURED, DRAWN_ONLY):
        names = dict.fromkeys(dataset_name(v.dataset) for v in group if v.verdict == words)
        if names:
            lines += ["", f"{words.capitalize()}: {', '.join(names)}."]
    for scopes in _by_subject(v for v in group if v.run):
        first = scopes[0]
        where = f"{dataset_name(first.dataset)}, {title_of(first.subject, plan)}"
        comparisons = dict.fromkeys(c for v in scopes for c in (*v.deciding, *v.shown))
        lines += ["", f"{where}: {_scopes(scopes)}", ""]
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
        opponent = _opponent(claim, c.opponent, plan)
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


def number(value: float | None, digits: int) -> str:
    """So many digits that count, zeros at the end included, and never a power of ten."""
    if not value or not math.isfinite(value):
        return f"{value or 0.0:g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{places}f}"


def share(c: Comparison) -> str:
    """How often the subject does better, with its interval; empty where nobody can say."""
    if c.improvement is None:
        return ""
    return f"{c.improvement:.0%} [{c.improvement_low:.0%}, {c.improvement_high:.0%}]"


def apart(claim: Claim, c: Comparison) -> str:
    """A difference in words: "lower by 0.0052 [0.0044, 0.0061]"."""
    difference = c.difference or 0.0
    if difference == 0 and not (c.low or c.high):
        return "no difference"
    favour, other = ("lower", "higher") if claim.metric.lower_is_better else ("higher", "lower")
    sign = 1 if difference >= 0 else -1
    text = f"{favour if sign > 0 else other} by {number(abs(difference), 2)}"
    if c.low is None or c.high is None:
        return text
    low, high = sorted((sign * c.low, sign * c.high))
    return f"{text} [{number(low, 2)}, {number(high, 2)}]"


def least_in_favour(verdict: Verdict, plan: Plan) -> str:
    """Write out the comparison that decided a verdict; empty where none was run."""
    c = verdict.decisive
    if c is None:
        return ""
    at = "all f" if c.supervision_rate == ALL_RATES else f"f = {c.supervision_rate}"
    colon = ":" if verdict.claim.against else ""
    opponent = _opponent(verdict.claim, c.opponent, plan)
    there = f"{opponent}{colon} {number(c.opponent_mean, 4)}"
    if verdict.claim.value is not None:
        there = c.opponent
    return (
        f"{at}: {title_of(c.subject, plan)} {number(c.subject_mean, 4)} against {there}, "
        f"{apart(verdict.claim, c)}, {'one seed' if c.seeds == 1 else f'{c.seeds} seeds'}"
    )


def budget(verdict: Verdict, plan: Plan) -> str:
    """One sentence: images seen in training, and the judge with its gate."""
    models = dict.fromkeys(m for c in verdict.deciding for m in (c.subject, c.opponent))
    known = {m: _range(verdict.images[m]) for m in models if m in verdict.images}
    seen = ", ".join(f"{title_of(model, plan)} {count}" for model, count in known.items())
    if len(known) > 1 and len(set(known.values())) == 1:
        seen = f"{next(iter(known.values()))} by each model"
    words = f"Images seen in training: {seen or 'not recorded'}."
    return f"{words} Judge: {verdict.judge}." if verdict.judge else words


def _range(images: tuple[float, float]) -> str:
    least, most = images
    return f"{most:,.0f}" if least == most else f"{least:,.0f} to {most:,.0f}"
