"""CelebA's lists as people have them: read by what is in them, or refused in one sentence."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from datasets.store import Store
from tests import folders
from tests.folders import look_and_prepare

Rows = list[list[str]]
Change = Callable[[Path], object]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folders.celeba(tmp_path / "celeba")


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Checksum of the store of the official folder."""
    store = outcome(folders.celeba(tmp_path_factory.mktemp("right") / "celeba"))
    assert isinstance(store, Store)
    return store.checksum


def outcome(root: Path) -> Store | str:
    options = {"folder": str(root), "validation_size": 3}
    return look_and_prepare("celeba", options, root.parent / "made")


def each_list(change: Callable[[Path], object]) -> Change:
    """Change both lists."""

    def apply(root: Path) -> None:
        for path in list(root.glob("list_*")):
            change(path)

    return apply


def rewrite(written: Callable[[Rows], bytes], suffix: str = ".txt") -> Change:
    """Write both lists anew from their cells, perhaps under another suffix."""

    def apply(path: Path) -> None:
        rows = [line.split() for line in path.read_text().splitlines()]
        path.unlink()
        path.with_suffix(suffix).write_bytes(written(rows))

    return each_list(apply)


def lines(rows: Rows, separator: str = " ", end: str = "\n") -> str:
    return "".join(separator.join(row) + end for row in rows)


def table(rows: Rows) -> Rows:
    """The cells of a table with a head, as Kaggle has it."""
    if len(rows[0]) == 1:
        return [["image_id", *rows[1]], *rows[2:]]
    return [["image_id", "partition"], *rows]


def quoted(rows: Rows) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows(table(rows))
    return stream.getvalue().encode()


def indexed(rows: Rows) -> bytes:
    """As pandas writes a table that nobody told to leave the index out."""
    head, *rest = table(rows)
    numbered = [[str(i), *row] for i, row in enumerate(rest)]
    return lines([["", *head], *numbered], ",").encode()


def decimals(rows: Rows) -> bytes:
    head, *rest = table(rows)
    if len(head) > 2:
        rest = [[name, *(f"{value}.0" for value in row)] for name, *row in rest]
    return lines([head, *rest], ",").encode()


def compress(path: Path) -> None:
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


LISTS: dict[str, Change] = {
    "official list renamed to csv": each_list(lambda path: path.rename(path.with_suffix(".csv"))),
    "table": rewrite(lambda rows: lines(table(rows), ",").encode(), ".csv"),
    "table renamed to txt": rewrite(lambda rows: lines(table(rows), ",").encode()),
    "semicolons": rewrite(lambda rows: lines(table(rows), ";").encode(), ".csv"),
    "tabs": rewrite(lambda rows: lines(table(rows), "\t").encode()),
    "blanks after commas": rewrite(lambda rows: lines(table(rows), ", ").encode(), ".csv"),
    "blanks around commas": rewrite(lambda rows: lines(table(rows), " , ").encode(), ".csv"),
    "quotes": rewrite(quoted, ".csv"),
    "byte order mark": rewrite(lambda rows: lines(table(rows), ",").encode("utf-8-sig"), ".csv"),
    "UTF-16": rewrite(lambda rows: lines(table(rows), "\t").encode("utf-16")),
    "Windows": rewrite(lambda rows: lines(rows, end=" \r\n").encode()),
    "Windows table": rewrite(lambda rows: lines(table(rows), ",", "\r\n").encode(), ".csv"),
    "old Macintosh": rewrite(lambda rows: lines(rows, end="\r").encode()),
    "blank lines": rewrite(lambda rows: ("\n" + lines(rows, end="\n\n")).encode()),
    "empty rows of a spreadsheet": rewrite(
        lambda rows: (lines(table(rows), ",") + "," * (len(rows[-1]) - 1) + "\n").encode(), ".csv"
    ),
    "index of pandas": rewrite(indexed, ".csv"),
    "decimals": rewrite(decimals, ".csv"),
    "no count": rewrite(lambda rows: lines(rows[1:] if len(rows[0]) == 1 else rows).encode()),
    "whole paths": rewrite(lambda rows: lines(rows).replace("0000", "a/b/0000").encode()),
    "compressed": each_list(compress),
    "downloaded twice": each_list(lambda path: path.rename(path.with_stem(f"{path.stem} (1)"))),
    "other case": each_list(lambda path: path.rename(path.with_name(path.name.upper()))),
    "no suffix": each_list(lambda path: path.rename(path.with_suffix(""))),
}


@pytest.mark.parametrize("change", LISTS.values(), ids=LISTS)
def test_lists_are_read_by_what_is_in_them(root: Path, right: str, change: Change) -> None:
    change(root)
    store = outcome(root)
    assert isinstance(store, Store), store
    assert store.checksum == right


def edit(name: str, old: str, new: str) -> Change:
    """Change one word of a list."""

    def apply(root: Path) -> None:
        path = root / f"list_{name}.txt"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return apply


def put(name: str, content: bytes | None) -> Change:
    """Replace the content of a list, or take the list away."""

    def apply(root: Path) -> None:
        path = root / f"list_{name}.txt"
        path.unlink() if content is None else path.write_bytes(content)

    return apply


def pack(root: Path) -> None:
    (root / "list_attr_celeba.txt").rename(root / "list_attr_celeba.txt.zip")


TROUBLE: dict[str, tuple[Change, str]] = {
    "web page": (
        put("attr_celeba", b"<!DOCTYPE html><html>"),
        "list_attr_celeba.txt is a web page and no list; get the list again",
    ),
    "empty": (put("eval_partition", b"\n"), "list_eval_partition.txt is empty"),
    "no text": (put("attr_celeba", b"\xff\0\1"), "list_attr_celeba.txt cannot be read"),
    "archive": (put("attr_celeba", b"PK\3\4"), "list_attr_celeba.txt is a zip archive"),
    "cut gzip": (
        put("attr_celeba", gzip.compress(bytes(range(256)))[:-9]),
        "list_attr_celeba.txt cannot be read",
    ),
    "none": (put("attr_celeba", None), "neither list_attr_celeba.txt nor list_attr_celeba.csv"),
    "not unpacked": (pack, "list_attr_celeba.txt.zip."),
    "row twice": (
        edit("attr_celeba", "000005.jpg", "000004.jpg"),
        "list_attr_celeba.txt line 7 has 000004.jpg, which line 6 has already",
    ),
    "in two splits": (
        edit("eval_partition", "000019.jpg 2", "000003.jpg 2"),
        "line 19 puts 000003.jpg into the test partition, where line 3 puts it into train",
    ),
    "no split": (edit("eval_partition", "000003.jpg 0\n", ""), "to which split 000003.jpg"),
    "unknown split": (
        edit("eval_partition", "03.jpg 0", "03.jpg 3"),
        "line 3 reads '000003.jpg 3'",
    ),
    "quote that does not end": (
        rewrite(lambda rows: lines(table(rows), ",").encode() + b'"x,1\n'),
        "list_attr_celeba.txt line 25 cannot be read",
    ),
    "cut off": (
        rewrite(lambda rows: lines(table(rows), ",").encode()[:-9]),
        "line 24 has 38 entries where 41 were expected",
    ),
    "head only": (
        put("attr_celeba", f"image_id {folders.CELEBA_HEADER}".encode()),
        "list_attr_celeba.txt lists no images",
    ),
    "count of another list": (edit("attr_celeba", "23\n", "24\n"), "announces 24 images but"),
    "other list": (
        put("attr_celeba", b"2880\n000001.jpg 1\n000002.jpg 2\n"),
        "line 2 has no column 'Arched_Eyebrows' among its 2 columns",
    ),
}


@pytest.mark.parametrize(("change", "words"), TROUBLE.values(), ids=TROUBLE)
def test_a_list_in_trouble_is_named(root: Path, change: Change, words: str) -> None:
    change(root)
    assert words in str(outcome(root))
