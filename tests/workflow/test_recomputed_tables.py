"""Every cell of the tables in the README, from the committed records alone."""

from __future__ import annotations

import re
from statistics import fmean, stdev

import pandas as pd
import pytest
import yaml

from tests.workflow.recomputing import NAMES, RATE, REFERENCE, RESOURCES, ROOT, titles, values

ROWS = {
    "Majority class": "majority",
    "Independent classifier": "judge",
    "Real images (in swaps the donor)": "copy_characteristics",
    "Mean image": "constant",
    "Test images": "test_images",
    "Another data set": "other_data",
}


@pytest.mark.skipif(not REFERENCE.exists(), reason="no result is committed yet")
def test_every_cell_of_the_tables_in_the_readme() -> None:
    config = yaml.safe_load((REFERENCE / "config.yaml").read_text(encoding="utf-8"))
    cells = values(readable=False)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    paper = pd.read_csv(RESOURCES / "paper_tables.csv", dtype=RATE)
    published = paper.set_index(["table", "metric", "dataset", "model", "supervision_rate"])[
        "value"
    ]
    models = titles(config) | ROWS
    seen = 0
    for number, metrics in ((6, ["accuracy"]), (7, ["generation_accuracy", "mutual_information"])):
        section = text.split(f"### Table {number}\n")[1].split("\n### ")[0].split("<!--")[0]
        heads: list[tuple[str, str, str]] = []
        for line in re.findall(r"^\| (.*) \|$", section, re.MULTILINE):
            first, *row = (cell.strip() for cell in line.split(" | "))
            if "f = " in line:
                heads, dataset, rate = [], NAMES.get(first, ""), ""
                for head in row:
                    if name := re.match(r"(\w+), f = ", head):
                        dataset = NAMES[name[1]]
                    rate = (re.search(r"f = ([\d.]+)", head) or [rate, rate])[1]
                    metric = metrics[1] if head == "MI" else metrics[0]
                    heads.append((metric, dataset, rate))
                continue
            model = models[first]
            for (metric, dataset, rate), cell in zip(heads, row, strict=True):
                where = rate if first in titles(config) else ""
                scores = cells.get(("", metric, dataset, model, where), [])
                if not scores:
                    assert cell == ""
                    continue
                system = config["model_settings"].get(model, {}).get("system", model)
                printed = published.get((number, metric, dataset, system, rate))
                # Halves may go either way.
                allowed = {_written(scores, printed, nudge) for nudge in (-1e-9, 1e-9)}
                assert cell.replace("*", "") in allowed, (first, cell)
                seen += 1
    assert seen > 60


def _written(scores: list[float], printed: float | None, nudge: float) -> str:
    def digits(value: float) -> int:
        return 4 if 0 < abs(value) < 0.01 else 3

    places = digits(fmean(scores))
    text = f"{fmean(scores) + nudge:.{places}f}"
    if len(scores) > 1:
        text += f" ± {stdev(scores):.{places}f}"
    return text if printed is None else f"{text} ({printed:.{digits(printed)}f})"


@pytest.mark.skipif(not REFERENCE.exists(), reason="no result is committed yet")
def test_what_can_be_seen_of_labels() -> None:
    """Every label of the first picture, with the judge's agreement on what was generated for it."""
    config = yaml.safe_load((REFERENCE / "config.yaml").read_text(encoding="utf-8"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    ends = rf"The outermost pictures lie {config['figures']['traversal_deviations']:g} standard"
    told = re.findall(
        rf"^\*.*\(balanced accuracy, 50% is chance\): (.*)\. {ends}", text, re.MULTILINE
    )
    frame = pd.read_csv(REFERENCE / "records_per_label.csv.gz")
    rate = max(config["supervision_rates"], key=float)
    own = frame[frame["run"] == f"runs/synthetic_faces/ccvae/f={rate}/seed=0"]
    values = dict(zip(own["metric"], own["value"], strict=True))
    seen = frame[frame["run"] == "judges/synthetic_faces"].set_index(["model", "metric"])["value"]
    for item in ", ".join(told).split(", "):
        weak = item.endswith(" (left out of claims)")
        label, _, share = item.removesuffix(" (left out of claims)").rpartition(" ")
        label = label.replace(" ", "_")
        assert share == f"{values[f'generation_balanced_accuracy/{label}']:.0%}"
        least = min(
            seen["judge", f"balanced_accuracy/{label}"],
            seen["true_redrawing", f"intervention_success/{label}"],
        )
        assert weak == (least < 0.85)
