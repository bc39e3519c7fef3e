"""The findings of the drawn X-rays: CheXpert's joint law, and what is uncertain."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from ccvae.errors import InputError
from datasets.labels import FINDINGS, UNCERTAIN
from datasets.stand_ins import xrays
from datasets.stand_ins.drawn import BATCH
from datasets.stand_ins.xrays.labels import (
    COUNTS,
    SHOWN,
    STRENGTH,
    sample_findings,
    sample_labels,
    sample_strengths,
)

N = 200_000
POLICIES = pytest.mark.parametrize("uncertain", UNCERTAIN)
EACH_FINDING = pytest.mark.parametrize("finding", range(5), ids=FINDINGS)


@cache
def many_uniforms() -> np.ndarray:
    return np.random.default_rng(0).random((N, 16))


def law(uncertain: str) -> tuple[np.ndarray, np.ndarray]:
    """Combinations of findings and their probabilities, from the counts by other means."""
    counts = pd.read_csv(COUNTS)
    if uncertain == "drop":
        counts = counts[~counts[list(FINDINGS)].eq(-1).any(axis=1)]
    return counts[list(FINDINGS)].to_numpy(), (counts["views"] / counts["views"].sum()).to_numpy()


def as_labels(findings: np.ndarray, uncertain: str) -> np.ndarray:
    return np.isin(findings, (1, -1) if uncertain == "ones" else (1,)).astype(np.uint8)


def correlations(labels: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    covariance = np.cov(labels.T.astype(float), aweights=weights, ddof=0)
    spread = np.sqrt(np.diag(covariance))
    return covariance / np.outer(spread, spread)


def test_the_counts_are_those_of_the_frontal_training_views() -> None:
    counts = pd.read_csv(COUNTS)
    assert tuple(counts.columns) == (*FINDINGS, "views")
    assert len(counts) == len(counts[list(FINDINGS)].drop_duplicates()) == 3**5 - 45
    assert counts["views"].min() > 10
    assert counts["views"].sum() == 191_027 - 209
    # Of all frontal views, by the list itself.
    findings, shares = law("zeros")
    present = shares @ (findings == 1)
    assert present == pytest.approx([0.1224, 0.2600, 0.0680, 0.1556, 0.4026], abs=5e-4)
    unsure = shares @ (findings == -1)
    assert unsure == pytest.approx([0.0351, 0.0619, 0.1276, 0.1563, 0.0501], abs=1e-3)
    assert np.maximum(present, 1 - present).mean() == pytest.approx(0.798, abs=5e-4)


@POLICIES
def test_findings_are_drawn_from_the_counts(uncertain: str) -> None:
    drawn = sample_findings(many_uniforms(), uncertain)
    combinations, shares = law(uncertain)
    found = pd.Series(1, pd.MultiIndex.from_arrays(drawn.T)).groupby(level=[*range(5)]).sum()
    expected = pd.Series(N * shares, pd.MultiIndex.from_arrays(combinations.T))
    assert set(found.index) <= set(expected.index)
    found = found.reindex(expected.index, fill_value=0)
    assert (((found - expected) / np.sqrt(expected)).abs() < 5).all()


@POLICIES
def test_labels_go_together_as_in_the_counts(uncertain: str) -> None:
    labels = sample_labels(many_uniforms(), uncertain)
    findings, shares = law(uncertain)
    expected = as_labels(findings, uncertain)
    assert labels.mean(0) == pytest.approx(shares @ expected, abs=4 * 0.5 / np.sqrt(N))
    between = correlations(expected, shares)
    assert correlations(labels) == pytest.approx(between, abs=5 / np.sqrt(N))
    edema, consolidation, atelectasis = map(
        FINDINGS.index, ("Edema", "Consolidation", "Atelectasis")
    )
    assert between[edema, consolidation] < -0.01
    # What is said to be unsure of the one is unsure of the other.
    assert (between[consolidation, atelectasis] > 0.3) == (uncertain == "ones")


@POLICIES
def test_labels_follow_the_policy(uncertain: str) -> None:
    findings = sample_findings(many_uniforms(), uncertain)
    assert ((findings == -1).any()) == (uncertain != "drop")
    labels = sample_labels(many_uniforms(), uncertain)
    assert labels.dtype == np.uint8
    assert np.array_equal(labels, as_labels(findings, uncertain))


def test_what_a_label_is_called_does_not_change_the_picture() -> None:
    zeros, ones = (
        xrays.draw(64, seed=0, split="test", uncertain=policy) for policy in ("zeros", "ones")
    )
    assert np.array_equal(zeros.images, ones.images)
    assert (zeros.labels <= ones.labels).all()
    assert (zeros.labels < ones.labels).any()
    dropped = xrays.draw(64, seed=0, split="test", uncertain="drop")
    assert dropped.images.shape == zeros.images.shape
    assert not np.array_equal(dropped.images, zeros.images)


@pytest.mark.parametrize("uncertain", ["zeros", "ones"])
def test_uncertain_findings_are_faint_or_hidden(uncertain: str) -> None:
    uniforms = many_uniforms()
    findings = sample_findings(uniforms, uncertain)
    strengths = sample_strengths(sample_labels(uniforms, uncertain), uniforms, uncertain)
    unsure = findings == -1
    assert np.array_equal(strengths[~unsure], findings[~unsure])
    seen = strengths[unsure][strengths[unsure] > 0]
    assert len(seen) / unsure.sum() == pytest.approx(SHOWN, abs=0.01)
    assert (seen.min(), seen.max()) == pytest.approx(STRENGTH, abs=0.01)


@POLICIES
@EACH_FINDING
def test_a_changed_label_is_certain_and_changes_no_other(finding: int, uncertain: str) -> None:
    uniforms = many_uniforms()[:5_000]
    labels = sample_labels(uniforms, uncertain)
    before = sample_strengths(labels, uniforms, uncertain)
    labels[:, finding] = 1 - labels[:, finding]
    after = sample_strengths(labels, uniforms, uncertain)
    assert np.array_equal(after[:, finding], labels[:, finding])
    others = np.delete(np.arange(5), finding)
    assert np.array_equal(after[:, others], before[:, others])


@POLICIES
def test_own_labels_give_the_same_images(uncertain: str) -> None:
    drawn = xrays.draw(21, seed=5, split="test", start=BATCH, uncertain=uncertain)
    again = xrays.draw(
        21, seed=5, split="test", start=BATCH, labels=drawn.labels, uncertain=uncertain
    )
    assert np.array_equal(again.images, drawn.images)
    alone = xrays.draw(3, seed=5, split="test", start=2 * BATCH, uncertain=uncertain)
    assert np.array_equal(alone.images, drawn.images[BATCH : BATCH + 3])
    assert np.array_equal(alone.labels, drawn.labels[BATCH : BATCH + 3])


@EACH_FINDING
def test_an_uncertain_finding_shows_less_than_a_certain_one(finding: int) -> None:
    uniforms = np.random.default_rng(1).random((256 * BATCH, xrays.recipe().dice))
    strengths = sample_strengths(sample_labels(uniforms, "zeros"), uniforms, "zeros")[:, finding]
    dice = uniforms[(strengths > 0) & (strengths < 1)][:BATCH]
    assert len(dice) == BATCH

    def images(uncertain: str, value: int) -> np.ndarray:
        recipe = xrays.recipe(uncertain)
        labels = recipe.sample_labels(dice)
        labels[:, finding] = value
        drawn = recipe.render(recipe.sample_factors(labels, dice), np.random.default_rng(2))
        return drawn.astype(float)

    # An uncertain finding is labelled 0 under zeros and 1 under ones; the other label is certain.
    unsure, present, absent = images("zeros", 0), images("zeros", 1), images("ones", 0)
    assert np.array_equal(unsure, images("ones", 1))
    faint, full = (np.abs(image - absent).mean((1, 2, 3)) for image in (unsure, present))
    assert (faint > 0).mean() > 0.8
    assert (faint < full).all()


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(InputError, match="option 'uncertain' is 'ignore', but one of zeros, ones"):
        xrays.draw(1, seed=0, split="train", uncertain="ignore")
