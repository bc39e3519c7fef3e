"""The one exception that users are meant to read, and what its sentences share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one sentence that says what was found, where, what was expected and what to
    do. Steps print it without a traceback and exit with status 1.
    """


def known_instead(name: str, known: Iterable[str]) -> str:
    """Say which known name comes nearest to an unknown one; all of them if none is near.

    Case, blanks, hyphens and underscores do not count.
    """
    plain = {_plain(other): other for other in known}
    if near := get_close_matches(_plain(name), plain, n=1):
        return f"did you mean '{plain[near[0]]}'?"
    return f"known are {', '.join(sorted(plain.values())) or 'none'}"


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.casefold())
