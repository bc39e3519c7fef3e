from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ccvae.files import atomic_path, read_json, write_json, write_text


def test_success_replaces_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "result.txt"
    target.write_text("old")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["result.txt"]


def test_failure_keeps_the_old_content_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "result.txt"
    target.write_text("old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["result.txt"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    target = tmp_path / "result.txt"
    target.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_path(target):
        pass
    assert target.read_text() == "old"


def test_folders_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "é")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "é".encode()


def test_the_suffix_is_kept_for_writers_that_add_one(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "array.npy") as temporary:
        np.save(temporary, np.arange(3))
    assert np.load(tmp_path / "array.npy", allow_pickle=False).tolist() == [0, 1, 2]
    assert len(list(tmp_path.iterdir())) == 1


def test_two_processes_use_different_temporaries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = set()
    for process in (101, 102):
        monkeypatch.setattr("os.getpid", lambda process=process: process)
        with atomic_path(tmp_path / "x.json") as temporary:
            temporary.touch()
            names.add(temporary.name)
    assert len(names) == 2


def test_json_survives_the_round_trip(tmp_path: Path) -> None:
    content = {"f": 0.06, "labels": ["Smiling", "Male"], "nothing": None, "nested": {"n": 3}}
    write_json(tmp_path / "x.json", content)
    assert read_json(tmp_path / "x.json") == content


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_what_is_not_json(tmp_path: Path, value: float) -> None:
    target = tmp_path / "x.json"
    write_json(target, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(target, {"a": value})
    assert read_json(target) == {"a": 1}
    assert len(list(tmp_path.iterdir())) == 1
