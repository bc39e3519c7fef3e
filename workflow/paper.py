"""Which tables the paper has, and what is in them; cheap to import, Snakemake plans with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """One table of the paper.

    Attributes
    ----------
    number
        In the paper.
    title
        Caption.
    kind
        Settings of its data sets: `attributes` or `classes`.
    metrics
        Name of each metric in the records -> its heading.
    lower_is_better
        Metrics whose best value is the smallest.
    references
        Rows of `workflow.records.REFERENCES` that belong in it.
    """

    number: int
    title: str
    kind: str
    metrics: dict[str, str]
    lower_is_better: frozenset[str] = frozenset()
    references: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As a target and a file name."""
        return f"table{self.number}"


TABLES = {
    table.name: table
    for table in (
        Table(
            1,
            "Classification accuracy, several binary labels",
            "attributes",
            {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy"},
            references=("majority", "judge"),
        ),
        Table(
            6,
            "Classification accuracy, one label of ten classes",
            "classes",
            {"accuracy": "accuracy"},
            references=("majority", "judge"),
        ),
    )
}
