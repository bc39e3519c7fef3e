"""Results that no training made, whose numbers a test chooses."""

from __future__ import annotations

import copy
import json
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from PIL import Image

from benchmarks.scale import invent_records
from ccvae.files import write_json
from workflow.config import Config
from workflow.identity import Run, settings_hash
from workflow.reporting.paper import TABLES
from workflow.steps.reporting import (
    check_claims,
    make_index,
    make_records,
    make_reference,
    make_table,
)
from workflow.studies.variants import summarise_variants, variants_markdown

ROOT = Path(__file__).parents[2]
Value = Callable[[Run, str], float]

METRICS = {
    "classes": ("accuracy", "generation_accuracy", "mutual_information"),
    "attributes": ("accuracy", "balanced_accuracy", "swap", "swap_normalised", "swap_logit"),
}
TABLES_MADE = ("table1", "table2", "table6", "table7")
PICTURES = ("figures/figure3/synthetic_faces_ccvae", "figures/against_f/mnist")


def configuration(**changes: Any) -> dict[str, Any]:
    """Two data sets, three models, two rates; three seeds of MNIST and one of the faces."""
    values = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    values.update(
        preset="made_up",
        datasets=["mnist", "synthetic_faces"],
        models=["ccvae", "ccvae_detached", "m2"],
        supervision_rates=["0.06", "1.0"],
    )
    values["data"]["mnist"]["seeds"] = 3
    del values["model_settings"]["ccvae_detached"]["datasets"]
    return copy.deepcopy({**values, **changes})


def records_without(config: Config, folder: Path, *words: str) -> Path:
    """Invented records of every run and judge but those whose path has one of these words."""
    invent_records(config, folder)
    for path in [*folder.rglob("metrics.json"), *folder.rglob("judge.json")]:
        if any(word in str(path) for word in words):
            path.unlink()
    return folder


def even(run: Run, metric: str) -> float:
    """Every model and metric the same, but for a little spread over seeds."""
    return 0.5 + 0.001 * run.seed


def judge(folder: Path, dataset: str, balanced_accuracy: float, minimum: float) -> None:
    """Write the record of a judge, which passes its gate or not."""
    metrics = {"accuracy": 0.9, "balanced_accuracy": balanced_accuracy}
    metrics["balanced_accuracy/Pale_Skin"] = balanced_accuracy
    training = {
        "stand_in": dataset.startswith("synthetic_"),
        "settings_hash": "abc",
        "data_checksum": "def",
        "code": {"commit": "0123456789abcdef", "dirty": False},
        "versions": {"torch": "2"},
        "device": "cpu",
        "wall_s": 1.0,
        "peak_mb": 100.0,
    }
    record = {
        "training": training,
        "gate": {
            "minimum": {"balanced_accuracy": minimum},
            "label_minimum": {"balanced_accuracy": 0.85},
        },
        "metrics": metrics,
        "majority": {"accuracy": 0.5, "balanced_accuracy": 0.5},
        "warnings": [],
        "unreadable_labels": [],
    }
    write_json(folder / "judges" / dataset / "judge.json", record)


def results(folder: Path, values: dict[str, Any], value: Value = even) -> list[str]:
    """Write a preset's folder; returns what of it `snakemake reference` would copy."""
    config = Config(values)
    common = {
        "settings_hash": "abc",
        "data_checksum": "def",
        "code": {"commit": "0123456789abcdef", "dirty": False},
        "versions": {"torch": "2"},
        "device": "cpu",
        "wall_s": 1.0,
        "peak_mb": 100.0,
    }
    for run in config.runs():
        record = {**common, "stand_in": run.dataset.startswith("synthetic_")}
        record["settings_hash"] = settings_hash(config.run_settings(run))
        metrics = {name: value(run, name) for name in METRICS[config.kind_of(run.dataset)]}
        metrics["accuracy/one label"] = 0.25
        write_json(
            folder / run.folder / "metrics.json", {**common, "run": record, "metrics": metrics}
        )
    for index, rule in enumerate(("train", "evaluate")):
        path = folder / "benchmarks" / rule / "mnist" / "m2" / f"f=1.0.seed={index}.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"s": 7200.0, "cpu_time": 3600.0, "max_rss": 500.0}) + "\n")
    files = reporting(folder, config)
    for stem in PICTURES:
        path = folder / f"{stem}.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (8, 6), "red").save(path)
        path.with_suffix(".txt").write_text(f"Caption of {stem}.\n")
    return files


def reporting(folder: Path, config: Config) -> list[str]:
    """Write records, tables and verdicts of what is in a preset's folder; their paths."""
    plan = config.plan()
    records = folder / "records.csv"
    make_records.work(Namespace(settings=plan, results=folder, out=records))
    asked = {"tables": TABLES_MADE, "settings": plan, "results": folder}
    make_table.work(Namespace(**asked, out=folder / "tables"))
    index = folder / "tables" / "index.md"
    make_index.work(Namespace(tables=TABLES_MADE, out=index))
    check_claims.work(
        Namespace(
            settings=plan,
            records=records,
            claims=folder / "claims.csv",
            comparison=folder / "tables" / "comparison.csv",
        )
    )
    files = ["claims.csv", "claims.md", "tables/index.md"]
    files += ["tables/comparison.csv", "tables/comparison.md"]
    assert set(TABLES_MADE) <= set(TABLES)
    files += [f"tables/{t}.{f}" for t in TABLES_MADE for f in ("md", "csv", "wide.csv", "tex")]
    return files


def study(folder: Path, name: str, scores: dict[str, dict[str, float]], dataset: str) -> list[str]:
    """Write a study of variants: variant -> metric -> score."""
    rows = [
        {"dataset": dataset, "supervision_rate": "0.06", "value": variant, "seed": 0}
        | {"images_seen": 160, "metric": metric, "score": score}
        for variant, metrics in scores.items()
        for metric, score in metrics.items()
    ]
    summary = summarise_variants(pd.DataFrame(rows))
    path = folder / "studies" / f"{name}.csv"
    path.parent.mkdir(exist_ok=True)
    summary.rename(columns={"value": "variant"}).to_csv(path, index=False)
    about = {"name": name, "title": "A study", "steps": 5}
    path.with_suffix(".md").write_text(variants_markdown(summary, about))
    return [f"studies/{name}.csv", f"studies/{name}.md"]


def reference(
    folder: Path, out: Path, values: dict[str, Any], files: list[str], **changes: Any
) -> Path:
    """Gather a preset's folder as `snakemake reference` does."""
    settings = {"values": values, "files": files, "pictures": list(PICTURES), **changes}
    make_reference.work(Namespace(settings=settings, results=folder, out=out))
    return out
