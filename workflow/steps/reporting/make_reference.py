"""Gather what readers want to see of a preset in one small folder."""

from __future__ import annotations

import os
import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import yaml

from ccvae.errors import InputError
from ccvae.files import read_json, write_json, write_text
from workflow.config import Config
from workflow.planning.costs import measured_since
from workflow.planning.jobs import jobs_of, recorded_benchmarks
from workflow.provenance import machine
from workflow.reporting.judge_seeds import NAME as JUDGE_SEEDS
from workflow.reporting.judge_seeds import judges_of
from workflow.reporting.judges import failed_judges
from workflow.reporting.pictures import shrink
from workflow.reporting.record_files import RECORDS, TEXT, file_of, write_parts
from workflow.reporting.records import Plan
from workflow.reporting.reference import CAPTIONS, PROVENANCE, index_markdown, origin
from workflow.reporting.taken_over import take_over_files, take_over_pictures
from workflow.reporting.timing import added_up, elapsed_seconds, job_times, shared
from workflow.steps.command import LOG, add_settings_argument, run
from workflow.steps.reporting import check_claims, make_judge_seeds
from workflow.steps.studies import study_variants
from workflow.studies.plan import (
    OTHERS,
    described_study,
    recorded_trainings,
    variants_of,
)
from workflow.studies.seeds import read_studies, trainings

FORMS = ("md", "csv", "wide.csv", "tex", "png")
"""Of tables and studies, in the order of the index."""
CLAIMS, COMPARISON = "claims.csv", "tables/comparison.csv"


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--results", required=True, type=Path, help="folder of the preset")
    parser.add_argument("--out", required=True, type=Path, help="folder for readers")


def work(given: Namespace) -> None:
    """Copy, shrink pictures, and write config.yaml, provenance.json, captions.json and README.md.

    Settings: `values`, the configuration; `files` to copy and `pictures` to shrink, as paths below
    the preset's folder, the latter without suffix. What is recorded elsewhere comes along.
    """
    require_ours(given.out)
    config, names = Config(given.settings["values"]), given.settings["files"]
    if config.records_from:
        require_another(given.out, Path(config.records_from))
    most = config.values["reference"]["most_mb"]
    records = pd.read_csv(given.results / RECORDS, dtype=TEXT)
    plan = Plan(**config.plan())
    with replaced_folder(given.out) as folder:
        for name in names:
            copy(given.results / name, folder / name)
        parts = write_parts(records, folder)
        captions = {}
        for stem in given.settings["pictures"]:
            copy(given.results / f"{stem}.png", folder / f"{stem}.png")
            text = (given.results / f"{stem}.txt").read_text(encoding="utf-8")
            captions[f"{stem}.png"] = text.strip()
        if config.records_from:
            before = Path(config.records_from)
            names = [*names, *take_over(before, folder, config, given.results, records)]
            captions |= take_over_pictures(before, folder, plan)
        # Verdicts rest on studies, too, which were perhaps not there when they were last made.
        places = (folder / CLAIMS, folder / COMPARISON)
        check_claims.write(plan, folder, *places, judges=given.results / "judges")
        write_json(folder / CAPTIONS, captions)
        # What is gathered is whole, and refers to no other folder.
        values = {**config.values, "records_from": ""}
        text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        write_text(folder / "config.yaml", text)
        provenance = {
            "command": command(config, given.out),
            **where_from(config, records, given.results / "benchmarks"),
            "study_trainings": trainings(read_studies(folder / "studies")),
            "machine": machine(),
            "planned": planned(config, given.results),
            "not_run": not_run(config),
        }
        write_json(folder / PROVENANCE, provenance)
        for path in folder.rglob("*.md"):
            rename_records(path)
        files = list(dict.fromkeys([*parts, *names, CAPTIONS, "config.yaml", PROVENANCE]))
        failed = failed_judges(records).values()
        text = index_markdown(plan, provenance, files, captions, failed)
        write_text(folder / "README.md", text)
        size = require_small(folder, most, given.out)
    LOG.info("%s: %d files, %.2f MB", given.out, len(files) + len(captions) + 1, size)


def take_over(
    before: Path, folder: Path, config: Config, results: Path, records: pd.DataFrame
) -> list[str]:
    """Write what follows from earlier trainings, and copy what cannot be made anew; their paths.

    What studies and second judges say is set beside the runs of here, too.
    """
    recorded = recorded_trainings(config)
    studies, written = config.values["studies"]["variants"], []
    known = dict.fromkeys(v.study for v in variants_of(config) if v.folder in recorded)
    for name in known:
        if name in studies and not (folder / "studies" / f"{name}.csv").exists():
            written += gather_study(described_study(config, name, recorded), results, folder)
    tables = folder / "tables"
    cells = before / "tables" / f"{JUDGE_SEEDS}.csv"
    if cells.exists() and not (tables / cells.name).exists():
        plan, found = Plan(**config.plan()), pd.read_csv(cells, dtype=TEXT)
        found = found[found["dataset"].isin(plan.datasets)]
        found = found[found["model"].isin([*plan.models, "judge"])]
        make_judge_seeds.write(found, records, judges_of(found, records), plan, tables)
        written += [f"tables/{JUDGE_SEEDS}.{form}" for form in FORMS if form != "png"]
    alike = [f"studies/{OTHERS[n]}.{form}" for n in known if n in OTHERS for form in ("md", "csv")]
    return [*written, *take_over_files(before, folder, [*alike, "explorer.html"])]


def gather_study(settings: dict[str, Any], results: Path, folder: Path) -> list[str]:
    """Gather a study of variants in a folder for readers; paths of its files."""
    with TemporaryDirectory(dir=folder) as temporary:
        out = Path(temporary)
        study_variants.work(Namespace(settings=settings, results=results, out=out))
        made = [path.name for path in out.iterdir() if path.suffix != ".pdf"]
        names = sorted(made, key=lambda name: (FORMS.index(name.partition(".")[2]), name))
        for name in names:
            copy(out / name, folder / "studies" / name)
    return [f"studies/{name}" for name in names]


def copy(source: Path, target: Path) -> None:
    """Copy a file; of a picture, with a palette."""
    target.parent.mkdir(parents=True, exist_ok=True)
    (shrink if target.suffix == ".png" else shutil.copyfile)(source, target)


def rename_records(path: Path) -> None:
    """Let a page's links lead to the records as they are called here: packed."""
    text = path.read_text(encoding="utf-8")
    write_text(path, text.replace(f"{RECORDS})", f"{file_of('records')})"))


def where_from(config: Config, records: pd.DataFrame, benchmarks: Path) -> dict[str, Any]:
    """Where records come from and what they took, here and before; every job counts once."""
    before: dict[str, Any] = {}
    if config.records_from:
        before = read_json(Path(config.records_from, PROVENANCE))
    left_out = {benchmarks.parent / name for name in recorded_benchmarks(config)}
    known, counted = set(before.get("counted", ())), shared(benchmarks)
    left_out |= {path for path, job in counted.items() if job in known}
    times, seconds = job_times(benchmarks, left_out), elapsed_seconds(benchmarks, left_out)
    if before:
        times, seconds = added_up(before["jobs"], times), seconds + before["elapsed_s"]
    return {**origin(records, times, seconds), "counted": sorted(known | set(counted.values()))}


def planned(config: Config, results: Path) -> dict[str, float]:
    """How long `make plan` said that jobs would take, and how long they did; {} if not asked.

    Of what is recorded elsewhere where it was not asked here.
    """
    if not (kept := results / "plan.json").exists():
        before = Path(config.records_from, PROVENANCE)
        return read_json(before).get("planned", {}) if config.records_from else {}
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
    if out.is_dir() and (not any(out.iterdir()) or (out / PROVENANCE).is_file()):
        return
    if out.exists():
        raise InputError(
            f"{out} holds something else than an earlier reference, and would be replaced; name "
            "another folder (reference.folder), or remove it yourself"
        )


def require_another(out: Path, before: Path) -> None:
    """Refuse to replace the folder that earlier records are taken from.

    Raises
    ------
    InputError
        If both are the same.
    """
    if out.resolve() == before.resolve():
        raise InputError(
            f"records_from and reference.folder are both {out}, so that what was gathered there "
            "would be replaced, its times to be counted again; name another folder, as in "
            '--config "reference={folder: results/mine/reference}"'
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
