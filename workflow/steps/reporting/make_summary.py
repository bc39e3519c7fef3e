"""Write docs/summary.md from what `snakemake reference` gathered, and a PDF of it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ccvae.errors import InputError
from ccvae.files import atomic_path, write_text
from workflow.reporting import findings, open_choices
from workflow.reporting.gathered import Gathered
from workflow.reporting.judges import first_lines
from workflow.reporting.pages import rendered
from workflow.reporting.register import entries
from workflow.reporting.tex import document
from workflow.steps.command import LOG, run

TEMPLATE = "summary.md.j2"
LATEX = "pdflatex"
NO_LATEX = f"no PDF: {LATEX} is not installed (Debian: texlive-latex-base); %s says the same"


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--reference", default=Path("results/reference"), type=Path)
    parser.add_argument("--out", default=Path("docs/summary.md"), type=Path)
    parser.add_argument("--pdf", type=Path, help=f"also here, where {LATEX} is installed")


def work(given: Namespace) -> None:
    """Write the page, and the PDF if it is asked for and can be made."""
    text = page(Gathered(given.reference), given.out)
    write_text(given.out, text)
    if given.pdf is None:
        return
    if shutil.which(LATEX) is None:
        LOG.warning(NO_LATEX, given.out)
        return
    given.pdf.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(given.pdf) as path:
        path.write_bytes(compiled(document(text)))
    LOG.info("%s is %s as a PDF", given.pdf, given.out)


def page(found: Gathered, out: Path) -> str:
    """One page on what was gathered, with links from where `out` is."""
    return rendered(
        TEMPLATE,
        failed="\n".join(first_lines(found.failed.values())),
        answer="\n".join(found.answer("findings.md")),
        scope="\n".join(findings.scope(found.records, found.plan, found.weak)),
        models="; ".join(described["title"] for described in found.plan.models.values()),
        rates=", ".join(found.plan.rates),
        studies=studies(found),
        about=found.took,
        link=found.link_from(out.parent),
    )


def studies(found: Gathered) -> str:
    """Which studies were run, and how many decisions they measured."""
    values, register = found.config.values, entries()
    names = ", ".join(f"`{name}`" for name in found.studies)
    measured = sum(
        bool(open_choices.measured(entry, values, found.studies, {}, "", found.folder))
        for entry in register
    )
    return (
        f"{names or 'none was run'}; {measured} of {len(register)} decisions were measured, some "
        "by `gradients` or a second judge"
    )


def compiled(source: str) -> bytes:
    """PDF of a LaTeX document.

    Raises
    ------
    InputError
        If LaTeX cannot set it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "summary.tex").write_text(source, encoding="utf-8")
        command = [LATEX, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape"]
        done = subprocess.run(
            [*command, "summary.tex"], cwd=folder, capture_output=True, text=True, errors="replace"
        )
        if done.returncode:
            said = [line for line in done.stdout.splitlines() if line.startswith("!")]
            raise InputError(f"{LATEX} cannot set the summary: {(said or ['no message'])[0]}")
        return (folder / "summary.pdf").read_bytes()


if __name__ == "__main__":
    run(__doc__, arguments, work)
