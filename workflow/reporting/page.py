"""One HTML page out of the Markdown that this workflow writes, with no other file needed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; } h3 { font-size: 1rem; }
table { border-collapse: collapse; margin: 0.5rem 0 1.2rem; font-size: 0.9em; display: block;
        overflow-x: auto; }
th, td { padding: 0.2rem 0.6rem; text-align: left; border-bottom: 1px solid #ddd; }
th { border-bottom: 2px solid #888; } td { font-variant-numeric: tabular-nums; }
code { font-size: 0.92em; } a { color: #0072B2; }
"""

LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
RULE = re.compile(r"\|(\s*:?-+:?\s*\|)+")


def page(title: str, summary: Sequence[str], sections: Sequence[tuple[str, str]]) -> str:
    """Put a page together.

    Parameters
    ----------
    title
        Its heading.
    summary
        Lines of the list at the top, in Markdown.
    sections
        Anchor and Markdown of each section, in order.

    Returns
    -------
    str
        A whole HTML document.
    """
    body = [f"<h1>{inline(title)}</h1>", "<ul>"]
    body += [f"<li>{inline(line)}</li>" for line in summary]
    body.append("</ul>")
    body += [
        f'<section id="{escape(anchor)}">\n{html(text)}\n</section>' for anchor, text in sections
    ]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            f"<style>{STYLE}</style></head><body>",
            *body,
            "</body></html>\n",
        ]
    )


def html(markdown: str) -> str:
    """Turn headings, paragraphs, lists and tables into HTML; headings move one level down."""
    blocks = re.split(r"\n\s*\n", markdown.strip())
    return "\n".join(_block(block.strip().splitlines()) for block in blocks if block.strip())


def inline(text: str) -> str:
    """Turn code, bold text and links of one line into HTML.

    A link to a place on this page or to the web stays one; a link to another file becomes its
    name, because the page is read without the files beside it.
    """
    pieces = text.split("`")
    for index, piece in enumerate(pieces):
        if index % 2:
            pieces[index] = f"<code>{escape(piece)}</code>"
        else:
            bold = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escape(piece, quote=False))
            pieces[index] = LINK.sub(_link, bold)
    return "".join(pieces)


def _link(match: re.Match[str]) -> str:
    text, target = match.groups()
    if target.startswith(("#", "https://", "http://")):
        return f'<a href="{escape(target)}">{text}</a>'
    return text


def _block(lines: list[str]) -> str:
    heading = re.match(r"(#{1,5}) (.*)", lines[0])
    if heading:
        level, text = len(heading[1]) + 1, heading[2]
        anchor = re.sub(r"[^\w-]+", "-", text.lower()).strip("-")
        rest = html("\n".join(lines[1:])) if lines[1:] else ""
        # The anchor of a section's first heading is the section's own.
        identity = f' id="{anchor}"' if level > 2 else ""
        return f"<h{level}{identity}>{inline(text)}</h{level}>{rest}"
    if len(lines) > 1 and RULE.fullmatch(lines[1].strip()):
        return _table(lines)
    if all(line.startswith(("* ", "- ")) for line in lines):
        items = "".join(f"<li>{inline(line[2:])}</li>" for line in lines)
        return f"<ul>{items}</ul>"
    return f"<p>{inline(' '.join(lines))}</p>"


def _table(lines: list[str]) -> str:
    def cells(line: str) -> list[str]:
        return [inline(cell.strip()) for cell in line.strip().strip("|").split("|")]

    head = "".join(f"<th>{cell}</th>" for cell in cells(lines[0]))
    rows = ("".join(f"<td>{cell}</td>" for cell in cells(line)) for line in lines[2:])
    body = "".join(f"<tr>{row}</tr>\n" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"
