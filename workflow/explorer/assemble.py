"""From packed parts to one file: what fits, and the page around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "page"
SCRIPTS = (
    "arrays",
    "network",
    "codes",
    "state",
    "widgets",
    "work",
    "bars",
    "grid",
    "attributes",
    "classes",
    "main",
)
"""Modules of page/ in an order in which each comes after those that it imports."""


@dataclass(frozen=True)
class Part:
    """A model or a data set on the page.

    Attributes
    ----------
    described
        What stands in the page's JSON.
    blob
        Its arrays, as `arrays.Blob.text` gives them.
    """

    described: dict[str, Any]
    blob: str

    @property
    def size(self) -> int:
        """Bytes that it takes on the page."""
        return len(_json(self.described).encode()) + len(self.blob)


def bundled() -> str:
    """The modules of page/ as one script: their imports and exports are taken away."""
    texts = [(PAGE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    script = "\n".join(texts)
    script = re.sub(r"^import [^;]*;\n", "", script, flags=re.MULTILINE)
    return re.sub(r"^export ", "", script, flags=re.MULTILINE)


def assembled(about: Mapping[str, Any], data: Mapping[str, Part], models: Iterable[Part]) -> str:
    """Write the page.

    Parameters
    ----------
    about
        What the page says of itself.
    data
        Data sets by name.
    models
        Models in the order of their columns.
    """
    blobs: list[str] = []

    def placed(part: Part) -> dict[str, Any]:
        blobs.append(part.blob)
        return {**part.described, "blob": f"blob-{len(blobs) - 1}"}

    contents = {
        "about": dict(about),
        "data": {name: placed(part) for name, part in data.items()},
        "models": [placed(part) for part in models],
    }
    packed = [f'<script type="application/json" id="contents">{_json(contents)}</script>']
    packed += [
        f'<script type="text/plain" id="blob-{number}">{blob}</script>'
        for number, blob in enumerate(blobs)
    ]
    pieces = {
        "style": (PAGE / "explorer.css").read_text(encoding="utf-8"),
        "contents": "\n".join(packed),
        "script": bundled(),
    }
    text = (PAGE / "explorer.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{ (\w+) \}\}", lambda match: pieces[match[1]], text)


def _json(value: Any) -> str:
    # A tag that ends the script must not stand in it.
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
