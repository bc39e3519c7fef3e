"""Paths as people write them in a configuration."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ccvae.errors import InputError

VARIABLE = re.compile(r"\$(\w+|\{\w+\})")


def expanded(where: str, path: str) -> str:
    """Path with `~` and `$VARIABLES` expanded; `where` is the key of the configuration.

    Raises
    ------
    InputError
        If a variable is not set, or a user is not known.
    """
    found = os.path.expandvars(os.path.expanduser(path))
    unset = VARIABLE.search(found)
    if (unset or found.startswith("~")) and not Path(found).exists():
        what = f"the variable {unset[0]} is not set" if unset else "there is no such home folder"
        raise InputError(f"configuration: {where} is '{path}', but {what}; write the path out")
    return found
