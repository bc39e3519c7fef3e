"""What planning and tables cost: by default, on the paper's grid, and for thousands of runs.

Plans the default and config/paper.yaml with Snakemake, invents the records of every run, and makes
the tables of them, in a folder that is removed afterwards. Limits are on the processor's time,
which hardly depends on what else the machine does.

    python -m benchmarks.scale --out docs/scale.md
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ccvae.files import write_json, write_text
from workflow.config import Config
from workflow.planning.overlay import merged_config
from workflow.provenance import versions
from workflow.reporting.claims import load_claims
from workflow.reporting.paper import TABLES
from workflow.reporting.records import REFERENCES

PAPER = Path("config/paper.yaml")
FOLDERS = "folders={celeba: /nowhere, chexpert: /nowhere}"
RUNS = 2000
"""Least number of runs of the larger grid."""
MATRIX_SIZE = 18
DEFAULT_LIMIT_S, PLANNING_LIMITS_S = 2.0, (5.0, 30.0)
TIMES = 3
"""How often planning the default is measured; the least counts."""
STEP_LIMIT_S, STEP_LIMIT_MB = 10.0, 500.0


@dataclass(frozen=True)
class Cost:
    """What a process took.

    Attributes
    ----------
    seconds
        Of processor time, in user and system mode.
    wall_s
        Until it had ended.
    peak_mb
        Largest resident memory.
    """

    seconds: float
    wall_s: float
    peak_mb: float


def cost_of(command: Sequence[str]) -> Cost:
    """Run a Python module and measure it.

    Raises
    ------
    RuntimeError
        With what it said, if it fails.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([sys.executable, "-m", *command], stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {said.read().decode()}")
    wall = time.monotonic() - began
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def planning_the_default() -> dict[str, Cost]:
    """Cost of a dry run, each with one thing more to do: where the time goes."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "Snakefile")
        empty.write_text("rule all:\n", encoding="utf-8")
        commands = {
            "Snakemake, with an empty file": ["--snakefile", str(empty), "--directory", folder],
            "the suite's rules and configuration, one job": ["plan"],
            "the default's jobs": [],
        }
        found = {
            name: [cost_of(["snakemake", "-n", *more]) for _ in range(TIMES)]
            for name, more in commands.items()
        }
    return {name: min(costs, key=lambda cost: cost.seconds) for name, costs in found.items()}


def planning(config: Config) -> Cost:
    """Cost of a dry run of the paper's preset with the models and seeds of a configuration."""
    more = [f"seeds={config.values['seeds']}", f"models={json.dumps(config.models)}"]
    settings = [FOLDERS, "preset=scale", *more]
    overlay = ["--configfile", str(PAPER), "--config", *settings]
    return cost_of(["snakemake", "-n", "--quiet", "rules", *overlay])


def large_config(seeds: int) -> Config:
    """The paper's preset with every known model and so many seeds."""
    every = merged_config([PAPER], [FOLDERS])["model_settings"]
    models = f"models={json.dumps(list(every))}"
    return Config(merged_config([PAPER], [FOLDERS, f"seeds={seeds}", models]))


def invent_records(config: Config, results: Path) -> None:
    """Write a record of every run and every judge, with numbers that mean nothing."""
    draw = random.Random(0)
    origin = {
        "stand_in": False,
        "settings_hash": "0" * 16,
        "data_checksum": "0" * 64,
        "code": {"commit": "0" * 40, "dirty": False},
        "versions": versions(),
        "device": "cpu",
        "wall_s": 1.0,
        "peak_mb": 1.0,
    }
    names = {metric.name for table in TABLES.values() for metric in table.metrics}
    names |= {claim.metric.name for claim in load_claims()}
    for run in config.runs():
        matrix = [[draw.random() for _ in range(MATRIX_SIZE)] for _ in range(MATRIX_SIZE)]
        record = {
            **origin,
            "run": {**origin, "settings": config.run_settings(run)},
            "metrics": {name: draw.random() for name in sorted(names)},
            "matrices": {kind: {"values": matrix} for kind in ("flip", "on", "off")},
        }
        write_json(results / run.folder / "metrics.json", record)
    for dataset in config.datasets:
        rows = {name: draw.random() for name in sorted(names)}
        gate = {
            "gate": {"minimum": {}, "label_minimum": {}},
            "unreadable_labels": [],
            "warnings": [],
        }
        judge = {"training": origin, "metrics": rows, "majority": rows, **gate}
        write_json(results / "judges" / dataset / "judge.json", judge)
        references = {name: rows for name in REFERENCES}
        write_json(results / "judges" / dataset / "references.json", {"metrics": references})


def reporting(config: Config, results: Path) -> dict[str, Cost]:
    """Cost of every step between records and readers, by name."""
    common = ["--settings", json.dumps(config.plan())]
    there = ["--results", str(results)]
    records, tables = results / "records.csv", results / "tables"
    steps = "workflow.steps.reporting."
    costs = {"records": cost_of([f"{steps}make_records", *common, *there, "--out", str(records)])}
    for name in TABLES:
        table = ["--tables", name, *common, *there, "--out", str(tables)]
        costs[name] = cost_of([f"{steps}make_table", *table])
    places = ["--claims", str(results / "claims.csv"), "--comparison", str(tables / "compare.csv")]
    costs["claims"] = cost_of([f"{steps}check_claims", *common, "--records", str(records), *places])
    told = ["--records", str(records), "--out", str(tables)]
    costs["capabilities"] = cost_of([f"{steps}make_capabilities", *common, *told])
    return costs


def page(
    default: dict[str, Cost], plans: dict[int, Cost], runs: int, costs: dict[str, Cost]
) -> str:
    """The measurements as Markdown.

    Parameters
    ----------
    default
        Cost of planning the default, and parts of it.
    plans
        Cost of planning, by number of runs.
    runs, costs
        How many records the steps read, and what each step took.
    """
    lines = [
        "# What planning and tables cost",
        "",
        "Made by `python -m benchmarks.scale --out docs/scale.md` on "
        f"{platform.machine()}, Python {platform.python_version()}. Other work on the machine "
        "adds to the time that passed, and little to that of the processor.",
        "",
        f"`snakemake -n`, the default; each line comes on top of those above it, least of {TIMES}:",
        "",
        "| what there is to do | processor | passed | limit | peak memory |",
        "|---|---|---|---|---|",
        *(row(name, cost, DEFAULT_LIMIT_S) for name, cost in default.items()),
        "",
        "What jobs add is Snakemake's own work, for each of them and for each file that it reads: "
        "so few jobs draw the figures of a data set, and one writes the tables of a kind of data. "
        "Functions of the rules are in modules, which Python need not compile anew each time.",
        "",
        "`snakemake -n` on config/paper.yaml, and with every known model and more seeds:",
        "",
        "| runs | processor | passed | limit | peak memory |",
        "|---|---|---|---|---|",
    ]
    for (count, cost), limit in zip(plans.items(), PLANNING_LIMITS_S, strict=True):
        lines.append(row(str(count), cost, limit))
    lines += [
        "",
        f"Each step that reads the records of {runs} runs:",
        "",
        "| step | processor | passed | limit | peak memory | limit |",
        "|---|---|---|---|---|---|",
    ]
    for name, cost in costs.items():
        lines.append(f"{row(name, cost, STEP_LIMIT_S)} {STEP_LIMIT_MB:.0f} MB |")
    return "\n".join(lines) + "\n"


def row(name: str, cost: Cost, limit: float) -> str:
    """One line of a table."""
    passed = f"{cost.seconds:.1f} s | {cost.wall_s:.1f} s | {limit:.0f} s"
    return f"| {name} | {passed} | {cost.peak_mb:.0f} MB |"


def main() -> None:
    """Measure, write the page, and fail if a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", required=True, type=Path, help="the page, as Markdown")
    out = parser.parse_args().out
    small = Config(merged_config([PAPER], [FOLDERS]))
    per_seed = len(list(large_config(1).runs()))
    large = large_config(-(-RUNS // per_seed))
    default = planning_the_default()
    plans = {len(list(config.runs())): planning(config) for config in (small, large)}
    with tempfile.TemporaryDirectory() as folder:
        invent_records(large, Path(folder))
        costs = reporting(large, Path(folder))
    write_text(out, page(default, plans, len(list(large.runs())), costs))
    slow = [cost.seconds > DEFAULT_LIMIT_S for cost in default.values()]
    slow += [
        cost.seconds > limit for cost, limit in zip(plans.values(), PLANNING_LIMITS_S, strict=True)
    ]
    slow += [c.seconds > STEP_LIMIT_S or c.peak_mb > STEP_LIMIT_MB for n, c in costs.items()]
    if any(slow):
        sys.exit(f"{sum(slow)} steps take more than they may, see {out}")


if __name__ == "__main__":
    main()
