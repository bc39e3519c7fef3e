"""What the rules that draw figures read and write, and what they are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snakemake.io import report

from workflow.figures.catalogue import FIGURES, Figure
from workflow.figures.gallery import Gallery, stem
from workflow.planning.job_settings import JobSettings

CAPTIONS = "../report/figures"
"""Folder of the captions, from the rules."""
BROADEST = ("dataset", "model", "rates", "study", "models")
"""Scopes of figures; what the first says of its data and models is true of those behind it."""


class Drawing:
    """Figures that one process draws, because starting up costs more than drawing.

    Parameters
    ----------
    gallery
        The figures of the configuration.
    settings
        Where settings of jobs are kept.
    dataset
        What they are of; that of the study where there is none.
    needs
        What they are drawn from, as `workflow.figures.catalogue.Figure` says it.
    """

    def __init__(
        self, gallery: Gallery, settings: JobSettings, dataset: str | None, *needs: str
    ) -> None:
        self._gallery, self._settings = gallery, settings
        if dataset is None:
            self._dataset = gallery.study["dataset"]
            self._drawings: list[tuple[list[Figure], list[str]]] = [([FIGURES["figure8"]], [])]
        else:
            self._dataset = dataset
            self._drawings = gallery.drawings(dataset, *needs)

    def __bool__(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self._drawings)

    def outputs(self) -> list[Any]:
        """Each figure as a picture in the report, with its PDF and its caption as text.

        Pictures come first, because Snakemake looks for a file from the front, and they are asked
        for.
        """
        pictures, others = [], []
        for figures, models in self._drawings:
            for figure in figures:
                path = f"<results>/{stem(figure, self._dataset, next(iter(models), ''))}"
                shown = models[0] if figure.scope in ("model", "rates") else "all"
                picture = report(
                    f"{path}.png",
                    caption=f"{CAPTIONS}/{figure.caption}.rst",
                    category="Figures",
                    subcategory=figure.title.capitalize(),
                    labels={"figure": figure.heading, "data set": self._dataset, "model": shown},
                )
                pictures.append(picture)
                others += [f"{path}.pdf", f"{path}.txt"]
        return pictures + others

    def of_models(self, *rates: str, names: tuple[str, ...]) -> list[str]:
        """Files of each model that is shown, at supervision rates."""
        return [
            f"<results>/runs/{self._dataset}/{model}/f={rate}/seed={self._gallery.seed}/{name}"
            for model in self._models()
            for rate in rates
            for name in names
        ]

    def judge(self) -> list[str]:
        """The judge, and what says which labels it can read, where pictures say what it sees."""
        if not self._gallery.judged(self._dataset):
            return []
        files = ("judge.pt", "training.json", "judge.json", "references.json")
        return [f"<results>/judges/{self._dataset}/{name}" for name in files]

    def settings(self) -> Callable[[Any], str]:
        """Parameter: what is drawn, and how."""

        def file(wildcards: Any) -> str:
            each = [
                self._gallery.settings(figures, self._dataset, models)
                for figures, models in self._drawings
            ]
            return self._settings.file("figures", {"each": each, "plan": self._settings.the_plan})

        return file

    def facts(self) -> Callable[[Any], dict[str, str]]:
        """Parameter: what the report's captions say of all; a figure's own says it of itself."""
        first = min((f for f, _ in self._drawings), key=lambda f: BROADEST.index(f[0].scope))
        return lambda wildcards: self._gallery.facts(first, self._dataset, self._models())

    def _models(self) -> list[str]:
        return list(dict.fromkeys(model for _, models in self._drawings for model in models))
