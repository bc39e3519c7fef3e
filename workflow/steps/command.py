"""What every step does around its work: arguments, one-sentence errors, threads and devices."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccvae.allocator import keep_freed_memory
from ccvae.errors import InputError
from workflow.cards import use_one_card

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
    # What was imported is never garbage: the collector need not look at it, not even at exit.
    gc.freeze()
    gc.enable()
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
    """Add --device, --threads and --deterministic."""
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=1, help="processor threads to compute with")
    parser.add_argument(
        "--deterministic",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="on a GPU, use kernels that give the same bits again wherever there are any",
    )


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


def start_computing(device: str, threads: int, deterministic: bool = True) -> torch.device:
    """Choose the device (one card of several), the threads, and how exact a GPU has to be.

    Raises
    ------
    InputError
        If CUDA is asked for and there is none.
    """
    import torch

    keep_freed_memory()
    if device != "cpu":
        use_one_card()
    torch.set_num_threads(threads)
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise InputError("device 'cuda' was asked for, but torch sees no GPU; use auto or cpu")
    chosen = torch.device("cuda" if device != "cpu" and available else "cpu")
    if chosen.type == "cuda":
        _set_exactness(deterministic)
    return chosen


def _set_exactness(deterministic: bool) -> None:
    """Let float32 be float32 on a GPU, and choose its kernels by repeatability or by speed.

    torch rounds the factors of convolutions to TF32 unless told otherwise (deviation:
    gpu-precision). A few kernels have no deterministic version; they warn and run all the same.
    """
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cudnn.deterministic = deterministic
    if deterministic:
        # cuBLAS reads it when it is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Would write to all memory before it is used, for code that reads what it never wrote.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
