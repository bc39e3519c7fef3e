"""Which figures a reader is shown; cheap to import, Snakemake plans with it."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from ccvae.errors import InputError
from workflow.figures.catalogue import FIGURES
from workflow.figures.gallery import Gallery


def chosen(gallery: Gallery, patterns: Iterable[str]) -> list[str]:
    """Paths below the results folder, without suffix, of the figures that patterns name.

    Parameters
    ----------
    gallery
        The figures of a configuration.
    patterns
        As in `reference.figures` of the configuration, like `figure3/*_ccvae`.

    Raises
    ------
    InputError
        If a pattern names no figure.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        name = pattern.partition("/")[0]
        if name not in FIGURES:
            raise InputError(
                f"configuration: reference.figures names '{pattern}', but there is no figure "
                f"'{name}'; known are {', '.join(FIGURES)}"
            )
        stems = gallery.stems(FIGURES[name])
        found |= dict.fromkeys(s for s in stems if fnmatchcase(s, f"figures/{pattern}"))
    return list(found)
