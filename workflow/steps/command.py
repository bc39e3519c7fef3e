"""What every step does around its work: arguments, one-sentence errors, threads and devices."""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import logging
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccvae.allocator import keep_freed_memory
from ccvae.errors import InputError
from ccvae.files import write_json
from workflow.cards import use_one_card
from workflow.interpreter import name_the_user, python_command
from workflow.settings import read_settings

if TYPE_CHECKING:
    import torch

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


def add_settings_argument(parser: argparse.ArgumentParser, name: str = "--settings") -> None:
    """Add an argument that takes resolved settings: one JSON object, or a file of it."""
    text = "settings as JSON, or the path of a settings.json"
    parser.add_argument(name, required=name == "--settings", type=read_settings, help=text)


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
