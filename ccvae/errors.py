"""The one exception that users are meant to read."""

from __future__ import annotations


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one sentence that says what was found, where, what was expected and what to
    do. Steps print it without a traceback and exit with status 1.
    """
