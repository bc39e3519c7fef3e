"""Put what came out between the marks in README.md: the answer, pictures and tables."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ccvae.errors import InputError
from ccvae.files import write_text
from workflow.figures.catalogue import FIGURES
from workflow.figures.gallery import Gallery
from workflow.identity import Run
from workflow.reporting.gathered import TEXT, Gathered
from workflow.reporting.judges import first_lines
from workflow.reporting.legible import legibility
from workflow.reporting.names import dataset_name, original_name
from workflow.reporting.paper import TABLES
from workflow.reporting.paper_layout import in_paper_layout
from workflow.reporting.terms import terms
from workflow.reporting.wording import title_of
from workflow.steps.command import LOG, run

BEGIN, END = "<!-- BEGIN generated: {}, make readme -->", "<!-- END generated -->"
BLOCKS = ("answer", "results")
FINDINGS = "docs/findings.md"
SHOWN = ("table6", "table7")
DRAWN, MODEL = "synthetic_faces", "ccvae"
PICTURES = {
    f"figure3/{DRAWN}_{MODEL}": (
        "Traversals of pairs of characteristics",
        "the paper's Figure 3: one label's z_c changes across, another's up, all else of one "
        "image's z is kept.",
    ),
    f"figure7/{DRAWN}": (
        "Swaps of characteristics",
        "Figure 7: a row has the characteristics of the image at its left, a column the background "
        "of the image above it. MVAE is said to ignore the former, M2 to transfer the label alone; "
        "the true swap is the drawing itself made anew.",
    ),
}
"""Pictures in a gathered folder: a title, and what they are of."""
EXPLORER = "docs/explorer.png"
"""A picture of the page to move characteristics by hand, from `make explorer-picture`."""


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--reference", default=Path("results/reference"), type=Path)
    parser.add_argument("--readme", default=Path("README.md"), type=Path)


def work(given: Namespace) -> None:
    """Rewrite the parts between the marks."""
    text = given.readme.read_text(encoding="utf-8")
    for name, content in blocks(Gathered(given.reference), given.readme.parent).items():
        begin = BEGIN.format(name)
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(END)
        if not found or not closed:
            raise InputError(f"{given.readme} has no marks {begin} and {END} to write between")
        text = f"{before}{begin}\n\n{content}\n\n{END}{after}"
    write_text(given.readme, text)
    LOG.info("%s shows %s", given.readme, given.reference)


def blocks(found: Gathered, home: Path) -> dict[str, str]:
    """Markdown between each pair of marks; `home` is the folder that links start from."""
    answer = [*first_lines(found.failed.values()), *found.answer(FINDINGS)]
    return dict(zip(BLOCKS, ("\n".join(answer), "\n\n".join(_results(found, home))), strict=True))


def _results(found: Gathered, home: Path) -> list[str]:
    link = found.link_from(home)
    parts = [
        f"![{title}]({link}/figures/{name}.png)\n\n*{caption}*"
        for name, (title, words) in PICTURES.items()
        if (found.folder / "figures" / f"{name}.png").exists()
        for about in [f"{title}, {words} {_whose(name, found)}"]
        for caption in [
            " ".join([*_reservations(name, found.failed), about, *_legible(name, found)])
        ]
    ]
    parts.append(_explorer(found, home))
    for name in SHOWN:
        path = found.folder / "tables" / f"{name}.csv"
        if path.exists():
            frame = pd.read_csv(path, dtype=TEXT | {"judge_failed": str})
            for words in ("supervision_rate", "judge_failed"):
                frame[words] = frame[words].fillna("")
            parts.append("\n".join(in_paper_layout(TABLES[name], frame, found.plan)))
            parts.append(terms(TABLES[name], found.records, found.plan))
    others: dict[str, list[str]] = {}
    for name, table in TABLES.items():
        if name not in SHOWN and (found.folder / "tables" / f"{name}.md").exists():
            link_to = f"[{table.heading}]({link}/tables/{name}.md)"
            data = [n for n, kind in found.plan.datasets.items() if kind == table.kind]
            others.setdefault(", ".join(map(dataset_name, data)), []).append(link_to)
    listed = "; ".join(f"of {data}: {', '.join(tables)}" for data, tables in others.items())
    parts.append(
        f"{found.took} Claim by claim, with numbers, verdict and budget: [{FINDINGS}]({FINDINGS}). "
        f"Everything: [{link}]({link}/README.md); {listed}."
    )
    return list(filter(None, parts))


def _explorer(found: Gathered, home: Path) -> str:
    """The page to move characteristics by hand, as a picture that leads to it."""
    page = "explorer.html"
    if not ((found.folder / page).exists() and (home / EXPLORER).exists()):
        return ""
    target = f"{found.link_from(home)}/{page}"
    return (
        f"[![The explorer: a slider per label, and what each model makes of it]({EXPLORER})]"
        f"({target})\n\n*The [explorer]({target}): move a characteristic by hand, in several "
        "models side by side. Save the file and open it, it needs no network.*"
    )


def _whose(picture: str, found: Gathered) -> str:
    """What a picture's models were trained on."""
    gallery = Gallery(found.config)
    whose = f"{title_of(MODEL, found.plan)}, " if picture.endswith(MODEL) else ""
    return (
        f"{whose}f = {gallery.rate}, one training, on drawn faces with the labels of "
        f"{original_name(DRAWN)}."
    )


def _legible(picture: str, found: Gathered) -> list[str]:
    """What can be seen of the labels of a traversal."""
    if not picture.endswith(MODEL):
        return []
    gallery, figures = Gallery(found.config), found.config.values["figures"]
    labels = dict.fromkeys(name for pair in figures["traversals"].get(DRAWN, ()) for name in pair)
    run = Run(DRAWN, MODEL, gallery.rate, gallery.seed)
    words = legibility(found.per_label, run, list(labels), found.weak.get(DRAWN, []))
    ends = f"The outermost pictures lie {figures['traversal_deviations']:g} standard deviations"
    return [words, f"{ends} of p(z_c | y) beyond its means."] if words else []


def _reservations(picture: str, failed: Mapping[str, str]) -> list[str]:
    """What must be said of a picture that rests on a judge which failed its gate."""
    figure, about = picture.split("/")
    if not FIGURES[figure].judged:
        return []
    return [sentence for dataset, sentence in failed.items() if about.startswith(dataset)]


if __name__ == "__main__":
    run(__doc__, arguments, work)
