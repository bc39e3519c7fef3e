"""What a machine or a container may lack for the suite to run, besides data, packages and room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from workflow.provenance import git_state


def surroundings() -> Iterator[tuple[str, str, bool]]:
    """Look at the user's own folders and at the suite's checkout.

    Yields
    ------
    tuple
        Topic, what was found, and whether nothing can run because of it.
    """
    if reason := missing_cache():
        advice = "name a folder of your own in HOME, or in XDG_CACHE_HOME where HOME has to stay"
        yield "caches", f"Snakemake finds no place for its cache ({reason}); {advice}", True
    if reason := closed_state(Path.cwd()):
        yield "working directory", reason, True
    code = git_state()
    if code["commit"] is None:
        yield "code", f"records will not say which commit made them: {code['unknown']}", False
    else:
        changed = " with changes on top" if code["dirty"] else ""
        yield "code", f"commit {code['commit'][:10]}{changed}", False


def closed_state(folder: Path) -> str:
    """Why Snakemake cannot keep its state in its working directory; empty if it can.

    It writes there even to say what would run.
    """
    state = folder / ".snakemake"
    inside = [state, *(state / name for name in ("locks", "log", "metadata", "incomplete"))]
    places = [place for place in inside if place.exists()] if state.exists() else [folder]
    for place in places:
        if not os.access(place, os.W_OK | os.X_OK):
            return (
                f"{place} cannot be written, and Snakemake writes there even for a dry run; work "
                "in a copy of this folder, or name one of your own with --directory"
            )
    return ""


def missing_cache() -> str:
    """Why Snakemake cannot keep its cache where it wants to; empty if it can.

    It makes the folder before it reads any rule, so that no rule can help.
    """
    from snakemake.common import get_appdirs

    try:
        folders = get_appdirs()
        # It looks for profiles in the second one.
        cache, _ = Path(folders.user_cache_dir), folders.user_config_dir
    except RuntimeError as error:
        return str(error)
    there = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    return "" if writable else f"{cache} cannot be written"
