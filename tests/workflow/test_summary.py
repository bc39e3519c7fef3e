"""The one-page summary, and its LaTeX."""

from __future__ import annotations

import re
import shutil
from argparse import Namespace
from pathlib import Path

import pytest

from workflow.reporting.tex import document, inline
from workflow.steps.reporting import make_summary

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"
PAGE = """# Title

Some text & more, 5% of `a_b`
on [two](x.md) lines.

| a | b |
|---|---|
| 1 | ± 2 |

## Part

1. One **bold_** item,
   continued.
2. Two.

* Z_\\c ~ {x}
"""
committed = pytest.mark.skipif(not REFERENCE.exists(), reason="no result is committed yet")


def test_every_kind_of_block_becomes_latex() -> None:
    text = document(PAGE)
    assert r"\section*{Title}" in text
    assert r"Some text \& more, 5\% of \texttt{a\_b} on two lines." in text
    assert "1 & $\\pm$ 2 \\\\" in text
    assert r"\item One \textbf{bold\_} item, continued." in text
    assert r"\item Z\_\textbackslash{}c \textasciitilde{} \{x\}" in text
    assert text.count(r"\begin{") == text.count(r"\end{")


@pytest.mark.parametrize("character", list(r"\{}&%$#_^~|<>"))
def test_no_character_has_a_meaning_for_latex(character: str) -> None:
    assert inline(character) != character
    bare = re.sub(r"\\[a-z]+\{\}|\\.|\$\\[a-z]+\$", "", inline(character))
    assert bare == ""


@committed
def test_the_committed_summary_is_a_page() -> None:
    text = (ROOT / "docs" / "summary.md").read_text(encoding="utf-8")
    for part in ("Scope", "Methodology", "Results", "What was easy", "What was difficult"):
        assert f"## {part}\n" in text
    assert len(text.split()) < 1500
    assert text.isascii() or set(re.findall(r"[^\x00-\x7f]", text)) <= set("±λ")


@committed
def test_without_latex_a_sentence_says_so(tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(make_summary, "page", lambda *_: PAGE)
    out, pdf = tmp_path / "summary.md", tmp_path / "new" / "summary.pdf"
    make_summary.work(Namespace(reference=REFERENCE, out=out, pdf=pdf))
    assert out.exists()
    assert not pdf.parent.exists()
    assert "no PDF: pdflatex is not installed" in caplog.text


@pytest.mark.skipif(shutil.which(make_summary.LATEX) is None, reason="pdflatex is not installed")
def test_latex_sets_it() -> None:
    assert make_summary.compiled(document(PAGE)).startswith(b"%PDF")
