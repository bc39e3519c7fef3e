"""Verdicts, comparisons and numbers in words, as pages have them."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence

from workflow.reporting.claims import EVERY, GENERALLY, Claim
from workflow.reporting.judges import UNJUDGED
from workflow.reporting.names import in_a_row
from workflow.reporting.records import Plan
from workflow.reporting.statistics import MOST_SEEDS
from workflow.reporting.verdicts import (
    AGREES,
    ALL_RATES,
    DISAGREES,
    FAILS,
    HOLDS,
    NOT_MEASURED,
    NOT_RUN,
    UNDECIDED,
    Comparison,
    Verdict,
    counted,
)


def grouped(verdicts: Iterable[Verdict], key: Callable[[Verdict], Hashable]) -> list[list[Verdict]]:
    """Put verdicts with the same key together, in the order in which they first come."""
    groups: dict[Hashable, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(key(verdict), []).append(verdict)
    return list(groups.values())


def by_subject(verdicts: Iterable[Verdict]) -> list[list[Verdict]]:
    """Put verdicts that differ in their scope only together, the claim's own scope first."""
    return grouped(verdicts, lambda v: (v.dataset, v.subject))


def readings_in_words(verdicts: Sequence[Verdict], plan: Plan) -> str:
    """Verdicts on one data set: once if all readings have the same."""
    groups = by_subject(verdicts)
    words = {scopes_in_words(scopes) for scopes in groups}
    if len(groups) > 1 and len(words) == 1:
        return f"{words.pop()}, every reading"
    return "; ".join(
        f"{title_of(scopes[0].subject, plan)}: {scopes_in_words(scopes)}"
        if len(groups) > 1
        else scopes_in_words(scopes)
        for scopes in groups
    )


def scopes_in_words(scopes: Sequence[Verdict]) -> str:
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


def title_of(model: str, plan: Plan) -> str:
    """Title of a planned model, also with a weight: "diva=10"; or the name of anything else."""
    name, _, alpha = model.partition("=")
    title = plan.models[name]["title"] if name in plan.models else name
    return f"{title}, alpha = {alpha}" if alpha else title


def opponent_in_words(claim: Claim, opponent: str, plan: Plan) -> str:
    """What a subject is compared with: a model by its title, a measure by its heading."""
    if claim.against:
        return claim.against.heading
    return title_of(opponent, plan) if claim.rivals else f"`{opponent}`"


def in_cell(text: object) -> str:
    """Text as it may stand in a cell of a Markdown table."""
    return str(text).replace("|", r"\|")


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
    at = (
        _together(verdict.claim) if c.supervision_rate == ALL_RATES else f"f = {c.supervision_rate}"
    )
    colon = ":" if verdict.claim.against else ""
    opponent = opponent_in_words(verdict.claim, c.opponent, plan)
    there = f"{opponent}{colon} {number(c.opponent_mean, 4)}"
    if verdict.claim.value is not None:
        there = c.opponent
    return (
        f"{at}: {title_of(c.subject, plan)} {number(c.subject_mean, 4)} against {there}, "
        f"{apart(verdict.claim, c)}, {'one seed' if c.seeds == 1 else f'{c.seeds} seeds'}"
    )


def _together(claim: Claim) -> str:
    """All f that a claim is about."""
    words = "all f"
    if claim.at_most < 1:
        words += f" up to {claim.at_most:g}"
    if claim.at_least > 0:
        words += f" from {claim.at_least:g} on"
    return words


def on_its_side(verdict: Verdict, plan: Plan) -> str:
    """Which of several rivals a claim that does not hold is right about in the mean; or empty."""
    rivals = dict.fromkeys(c.opponent for c in verdict.deciding if c.difference is not None)
    lost = {c.opponent for c in verdict.against}
    if verdict.outcome not in (FAILS, UNDECIDED, DISAGREES) or not 0 < len(lost) < len(rivals):
        return ""
    return f"as claimed against {in_a_row(title_of(m, plan) for m in rivals if m not in lost)}"


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
