"""Read the lists that come with a data set: text in columns, whatever separates them."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from ccvae.errors import InputError


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the line, from 1, and the cells of each row that is not blank.

    What separates the cells is seen from the content, not from the file's name: comma, semicolon
    or tab, or else blanks. Cells may be quoted, and blanks may stand before them. The file may
    begin with a byte order mark, end its lines as any system does, and be compressed by gzip.

    Raises
    ------
    InputError
        If the file cannot be read, is no text, or its quotes do not match.
    """
    stream = io.StringIO(_text(path), newline=None)
    separator = _separator(stream)
    stream.seek(0)
    if separator is None:
        yield from ((line, cells) for line, text in enumerate(stream, 1) if (cells := text.split()))
        return
    reader = csv.reader(stream, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        yield from ((reader.line_num, cells) for cells in reader if any(cells))
    except csv.Error as error:
        raise InputError(
            f"{path} line {reader.line_num} cannot be read ({error}); get the list again."
        ) from error


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        if content.startswith(b"PK\x03\x04"):
            raise InputError(f"{path} is a zip archive and no list; unpack it there.")
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}); get the list again.") from error
    if not text.strip():
        raise InputError(f"{path} is empty; get the list again.")
    if text.lstrip()[:1] == "<":
        raise InputError(f"{path} is a web page and no list; get the list again.")
    return text


def _separator(lines: Iterator[str]) -> str | None:
    """Return what separates the cells of the first line that has several; None for blanks."""
    for line in lines:
        if any(mark in line for mark in ",;\t"):
            return max(",;\t", key=line.count)
        if len(line.split()) > 1:
            return None
    return None
