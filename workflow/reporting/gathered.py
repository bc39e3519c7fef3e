"""What `snakemake reference` gathered, read once for every page that tells of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ccvae.errors import InputError
from ccvae.files import read_json
from workflow.config import Config
from workflow.reporting.answer import answer
from workflow.reporting.claims import load_claims
from workflow.reporting.court import decide
from workflow.reporting.judge_seeds import NAME as JUDGE_SEEDS
from workflow.reporting.judges import failed_judges, trusted, weak_labels
from workflow.reporting.open_choices import Spreads, spreads_of
from workflow.reporting.record_files import OF_LABELS, file_of, read_records
from workflow.reporting.records import Plan
from workflow.reporting.reference import took
from workflow.reporting.tables import counterparts
from workflow.reporting.verdicts import Verdict
from workflow.studies.seeds import read_studies

TEXT = {"supervision_rate": str, "alpha": str}
NO_TABLES_OF_NUMBERS = ("comparison", "capabilities", JUDGE_SEEDS)


@dataclass(frozen=True)
class Gathered:
    """A gathered folder.

    Raises
    ------
    InputError
        If the folder was not gathered by `snakemake reference`.
    """

    folder: Path

    def __post_init__(self) -> None:
        """Refuse any other folder."""
        if not (self.folder / "config.yaml").exists():
            raise InputError(
                f"{self.folder} has no config.yaml and so was not gathered by `snakemake "
                "reference`; run `make reference`, or name another folder"
            )

    @cached_property
    def config(self) -> Config:
        """The configuration, as it was run."""
        text = (self.folder / "config.yaml").read_text(encoding="utf-8")
        return Config.recorded(yaml.safe_load(text))

    @cached_property
    def plan(self) -> Plan:
        """What was asked for."""
        return Plan(**self.config.plan())

    @cached_property
    def records(self) -> pd.DataFrame:
        """See `workflow.reporting.records.collect`."""
        return read_records(self.folder)

    @cached_property
    def per_label(self) -> pd.DataFrame:
        """What was measured of each label: `run`, `model`, `metric` and `value`."""
        return pd.read_csv(self.folder / file_of(OF_LABELS))

    @cached_property
    def weak(self) -> Mapping[str, list[str]]:
        """See `workflow.reporting.judges.weak_labels`."""
        of_label = self.per_label.assign(dataset=self.per_label["run"].str.split("/").str[1])
        return weak_labels(pd.concat([self.records, of_label]))

    @cached_property
    def failed(self) -> Mapping[str, str]:
        """See `workflow.reporting.judges.failed_judges`."""
        return failed_judges(self.records)

    @cached_property
    def spreads(self) -> Spreads:
        """See `workflow.reporting.open_choices.spreads_of`."""
        return spreads_of(self.records)

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """On every claim."""
        studies = read_studies(self.folder / "studies")
        return decide(self.records, self.plan, load_claims(), studies)

    @cached_property
    def paper(self) -> pd.DataFrame:
        """The paper's values, and which have a counterpart."""
        return counterparts(self.records, self.plan)

    @cached_property
    def tables(self) -> pd.DataFrame:
        """Rows of all tables."""
        paths = sorted(self.folder.glob("tables/*[a-z0-9].csv"))
        names = [p for p in paths if not p.name.endswith(".wide.csv")]
        return pd.concat(
            pd.read_csv(path, dtype=TEXT) for path in names if path.stem not in NO_TABLES_OF_NUMBERS
        )

    @cached_property
    def judge_seeds(self) -> pd.DataFrame | None:
        """See `workflow.reporting.judge_seeds.summary`; None where there was one judge."""
        path = self.folder / "tables" / f"{JUDGE_SEEDS}.wide.csv"
        text = {"largest_rate": str, "changed": str}
        return pd.read_csv(path, dtype=text) if path.exists() else None

    @cached_property
    def judge_cells(self) -> pd.DataFrame | None:
        """See `workflow.reporting.judge_seeds.compared_cells`; None where there was one judge."""
        path = self.folder / "tables" / f"{JUDGE_SEEDS}.csv"
        return pd.read_csv(path, dtype=TEXT) if path.exists() else None

    @cached_property
    def studies(self) -> dict[str, pd.DataFrame]:
        """Studies of variants that are in the folder, by name, and `alpha`.

        Without what rests on a judge that failed its gate.
        """
        found = {}
        for name in (*self.config.values["studies"]["variants"], "alpha"):
            path = self.folder / "studies" / f"{name}.csv"
            if path.exists():
                frame = pd.read_csv(path, dtype=TEXT)
                found[name] = trusted(frame.rename(columns={"variant": "value"}), self.failed)
        return found

    @property
    def provenance(self) -> dict[str, Any]:
        """See `workflow.reporting.reference.origin`."""
        found: dict[str, Any] = read_json(self.folder / "provenance.json")
        return found

    @property
    def took(self) -> str:
        """How many models, how long, on what."""
        return took(self.provenance)

    def answer(self, page: str) -> list[str]:
        """Does the paper hold? As a numbered list; links lead to places on `page`."""
        found = answer(self.verdicts, self.plan, self.paper, page)
        return [f"{number}. {sentence}" for number, sentence in enumerate(found, 1)]

    def link_from(self, home: Path) -> str:
        """Path of the folder as links from a page in `home` have it."""
        return Path(os.path.relpath(self.folder, home)).as_posix()
