"""The committed numbers, read by other means than the workflow's."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"
RESOURCES = ROOT / "workflow" / "resources"
CLAIMS = yaml.safe_load((RESOURCES / "claims.yaml").read_text(encoding="utf-8"))
RATE = {"supervision_rate": str, "alpha": str, "values": str, "late_std_values": str}

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
