"""The profile for a cluster that takes --gres only; its sbatch writes down what it is told."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path

import pytest
import yaml

from tests.workflow.running import ROOT, snakemake
from tests.workflow.test_resources import HEAVY

pytest.importorskip("snakemake_executor_plugin_slurm")

PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
SBATCH = """#!/bin/sh
echo "$@" >> {calls}
exit 1
"""


def documented() -> str:
    (block,) = re.findall(r"```yaml\n( *set-resources:.*?)```", PAGE, flags=re.DOTALL)
    return textwrap.dedent(block.rstrip())


def test_the_documented_profile_names_every_rule_that_computes_on_a_gpu():
    trainings = {f"study_{study}_train" for study in ("alpha", "gradients", "variants")}
    assert set(yaml.safe_load(documented())["set-resources"]) == HEAVY | trainings


def test_the_documented_profile_asks_with_gres_and_not_with_gpus(tmp_path: Path):
    profile = tmp_path / "profile" / "profile.yaml"
    profile.parent.mkdir()
    usual = (ROOT / "profiles" / "slurm" / "profile.yaml").read_text(encoding="utf-8")
    profile.write_text(f"{usual.replace('retries: 2', 'retries: 0')}\n{documented()}\n")
    calls = tmp_path / "calls"
    for name in ("sbatch", "sacct", "sacctmgr", "sinfo", "squeue", "scontrol"):
        text = SBATCH.format(calls=calls) if name == "sbatch" else "#!/bin/sh\n"
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    store = tmp_path / "results" / "default" / "data" / "mnist"
    store.mkdir(parents=True)
    for name in ("images.npy", "labels.npy", "split.npy", "store.json"):
        (store / name).touch()
    done = snakemake(
        *("--workflow-profile", str(profile.parent), "--directory", str(tmp_path)),
        *("--slurm-init-seconds-before-status-checks", "1"),
        *("--seconds-between-status-checks", "1"),
        *("--", "results/default/judges/mnist/judge.json"),
        PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
    )
    assert calls.exists(), done.stderr
    asked = calls.read_text().partition(" --wrap")[0].split()
    assert "--gres=gpu:1" in asked
    assert not any(word.startswith("--gpus") for word in asked)
