"""A page of the few kinds of Markdown that this workflow writes, as a LaTeX document."""

from __future__ import annotations

import re

LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
SPECIAL = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "{}&%$#_"},
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "±": r"$\pm$",
    "λ": r"$\lambda$",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
HEAD = r"""\documentclass[10pt,a4paper]{article}
\usepackage[utf8]{inputenc}
\usepackage[margin=1.2cm]{geometry}
\usepackage{tabularx}
\setlength{\parindent}{0pt}
\setlength{\parskip}{2pt}
\renewcommand{\labelitemi}{$\bullet$}
\makeatletter
\renewcommand\section{\@startsection{section}{1}{0pt}{-4pt}{2pt}{\normalsize\bfseries}}
\renewcommand\subsection{\@startsection{subsection}{2}{0pt}{-3pt}{1pt}{\small\bfseries}}
\makeatother
\pagestyle{empty}
\sloppy
\begin{document}
\footnotesize
"""


def document(markdown: str) -> str:
    """Turn headings, paragraphs, lists and tables into a document; links become their words."""
    blocks = re.split(r"\n\s*\n", markdown.strip())
    body = "\n\n".join(_block(block.splitlines()) for block in blocks)
    return f"{HEAD}{body}\n\\end{{document}}\n"


def escaped(text: str) -> str:
    """Text in which no character has a meaning for LaTeX."""
    return "".join(SPECIAL.get(character, character) for character in text)


def inline(text: str) -> str:
    """Code, bold text and links of one line."""
    pieces = LINK.sub(r"\1", text).split("`")
    for index, piece in enumerate(pieces):
        if index % 2:
            pieces[index] = rf"\texttt{{{escaped(piece)}}}"
        else:
            bold = re.split(r"\*\*(.+?)\*\*", piece)
            words = [
                rf"\textbf{{{escaped(b)}}}" if i % 2 else escaped(b) for i, b in enumerate(bold)
            ]
            pieces[index] = "".join(words)
    return "".join(pieces)


def _block(lines: list[str]) -> str:
    if heading := re.match(r"(#{1,3}) (.*)", lines[0]):
        kind = "section*" if len(heading[1]) == 1 else "subsection*"
        rest = _block(lines[1:]) if lines[1:] else ""
        return rf"\{kind}{{{inline(heading[2])}}}" + (f"\n{rest}" if rest else "")
    if all(line.startswith("|") for line in lines):
        return _table(lines)
    for marker, kind in ((r"[*-] ", "itemize"), (r"\d+\. ", "enumerate")):
        if re.match(marker, lines[0]):
            items = re.split(rf"(?:^|\n){marker}", "\n".join(lines))[1:]
            words = "\n".join(rf"\item {inline(' '.join(item.split()))}" for item in items)
            return (
                rf"\begin{{{kind}}}\setlength{{\itemsep}}{{0pt}}\setlength{{\parskip}}{{0pt}}"
                + f"\n{words}\n\\end{{{kind}}}"
            )
    return inline(" ".join(lines))


def _table(lines: list[str]) -> str:
    rows = [
        [inline(cell.strip()) for cell in line.strip().strip("|").split("|")]
        for index, line in enumerate(lines)
        if index != 1
    ]
    columns = "X" * max(map(len, rows))
    body = "\n".join(" & ".join(row) + r" \\" for row in rows)
    return f"\\begin{{tabularx}}{{\\textwidth}}{{{columns}}}\n{body}\n\\end{{tabularx}}"
