from __future__ import annotations

import os
from pathlib import Path

import pytest

from ccvae.errors import InputError
from datasets import finding
from datasets.finding import find_file, named_folder, walk
from tests.folders import fill


def test_near_folders_come_first_and_each_once(tmp_path: Path) -> None:
    names = ("a/b/x.txt", "a/y.PNG", "c/._z.jpg", ".hidden/w", "__MACOSX/v", "c/d/e/f/g/too deep")
    fill(tmp_path, dict.fromkeys(names, b"1"))
    found = list(walk(tmp_path))
    places = [str(folder.path.relative_to(tmp_path)) for folder in found]
    assert places == [".", "a", "c", "a/b", "c/d", "c/d/e", "c/d/e/f"]
    assert [sorted(folder.images) for folder in found if folder.images] == [["y.PNG"]]
    assert [sorted(folder.files) for folder in found if folder.files] == [["x.txt"]]
    assert [folder.path.name for folder in walk(tmp_path, enter=lambda name: name == "a")] == [
        tmp_path.name,
        "a",
    ]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert len(list(walk(tmp_path))) <= 6


def test_a_whole_disk_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, {f"{number}/file": b"1" for number in range(20)})
    monkeypatch.setattr(finding, "MANY", 5)
    assert len(list(walk(tmp_path))) == 5


def test_the_name_without_a_number_is_taken(tmp_path: Path) -> None:
    fill(tmp_path, dict.fromkeys(("list (1).txt", "list.txt", "b/LIST.TXT"), b"1"))
    assert find_file(walk(tmp_path), r"list.*\.txt") == tmp_path / "list.txt"
    assert find_file(walk(tmp_path / "b"), r"list\.txt") == tmp_path / "b" / "LIST.TXT"
    assert find_file(walk(tmp_path), "other") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(InputError, match=r"closed cannot be read \(Permission denied\)"):
        named_folder(tmp_path / "closed", "CelebA")
    assert [folder.path for folder in walk(tmp_path)] == [tmp_path]
