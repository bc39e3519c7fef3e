"""Verdicts on the paper's claims, for readers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workflow.reporting.claims import (
    FAILS,
    HOLDS,
    NOT_RUN,
    UNDECIDED,
    Amount,
    Claim,
    Comparison,
    Verdict,
)
from workflow.reporting.intervals import ENOUGH, LEVEL
from workflow.reporting.judges import UNJUDGED, first_lines
from workflow.reporting.names import dataset_name
from workflow.reporting.records import Plan

TESTS = {
    "better": "is better",
    "not_worse": "is not worse by more than the margin",
    "similar": "differs by no more than the margin",
    "tasks": "does every task, and each rival fails at one",
}


def claims_markdown(
    verdicts: Sequence[Verdict],
    plan: Plan,
    tolerances: dict[str, Amount],
    runs: int,
    warnings: Sequence[str] = (),
    failed: Sequence[str] = (),
) -> str:
    """Render all verdicts: an overview, then each claim with its numbers.

    Parameters
    ----------
    verdicts
        From `workflow.reporting.claims.decide`.
    plan
        What the preset asks for.
    tolerances
        From `workflow.reporting.claims.load_claims`.
    runs
        How many trained models stand behind the verdicts.
    warnings
        Sentences about Gaussian processes that missed what is asked of them.
    failed
        Sentences about judges that failed their gates.
    """
    by_claim: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_claim.setdefault(verdict.claim.id, []).append(verdict)
    lines = [
        "# The paper's claims",
        "",
        *first_lines(failed),
        f"Preset `{plan.preset}`, {plan.seeds_in_words()}, {runs} runs. "
        "Models are compared at the same f, seed by seed. From "
        f"{ENOUGH} seeds on, a difference has Student's {LEVEL:.0%} interval; with fewer it has "
        "the metric's tolerance around it, so that one seed decides only what is far apart. "
        f"**{HOLDS}**: every interval says so; **{FAILS}**: one interval says the opposite; "
        f"**{UNDECIDED}**: too few runs, or intervals on both sides; **{NOT_RUN}**: this preset "
        "has no runs for it. Each reading of CCVAE is judged by itself; the paper's own is "
        "equation (8) taken literally. A verdict on a drawn stand-in is not one on the data "
        "that it stands in for.",
        "",
        *_reservations(warnings),
        "| claim | place | verdict |",
        "|---|---|---|",
    ]
    for group in by_claim.values():
        claim = group[0].claim
        run = [v for v in group if v.verdict != NOT_RUN]
        words = "; ".join(f"{_where(v, plan)}: {_word(v)}" for v in run) or NOT_RUN
        lines.append(f"| [{claim.claim}](#{claim.id}) | {claim.place} | {words} |")
    for group in by_claim.values():
        lines += ["", *_section(group, plan, tolerances)]
    lines += [
        "",
        "Every comparison is in [claims.csv](claims.csv), every figure in "
        "[records.csv](records.csv).",
    ]
    return "\n".join(lines) + "\n"


def _reservations(warnings: Sequence[str]) -> list[str]:
    if not warnings:
        return []
    lead = "**Reservations.** Mutual information rests on these Gaussian processes:"
    return [lead, "", *(f"* {warning}" for warning in warnings), ""]


def _word(verdict: Verdict) -> str:
    """Word of a verdict, bold where there is one."""
    return verdict.verdict if verdict.verdict == UNJUDGED else f"**{verdict.verdict}**"


def _where(verdict: Verdict, plan: Plan) -> str:
    return f"{dataset_name(verdict.dataset)}, {_title(verdict.subject, plan)}"


def _title(model: str, plan: Plan) -> str:
    return plan.models[model]["title"] if model in plan.models else model


def _section(group: Iterable[Verdict], plan: Plan, tolerances: dict[str, Amount]) -> list[str]:
    group = list(group)
    claim = group[0].claim
    lines = [
        f"## {claim.id}",
        "",
        f"{claim.claim} ({claim.place})",
        "",
        _how(claim, tolerances),
        "",
        "| data | reading | verdict | holds / fails / undecided / not run | least in favour |",
        "|---|---|---|---|---|",
    ]
    for verdict in group:
        counts = verdict.counts
        numbers = " / ".join(str(counts[name]) for name in (HOLDS, FAILS, UNDECIDED, NOT_RUN))
        kind = " on a stand-in" if verdict.stand_in and verdict.verdict != NOT_RUN else ""
        cells = [
            dataset_name(verdict.dataset),
            _title(verdict.subject, plan),
            f"{_word(verdict)}{kind}",
            numbers,
            least_in_favour(verdict.decisive, plan),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _how(claim: Claim, tolerances: dict[str, Amount]) -> str:
    """One paragraph: what is compared, and what would decide it."""
    if claim.test == "tasks":
        bars = ", ".join(
            f"`{task.metric}` {'below' if task.lower_is_better else 'above'} "
            f"{task.reference or task.value}"
            for task in claim.tasks
        )
        return f"The subject {TESTS['tasks']}: {bars}."
    opponent = claim.reference or claim.against or ", ".join(claim.rivals) or f"{claim.value:g}"
    direction = "lower" if claim.lower_is_better else "higher"
    sentences = [f"`{claim.metric}` {TESTS[claim.test]}, against {opponent}"]
    sentences[0] += f" ({direction} is better)." if claim.test != "similar" else "."
    if claim.test in ("not_worse", "similar"):
        sentences.append(f"Margin: {_amount(claim.margin)}.")
    sentences.append(f"Tolerance of few seeds: {_amount(tolerances[claim.metric])}.")
    if claim.fallback:
        sentences.append(f"Where it was not measured, `{claim.fallback}` stands in for it.")
    if claim.need == "most":
        sentences.append("More than half of the comparisons must hold.")
    return " ".join(sentences)


def _amount(amount: Amount) -> str:
    return f"{amount.relative:.0%}" if amount.relative else f"{amount.absolute:g}"


def least_in_favour(row: Comparison | None, plan: Plan) -> str:
    """Write out the comparison that decided a verdict; empty where none was run."""
    if row is None:
        return ""
    at = f"f = {row.supervision_rate}, "
    if row.difference is None:
        return f"{at}{_title(row.subject, plan)} {row.opponent}"
    return (
        f"{at}`{row.metric}` {row.subject_mean:.4g} against {_title(row.opponent, plan)} "
        f"{row.opponent_mean:.4g}: {row.difference:+.3g} in favour "
        f"[{row.low:+.3g}, {row.high:+.3g}], {row.n} seed{'s' if row.n > 1 else ''}"
    )
