"""Does the paper hold? At most ten sentences that follow from the verdicts by a rule.

The first says what was put to the test. Then come, for the paper's own data and for drawn
stand-ins apart, what holds, what fails, what is undecided, and what too few seeds point to: one
sentence each, with the surest claims first. The last says what is not decidable here, and why.
Every number is of the comparison that is least in favour of its claim.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from workflow.reporting.claims import Claim
from workflow.reporting.judges import UNJUDGED
from workflow.reporting.names import STAND_INS, dataset_name, original_name
from workflow.reporting.records import Plan
from workflow.reporting.verdicts import (
    AGREES,
    ALL_RATES,
    DISAGREES,
    FAILS,
    HOLDS,
    NOT_MEASURED,
    UNDECIDED,
    Verdict,
)
from workflow.reporting.wording import grouped, needed_in_words, number, share, title_of

MOST = 10
NAMED, NAMED_OPEN, NAMED_OF_FEW_SEEDS = 3, 1, 1
"""Claims that a sentence names with their numbers: of decided ones, of open ones, and of those with
too few seeds where others on data of the same kind have enough. Others are counted."""
KINDS = {False: "the paper's own data", True: "drawn stand-ins"}
LEADS = {
    HOLDS: ("**Holds**", "that"),
    FAILS: ("**Fails**", "that"),
    UNDECIDED: ("**Undecided**", "whether"),
    AGREES: ("**Too few seeds to decide, in favour**", "that"),
    DISAGREES: ("**Too few seeds to decide, against**", "that"),
}

DECIDED = (HOLDS, FAILS)
TESTED = (*DECIDED, UNDECIDED)

Case = list[Verdict]
"""Verdicts on one claim and data set, for each reading of CCVAE and scope; what the claim says of
the paper's own reading comes first."""


def answer(verdicts: Sequence[Verdict], plan: Plan, paper: pd.DataFrame, page: str) -> list[str]:
    """Answer in at most `MOST` sentences.

    Parameters
    ----------
    verdicts
        From `workflow.reporting.court.decide`.
    plan
        What was asked for.
    paper
        From `workflow.reporting.tables.counterparts`.
    page
        Where each claim has its own place, for links; empty on that page.
    """
    cases = grouped(verdicts, lambda v: (v.claim.id, v.dataset))
    sentences: dict[tuple[bool, str], str] = {}
    for drawn in KINDS:
        enough = any(c[0].stand_in == drawn and c[0].outcome in TESTED for c in cases)
        for outcome, (lead, junction) in LEADS.items():
            found = [c for c in cases if (c[0].stand_in, c[0].outcome) == (drawn, outcome)]
            if found:
                most = NAMED_OPEN if outcome == UNDECIDED else NAMED
                most = NAMED_OF_FEW_SEEDS if enough and outcome not in TESTED else most
                claims = _listed(found, junction, plan, most)
                sentences[drawn, outcome] = f"{lead} on {KINDS[drawn]}: {claims}."
    for drawn in KINDS:
        pointing = {(drawn, AGREES), (drawn, DISAGREES)}
        if len(sentences) > MOST - 2 and pointing <= sentences.keys():
            against = sentences.pop((drawn, DISAGREES))
            sentences[drawn, AGREES] = f"{sentences[drawn, AGREES][:-1]}; {against}"
    return [_tested(cases, plan), *sentences.values(), _open(cases, paper, page)]


def _tested(cases: Sequence[Case], plan: Plan) -> str:
    """What was put to the test, on which data."""
    every, tested, parts = {case[0].claim.id for case in cases}, list[set[str]](), list[str]()
    for drawn, words in KINDS.items():
        run = [case[0] for case in cases if case[0].run and case[0].stand_in == drawn]
        names = list(dict.fromkeys(v.dataset for v in run))
        if names and drawn:
            words += f" for {' and '.join(map(original_name, names))}"
        tested.append({v.claim.id for v in run})
        few = tested[-1] - {v.claim.id for v in run if v.outcome not in (AGREES, DISAGREES)}
        about = [_names(names), plan.seeds_in_words(names, fewer=False)] if names else []
        about += [f"too few seeds to decide {len(few)} of them"] if few else []
        where = f" ({'; '.join(about)})" if about else ""
        parts.append(f"{len(tested[-1]) or 'none'} on {words}{where}")
    both = f"; {n} of these on both" if (n := len(set.intersection(*tested))) else ""
    return (
        f"{len(every)} {_claims(len(every))} of the paper {'is' if len(every) == 1 else 'are'} put "
        f"as numbers here, and {len(set.union(*tested))} tested: {' and '.join(parts)}{both}."
    )


def _names(datasets: Iterable[str]) -> str:
    """Names in a sentence that has said already which data are drawn."""
    return ", ".join(dataset_name(name).removesuffix(" (drawn)") for name in datasets)


def _listed(found: Sequence[Case], junction: str, plan: Plan, most: int) -> str:
    """Name the surest claims with their numbers, at most so many, and count the others."""
    by_claim = grouped_cases(sorted(found, key=_sureness))
    named = [
        f"{junction} {cases[0][0].claim.plain} ({_measured(cases[0][0].claim)}: "
        f"{'; '.join(in_numbers(case, plan) for case in cases)})"
        for cases in by_claim[:most]
    ]
    if others := len(by_claim[most:]):
        named.append(f"and {others} more {_claims(others)}")
    return "; ".join(named)


def _sureness(case: Case) -> tuple[float, float]:
    """Lowest first: by p-value, and without one by the seeds that would decide it."""
    needed = case[0].seeds_needed
    return case[0].p or 0.0, math.inf if needed is None or math.isnan(needed) else needed


def _measured(claim: Claim) -> str:
    """What is measured, and which way it is better."""
    lower = claim.metric.lower_is_better and claim.test != "similar"
    return f"{claim.metric.heading}{', lower is better' if lower else ''}"


def grouped_cases(cases: Iterable[Case]) -> list[list[Case]]:
    """Put the data sets of each claim together, in the order in which claims first come."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case[0].claim.id, []).append(case)
    return list(found.values())


def in_numbers(case: Case, plan: Plan) -> str:
    """Numbers of one claim on one data set, and how strongly they speak.

    That is the share of trainings where a verdict is decided, the seeds that it would take where it
    is not, and other scopes and readings only where they decide something else: p-values, and what
    is left open elsewhere, stand with the claim itself.
    """
    first, others = case[0], case[1:]
    c, name = first.decisive, _names([first.dataset])
    if c is None:
        return name
    whom = f"{title_of(c.opponent, plan)}'s " if len(first.claim.rivals) > 1 else ""
    own = ""
    if first.subject != first.claim.subject:
        own = f' of another model, "{title_of(first.subject, plan)}",'
    words = [f"{name} {number(c.subject_mean, 3)}{own} against {whom}{number(c.opponent_mean, 3)}"]
    if c.supervision_rate != ALL_RATES:
        words[0] += f" at f = {c.supervision_rate}"
    if c.margin:
        words.append(f"margin {number(c.margin, 3)}")
    if first.outcome in DECIDED and c.improvement is not None and first.claim.test != "similar":
        words.append(f"better in {share(c)} of trainings")
    if first.outcome == UNDECIDED:
        words += filter(None, [first.undecidable or needed_in_words(first)])
    for other in others:
        if other.outcome == first.outcome or other.outcome not in DECIDED:
            continue
        if other.subject == first.subject:
            words.append(f"over all f together it {other.outcome}")
        elif other.main:
            words.append(f'in the reading "{title_of(other.subject, plan)}" it {other.outcome}')
    return ", ".join(words)


def _open(cases: Sequence[Case], paper: pd.DataFrame, page: str) -> str:
    """What is not decidable here, and why."""
    by_claim = grouped_cases(cases)
    run = [any(case[0].run for case in of_claim) for of_claim in by_claim]
    own = [any(c[0].run and not c[0].stand_in for c in of_claim) for of_claim in by_claim]
    on_drawings = [
        of_claim[0][0].claim
        for anywhere, here, of_claim in zip(run, own, by_claim, strict=True)
        if anywhere and not here
    ]
    drawn = [claim for claim in on_drawings if claim.metric.drawn_only]
    others = [claim for claim in on_drawings if not claim.metric.drawn_only]
    away = [claim for claim in others if set(claim.datasets) <= set(STAND_INS.values())]
    clauses = []
    if away:
        clauses.append(
            f"{len(away)} {_claims(len(away))} on CelebA and CheXpert themselves, which may not be "
            "redistributed and were not run"
        )
    if drawn:
        links = ", ".join(_link(claim, page) for claim in drawn)
        clauses.append(
            f"{len(drawn)} {_claims(len(drawn))} on any photographs, of which no truth is known "
            f"({links})"
        )
    if studied := len(others) - len(away):
        links = ", ".join(_link(claim, page) for claim in others if claim not in away)
        clauses.append(f"{studied} {_claims(studied)} that were run on drawings alone ({links})")
    nowhere = [of_claim for here, of_claim in zip(run, by_claim, strict=True) if not here]
    for why, here in (
        ("whose measure no run has", True),
        ("for which nothing was run at all", False),
    ):
        found = [
            of_claim[0][0].claim
            for of_claim in nowhere
            if any(case[0].verdict == NOT_MEASURED for case in of_claim) == here
        ]
        if found:
            links = ", ".join(_link(claim, page) for claim in found)
            clauses.append(f"{len(found)} {_claims(len(found))} {why} ({links})")
    judged = [case[0] for case in cases if case[0].verdict == UNJUDGED]
    if judged:
        names = ", ".join(dict.fromkeys(dataset_name(v.dataset) for v in judged))
        clauses.append(f"{len(judged)} verdicts whose judge failed its gate ({names})")
    missing = int((~paper["run"]).sum())
    clauses.append(
        f"{missing} of the {len(paper)} cells of the paper's tables, which have no counterpart here"
    )
    return f"**Not decidable here**: {'; '.join(clauses)}."


def _claims(count: int) -> str:
    return "claim" if count == 1 else "claims"


def _link(claim: Claim, page: str) -> str:
    return f"[{claim.id}]({page}#{claim.id})"
