"""The idx format of MNIST's files, and files recognised by their content."""

from __future__ import annotations

import gzip
import hashlib
import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from datasets.download import SourceError
from datasets.finding import walk

GZIP = b"\x1f\x8b"
MAGIC = b"\x00\x00\x08"
"""How an idx file of bytes begins."""


def find_contents(
    folder: Path, wanted: Mapping[str, str], strangers: Mapping[str, str]
) -> dict[str, Path]:
    """Find files by what is in them: compressed or not, whatever their name or folder.

    Parameters
    ----------
    folder
        Where to look, also in the folders below.
    wanted
        From the published name of each file to the MD5 of its decompressed content.
    strangers
        From the MD5 of files that are taken for these to the name of their data set.

    Returns
    -------
    dict
        From each name to a file.

    Raises
    ------
    SourceError
        If one is not there, with what is wrong with the file of its name.
    """
    found: dict[str, Path] = {}
    troubles: dict[str, str] = {}
    names = {md5: name for name, md5 in wanted.items()}
    for place in walk(folder):
        for path in (place.path / name for name in sorted(place.files)):
            meant = next((name for name in wanted if _looks_like(path.name, name)), None)
            if not path.is_file() or (meant is None and not _begins_like_idx(path)):
                continue
            try:
                content = read_content(path)
                md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
                if md5 in names:
                    found.setdefault(names[md5], path)
                elif md5 in strangers:
                    raise SourceError(f"{path} is {strangers[md5]}'s")
                elif meant is not None:
                    parse_idx(path, content)
                    raise SourceError(
                        f"the content of {path} has the MD5 {md5}, where {wanted[meant]} was "
                        "expected"
                    )
            except SourceError as error:
                troubles.setdefault(meant or "", str(error))
            if len(found) == len(wanted):
                return found
    first = next(name for name in wanted if name not in found)
    raise SourceError(troubles.get(first, f"{first} is missing"))


def read_content(path: Path) -> bytes:
    """Read a file, decompressed where it is compressed, whatever its name says.

    Raises
    ------
    SourceError
        If it cannot be read, is cut off, or is a web page.
    """
    try:
        content = path.read_bytes()
        while content.startswith(GZIP):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path} cannot be read ({error})") from error
    if content.lstrip().startswith(b"<"):
        raise SourceError(f"{path} is a web page")
    return content


def parse_idx(path: Path, content: bytes) -> np.ndarray:
    """Read an idx file of bytes: uint8 (n, rows, columns) for images, (n,) for labels.

    Raises
    ------
    SourceError
        If the header is not that of an idx file of bytes, or the length does not fit it.
    """
    dimensions = content[3] if content.startswith(MAGIC) and len(content) > 3 else 0
    header = 4 + 4 * dimensions
    if not 1 <= dimensions <= 3 or len(content) < header:
        raise SourceError(f"{path} does not begin like an idx file of bytes")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if len(content) - header != int(np.prod(shape, dtype=np.int64)):
        raise SourceError(
            f"{path} holds {len(content) - header} bytes of data where its header announces {shape}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _looks_like(name: str, published: str) -> bool:
    """Whether a file may have got its name from the published one, as by 7-Zip or a browser."""
    plain = re.sub("[^a-z0-9]", "", name.lower())
    return plain.startswith(re.sub("[^a-z0-9]", "", published.partition("-idx")[0]))


def _begins_like_idx(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            start = stream.read(len(MAGIC))
            if start.startswith(GZIP):
                stream.seek(0)
                start = gzip.GzipFile(fileobj=stream).read(len(MAGIC))
    except (OSError, EOFError, zlib.error):
        return False
    return start == MAGIC
