"""The counts of findings that the drawn X-rays follow, made from a list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.running import assert_one_sentence, step
from workflow.steps.data.count_findings import SMALLEST

HEADER = "Path,Frontal/Lateral,Cardiomegaly,Edema,Consolidation,Atelectasis,Pleural Effusion"


def write_list(path: Path, *views: tuple[int, str, str]) -> Path:
    """Write a list in which each of `views` (how many, from where, findings) is of new patients."""
    lines = [HEADER]
    for n, view, findings in views:
        for _ in range(n):
            image = f"patient{len(lines):05d}/study1/view1_{view.lower()}.jpg"
            lines.append(f"CheXpert-v1.0-small/train/{image},{view},{findings}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_frontal_views_are_counted_and_rare_combinations_left_out(tmp_path: Path) -> None:
    path = write_list(
        tmp_path / "train.csv",
        (SMALLEST, "Frontal", "1.0,,,,0.0"),
        (SMALLEST + 3, "Frontal", ",,-1.0,-1.0,1.0"),
        (SMALLEST - 1, "Frontal", "1.0,1.0,1.0,1.0,1.0"),
        (SMALLEST, "Lateral", ",,,,-1.0"),
        # What is denied and what is not mentioned counts as one.
        (2, "Frontal", "1.0,0.0,0.0,0.0,"),
    )
    done = step("count_findings", path, "--out", tmp_path / "findings.csv")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "findings.csv").read_text().splitlines() == [
        "Cardiomegaly,Edema,Consolidation,Atelectasis,Pleural Effusion,views",
        f"0,0,-1,-1,1,{SMALLEST + 3}",
        f"1,0,0,0,0,{SMALLEST + 2}",
    ]
    assert f"left out: 1, on {SMALLEST - 1} views" in done.stderr


@pytest.mark.parametrize(
    ("finding", "words"), [("2.0", ["line 2", "'2.0'"]), (None, ["train.csv"])]
)
def test_a_list_that_cannot_be_used_is_told_in_a_sentence(
    tmp_path: Path, finding: str | None, words: list[str]
) -> None:
    path = tmp_path / "train.csv"
    if finding is not None:
        write_list(path, (1, "Frontal", f"{finding},,,,"))
    done = step("count_findings", path, "--out", tmp_path / "findings.csv")
    assert_one_sentence(done, *words)
    assert not (tmp_path / "findings.csv").exists()
