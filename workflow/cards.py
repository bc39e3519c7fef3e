"""Which graphics cards this process may use, and one for each of the jobs that run side by side.

Needs neither torch nor CUDA, because a card has to be chosen before CUDA starts.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import IO

from ccvae.errors import InputError

LOG = logging.getLogger("ccvae")
VISIBLE = "CUDA_VISIBLE_DEVICES"
"""What CUDA reads when it starts; Slurm sets it to the cards of a job."""

_held: list[IO[str]] = []
"""Lock files of this process; the kernel lets go of them when it ends, however it ends."""


def visible_cards(devices: Path = Path("/dev")) -> list[str]:
    """Names of the cards that CUDA would show, as it reads them in CUDA_VISIBLE_DEVICES.

    Parameters
    ----------
    devices
        Where the driver keeps a file for each card; a container sees those that it was given.
    """
    chosen = os.environ.get(VISIBLE)
    if chosen is not None:
        names = [name.strip() for name in chosen.split(",")]
        # CUDA stops at the first name that is none: -1, nothing, or Slurm's NoDevFiles.
        valid = [bool(re.fullmatch(r"\d+|(GPU|MIG)-\S+", name)) for name in names]
        return names[: valid.index(False)] if False in valid else names
    found = sum(bool(re.fullmatch(r"nvidia\d+", path.name)) for path in devices.glob("nvidia*"))
    return list(map(str, range(found or _cards_of_the_driver())))


def _cards_of_the_driver() -> int:
    """Count the cards that nvidia-smi lists; WSL has no device files."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    listed = subprocess.run([program, "-L"], capture_output=True, text=True, check=False)
    return len(re.findall(r"^GPU \d+:", listed.stdout, flags=re.MULTILINE))


def take_card(cards: Sequence[str], folder: Path | None = None) -> str:
    """Choose the card with the fewest jobs of this user on it, and hold it until the process ends.

    Parameters
    ----------
    cards
        Names of the cards to choose from, at least one.
    folder
        Where the lock files are; by default a folder of this user among the temporary files.

    Raises
    ------
    InputError
        If somebody else owns the folder.
    """
    folder = folder or Path(tempfile.gettempdir(), f"ccvae-cards-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise InputError(
            f"the folder {folder} belongs to another user; name one of your own in TMPDIR"
        )
    # A card has a lock for its first job, one for its second, and so on.
    for others in count():
        for card in cards:
            lock = (folder / f"{card.replace('/', '_')}.{others}").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            _held.append(lock)
            if others:
                LOG.info("all cards are taken; card %s now has %d jobs", card, others + 1)
            return card
    raise AssertionError("unreachable: there is no last lock")


def use_one_card() -> None:
    """Show CUDA one card only, where there are several; call it before CUDA starts.

    Who was given a single card, by Slurm for example, keeps it, however many others use it.
    """
    cards = visible_cards()
    if len(cards) > 1:
        os.environ[VISIBLE] = take_card(cards)
        LOG.info("computing on card %s of %s", os.environ[VISIBLE], ", ".join(cards))
