"""Write tensors to a file whole or not at all."""

from __future__ import annotations

import io
import os
from typing import Any

import torch

from ccvae.errors import InputError
from ccvae.files import atomic_path


def save_tensors(content: Any, path: str | os.PathLike[str]) -> None:
    """Save a state to `path`; what was there before stays until the new file is whole.

    Parameters
    ----------
    content
        Tensors and plain values that `torch.load(weights_only=True)` reads back.
    path
        The file. Its folder is made when it is missing.

    Raises
    ------
    InputError
        If the disk is full or the folder cannot be written.
    """
    # torch's own writer hides a full disk behind an internal error.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}); make room or choose another "
            "folder, what was written before is kept"
        ) from error
