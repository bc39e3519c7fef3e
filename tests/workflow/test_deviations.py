from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from baselines.registry import SYSTEMS
from workflow.reporting.paper import TABLES
from workflow.reporting.render import DEVIATIONS, deviations_of

ROOT = Path(__file__).parents[2]
CITATION = re.compile(r"\(deviations?: *([a-z0-9-]+(?:, *[a-z0-9-]+)*)")
FIELDS = {"id", "title", "paper", "ours", "reason", "tables"}


def cited(text: str) -> set[str]:
    """Entries that a text cites as `(deviation: a)` or `(deviations: a, b)`."""
    # A citation may be broken over lines of a comment.
    flat = re.sub(r"\s*\n\s*(#+\s*)?", " ", text)
    return {name.strip() for names in CITATION.findall(flat) for name in names.split(",")}


def sources() -> list[Path]:
    packages = ("ccvae", "baselines", "datasets", "evaluators", "workflow")
    code = [path for folder in packages for path in (ROOT / folder).rglob("*.py")]
    rules = [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]
    return [*code, *rules, *(ROOT / "config").glob("*.yaml")]


def register() -> list[dict]:
    return yaml.safe_load(DEVIATIONS.read_text(encoding="utf-8"))


def all_cited() -> set[str]:
    return {name for path in sources() for name in cited(path.read_text(encoding="utf-8"))}


def test_what_is_cited_is_in_the_register():
    assert all_cited() - {entry["id"] for entry in register()} == set()


def test_what_is_in_the_register_is_cited():
    assert {entry["id"] for entry in register()} - all_cited() == set()


def test_entries_are_whole_and_named_once():
    entries = register()
    names = [entry["id"] for entry in entries]
    assert len(set(names)) == len(names) > 0
    for entry in entries:
        missing = {field for field in FIELDS if entry.get(field) in (None, "")}
        assert missing == set(), entry["id"]
        assert set(entry) <= FIELDS | {"effect", "data", "systems"}, entry["id"]
        assert set(entry.get("systems", [])) <= set(SYSTEMS), entry["id"]
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry["id"])


def test_tables_that_an_entry_touches_are_there():
    known = {table.name if table.number is None else table.number for table in TABLES.values()}
    for entry in register():
        assert set(entry["tables"]) <= known, entry["id"]


def test_entries_about_some_models_stand_under_tables_that_show_them():
    def under(*systems: str) -> set[str]:
        return {e["id"] for e in deviations_of(TABLES["table1"], ["celeba"], systems)}

    assert under("ccvae", "csvae") - under("ccvae") >= {"csvae-game", "csvae-posterior"}
    assert "m2-alpha" in under()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(deviation: a-b)", {"a-b"}),
        ("(deviations: a, b)", {"a", "b"}),
        ("(deviation: a says why)", {"a"}),
        ("# text (deviation:\n    # prior-rate).", {"prior-rate"}),
        ('"""Text (deviation:\n    eq8)."""', {"eq8"}),
        ("deviation: not a citation", set()),
    ],
)
def test_citations_are_found(text, found):
    assert cited(text) == found
