"""What every step does around its work: arguments, settings, and one-sentence errors."""

from __future__ import annotations

import argparse
import gc
import io
import logging
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ccvae.errors import InputError
from ccvae.files import write_json
from workflow.interpreter import name_the_user
from workflow.settings import read_settings
from workflow.steps.messages import messages_to, repeating_command, say

LOG = logging.getLogger("ccvae")


def run(
    description: str,
    arguments: Callable[[argparse.ArgumentParser], None],
    work: Callable[[argparse.Namespace], None],
    kept: Callable[[argparse.Namespace], Path] | None = None,
) -> None:
    """Parse the command line and do the work; a user's mistake ends it with one sentence.

    Parameters
    ----------
    description
        First line of `--help`.
    arguments
        Adds the step's arguments to a parser.
    work
        The step.
    kept
        Where `--settings` stay, beside what the step writes; None for a step without any.
    """
    # What was imported is never garbage: the collector need not look at it, not even at exit.
    gc.freeze()
    gc.enable()
    name_the_user()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Where only ASCII is known, an accent is no reason to stop.
            stream.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(description=description)
    arguments(parser)
    parser.add_argument("--log", type=Path, help="file for messages; errors are on stderr too")
    try:
        given = parser.parse_args()
    except InputError as error:
        sys.exit(f"error: {error}")
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO, stream=sys.stderr)
    # What cannot be logged must not stop the work.
    logging.raiseExceptions = False
    with messages_to(given.log):
        failure = _attempt(given, work, kept)
    if failure:
        sys.exit(failure)


def _attempt(
    given: argparse.Namespace,
    work: Callable[[argparse.Namespace], None],
    kept: Callable[[argparse.Namespace], Path] | None,
) -> str:
    """Do the work; returns the sentence that says why it failed, if it did."""
    try:
        path = _keep_settings(given.settings, kept(given)) if kept else None
        if given.log is not None:
            say(repeating_command(sys.argv[1:], path))
        work(given)
        return ""
    except InputError as error:
        failure = f"error: {error}"
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        failure = f"error: {error.strerror or error}{where}"
    except KeyboardInterrupt:
        failure = "interrupted"
    except Exception as error:
        if given.log is None:
            raise
        text = traceback.format_exc()
        where = f"{type(error).__name__}: {error} (the traceback is in {given.log})"
        return where if say(text) else text
    if given.log is not None:
        say(failure)
    return failure


def _keep_settings(settings: dict[str, Any], path: Path) -> Path:
    """Leave a step's settings beside its results; Snakemake deletes those of a job that failed."""
    require_writable(path.parent)
    write_json(path, settings)
    return path


def add_settings_argument(parser: argparse.ArgumentParser, name: str = "--settings") -> None:
    """Add an argument that takes resolved settings: one JSON object, or a file of it."""
    text = "settings as JSON, or the path of a settings.json"
    parser.add_argument(name, required=name == "--settings", type=read_settings, help=text)


def folder(given: str) -> Path:
    """Read an argument that names a folder, or a file in it, as `model.pt` of a run.

    Rules name files, because Snakemake is slow to take a folder out of them.
    """
    path = Path(given)
    return path.parent if path.suffix and not path.is_dir() else path


def add_configuration_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which configuration; the first two are Snakemake's."""
    parser.add_argument("--configfile", nargs="+", default=[], type=Path, help="overlays")
    parser.add_argument("--config", nargs="+", default=[], help="key=value on top")
    parser.add_argument("--results", default="results", type=Path, help="folder of all presets")


def require_writable(folder: Path) -> None:
    """Make a folder, so that one that cannot be written is known before hours of work.

    Raises
    ------
    InputError
        If it cannot be made or written.
    """
    reason = "permission denied"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return
    except OSError as error:
        reason = error.strerror or str(error)
    raise InputError(
        f"the folder {folder} cannot be written ({reason}); change its permissions or choose "
        "another one"
    )
