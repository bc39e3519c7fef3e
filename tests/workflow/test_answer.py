"""The ten sentences, from records whose verdicts are known."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

from tests.workflow.judging import BETTER, FAILED_JUDGE, claim, plan, records, swaps
from workflow.reporting.answer import LEADS, MOST, NAMED, answer
from workflow.reporting.claims import EVERY, Claim
from workflow.reporting.court import decide
from workflow.reporting.tables import counterparts
from workflow.reporting.verdicts import AGREES, DISAGREES

OWN = {"datasets": ("mnist",), "rivals": ("m2",)}


def sentences(frame: pd.DataFrame, *claims, **changes) -> list[str]:
    asked = plan(**changes)
    verdicts = decide(frame, asked, claims or [claim()])
    return answer(verdicts, asked, counterparts(frame, asked), "page.md")


def test_what_holds_is_said_with_its_numbers() -> None:
    first, *middle, last = sentences(swaps(**BETTER))
    assert first == (
        "1 claim of the paper is put as numbers here, and 1 tested: none on the paper's own data "
        "and 1 on drawn stand-ins for CelebA (synthetic_faces; 3 seeds)."
    )
    assert middle == [
        "**Holds** on drawn stand-ins: that CCVAE swaps best (difference, nats, lower is better: "
        "synthetic_faces 1.10 against M2's 2.12, better in 100% [54%, 100%] of trainings)."
    ]
    assert last == (
        "**Not decidable here**: 1 claim on CelebA and CheXpert themselves, which may not be "
        "redistributed and were not run; 160 of the 160 cells of the paper's tables, which have no "
        "counterpart here."
    )


@pytest.mark.parametrize(
    ("ccvae", "m2", "seeds", "lead", "junction"),
    [
        ([1.0, 1.1, 1.2], [2.0, 2.1, 2.2], 3, "**Holds**", "that"),
        ([2.0, 2.1, 2.2], [1.0, 1.1, 1.2], 3, "**Fails**", "that"),
        ([1.0, 2.0, 3.0], [2.0, 1.0, 4.0], 3, "**Undecided**", "whether"),
        ([1.0], [2.0], 1, "**Too few seeds to decide, in favour**", "that"),
        ([2.0], [1.0], 1, "**Too few seeds to decide, against**", "that"),
    ],
)
def test_records_turn_the_sentence_around(ccvae, m2, seeds, lead, junction) -> None:
    frame = swaps("mnist", ccvae=ccvae, m2=m2)
    (_, sentence, _) = sentences(frame, claim(**OWN), seeds=seeds)
    assert sentence.startswith(
        f"{lead} on the paper's own data: {junction} CCVAE swaps best "
        "(difference, nats, lower is better: MNIST"
    )
    decided = lead in ("**Holds**", "**Fails**")
    assert ("better in" in sentence) == decided, "what is open has no share to be repeated"
    assert ("seeds would make it" in sentence) == (lead == "**Undecided**")


def test_at_every_f_and_over_all_f_are_told_apart_and_so_are_readings() -> None:
    better = {"ccvae": [1.0, 1.1, 1.2, 1.3], "m2": [2.0, 2.1, 2.25, 2.3]}
    (_, sentence, _) = sentences(swaps("mnist", **better), claim(**OWN, scope=EVERY), seeds=4)
    assert "4 seeds at one f cannot decide it" in sentence
    assert "over all f together it holds" in sentence
    better["detached"] = [9.0, 9.1, 9.2, 9.3]
    (_, sentence, _) = sentences(swaps("mnist", **better), claim(**OWN), seeds=4)
    assert sentence.startswith("**Holds**")
    assert 'in the reading "CCVAE, detached" it fails' in sentence
    better["detached"] = [9.0, 0.1, 9.2, 0.3]
    (_, sentence, _) = sentences(swaps("mnist", **better), claim(**OWN), seeds=4)
    assert "in the reading" not in sentence, "a reading that decides nothing is left to the claim"


def test_what_is_not_decidable_says_why() -> None:
    lacking = claim(id="style", metric=claim().metric, datasets=("fashion_mnist",))
    frame = pd.concat([swaps(**BETTER), FAILED_JUDGE])
    *others, last = sentences(frame, claim(), lacking)
    assert len(others) == 1, "a judge that failed its gate decides nothing"
    assert "1 claim for which nothing was run at all ([style](page.md#style))" in last
    assert "verdicts whose judge failed its gate (synthetic_faces (drawn))" in last


def test_what_is_known_of_drawings_alone_is_no_matter_of_photographs() -> None:
    measure = replace(claim().metric, drawn_only=True)
    first, holds, last = sentences(swaps(**BETTER), claim(metric=measure))
    assert first.endswith("1 on drawn stand-ins for CelebA (synthetic_faces; 3 seeds).")
    assert holds.startswith("**Holds** on drawn stand-ins")
    assert "1 claim on any photographs, of which no truth is known ([swap](page.md#swap))" in last
    assert "on CelebA and CheXpert themselves" not in last


def test_claims_with_too_few_seeds_and_on_both_kinds_are_counted() -> None:
    frame, claims = every_outcome(1)
    first, *_ = sentences(frame, *claims)
    assert first == (
        "5 claims of the paper are put as numbers here, and 5 tested: 5 on the paper's own data "
        "(MNIST; 3 seeds; too few seeds to decide 2 of them) and 5 on drawn stand-ins for CelebA "
        "(synthetic_faces; 3 seeds; too few seeds to decide 2 of them); 5 of these on both."
    )


KINDS_OF = {
    "holds": ([1.0, 1.1, 1.2], [2.0, 2.1, 2.2]),
    "fails": ([2.0, 2.1, 2.2], [1.0, 1.1, 1.2]),
    "open": ([1.0, 2.0, 3.0], [2.0, 1.0, 4.0]),
    "for": ([1.0], [2.0]),
    "against": ([2.0], [1.0]),
}
"""Scores of CCVAE and of M2, by the outcome that they lead to, in the order of `LEADS`."""


def every_outcome(number: int) -> tuple[pd.DataFrame, list[Claim]]:
    """So many claims of each outcome, on digits and on drawn faces, and their records."""
    values: dict[tuple[str, str, str], list[float]] = {}
    claims = []
    for one in range(number):
        for name, scores in KINDS_OF.items():
            metric = type(claim().metric)(f"{name}{one}", "nats", lower_is_better=True)
            for rate in ("0.06", "1.0"):
                for model, found in zip(("ccvae", "m2"), scores, strict=True):
                    values[model, metric.name, rate] = found
            claims.append(claim(
                id=metric.name, metric=metric, rivals=("m2",), datasets=("celeba", "mnist"),
                shown=metric.name,
            ))  # fmt: skip
    return pd.concat([records(values, "mnist"), records(values, "synthetic_faces")]), claims


@pytest.mark.parametrize("lacking", list(KINDS_OF))
@pytest.mark.parametrize("where", ["mnist", "synthetic_faces"])
def test_one_outcome_less_leaves_whole_sentences(lacking, where) -> None:
    frame, claims = every_outcome(1)
    less = frame[(frame["dataset"] != where) | (frame["metric"] != f"{lacking}0")]
    found = sentences(less, *claims)
    assert len(found) <= MOST
    assert all(re.search(r"[^;,: ]\.$", sentence) for sentence in found)
    leads = dict(zip(KINDS_OF, (lead for lead, _ in LEADS.values()), strict=True))
    counts = {kind: "\n".join(found).count(lead) for kind, lead in leads.items()}
    assert counts == {kind: 1 + (kind != lacking) for kind in KINDS_OF}


def test_there_are_never_more_than_ten_and_others_are_counted() -> None:
    frame, claims = every_outcome(NAMED + 2)
    found = sentences(frame, *claims)
    assert len(found) == MOST
    text = "\n".join(found)
    for lead, _ in LEADS.values():
        assert text.count(lead) == 2
    assert sum(s.startswith("**Holds**") and s.endswith("; and 2 more claims.") for s in found) == 2
    pointing = [s for s in found if LEADS[AGREES][0] in s]
    assert all(LEADS[DISAGREES][0] in sentence for sentence in pointing)
