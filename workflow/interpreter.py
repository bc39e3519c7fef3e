"""The command that runs a module of the suite, from wherever and with whatever else is installed.

Needs nothing but Python, because Snakemake plans with it and every step starts with it.
"""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import sys
from pathlib import Path

SUITE = Path(__file__).resolve().parents[1]


def python_command(own_environment: bool = False) -> str:
    """Shell words that run this interpreter on the suite's packages; `-m MODULE` follows them.

    In the suite's folder, with its environment activated, that is `python`. An interpreter that is
    not first on the PATH is named in full, and from another folder the suite is named too.

    Parameters
    ----------
    own_environment
        Whether the shell activates an environment or a container first, whose `python` counts.
    """
    python = "python" if own_environment or _is_first() else shlex.quote(sys.executable)
    if Path.cwd() == SUITE and not sys.flags.safe_path:
        return python
    # Snakemake keeps PYTHONPATH from environments that it activates, and so does this.
    given = [] if own_environment else os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = [str(SUITE), *(entry for entry in given if entry not in ("", str(SUITE)))]
    # -P: the folder that a workflow runs in may hold packages of the same names.
    return f"PYTHONPATH={shlex.quote(os.pathsep.join(path))} {python} -P"


def _is_first() -> bool:
    """Whether a shell that is told `python` runs this interpreter.

    A virtual environment's is a link to that of the system: the folder has to be the same as well.
    """
    found = shutil.which("python")
    if found is None:
        return False
    first, this = Path(found), Path(sys.executable)
    return first.samefile(this) and first.parent.samefile(this.parent)


def name_the_user() -> None:
    """Give a user whom the system has no name for one, where there is none in the environment.

    Snakemake and torch ask for a name, and end with a KeyError in a container that runs under a
    number: `docker run --user "$(id -u)"`.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = f"user{os.getuid()}"
