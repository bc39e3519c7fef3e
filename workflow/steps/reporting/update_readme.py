"""Put what came out between the marks in README.md: how long it took, pictures and tables."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ccvae.errors import InputError
from ccvae.files import read_json, write_text
from workflow.figures.catalogue import FIGURES
from workflow.reporting.judges import failed_judges, first_lines
from workflow.reporting.paper import TABLES
from workflow.reporting.reference import took
from workflow.steps.command import LOG, run

BEGIN, END = "<!-- BEGIN generated: make readme -->", "<!-- END generated -->"
REFERENCE, DEFAULT = Path("results/reference"), Path("results/default")

REAL = ("table6", "table7")
DRAWN = {
    "table1": ("accuracy", "balanced_accuracy"),
    "table2": ("swap_normalised", "swap_background_change"),
}
"""Tables of drawn images, and which of their blocks the README shows."""

PICTURES = {
    "figure3/synthetic_faces_ccvae": "Traversals of pairs of characteristics (the paper's Figure "
    "3): one label's z_c changes across, another's up, everything else is kept.",
    "figure7/synthetic_faces": "Swaps (Figure 7): the characteristics of one image on the "
    "background of another; MVAE is said to ignore them, M2 to transfer the label alone.",
    "against_f/mnist": "Measures against the supervision rate f, with the paper's values.",
}
"""Pictures in a gathered folder, and what they are of."""


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument(
        "--results",
        type=Path,
        help=f"gathered folder, or that of a finished preset; {REFERENCE} or else {DEFAULT}",
    )
    parser.add_argument("--readme", default=Path("README.md"), type=Path)


def work(given: Namespace) -> None:
    """Rewrite the part between the marks."""
    results = given.results or (REFERENCE if (REFERENCE / "records.csv").exists() else DEFAULT)
    text = given.readme.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise InputError(f"{given.readme} has no marks {BEGIN} and {END} to write between")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    parts = shown(results, given.readme.parent)
    write_text(given.readme, "\n\n".join([before + BEGIN, *parts, END]) + after)
    LOG.info("%s shows %s", given.readme, results)


def shown(results: Path, home: Path) -> list[str]:
    """Markdown between the marks; `home` is the folder that links start from."""
    # A gathered folder is under version control; pictures elsewhere would be dead links.
    gathered = (results / "provenance.json").exists()
    link = Path(os.path.relpath(results, home)).as_posix()
    records = pd.read_csv(results / "records.csv", dtype={"supervision_rate": str})
    failed = failed_judges(records)
    parts = [summary(results)]
    if gathered:
        parts[0] += (
            f" Everything: [{link}]({link}/README.md); what holds, what does not, and how much "
            "each open choice moves: [docs/findings.md](docs/findings.md)."
        )
        parts += [
            f"![{caption}]({link}/figures/{name}.png)\n\n*{caption}*"
            for name, words in PICTURES.items()
            if (results / "figures" / f"{name}.png").exists()
            for caption in [" ".join([*_reservations(name, failed), words])]
        ]
    for name in REAL:
        path = results / "tables" / f"{name}.md"
        if path.exists():
            parts.append(demoted(path.read_text(encoding="utf-8"), TABLES[name].heading))
    for name, metrics in DRAWN.items():
        path = results / "tables" / f"{name}.md"
        if path.exists():
            headings = [m.heading for m in TABLES[name].metrics if m.name in metrics]
            title = f"Drawn stand-ins, measured as in {TABLES[name].heading}"
            parts.append(only_blocks(demoted(path.read_text(encoding="utf-8"), title), headings))
    return [*filter(None, first_lines(failed.values())), *parts]


def _reservations(picture: str, failed: Mapping[str, str]) -> list[str]:
    """What must be said of a picture that rests on a judge which failed its gate."""
    figure, about = picture.split("/")
    if not FIGURES[figure].judged:
        return []
    return [sentence for dataset, sentence in failed.items() if about.startswith(dataset)]


def summary(results: Path) -> str:
    """One sentence on what the numbers come from and what they took."""
    if (results / "provenance.json").exists():
        return took(read_json(results / "provenance.json"))
    records = pd.read_csv(results / "records.csv", dtype={"supervision_rate": str})
    runs = records[records["run"].str.startswith("runs/")].drop_duplicates("run")
    seconds = runs["train_wall_s"].sum() + runs["evaluate_wall_s"].sum()
    devices = ", ".join(sorted(runs["device"].unique()))
    return (
        f"{len(runs)} trained models on {devices}: {seconds / 3600:.1f} hours of jobs in all, at "
        f"most {runs['train_peak_mb'].max() / 1000:.1f} GB of memory each."
    )


def demoted(markdown: str, title: str) -> str:
    """Lower a table's heading by two levels, and leave out what stands below the numbers."""
    kept = markdown.split("\nDecisions that")[0].split("\nFrom ")[0]
    return re.sub(r"\A# .*", lambda _: f"### {title}", kept).strip()


def only_blocks(markdown: str, headings: list[str]) -> str:
    """Keep the blocks of a table whose heading, `**data set, heading**, ...`, has one of these."""
    first, *blocks = re.split(r"\n(?=\*\*)", markdown)
    ends = [f", {heading}**" for heading in headings]
    kept = [block for block in blocks if any(end in block.splitlines()[0] for end in ends)]
    return "\n".join([first, *kept]).strip()


if __name__ == "__main__":
    run(__doc__, arguments, work)
