"""Arrays as text that a page can hold: rounded, deflated, and in base64.

page/arrays.js reads them back.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

EIGHT_BITS = 127


class Blob:
    """Arrays one after the other; each is described by where it begins and how it was rounded."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, array: np.ndarray, rounding: str = "float16") -> dict[str, Any]:
        """Append an array; returns its description.

        Parameters
        ----------
        array
            Finite numbers of any shape.
        rounding
            `float32`; `float16`; or `int8`, whole multiples of a step of its own per row of the
            first axis, the 127th part of the row's largest magnitude.
        """
        described: dict[str, Any] = {"shape": list(array.shape), "type": rounding}
        if rounding == "int8":
            steps, whole = _in_steps(array)
            described["steps"] = self.add(steps, "float32")
            array = whole
        data = np.ascontiguousarray(array, np.dtype(rounding).newbyteorder("<"))
        described["at"] = self._size
        # Bytes of one significance side by side deflate to less.
        self._parts.append(data.reshape(-1).view(np.uint8).reshape(-1, data.itemsize).T.tobytes())
        self._size += data.nbytes
        return described

    def text(self) -> str:
        """All of it, zlib's deflate in base64."""
        return base64.b64encode(zlib.compress(b"".join(self._parts), 9)).decode("ascii")


def rounded(array: np.ndarray, rounding: str) -> np.ndarray:
    """What the page will read of an array: float32 of the same shape."""
    if rounding == "int8":
        steps, whole = _in_steps(array)
        return whole * steps.reshape(-1, *[1] * (array.ndim - 1))
    return array.astype(rounding).astype(np.float32)


def _in_steps(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps of the rows, float32 (R,), and the array in whole steps, float32."""
    rows = array.reshape(len(array), -1)
    steps = (np.abs(rows).max(1) / EIGHT_BITS).astype(np.float32)
    steps[steps == 0] = 1
    whole = np.rint(rows / steps[:, None]).astype(np.float32)
    return steps, whole.reshape(array.shape)
