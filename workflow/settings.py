"""Settings of a job as a file: Snakemake hands them to a step so, and a step leaves them so.

Cheap to import, Snakemake plans with it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ccvae.errors import InputError
from ccvae.files import write_json


def settings_file(folder: Path, job: str, settings: dict[str, Any], write: bool) -> Path:
    """File of a job's settings, named after what it holds: other settings, another file.

    Parameters
    ----------
    folder
        Where the settings of all jobs are.
    job
        What kind of job, for people.
    settings
        What the job depends on, besides files.
    write
        Whether to make the file where it is missing, or to name it only.
    """
    # Not sorted, unlike for the hash of a record: a table's rows are in the order of the models.
    digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]
    path = folder / f"{job}.{digest}.json"
    if write and not path.exists():
        write_json(path, settings)
    return path


def read_settings(given: str) -> dict[str, Any]:
    """Settings as a step is given them: JSON, or the path of a file of it.

    Raises
    ------
    InputError
        If the file cannot be read, or there is no JSON object in either.
    """
    inline = given.lstrip().startswith("{")
    where = "the settings on the command line" if inline else f"the settings {given}"
    try:
        settings = json.loads(given if inline else Path(given).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{where} cannot be read ({error.strerror}); give a JSON object, or a file of one as "
            "settings.json beside every result"
        ) from error
    except ValueError as error:
        raise InputError(f"{where} are not JSON ({error})") from error
    if not isinstance(settings, dict):
        raise InputError(f"{where} are no JSON object but {json.dumps(settings)[:40]}")
    return settings
