"""Settings of single jobs, as parameters of the rules: from wildcards to a file that holds them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError

from ccvae.errors import InputError
from workflow.config import Config
from workflow.identity import Run, subset_seed
from workflow.planning.checks import settings_of_asked_for
from workflow.settings import settings_file


class JobSettings:
    """Parameters of rules, by wildcards; each names a file of the settings that it stands for.

    So a shell line stays short, and a job with other settings, in another file, is run again.

    Parameters
    ----------
    config
        The configuration.
    runs_jobs
        Whether jobs are run, asked once they are known: `snakemake -n` leaves no trace, what only
        looks at jobs writes no files.
    """

    def __init__(self, config: Config, runs_jobs: Callable[[], bool]) -> None:
        self._config = config
        self._runs_jobs = runs_jobs
        self._folder = Path("results", config.preset, "settings")

    def file(self, job: str, settings: dict[str, Any]) -> str:
        """File of a job's settings.

        Raises
        ------
        WorkflowError
            If it cannot be written.
        """
        try:
            return str(settings_file(self._folder, job, settings, write=self._runs_jobs()))
        except OSError as error:
            raise WorkflowError(
                f"the folder {self._folder} cannot be written ({error.strerror}); change its "
                "permissions or choose another working directory with --directory"
            ) from None

    def store(self, wildcards: Any) -> str:
        """Of preparing a data set."""
        try:
            return self.file("store", settings_of_asked_for(self._config, wildcards.dataset))
        except InputError as error:
            raise WorkflowError(str(error)) from None

    def run(self, wildcards: Any) -> str:
        """Of a training."""
        seed = int(wildcards.seed)
        run = Run(wildcards.dataset, wildcards.model, wildcards.rate, seed)
        return self.file("train", self._config.run_settings(run))

    def judge(self, wildcards: Any) -> str:
        """Of a judge's training."""
        number = _judge_of(wildcards)
        return self.file("judge", self._config.judge_settings(wildcards.dataset, number))

    def gate(self, wildcards: Any) -> str:
        """Of what a judge must reach."""
        return self.file("gate", self._config.gate_settings(wildcards.dataset))

    def gp(self, wildcards: Any) -> str:
        """Of a judge's Gaussian process."""
        number = _judge_of(wildcards)
        return self.file("gp", self._config.gp_settings(wildcards.dataset, number))

    def evaluation(self, wildcards: Any) -> str:
        """Of measuring a model."""
        return self.file("evaluation", self._config.evaluation_settings(wildcards.dataset))

    @cached_property
    def the_plan(self) -> dict[str, Any]:
        """What was asked for, in the words of `workflow.reporting.records.Plan`."""
        return self._config.plan()

    def plan(self, wildcards: Any) -> str:
        """Of what reads the records of all runs."""
        return self.file("plan", self.the_plan)

    def judges(self, wildcards: Any) -> str:
        """Of what compares judges: the plan, and how many each data set has."""
        numbers = {name: self._config.judges_of(name) for name in self._config.datasets}
        return self.file("judges", {"plan": self.the_plan, "judges": numbers})

    def configuration(self, wildcards: Any) -> str:
        """The whole configuration."""
        return self.file("configuration", self._config.values)

    def labelled_seed(self, wildcards: Any) -> int:
        """Seed of which images are labelled."""
        return subset_seed(wildcards.dataset, wildcards.rate, int(wildcards.seed))


def _judge_of(wildcards: Any) -> int:
    """Number of a judge, by what stands behind the folder of the first."""
    return int(wildcards.other.removeprefix("/seed=") or 0)
