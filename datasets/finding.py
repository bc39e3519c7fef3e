"""Find what a data set consists of in the folder that a user names, however it is laid out."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ccvae.errors import InputError

_IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".gz", ".001")
_VARIABLE = re.compile(r"\$(\w+|\{\w+\})")
DEPTH = 4
"""How far below the folder that a user names is looked."""
MANY = 1000
"""How many folders are looked into: a data set has fewer, and somebody may name the whole disk."""


@dataclass(frozen=True)
class Folder:
    """One folder: where it is, and the names of its images, of other files, and of folders."""

    path: Path
    images: frozenset[str]
    files: frozenset[str]
    folders: tuple[str, ...]


def expanded(path: str) -> str:
    """Return a path as people write it with `~` and `$VARIABLES` expanded.

    Raises
    ------
    InputError
        If a variable is not set or a user is not known, and nothing is called so either.
    """
    found = os.path.expandvars(os.path.expanduser(path))
    unset = _VARIABLE.search(found)
    if (unset or found.startswith("~")) and not Path(found).exists():
        what = f"the variable {unset[0]} is not set" if unset else "there is no such home folder"
        raise InputError(f"'{path}', but {what}; write the path out")
    return found


def is_image(name: str) -> bool:
    """Whether a file of that name should be an image."""
    return name.lower().endswith(_IMAGES)


def named_folder(folder: object, owner: str) -> Path:
    """Return the absolute path of the folder that an option names, `~` and `$VARIABLES` expanded.

    Parameters
    ----------
    folder
        The option's value.
    owner
        The data set, for the message.

    Raises
    ------
    InputError
        If it is no path, names a variable that is not set, or is no folder that may be read.
    """
    if not isinstance(folder, str | os.PathLike) or not str(folder).strip():
        raise InputError(f"option 'folder' is {folder!r}, but the path of {owner} was expected.")
    written = str(folder).strip()
    try:
        path = Path(os.path.abspath(expanded(written)))
    except InputError as error:
        raise InputError(f"option 'folder' is {error}.") from None
    said = f"The {owner} folder {path}" + ("" if str(path) == written else f" ({written})")
    try:
        with os.scandir(path):
            return path
    except NotADirectoryError:
        packed = path.name.lower().endswith(_ARCHIVES)
        remedy = "unpack it, and name the folder" if packed else "name one"
        raise InputError(f"{said} is a file and no folder; {remedy}.") from None
    except FileNotFoundError:
        raise InputError(f"{said} does not exist; correct the option 'folder'.") from None
    except OSError as error:
        raise InputError(f"{said} cannot be read ({error.strerror}); change its rights.") from None


def walk(
    root: Path, *, enter: Callable[[str], bool] = lambda name: True, depth: int = DEPTH
) -> Iterator[Folder]:
    """Yield `root` and the folders below it, nearer ones first, each read once.

    Hidden folders and files, and what macOS puts into archives, are passed over.

    Parameters
    ----------
    root
        Where to begin.
    enter
        Whether to look into a folder of that name.
    depth
        How far below `root`.
    """
    queue, seen = deque([(root, 0)]), 0
    while queue and seen < MANY:
        path, level = queue.popleft()
        seen += 1
        try:
            with os.scandir(path) as entries:
                kept = [e for e in entries if not e.name.startswith(".") and e.name != "__MACOSX"]
                folders = sorted(entry.name for entry in kept if entry.is_dir())
        except OSError:
            continue
        files = frozenset(entry.name for entry in kept).difference(folders)
        images = frozenset(filter(is_image, files))
        yield Folder(path, images, files - images, tuple(folders))
        if level < depth:
            queue.extend((path / name, level + 1) for name in folders if enter(name))


def find_file(folders: Iterable[Folder], pattern: str) -> Path | None:
    """Return the file whose name matches, whatever its case, in the first folder that has one.

    Of several the last by name is taken: `a.txt` rather than a browser's `a (1).txt`.
    """
    matches = re.compile(pattern, re.IGNORECASE).fullmatch
    for folder in folders:
        if names := [name for name in folder.files if matches(name)]:
            return folder.path / max(names)
    return None
