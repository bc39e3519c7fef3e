from __future__ import annotations

import ast
import re
import tomllib

import pytest
import yaml

from tests.workflow.running import ROOT, jobs, module, snakemake


@pytest.mark.slow
@pytest.mark.parametrize("overlay", [None, "config/smoke.yaml", "config/paper.yaml"])
def test_every_preset_can_be_planned(overlay):
    arguments = ["--configfile", overlay] if overlay else []
    folders = "folders={celeba: /nowhere, chexpert: /nowhere}"
    done = snakemake("-n", "--quiet", "rules", *arguments, "--config", folders, "preset=planned")
    assert done.returncode == 0, done.stderr
    assert jobs(done.stdout + done.stderr)["train"] >= 26


def test_planning_imports_neither_torch_nor_pandas(tmp_path):
    poison = "raise ImportError('planning must not import this')"
    for name in ("torch", "pandas", "sklearn", "gpytorch", "torchvision"):
        (tmp_path / f"{name}.py").write_text(poison)
    # Snakemake loads every executor that is installed, and that for Slurm imports pandas.
    harmless = "from snakemake.executors.dryrun import Executor, common_settings"
    (tmp_path / "snakemake_executor_plugin_slurm.py").write_text(harmless)
    done = snakemake("-n", "--quiet", "rules", "--config", "preset=p", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_a_table_asks_for_its_own_runs_only():
    done = snakemake(
        "-n",
        "table6",
        "--config",
        "preset=planned",
        "datasets=[mnist,synthetic_faces]",
        "models=[m2]",
        "supervision_rates=[0.06,1.0]",
        "seeds=2",
    )
    counts = jobs(done.stdout + done.stderr)
    assert (counts["train"], counts["train_judge"]) == (4, 1)
    assert "data/synthetic_faces" not in done.stdout


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("datasets=[imagenet]", "names 'imagenet', which is not known"),
        ("supervision_rates=[1.5]", "supervision rate '1.5'"),
        ("colour=blue", "unknown key 'colour'"),
    ],
)
def test_a_mistake_in_the_configuration_is_one_sentence(setting, sentence):
    done = snakemake("-n", "--config", setting)
    assert done.returncode != 0
    assert sentence in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout


def test_pip_and_conda_ask_for_the_same_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = [entry for entry in environment if isinstance(entry, str)]
    conda += next(entry["pip"] for entry in environment if isinstance(entry, dict))
    renamed = {
        "pytorch": "torch",
        "snakemake-minimal": "snakemake",
        "matplotlib-base": "matplotlib",
    }

    def split(entry: str) -> tuple[str, str]:
        name, _, bound = entry.partition(">=")
        return renamed.get(name, name), bound

    pip = dict(map(split, project["dependencies"]))
    other = dict(map(split, conda))
    assert other.pop("python") == project["requires-python"].removeprefix(">=")
    assert other.pop("pip") == ""
    assert pip == other


def test_every_step_is_run_by_a_rule_or_the_makefile():
    rules = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    rules += (ROOT / "Makefile").read_text()
    for path in (ROOT / "workflow" / "steps").rglob("[!_]*.py"):
        tree = ast.parse(path.read_text())
        is_program = any(isinstance(node, ast.If) for node in tree.body[-1:])
        if is_program:
            assert re.search(rf"{re.escape(module(path.stem))}\b", rules), path


def places(text: str) -> set[str]:
    """Places of a Markdown page that a link can name: marks, and headings as GitHub calls them."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.M)
    slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


def test_readme_names_targets_and_files_that_exist():
    text = (ROOT / "README.md").read_text()
    for link in re.findall(r"\]\(((?!http)[^)]+)\)", text):
        path, _, place = link.partition("#")
        page = ROOT / (path or "README.md")
        assert page.exists(), link
        assert not place or place in places(page.read_text()), link
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", text, flags=re.M):
        assert f"\n{target}:" in makefile, target
