"""Write what is said twice about the configuration: comments, tables and defaults."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ccvae.errors import InputError
from ccvae.files import write_text
from workflow.manual import Manual
from workflow.planning.overlay import DEFAULT
from workflow.schema import SCHEMA
from workflow.steps.command import LOG, run

BEGIN, END = "<!-- BEGIN generated: make config-docs -->", "<!-- END generated -->"


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--schema", default=SCHEMA, type=Path)
    parser.add_argument("--config", default=DEFAULT, type=Path)
    parser.add_argument("--page", default=DEFAULT.with_name("README.md"), type=Path)


def work(given: Namespace) -> None:
    """Write the three files anew."""
    for path, text in written(given.schema, given.config, given.page).items():
        if text != path.read_text(encoding="utf-8"):
            write_text(path, text)
            LOG.info("%s: written", path)


def written(schema: Path, config: Path, page: Path) -> dict[Path, str]:
    """Text of the schema, the default configuration and the page about it, as they should be.

    Raises
    ------
    InputError
        If the page has no marks to write between.
    """
    texts = [path.read_text(encoding="utf-8") for path in (schema, config, page)]
    if BEGIN not in texts[2] or END not in texts[2]:
        raise InputError(f"{page} has no marks {BEGIN} and {END} to write between")
    new_schema = Manual(texts[0], texts[1]).with_defaults()
    manual = Manual(new_schema, texts[1])
    before, rest = texts[2].split(BEGIN)
    tables = f"{before}{BEGIN}\n\n{manual.tables()}\n\n{END}{rest.split(END)[1]}"
    return {schema: new_schema, config: manual.annotated(), page: tables}


if __name__ == "__main__":
    run(__doc__, arguments, work)
