"""Pages for readers out of the templates in workflow/resources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parents[1] / "resources"


def rendered(template: str, **values: Any) -> str:
    """Fill a template; every name in it must be given.

    Parameters
    ----------
    template
        File name in `TEMPLATES`.
    values
        What stands for the names in it.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=False
    )
    return without_gaps(environment.get_template(template).render(**values))


def without_gaps(text: str) -> str:
    """Text with at most one empty line in a row, where blocks were empty."""
    lines: list[str] = []
    for line in text.splitlines():
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip() + "\n"
