"""What jobs ask for, read from the rules as Snakemake reads them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HEAVY = {
    *("train", "train_judge", "assess_judge", "fit_gp"),
    *("evaluate", "evaluate_judge", "evaluate_references", "study_draws"),
}
WRAPPER = """
import json

include: {snakefile!r}

def needs(found):
    tries = [found.expand_resources({{}}, [], attempt) for attempt in (1, 2)]
    names = ("mem_mb", "runtime", "gpu")
    amounts = {{name: [asked.get(name) for asked in tries] for name in names}}
    return {{"local": found.name in workflow._localrules, **amounts}}

limit = workflow.global_resources.get("gpu")
print("FOUND", json.dumps({{
    "limit": limit and limit.value,
    "local": workflow.resource_scopes.is_local("gpu"),
    "rules": {{found.name: needs(found) for found in workflow.rules if found.shellcmd}},
}}))

rule nothing:
"""


def found(tmp_path: Path, *arguments: str, **environment: str) -> dict:
    """Limits, and the resources of every rule in its first and second attempt."""
    wrapper = tmp_path / "Snakefile"
    wrapper.write_text(WRAPPER.format(snakefile=str(ROOT / "Snakefile")))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "-n", "--snakefile", wrapper),
            *("--workflow-profile", "none", "--cores", "1", *arguments, "--", "nothing"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    assert lines, done.stderr
    return json.loads(lines[0].removeprefix("FOUND "))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return found(tmp_path_factory.mktemp("usual"))


def test_every_rule_says_what_it_needs_and_asks_for_more_memory_when_tried_again(usual):
    assert set(usual["rules"]) > HEAVY
    for name, rule in usual["rules"].items():
        first, second = rule["mem_mb"]
        # A local rule is tried again where it ran, on the same machine.
        assert second == (1 if rule["local"] else 2) * first > 0, name
        first, second = rule["runtime"]
        assert second == first > 0, name
        assert rule["gpu"] == [0, 0] or not rule["local"], name


def test_what_computes_on_a_gpu_asks_for_one_and_is_not_local(usual):
    on_a_gpu = {name for name, rule in usual["rules"].items() if rule["gpu"] == [1, 1]}
    trainings = {name for name in usual["rules"] if name.endswith("_train")}
    assert on_a_gpu == HEAVY | trainings
    page = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^    (\w+): [&*]card", page, re.MULTILINE)) == on_a_gpu


def test_without_a_card_nothing_is_limited(usual):
    assert usual["limit"] is None


def test_cards_limit_jobs_of_this_machine_and_not_those_of_a_cluster(tmp_path):
    limits = found(tmp_path, CUDA_VISIBLE_DEVICES="0,2")
    assert (limits["limit"], limits["local"]) == (8, True)
    one = found(tmp_path, "--config", "jobs_per_card=1", CUDA_VISIBLE_DEVICES="0,2")
    assert one["limit"] == 2


def test_a_limit_on_the_command_line_wins(tmp_path):
    assert found(tmp_path, "--resources", "gpu=8", CUDA_VISIBLE_DEVICES="0")["limit"] == 8


def test_nothing_asks_for_a_gpu_on_a_configuration_for_the_processor(tmp_path):
    rules = found(tmp_path, "--config", "device=cpu")["rules"]
    assert all(rule["gpu"] == [0, 0] for rule in rules.values())


def test_every_entry_of_a_profile_is_commented():
    for path in sorted((ROOT / "profiles").glob("*/profile.yaml")):
        text = path.read_text(encoding="utf-8")
        for entry in yaml.safe_load(text):
            before = text.partition(f"\n{entry}:")[0].splitlines()[-1]
            assert before.startswith("#"), (path, entry)
