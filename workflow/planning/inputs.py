"""Which files jobs read that the names of their own outputs do not tell: input functions."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError

from datasets.readers import READERS
from workflow.config import Config
from workflow.identity import RUNS, Run, judge_folder, metrics_file
from workflow.reporting.names import STAND_INS
from workflow.reporting.paper import TABLES, Table


class Inputs:
    """Input functions of rules, by wildcards, and lists of files that depend on none.

    Parameters
    ----------
    config
        The configuration.

    Attributes
    ----------
    tables
        Names of the tables that the chosen data sets have something to say about.
    inception
        Weights of InceptionV3, if there are any.
    judged_again
        Runs that another judge than the first measures too, each with the number of the judge.
    earlier
        What says which runs are recorded elsewhere, if any are.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        weights = config.values["inception_weights"]
        self.inception = [weights] if weights else []
        self.judged_again = list(config.judged_again())
        self.earlier = [f"{config.records_from}/{RUNS}"] if config.records_from else []
        self.tables = [
            name
            for name, table in TABLES.items()
            if any(
                self._has_row(table, run) and (run.dataset in STAND_INS or not table.drawn_only)
                for run in config.runs(table.kind)
            )
        ]

    def answers(self, wildcards: Any) -> list[str]:
        """Drawings of a perfect model's answers, which only a stand-in has."""
        reader = READERS[self._config.reader_of(wildcards.dataset)]
        path = f"<results>/judges/{wildcards.dataset}/answers.npz"
        return [path] if reader.spec.stand_in else []

    def others_of_its_kind(self, wildcards: Any) -> list[str]:
        """Stores of the other data sets with images and labels of the same shape."""
        kind = self._config.kind_of(wildcards.dataset)
        return [
            f"<results>/data/{name}/store.json"
            for name in self._config.datasets_here
            if name != wildcards.dataset and self._config.kind_of(name) == kind
        ]

    def metrics(self, dataset: str | None = None) -> list[str]:
        """What was measured of every run, or of those on one data set."""
        return _metrics(r for r in self._config.runs_here() if dataset in (None, r.dataset))

    def metrics_of_dataset(self, wildcards: Any) -> list[str]:
        """What was measured on the data set of a job."""
        return self.metrics(wildcards.dataset)

    def tables_of(self, kind: str) -> list[str]:
        """Tables of the data sets with the settings `kind`."""
        return [name for name in self.tables if TABLES[name].kind == kind]

    def metrics_of_tables(self, kind: str) -> list[str]:
        """What was measured of the runs that one of these tables has a row for."""
        tables = [TABLES[name] for name in self.tables_of(kind)]
        runs = self._config.runs_here(kind)
        return _metrics(r for r in runs if any(self._has_row(table, r) for table in tables))

    def judges(self, kind: str | None = None, dataset: str | None = None) -> list[str]:
        """Records of the judges of all data sets, of those with the settings `kind`, or of one."""
        return [
            f"<results>/judges/{name}/{record}.json"
            for name in self._config.datasets_here
            if kind in (None, self._config.kind_of(name)) and dataset in (None, name)
            for record in ("judge", "gp", "references")
        ]

    def other_judges(self) -> list[str]:
        """Records of all judges but the first."""
        again = {run.dataset for run, _ in self.judged_again}
        return [
            f"<results>/{judge_folder(dataset, judge)}/{record}.json"
            for dataset in self._config.datasets
            if dataset in again
            for judge in range(1, self._config.judges_of(dataset))
            for record in ("judge", "gp")
        ]

    def metrics_of_all_judges(self) -> list[str]:
        """What was measured of every run on data with several judges, by all of them."""
        config = self._config
        first = _metrics(run for run in config.runs_here() if config.judges_of(run.dataset) > 1)
        again = [f"<results>/{run.folder}/{metrics_file(n)}" for run, n in self.judged_again]
        return first + again

    def of_table(self, name: str) -> list[str] | Callable[[Any], list[str]]:
        """What the target of a table asks for."""
        if name in self.tables:
            return [f"<results>/tables/{name}.md"]
        kind = TABLES[name].kind
        fitting = [d for d in self._config.values["data"] if self._config.kind_of(d) == kind]
        return nothing_in(name, f"a model that can do what it measures, on {' or '.join(fitting)}")

    def _has_row(self, table: Table, run: Run) -> bool:
        lacks = self._config.lacking(run.model, run.dataset)
        return table.shows(self._config.system_of(run.model), lacks)


def _metrics(runs: Iterable[Run]) -> list[str]:
    return [f"<results>/{run.folder}/metrics.json" for run in runs]


def nothing_in(target: str, wanted: str) -> Callable[[Any], list[str]]:
    """Input function of a target for which nothing is run; asking for it is refused."""

    def refuse(wildcards: Any) -> list[str]:
        raise WorkflowError(
            f"there is nothing to show in {target}, which takes {wanted}; choose what is run with "
            '--config "datasets=[...]" "models=[...]"'
        )

    return refuse


def optional_files(wildcards: Any, input: Any) -> str:
    """Arguments for files that not every data set or configuration has."""
    return " ".join(
        f"--{name} {shlex.quote(path)}" for name in ("answers", "inception") for path in input[name]
    )


def folders_of_others(wildcards: Any, input: Any) -> list[str]:
    """Folders of the stores that `Inputs.others_of_its_kind` names."""
    return [str(Path(path).parent) for path in input.others]
