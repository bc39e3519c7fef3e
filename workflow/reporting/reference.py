"""What stands around the reference results: where they come from, and an index of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from workflow.planning.costs import duration
from workflow.reporting.judges import first_lines
from workflow.reporting.names import dataset_name
from workflow.reporting.paper import TABLES
from workflow.reporting.record_files import OF_LABELS
from workflow.reporting.records import Plan
from workflow.reporting.wording import in_cell

PROVENANCE, CAPTIONS = "provenance.json", "captions.json"

FILES = {
    "records": "one row per run and metric; packed, pandas reads it as it is",
    "runs": "where each run came from: settings, data, commits, versions, time and memory",
    OF_LABELS: "the same of single labels and classes; packed, too",
    "index": "the tables, with their titles",
    "claims": "a verdict on each of the paper's claims",
    "comparison": "CCVAE against the best baseline",
    "judge_seeds": "how far another judge moves what is measured",
    "capabilities": "which model can do what",
    "captions": "what stands below each picture",
    "explorer": "characteristics to move by hand, in a browser",
    "config": "the configuration, as it was run",
    "provenance": "commit, versions, machine, and how long each kind of job took",
}
"""What files that are no table of numbers hold."""


def origin(records: pd.DataFrame, times: pd.DataFrame, elapsed: float) -> dict[str, Any]:
    """Where records come from, and what they took.

    Parameters
    ----------
    records
        From `workflow.reporting.records.collect`.
    times, elapsed
        From `workflow.reporting.timing`.
    """
    columns = (("commit", "dirty"), ("evaluate_commit", "evaluate_dirty"))
    commits = [str(c) for name, _ in columns for c in records[name].dropna()]
    changed = any((records[name].astype(str) == "True").any() for _, name in columns)
    trained = records[records["seed"].notna()]
    return {
        "commits": list(dict.fromkeys(commits)),
        "changes_on_top": bool(changed),
        "versions": list(dict.fromkeys(records["versions"].dropna())),
        "devices": sorted(records["device"].dropna().unique()),
        "cards": trained.groupby("card")["run"].nunique().to_dict(),
        "runs": int(trained["run"].nunique()),
        "elapsed_s": round(elapsed, 1),
        "jobs": times.round(1).to_dict("records"),
    }


def took(provenance: Mapping[str, Any]) -> str:
    """How many models, how long, on what."""
    machine, jobs = provenance["machine"], provenance["jobs"]
    work = sum(job["cpu_s"] for job in jobs)
    peak = max((job["peak_mb"] for job in jobs), default=0.0)
    of_studies = [job for job in jobs if job["kind"].startswith("study") and "train" in job["kind"]]
    timed, in_studies = _number_of_jobs(of_studies), provenance.get("study_trainings", 0)
    studies = f", and {in_studies} more in studies" if in_studies else ""
    return (
        f"Trained were {provenance['runs']} models{studies}. {_number_of_jobs(jobs)} timed "
        f"jobs took {duration(provenance['elapsed_s'])} ({duration(work)} of processor time) on "
        f"{machine['cores']} core{'s' if machine['cores'] != 1 else ''} of "
        f"{machine['processor']} with {machine['memory_gb']:g} GB, device "
        f"{' and '.join(provenance['devices'])}; at most {peak / 1000:.1f} GB for one job."
        + "".join(
            f" {n} of the models {'were' if n > 1 else 'was'} trained on a graphics card, {card}."
            # An earlier version did not count them.
            for card, n in provenance.get("cards", {}).items()
        )
        + (
            f" Of the trainings in studies at least {in_studies - timed} are not among these jobs."
            if in_studies > timed
            else ""
        )
    )


def plan_kept(planned: Mapping[str, float]) -> str:
    """One sentence: how far off the plan was."""
    estimated, took = planned["estimated_s"], planned["took_s"]
    return (
        f"`make plan` had said {duration(estimated)} for {planned['jobs']:.0f} of the jobs, one at "
        f"a time; they took {duration(took)} ({took / estimated - 1:+.0%})."
    )


def asked_for(not_run: Sequence[str]) -> list[str]:
    """Lines of a list with what was asked for and is not there; none where all is."""
    if not not_run:
        return []
    return [f"* Asked for, and not run: {'; '.join(not_run)}."]


def _number_of_jobs(jobs: Sequence[Mapping[str, Any]]) -> int:
    return sum(job["jobs"] for job in jobs)


def index_markdown(
    plan: Plan,
    provenance: Mapping[str, Any],
    files: Sequence[str],
    captions: Mapping[str, str],
    failed: Iterable[str] = (),
) -> str:
    """Page that leads to everything in the folder.

    Parameters
    ----------
    plan
        What was run.
    provenance
        From `origin`, and `machine` and `command`.
    files
        Paths below the folder, pictures left out.
    captions
        Path of each picture below the folder -> its caption.
    failed
        Sentences about judges that failed their gates.
    """
    titles = "; ".join(described["title"] for described in plan.models.values())
    code = ", ".join(f"`{commit[:10]}`" for commit in provenance["commits"]) or "no commit"
    if provenance["changes_on_top"]:
        code += " with changes on top"
    lines = [
        "# Reference results",
        "",
        *first_lines(failed),
        f"Generated by `{provenance['command']}`; nothing here is typed.",
        "",
        f"* Preset `{plan.preset}`: {', '.join(map(dataset_name, plan.datasets))}; {titles}; "
        f"f = {', '.join(plan.rates)}; {plan.seeds_in_words()}.",
        f"* {took(provenance)}",
        *([f"* {plan_kept(provenance['planned'])}"] if provenance.get("planned") else []),
        f"* Code: {code}; {'; '.join(provenance['versions'])}.",
        *asked_for(provenance.get("not_run", ())),
        "",
        "| what | files |",
        "|---|---|",
    ]
    by_stem: dict[str, list[str]] = {}
    for path in files:
        stem = path.partition(".")[0]
        by_stem.setdefault(stem, []).append(path)
    for stem, paths in by_stem.items():
        links = " ".join(f"[{path[len(stem) + 1 :]}]({path})" for path in paths)
        lines.append(f"| {_what(stem)} | {links} |")
    lines += [
        "",
        "## Time",
        "",
        "| kind of job | jobs | wall time, s | processor time, s | longest job, s | memory, MB |",
        "|---|---|---|---|---|---|",
    ]
    for job in provenance["jobs"]:
        numbers = " | ".join(f"{job[key]:.0f}" for key in ("wall_s", "cpu_s", "longest_s"))
        lines.append(f"| {job['kind']} | {job['jobs']} | {numbers} | {job['peak_mb']:.0f} |")
    lines += [
        "",
        "Jobs that ran side by side each count in full, and jobs that were run again count again; "
        "memory is the most that one job took.",
        "",
        "## Pictures",
    ]
    for path, caption in captions.items():
        lines += ["", f"![{path}]({path})", "", caption.strip()]
    return "\n".join(lines) + "\n"


def _what(stem: str) -> str:
    folder, _, name = stem.rpartition("/")
    if folder == "studies":
        return f"study: {name.removesuffix('_summary').replace('_', ' ')}"
    if name in TABLES:
        return in_cell(f"{TABLES[name].heading}: {TABLES[name].title}")
    return FILES.get(name, name)
