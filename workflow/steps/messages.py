"""What a step says, where it goes, and how a person runs the step again."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from workflow.interpreter import python_command


def repeating_command(arguments: Sequence[str], settings: Path | None) -> str:
    """What a person types in the same folder to do what this process does.

    Parameters
    ----------
    arguments
        Those of this process.
    settings
        The file that its settings stay in.
    """
    words = iter(arguments)
    typed = []
    for word in words:
        if word == "--log":
            next(words)
        elif word == "--settings" and settings is not None:
            next(words)
            typed += [word, str(settings)]
        else:
            typed.append(word)
    module = sys.modules["__main__"].__spec__
    return f"{python_command()} -m {module.name if module else ''} {shlex.join(typed)}"


def say(text: str) -> bool:
    """Write a line to stderr; returns whether that was possible."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def messages_to(log: Path | None) -> Iterator[None]:
    """Let everything that is written to stderr, by child processes too, go into a file.

    Parameters
    ----------
    log
        The file; None leaves stderr alone, and so does a file that cannot be opened.
    """
    if log is None:
        yield
        return
    screen = os.dup(2)
    try:
        with contextlib.suppress(OSError), log.open("wb") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os.dup2(screen, 2)
        os.close(screen)
