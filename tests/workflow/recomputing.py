"""The committed numbers, read by other means than the workflow's."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd
import yaml
from scipy import stats

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"
RESOURCES = ROOT / "workflow" / "resources"
CLAIMS = yaml.safe_load((RESOURCES / "claims.yaml").read_text(encoding="utf-8"))
RATE = {"supervision_rate": str, "alpha": str, "values": str, "late_std_values": str}

BY_ID = {claim["id"]: claim for claim in CLAIMS["claims"]}
BY_PLAIN = {claim["plain"]: claim for claim in CLAIMS["claims"]}
NUMBER = r"-?[\d.]+(?:e[-+]?\d+)?"
SHARE = r"better in (\d+%) \[(\d+%), (\d+%)\] of "

NAMES = {"MNIST": "mnist", "FashionMNIST": "fashion_mnist", "CelebA": "celeba"}


def titles(config: dict) -> dict[str, str]:
    return {config["model_settings"][name]["title"]: name for name in config["models"]}


def values(*, readable: bool = True) -> dict[tuple[str, str, str, str, str], list[float]]:
    """(study, metric, data set, model or variant, f) -> values of the seeds, in order.

    Claims rest on the labels that the judge can read; tables show all.
    """
    records = pd.read_csv(REFERENCE / "records.csv.gz", dtype=RATE)
    found: dict[tuple[str, str, str, str, str], list[float]] = defaultdict(list)
    for row in records.sort_values("seed").to_dict("records"):
        rate = "" if pd.isna(row["supervision_rate"]) else row["supervision_rate"]
        found["", row["metric"], row["dataset"], row["model"], rate].append(row["value"])
    for study, metric, *where in list(found) if readable else ():
        if metric.endswith("_readable"):
            found[study, metric.removesuffix("_readable"), *where] = found[study, metric, *where]
    # Orders of budgets, and numbers of the paper, are made of the others.
    for path in (REFERENCE / "studies").glob("*.csv"):
        if path.stem.endswith(("_orders", "_paper")):
            continue
        for row in pd.read_csv(path, dtype=RATE).to_dict("records"):
            where = row["dataset"], row["supervision_rate"]
            if path.stem == "gradients_summary":
                spread = [float(v) for v in row["late_std_values"].split()]
                for metric, scores in (("late_std", spread), ("fixed_std", [row["fixed_std"]])):
                    found["gradients", metric, where[0], row["reading"], where[1]] = scores
            else:
                name = f"{row['model']}={row['alpha']}" if path.stem == "alpha" else row["variant"]
                scores = [float(v) for v in row["values"].split()]
                found[path.stem, row["metric"], where[0], name, where[1]] = scores
    return found


def dataset_of(words: str) -> str:
    return NAMES.get(words, words.removesuffix(" (drawn)"))


def pairs(claim: dict, dataset: str, subject: str, opponent: str, rate: str, cells: dict):
    """(ours, theirs) of every f and seed that is meant."""
    study = claim.get("study", "")
    limits = claim.get("rates", {})
    rates = sorted({k[4] for k in cells if (k[0], k[2]) == (study, dataset)} - {""}, key=float)
    rates = [r for r in rates if limits.get("at_least", 0) <= float(r) <= limits.get("at_most", 1)]
    found = []
    for each in rates if rate == "all" else [rate]:
        ours = cells[study, claim["metric"], dataset, subject, each]
        if "value" in claim:
            theirs = [claim["value"]] * len(ours)
        elif "against" in claim:
            theirs = cells[study, claim["against"], dataset, subject, each]
        else:
            theirs = cells[study, claim["metric"], dataset, opponent, each]
        # A model may have fewer seeds; they are the first ones.
        seeds = min(len(ours), len(theirs))
        found += list(zip(ours[:seeds], theirs[:seeds], strict=True))
    return found, seeds


def is_rounded(text: str, value: float, digits: int) -> bool:
    """Whether a text is a number to so many digits; halves may go either way."""
    unit = 10.0 ** (math.floor(math.log10(abs(value) or 1.0)) - digits + 1)
    return abs(float(text) - value) <= 0.501 * unit


def favour(claim: dict, found: list[tuple[float, float]]) -> list[float]:
    lower = CLAIMS["measures"][claim["metric"]].get("lower_is_better", False)
    return [b - a if lower else a - b for a, b in found]


def improvement(differences: list[float]) -> tuple[str, str, str]:
    n, wins = len(differences), sum(d > 0 for d in differences)
    losses = sum(d < 0 for d in differences)
    low = stats.beta.ppf(0.025, wins, n - wins + 1) if wins else 0.0
    high = 1 - stats.beta.ppf(0.025, losses, n - losses + 1) if losses else 1.0
    return tuple(f"{share:.0%}" for share in ((n + wins - losses) / 2 / n, low, high))


def interval(differences: list[float]) -> tuple[float, float]:
    """All centres that no sign flip rejects: means of subsets, without the outer 2.5 %."""
    values, means = np.array(differences), []
    for numbers in np.array_split(
        np.arange(1, 2 ** len(values)), max(1, 2 ** len(values) // 2**14)
    ):
        chosen = numbers[:, None] >> np.arange(len(values)) & 1
        means.append(chosen @ values / chosen.sum(1))
    means = np.sort(np.concatenate(means))
    outer = int(0.025 * (len(means) + 1))
    return means[outer - 1], means[-outer]


def of_model(words: str, config: dict) -> str:
    name, _, alpha = words.partition(", alpha = ")
    model = titles(config).get(name, name)
    return f"{model}={alpha}" if alpha else model


def rows(verdicts: pd.DataFrame, claim: str, dataset: str, subject: str, scope: str = ""):
    found = verdicts[(verdicts["claim"] == claim) & (verdicts["dataset"] == dataset)]
    found = found[(found["subject"] == subject) & found["decides"]]
    return found[found["scope"] == (scope or BY_ID[claim]["scope"])]


def reading(claim: dict, config: dict, cells: dict) -> str:
    """The paper's own reading: the first model of the subject's system that can be asked."""
    if "study" in claim:
        return claim["subject"]
    settings, asked = config["model_settings"], claim.get("only_with")
    able = {key[3] for key in cells if key[1] == asked and key[2] in claim["datasets"]}
    found = [n for n in config["models"] if settings[n]["system"] == claim["subject"]]
    return next(n for n in found if not asked or n in able)


def open_words(found: pd.DataFrame) -> list[str]:
    """What may stand behind an open verdict."""
    words = []
    needed = found["seeds_needed"].iloc[0]
    deciding = found[found["decides"] & found["difference"].notna()]
    side = "hold" if deciding["agrees"].astype(bool).all() else "fail"
    if math.isinf(needed):
        words.append(f"more than 100 seeds would make it {side}")
    elif not math.isnan(needed):
        words.append(f"about {needed:.0f} seeds would make it {side}")
    seeds = int(found["seeds"].min())
    words.append(f"{seeds} seeds at one f cannot decide it")
    return words


def p_words(p: float) -> str:
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def margin(about: dict, lower: bool) -> float:
    """The margin of a claim, out of the paper's tables."""
    table = pd.read_csv(RESOURCES / "paper_tables.csv", dtype=RATE)
    table = table[(table["table"] == about["table"]) & (table["metric"] == about["metric"])]
    by_cell: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for row in table.to_dict("records"):
        by_cell[row["dataset"], row["supervision_rate"]][row["model"]] = row["value"]
    apart = []
    for subject, cells in itertools.product(about["subjects"], [by_cell]):
        own = {cell: scores[subject] for cell, scores in cells.items() if subject in scores}
        if about["against"] == "themselves":
            for data in {cell[0] for cell in own}:
                mine = [v for (d, _), v in own.items() if d == data]
                apart.append((max(mine) - min(mine)) / np.mean(mine))
            continue
        for cell, mine in own.items():
            others = [v for name, v in cells[cell].items() if name != subject]
            other = about["against"]
            if other == "best":
                other = min(others) if lower else max(others)
            elif isinstance(other, str):
                other = cells[cell][other]
            gap = other - mine if lower else mine - other
            apart.append(gap / other if about.get("relative") else gap)
    return float(np.mean(apart)) if about["take"] == "lead" else max(map(abs, apart))


def margin_of(claim: dict, found: list[tuple[float, float]]) -> float:
    lower = CLAIMS["measures"][claim["metric"]].get("lower_is_better", False)
    mean = fmean(b for _, b in found) if claim["margin"].get("relative") else 1
    return margin(claim["margin"], lower) * mean


def ran(verdicts: pd.DataFrame) -> pd.DataFrame:
    nothing = ["not run", "not measured", "needs a known truth"]
    return verdicts[~verdicts["verdict"].isin(nothing)]
