"""What every step does around its work: arguments, one-sentence errors, threads and devices."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccvae.errors import InputError

if TYPE_CHECKING:
    import torch

LOG = logging.getLogger("ccvae")


def run(
    description: str,
    arguments: Callable[[argparse.ArgumentParser], None],
    work: Callable[[argparse.Namespace], None],
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
    """
    parser = argparse.ArgumentParser(description=description)
    arguments(parser)
    parsed = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        work(parsed)
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        sys.exit(f"error: {error.strerror or error}{where}")


def add_compute_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --device and --threads."""
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=1, help="processor threads to compute with")


def add_settings_argument(parser: argparse.ArgumentParser) -> None:
    """Add --settings, resolved settings as one JSON object."""
    parser.add_argument("--settings", required=True, type=json_object, help="settings as JSON")


def json_object(text: str) -> dict[str, Any]:
    """Parse a JSON object given as an argument."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("expected a JSON object")
    return value


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


def start_computing(device: str, threads: int) -> torch.device:
    """Choose the device, set the threads, and ask for deterministic results.

    Raises
    ------
    InputError
        If CUDA is asked for and there is none.
    """
    import torch

    torch.set_num_threads(threads)
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise InputError("device 'cuda' was asked for, but torch sees no GPU; use auto or cpu")
    chosen = torch.device("cuda" if device != "cpu" and available else "cpu")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return chosen
