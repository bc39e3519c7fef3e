"""The workflow as others deploy it: as a module, from another folder, by another interpreter."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ccvae.files import read_json
from tests.workflow.running import ROOT, jobs, snakemake
from workflow.provenance import git_state

TRACKED = ("baselines", "ccvae", "config", "datasets", "evaluators", "profiles", "workflow")

MODULE = """
configfile: "config/config.yaml"

module ccvae:
    snakefile: {snakefile!r}
    config: config

use rule * from ccvae
"""


def deployed(folder: Path, **config: object) -> Path:
    """A folder with a Snakefile of its own that uses the suite as a module."""
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    snakefile = str(ROOT / "workflow" / "Snakefile")
    (folder / "Snakefile").write_text(MODULE.format(snakefile=snakefile))
    return folder


def copied(suite: Path) -> Path:
    """The suite in another folder."""
    for name in TRACKED:
        shutil.copytree(ROOT / name, suite / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "environment.yml"):
        shutil.copy(ROOT / name, suite)
    return suite


def repository_of_the_suite(folder: Path) -> tuple[Path, str]:
    """The suite as a repository with one commit."""

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=A", "-c", "user.email=a@b.c")
        command = ["git", "-C", str(folder), *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    copied(folder)
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "The suite")
    return folder, git("rev-parse", "HEAD")


def shell_lines(output: str) -> list[str]:
    lines = output.splitlines()
    return [line.partition(": ")[2] for line in lines if line.startswith("Shell command: ")]


def test_a_module_with_a_configuration_of_its_own_is_planned(tmp_path):
    folder = deployed(tmp_path, preset="mine", datasets=["mnist"], supervision_rates=["0.06"])
    done = snakemake("-n", "-p", "--cores", "1", "table6", cwd=folder, PYTHONPATH="")
    assert done.returncode == 0, done.stderr
    assert jobs(done.stdout)["train"] == 4
    lines = [line for line in shell_lines(done.stdout) if line != "None"]
    prefix = f"PYTHONPATH={shlex.quote(str(ROOT))} "
    assert lines
    assert all(line.startswith(prefix) and " -P -m workflow.steps." in line for line in lines)
    assert "results/mine/runs/mnist/ccvae/f=0.06/seed=0" in done.stdout
    assert {path.name for path in folder.iterdir()} == {"Snakefile", "config", ".snakemake"}


def test_a_module_s_rules_and_results_are_named_by_its_user(tmp_path):
    folder = deployed(tmp_path, **yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text()))
    text = (folder / "Snakefile").read_text()
    where = '    config: config\n    pathvars:\n        results="out"\n'
    text = text.replace("    config: config\n", where)
    text = text.replace("from ccvae", "from ccvae as suite_*")
    (folder / "Snakefile").write_text(text)
    done = snakemake("-n", "--cores", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    # The default target is `all`.
    assert jobs(done.stdout)["suite_all"] == 1
    assert jobs(done.stdout)["suite_train"] > 20
    assert "output: out/tables/table6.md" in done.stdout


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"colour": "blue"}, "unknown key 'colour'"),
        ({"preset": 20241125}, "the preset 20241125 is no text; write it in quotes"),
    ],
)
def test_a_mistake_in_a_module_s_configuration_is_one_sentence(config, sentence, tmp_path):
    done = snakemake("-n", "--cores", "1", cwd=deployed(tmp_path, **config))
    assert done.returncode != 0
    assert sentence in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_module_can_be_named_in_a_repository(tmp_path):
    repository, commit = repository_of_the_suite(tmp_path / "repository")
    folder = deployed(tmp_path / "own", datasets=["mnist"], supervision_rates=["0.06"])
    named = f'gitfile({str(repository)!r}, path="workflow/Snakefile", commit={commit!r})'
    text = (folder / "Snakefile").read_text()
    (folder / "Snakefile").write_text(text.replace(repr(str(ROOT / "workflow/Snakefile")), named))
    where = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": ""}
    done = snakemake("-n", "-p", "--cores", "1", "table6", cwd=folder, **where)
    assert done.returncode == 0, done.stderr
    (suite,) = (tmp_path / "cache").rglob("ccvae-suite/*")
    assert git_state(suite) == {"commit": commit, "dirty": False}
    lines = [line for line in shell_lines(done.stdout) if line != "None"]
    assert lines
    assert all(line.startswith(f"PYTHONPATH={suite} ") for line in lines)


@pytest.mark.parametrize("how", ["--directory", "--snakefile"])
def test_results_lie_in_the_working_directory_and_defaults_beside_the_suite(how, tmp_path):
    chosen = ("-n", "table6", "--configfile", str(ROOT / "config" / "smoke.yaml"))
    if how == "--directory":
        done = snakemake("--directory", str(tmp_path), *chosen)
    else:
        done = snakemake("--snakefile", str(ROOT / "Snakefile"), *chosen, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert jobs(done.stdout)["train"] == 10
    assert not (tmp_path / "results").exists()
    assert f"Working directory: {tmp_path}" in done.stdout + done.stderr


def test_shell_lines_are_short_and_name_snakemake_s_own_interpreter():
    done = snakemake("-n", "-p", "--config", "preset=p", PATH="/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    lines = [line for line in shell_lines(done.stdout) if line != "None"]
    assert len(lines) > 200
    for line in lines:
        assert line.startswith(f"{sys.executable} -m workflow.steps.")
        assert len(line) < 600
        assert "{" not in line
    assert not (ROOT / "results" / "p").exists(), "looking leaves no trace"


CONDA = """#!/bin/sh
echo '{"conda_version": "25.1.0", "root_prefix": "/opt", "conda_prefix": "/opt",
       "platform": "linux-64", "get": {"channel_priority": "strict"}}'
"""


def test_an_environment_of_each_job_has_its_own_interpreter(tmp_path):
    (tmp_path / "conda").write_text(CONDA)
    (tmp_path / "conda").chmod(0o755)
    arguments = ("-n", "-p", "table6", "--config", "preset=p", "--sdm", "conda")
    done = snakemake(*arguments, PATH=f"{tmp_path}:/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    lines = [line for line in shell_lines(done.stdout) if line != "None"]
    assert lines
    assert all(line.startswith("python -m workflow.steps.") for line in lines)


NO_NAME = """
import os, pwd

def getpwuid(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")

pwd.getpwuid = getpwuid
for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
    os.environ.pop(name, None)
"""


def test_a_user_without_a_name_can_plan(tmp_path):
    """As `docker run --user 54321` runs it."""
    (tmp_path / "sitecustomize.py").write_text(NO_NAME)
    done = snakemake("-n", "-p", "table6", "--config", "preset=p", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"User: user{os.getuid()}" in done.stdout + done.stderr


def test_one_flag_takes_several_configurations(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("preset: never_run\nsupervision_rates: [0.06]\nseeds: 2\n")
    overlays = ("--configfile", "config/smoke.yaml", str(mine))
    done = snakemake("-n", "--quiet", "rules", *overlays, "--", "table6")
    assert done.returncode == 0, done.stderr
    assert jobs(done.stdout)["train"] == 10


@pytest.mark.slow
def test_a_module_runs_and_a_copy_of_it_has_nothing_to_do(tmp_path):
    config = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())
    config |= {"datasets": ["mnist"], "supervision_rates": ["0.06"]}
    # Downloads are shared.
    folder = deployed(tmp_path / "one", **config, raw_data=str(ROOT / "data" / "raw"))
    arguments = ("--cores", "1", "--quiet", "rules", "--", "table6")
    done = snakemake(*arguments, cwd=folder, PATH="/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    assert "CCVAE" in (folder / "results/smoke/tables/table6.md").read_text()
    moved = folder.rename(tmp_path / "two")
    again = snakemake("-n", *arguments, cwd=moved)
    assert "Nothing to be done" in again.stdout + again.stderr
    # The command in a log works from there, as the log says it.
    log = moved / "results/smoke/logs/evaluate/mnist/m2/f=0.06.seed=0.log"
    metrics = moved / "results/smoke/runs/mnist/m2/f=0.06/seed=0/metrics.json"
    before = read_json(metrics)["metrics"]
    metrics.unlink()
    command = log.read_text().splitlines()[0]
    subprocess.run(command, shell=True, cwd=moved, check=True, capture_output=True)
    assert read_json(metrics)["metrics"] == before


@pytest.mark.slow
def test_a_moved_checkout_measures_nothing_again(tmp_path):
    suite = copied(tmp_path / "suite")
    tiny = "{synthetic_xrays: {options: {sizes: {train: 128, validation: 32, test: 64}}}}"
    arguments = (
        *("--cores", "1", "--quiet", "rules", "--configfile", "config/smoke.yaml", "--config"),
        *("datasets=[synthetic_xrays]", "models=[m2]", "supervision_rates=[0.06]"),
        *(f"data={tiny}", "--", "table1"),
    )

    def planned(folder: Path) -> str:
        done = snakemake("-n", *arguments, cwd=folder, PYTHONPATH="")
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    done = snakemake(*arguments, cwd=suite, PYTHONPATH="")
    assert done.returncode == 0, done.stderr
    moved = suite.rename(tmp_path / "moved")
    for path in moved.glob("evaluators/*.py"):
        path.touch()
    assert "Nothing to be done" in planned(moved)
    with (moved / "evaluators" / "accuracy.py").open("a") as file:
        file.write("# changed\n")
    found = jobs(planned(moved))
    assert found["evaluate"] == found["evaluate_references"] == 1
    assert {"store", "train", "train_judge"}.isdisjoint(found)
