"""Which models the explorer shows; cheap to import, Snakemake plans with it."""

from __future__ import annotations

from itertools import zip_longest

from ccvae.errors import InputError
from workflow.config import Config
from workflow.identity import Run


def selected(config: Config) -> list[Run]:
    """Runs in the order in which they fill the page: of each data set the first model, then ...

    What `explorer.models` names and this configuration does not run here is passed over.

    Raises
    ------
    InputError
        If it asks for a supervision rate that is not run.
    """
    options = config.values["explorer"]
    largest = max(config.rates, key=float)
    rates = list(
        dict.fromkeys(
            largest if rate == "largest" else rate for rate in options["supervision_rates"]
        )
    )
    for rate in rates:
        if rate not in config.rates:
            raise InputError(
                f"configuration: explorer.supervision_rates has {rate}, which is not run; "
                f"choose largest or some of {', '.join(config.rates)}"
            )
    trained = set(config.runs_here())
    rounds = zip_longest(
        *([(dataset, model) for model in models] for dataset, models in options["models"].items())
    )
    seed = config.values["figures"]["seed"]
    wanted = [
        Run(dataset, model, rate, seed)
        for row in rounds
        for dataset, model in filter(None, row)
        for rate in rates
    ]
    return [run for run in wanted if run in trained]
