"""Gather what readers want to see of a preset in one small folder."""

from __future__ import annotations

import os
import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import yaml

from ccvae.errors import InputError
from ccvae.files import read_json, write_json, write_text
from workflow.config import Config
from workflow.planning.costs import measured_since
from workflow.planning.jobs import jobs_of
from workflow.provenance import machine
from workflow.reporting.judges import failed_judges
from workflow.reporting.pictures import shrink
from workflow.reporting.records import Plan
from workflow.reporting.reference import index_markdown, origin, write_parts
from workflow.reporting.timing import elapsed_seconds, job_times
from workflow.steps.command import LOG, add_settings_argument, run
from workflow.steps.reporting import check_claims

RECORDS, CLAIMS, COMPARISON = "records.csv", "claims.csv", "tables/comparison.csv"


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--results", required=True, type=Path, help="folder of the preset")
    parser.add_argument("--out", required=True, type=Path, help="folder for readers")


def work(given: Namespace) -> None:
    """Copy, shrink pictures, and write config.yaml, provenance.json and README.md.

    Settings: `values`, the configuration; `files` to copy and `pictures` to shrink, as paths below
    the preset's folder, the latter without suffix.
    """
    require_ours(given.out)
    config, names = Config(given.settings["values"]), given.settings["files"]
    most = config.values["reference"]["most_mb"]
    records = pd.read_csv(given.results / RECORDS, dtype={"supervision_rate": str})
    with replaced_folder(given.out) as folder:
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            copy = shrink if target.suffix == ".png" else shutil.copyfile
            copy(given.results / name, target)
        parts = write_parts(records, folder)
        plan = Plan(**config.plan())
        # Verdicts rest on studies, too, which were perhaps not there when they were last made.
        places = (folder / CLAIMS, folder / COMPARISON)
        check_claims.write(plan, folder, *places, judges=given.results / "judges")
        captions = {}
        for stem in given.settings["pictures"]:
            shrink(given.results / f"{stem}.png", folder / f"{stem}.png")
            captions[f"{stem}.png"] = (given.results / f"{stem}.txt").read_text(encoding="utf-8")
        text = yaml.safe_dump(config.values, sort_keys=False, allow_unicode=True)
        write_text(folder / "config.yaml", text)
        benchmarks = given.results / "benchmarks"
        provenance = {
            "command": command(config, given.out),
            **origin(records, job_times(benchmarks), elapsed_seconds(benchmarks)),
            "machine": machine(),
            "planned": planned(config, given.results),
            "not_run": not_run(config),
        }
        write_json(folder / "provenance.json", provenance)
        split = [name for name in parts if name not in names]
        files = [*names, *split, "config.yaml", "provenance.json"]
        failed = failed_judges(records).values()
        text = index_markdown(plan, provenance, files, captions, failed)
        write_text(folder / "README.md", text)
        size = require_small(folder, most, given.out)
    LOG.info("%s: %d files, %.2f MB", given.out, len(files) + len(captions) + 1, size)


def planned(config: Config, results: Path) -> dict[str, float]:
    """How long `make plan` said that jobs would take, and how long they did; {} if not asked."""
    if not (kept := results / "plan.json").exists():
        return {}
    n, estimated, took = measured_since(read_json(kept), list(jobs_of(config)), results)
    return {"jobs": n, "estimated_s": round(estimated), "took_s": round(took)} if n else {}


def not_run(config: Config) -> list[str]:
    """What was asked for and is not there; a configuration from before knows nothing of it."""
    found: list[str] = config.values["reference"].get("not_run", [])
    return found


def command(config: Config, out: Path) -> str:
    """What a reader types for the same folder; a target of make where it is the committed one."""
    if out == Path("results/reference"):
        return "make reference-so-far" if not_run(config) else "make reference"
    return f"snakemake --cores all reference (preset {config.preset})"


def require_ours(out: Path) -> None:
    """Refuse to replace what is no earlier reference.

    Raises
    ------
    InputError
        If something else is there.
    """
    if out.is_dir() and (not any(out.iterdir()) or (out / "provenance.json").is_file()):
        return
    if out.exists():
        raise InputError(
            f"{out} holds something else than an earlier reference, and would be replaced; name "
            "another folder (reference.folder), or remove it yourself"
        )


@contextmanager
def replaced_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder beside `out`; put it in the place of `out` when the block succeeds."""
    out.parent.mkdir(parents=True, exist_ok=True)
    new, old = (out.with_name(f".{out.name}.{os.getpid()}.{word}") for word in ("new", "old"))
    new.mkdir()
    try:
        yield new
        if out.exists():
            os.replace(out, old)
        os.replace(new, out)
    finally:
        for folder in (new, old):
            shutil.rmtree(folder, ignore_errors=True)


def require_small(folder: Path, most_mb: float, name: Path) -> float:
    """Size of a folder in MB.

    Raises
    ------
    InputError
        If it is more than `most_mb`.
    """
    sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    total = sum(sizes.values()) / 1e6
    if total > most_mb:
        largest = max(sizes, key=lambda path: sizes[path])
        raise InputError(
            f"{name} would take {total:.2f} MB, more than the {most_mb:g} MB of "
            f"reference.most_mb; its largest file is {largest.relative_to(folder)} with "
            f"{sizes[largest] / 1e6:.2f} MB, so name fewer figures in reference.figures"
        )
    return total


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out.with_suffix(".settings.json"))
