"""Make a sample of the committed reference again, and say value by value whether it is the same."""

from __future__ import annotations

import re
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import yaml

from ccvae.errors import InputError
from ccvae.files import write_text
from workflow.config import Config
from workflow.identity import Run, judge_folder
from workflow.planning.finished import JUDGED
from workflow.planning.overlay import merged_config
from workflow.provenance import machine
from workflow.reporting.records import Plan, collect
from workflow.reporting.verification import Gathered, check, conclusion, load_tolerances, report
from workflow.steps.command import LOG, run

REFERENCE = Path("results/reference")
SAMPLE = (
    "runs/mnist/m2/f=1.0/seed=0",
    "runs/synthetic_faces/ccvae/f=0.06/seed=0",
)
"""A baseline on digits, and the method on drawn faces where most images have no labels."""

FOLDER = re.compile(r"runs/(?P<dataset>\w+)/(?P<model>\w+)/f=(?P<rate>[\d.]+)/seed=(?P<seed>\d+)/?")


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--reference", default=REFERENCE, type=Path, help="a gathered folder")
    parser.add_argument("--runs", nargs="+", default=SAMPLE, help="folders of runs, as in its CSVs")
    parser.add_argument("--preset", default="verify", help="what the folder of results is called")
    parser.add_argument("--cores", default="all", help="of this machine, for Snakemake")


def work(given: Namespace) -> None:
    """Run the workflow for the sample alone, from nothing, and compare."""
    committed = Gathered.read(given.reference)
    runs = [run_in(committed, name) for name in given.runs]
    overlay = {"preset": given.preset, **sample_of(given.reference, committed, runs)}
    path = Path("results") / given.preset / "config.yaml"
    write_text(path, yaml.safe_dump(overlay, sort_keys=False, allow_unicode=True))
    config = Config(merged_config([path], []))
    LOG.info("training %s, and the judges of their data", " and ".join(r.folder for r in runs))
    # Which labels can be read, and so the means over them, is told by rows that are no model.
    wanted = [f"{judge_folder(name)}/{file}" for name in config.datasets for file in JUDGED]
    wanted += [f"{r.folder}/metrics.json" for r in runs]
    make([path.parent / name for name in wanted], path, given.cores)
    obtained = Gathered.of(collect(path.parent, Plan(**config.plan())), machine())
    checked = list(check(committed, obtained, runs, config, load_tolerances()))
    print("\n".join(line for found in checked for line in report(found)))
    holds, sentence = conclusion(checked)
    if not holds:
        raise InputError(sentence)
    print(sentence)


def run_in(committed: Gathered, folder: str) -> Run:
    """Find a run of the reference by its folder.

    Raises
    ------
    InputError
        If there is none.
    """
    match = FOLDER.fullmatch(folder)
    found = match and Run(match["dataset"], match["model"], match["rate"], int(match["seed"]))
    if not found or (found.folder, found.model) not in committed.values:
        known = sorted(name for name, _ in committed.values if name.startswith("runs/"))
        raise InputError(
            f"the reference has no run '{folder}'; runs.csv names all {len(known)} of them, for "
            f"example {known[0] if known else 'none'}"
        )
    return found


def sample_of(reference: Path, committed: Gathered, runs: list[Run]) -> dict[str, Any]:
    """Overlay with what these runs depend on in the configuration of the reference.

    All else is of the code as it is, so that a key that has since changed elsewhere does no harm.

    Raises
    ------
    InputError
        If that configuration cannot be read.
    """
    try:
        values = yaml.safe_load((reference / "config.yaml").read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{reference}/config.yaml cannot be read ({error.strerror})") from error
    datasets = list(dict.fromkeys(r.dataset for r in runs))
    models = list(dict.fromkeys(r.model for r in runs))
    kinds = {values["data"][name]["settings"] for name in datasets}
    devices = {committed.origins[r.folder, r.model]["device"] for r in runs}
    return {
        "device": devices.pop() if len(devices) == 1 else "auto",
        "datasets": datasets,
        "models": models,
        "supervision_rates": list(dict.fromkeys(r.rate for r in runs)),
        "seeds": values["seeds"],
        "folders": {name: path for name, path in values["folders"].items() if name in datasets},
        "inception_weights": values["inception_weights"],
        "data": {name: values["data"][name] for name in datasets},
        "settings": {kind: values["settings"][kind] for kind in kinds},
        "model_settings": {name: values["model_settings"][name] for name in models},
    }


def make(targets: list[Path], config: Path, cores: str, home: Path | None = None) -> None:
    """Have Snakemake make every file that the targets depend on, whatever is there.

    `home` is the folder with the Snakefile; this one unless given.

    Raises
    ------
    InputError
        If it fails; it has then said why.
    """
    command = [sys.executable, "-m", "snakemake", "--cores", cores, "--configfile", str(config)]
    command += ["--forceall", "--", *map(str, targets)]
    if subprocess.run(command, cwd=home, check=False).returncode != 0:
        raise InputError("the workflow did not finish, see above; nothing was compared")


if __name__ == "__main__":
    run(__doc__, arguments, work)
