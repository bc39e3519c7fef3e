from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from baselines.registry import SYSTEMS
from workflow.planning.overlay import merged_config
from workflow.reporting.paper import TABLES
from workflow.reporting.register import DEVIATIONS, KINDS, SHARED, deviations_of, name_of, touched

ROOT = Path(__file__).parents[2]
CITATION = re.compile(r"\(deviations?: *([a-z0-9-]+(?:, *[a-z0-9-]+)*)")
FIELDS = {"id", "title", "paper", "ours", "reason"}
TOUCHES = {"settings", "metrics", "tables"}
SHOWS = {"shown_in", "variants"}

GIVEN = {
    "*.attributes.latents": "45, section C.1",
    "*.attributes.latents_per_label": "one, section C.1",
    "all.attributes.likelihood": "Laplace, section C.1",
    "all.attributes.architecture.name": "Table 3",
}
"""Settings that the paper makes itself."""


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
        assert set(entry) <= FIELDS | TOUCHES | {"data", "systems"} | SHOWS, entry["id"]
        assert set(entry) & TOUCHES, entry["id"]
        assert set(entry.get("systems", [])) <= set(SYSTEMS), entry["id"]
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry["id"])


def test_tables_that_an_entry_names_are_there():
    known = {name_of(table) for table in TABLES.values()}
    for entry in register():
        assert set(entry.get("tables", [])) <= known, entry["id"]


def names_of_settings(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every setting by the name that entries give it, `<model or all>.<kind>.<key>`."""
    sections = {SHARED: values["settings"], **values["model_settings"]}
    for name, section in sections.items():
        for kind in KINDS:
            for key, value in leaves(section.get(kind, {})):
                yield f"{name}.{kind}.{key}", value


def leaves(section: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def configured() -> dict[str, object]:
    """Every setting of the default preset by name."""
    return dict(names_of_settings(merged_config([], [])))


def patterns() -> list[str]:
    return [pattern for entry in register() for pattern in entry.get("settings", [])]


def test_settings_that_an_entry_names_are_configured():
    for pattern in patterns():
        assert any(fnmatchcase(name, pattern) for name in configured()), pattern


def test_every_setting_that_the_paper_does_not_make_has_an_entry():
    known = [*patterns(), *GIVEN]
    assert [n for n in configured() if not any(fnmatchcase(n, p) for p in known)] == []


def test_every_setting_that_differs_from_the_papers_protocol_has_an_entry():
    ours = configured()
    papers = dict(names_of_settings(merged_config([ROOT / "config" / "paper.yaml"], [])))
    different = {name for name, value in ours.items() if papers.get(name) != value}
    assert {"all.classes.training.kind", "ccvae.classes.prior_rate"} <= different
    assert [n for n in different if not any(fnmatchcase(n, p) for p in patterns())] == []


def test_metrics_that_an_entry_names_are_in_a_table():
    shown = {metric.name for table in TABLES.values() for metric in table.metrics}
    for entry in register():
        for beginning in entry.get("metrics", []):
            assert any(name.startswith(beginning) for name in shown), beginning


@pytest.mark.parametrize(
    ("entry", "tables"),
    [
        ({"settings": ["ccvae*.classes.prior_rate"]}, [6, 7, "style"]),
        ({"settings": ["all.attributes.likelihood"]}, "attributes"),
        ({"settings": ["vae_classifier.attributes.confidence"]}, "attributes"),
        ({"settings": ["all.*.judge.network"], "metrics": ["swap"]}, [2]),
        ({"metrics": ["fid"], "tables": [1]}, [1, 4]),
    ],
)
def test_tables_are_those_of_what_an_entry_uses(entry, tables):
    if tables == "attributes":
        tables = [name_of(t) for t in TABLES.values() if t.kind == "attributes"]
    assert touched(entry) == tables


def test_what_moves_tables_6_and_7_stands_under_them():
    for name in ("table6", "table7"):
        below = {entry["id"] for entry in deviations_of(TABLES[name], ["mnist"], ["ccvae"])}
        assert {"prior-rate", "label-samples", "gradient-clip", "objective-weights"} <= below


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
