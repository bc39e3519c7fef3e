"""What an environment is made of, and what is run before a commit."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pandas as pd
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINNED = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK, flags=re.M))


def test_the_lock_pins_what_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for wanted in map(Requirement, project["dependencies"]):
        version = PINNED.get(canonicalize_name(wanted.name))
        assert version in wanted.specifier, f"{wanted}: run `make lock`"


def test_the_lock_has_the_versions_that_the_reference_was_made_with():
    # Another machine's card came with versions of its own, which its runs name.
    runs = pd.read_csv(ROOT / "results" / "reference" / "runs.csv").query("device == 'cpu'")
    made_with = {entry for versions in runs["versions"].unique() for entry in versions.split(", ")}
    assert made_with
    for name, version in (entry.split(" ") for entry in made_with):
        if name != "python":
            assert PINNED[name] == version, f"{name}: run `make lock` where the reference was made"


def test_every_pin_of_the_lock_has_hashes_and_the_lock_names_no_index():
    pins = [line for line in LOCK.splitlines() if line and line[0] not in " #"]
    assert len(pins) == len(PINNED) > 50
    assert all(line.endswith("\\") for line in pins)
    rest = [line for line in LOCK.splitlines() if line.startswith(" ")]
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in rest)


def test_hooks_run_what_lint_runs():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (parts,) = re.findall(r"^lint: (.+)$", makefile, flags=re.M)
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]]
    assert entries == [f"make {part}" for part in parts.split()]


def test_changelog_and_citation_name_the_version_and_its_day():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, day = re.search(r"^## \[([\d.]+)\] - (\S+)$", changelog, flags=re.M).groups()
    assert version == project["version"] == citation["version"]
    assert day == citation["date-released"].isoformat()
