"""Tables and a front page of what is finished."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pandas as pd
import pytest

from ccvae.errors import InputError
from tests.workflow import fabricated
from workflow.config import Config
from workflow.planning.overlay import merged_config
from workflow.steps.peek import work

SETTINGS = [
    "datasets=[mnist, synthetic_faces]",
    "models=[ccvae, m2]",
    "supervision_rates=['0.06', '1.0']",
]


@pytest.fixture
def config() -> Config:
    return Config(merged_config([], SETTINGS))


def peek(results: Path, config: Config, *datasets: str, out: Path | None = None) -> None:
    work(Namespace(settings=config.values, results=results, datasets=list(datasets), out=out))


def records_of(config: Config, results: Path, but: tuple[str, ...] = ()) -> Path:
    """Invented records of every run and judge but those whose path has one of these words."""
    return fabricated.records_without(config, results / config.preset, *but)


def test_what_is_missing_is_marked_and_nothing_is_judged(
    tmp_path: Path, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = records_of(config, tmp_path, but=("m2/f=1.0", "synthetic_faces"))
    peek(tmp_path, config)
    assert "5 runs are missing" in capsys.readouterr().out
    table = (folder / "peek" / "tables" / "table6.md").read_text()
    rows = [line for line in table.splitlines() if line.startswith(("| CCVAE", "| M2"))]
    assert rows
    assert not any("**" in row for row in rows)
    assert any("missing" in row for row in rows if row.startswith("| M2"))
    assert not any("missing" in row for row in rows if row.startswith("| CCVAE"))
    page = (folder / "peek" / "front_page.html").read_text()
    assert "<b>3 of 8</b> runs" in page
    assert "no claim is decided" in page
    cells = pd.read_csv(folder / "peek" / "tables" / "table6.csv")
    assert cells.loc[cells["model"] == "ccvae", "mean"].notna().all()


def test_before_anything_is_finished_everything_is_missing(tmp_path: Path, config: Config) -> None:
    peek(tmp_path, config)
    page = (tmp_path / config.preset / "peek" / "front_page.html").read_text()
    assert "<b>0 of 8</b> runs" in page
    assert "missing" in page


def test_one_data_set_is_whole_while_the_other_is_not_there(tmp_path: Path, config: Config) -> None:
    records_of(config, tmp_path, but=("synthetic_faces",))
    out = tmp_path / "early"
    peek(tmp_path, config, "mnist", out=out)
    assert "missing" not in (out / "tables" / "table6.md").read_text()
    assert "no claim is decided" not in (out / "front_page.html").read_text()
    assert not (out / "tables" / "table1.md").exists()


def test_an_unknown_data_set_is_named(tmp_path: Path, config: Config) -> None:
    with pytest.raises(InputError, match="'mnits' is not among the data sets"):
        peek(tmp_path, config, "mnits")
