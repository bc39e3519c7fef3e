"""Keep freed memory: what one step or image needs, the next one needs again."""

from __future__ import annotations

import ctypes

# Names that glibc's malloc.h gives to its settings.
MMAP_MAX, TRIM_THRESHOLD, TOP_PAD = -4, -1, -2
NEVER = 2**31 - 1
GROWTH = 256 << 20
"""Bytes by which the heap grows."""


def keep_freed_memory() -> bool:
    """Let glibc keep freed memory for the next tensor instead of returning it to the system.

    The activations of a training step are tens of megabytes each. By default glibc maps such
    blocks anew in every step, and the system clears each of their pages when it is first touched.

    Returns
    -------
    bool
        Whether it was set. Other C libraries have no such settings; nothing happens there.
    """
    try:
        library = ctypes.CDLL(None)
        is_glibc = hasattr(library, "gnu_get_libc_version")
    except (OSError, TypeError):
        return False
    settings = ((MMAP_MAX, 0), (TRIM_THRESHOLD, NEVER), (TOP_PAD, GROWTH))
    return is_glibc and all(library.mallopt(name, value) == 1 for name, value in settings)
