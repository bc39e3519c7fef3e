from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("ccvae", "baselines", "evaluators", "workflow")
FORBIDDEN = {
    "eval",
    "exec",
    "compile",
    "os.system",
    "os.popen",
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "joblib.load",
    "torch.hub.load",
    "pd.read_pickle",
    "pandas.read_pickle",
    "yaml.unsafe_load",
    "yaml.full_load",
    "shutil.unpack_archive",
    "extractall",
}
SAFE_LOADERS = ("yaml.BaseLoader", "yaml.SafeLoader", "yaml.CSafeLoader")
PLAIN = {"threads", "params.device", "params.seed", "params.cores"}
"""Placeholders that need no quotes: numbers, words of a fixed list, and literals of the rules."""
PLAIN |= {"wildcards.rate", "wildcards.table", "params.names"}
PLAIN |= {"params.tables", "params.figures", "params.splits"}
PLAIN |= {"params.python", "params.optional"}
"""Several words, quoted where they are put together."""


def dangers(text: str) -> list[str]:
    """Calls in a module that could run what a file or a setting says."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if name in FORBIDDEN or name.rsplit(".", 1)[-1] == "extractall":
            found.append(name)
        if name == "torch.load" and given.get("weights_only") != "True":
            found.append("torch.load without weights_only=True")
        if name in ("np.load", "numpy.load") and given.get("allow_pickle") != "False":
            found.append("np.load without allow_pickle=False")
        if name == "yaml.load" and given.get("Loader") not in SAFE_LOADERS:
            found.append("yaml.load without a safe loader")
        if given.get("shell", "False") != "False":
            found.append(f"{name} with a shell")
    return found


def unquoted(text: str) -> list[str]:
    """Placeholders of shell commands in rules that a shell would read unquoted."""
    strings = re.findall(r'^\s+"(.*)"$', text, re.MULTILINE)
    commands = [s for s in strings if "{" in s and (" -m workflow" in s or s.startswith(" "))]
    placeholders = [p for command in commands for p in re.findall(r"\{([^}]*)\}", command)]
    return [p for p in placeholders if not p.endswith(":q") and p not in PLAIN]


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_runs_what_it_reads(package):
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths
    found = {str(path): dangers(path.read_text(encoding="utf-8")) for path in paths}
    assert {path: what for path, what in found.items() if what} == {}


@pytest.mark.parametrize("path", sorted((ROOT / "workflow" / "rules").glob("*.smk")), ids=str)
def test_rules_quote_everything_that_a_user_can_set(path):
    assert unquoted(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("torch.load(p)", 1),
        ("torch.load(p, weights_only=False)", 1),
        ("torch.load(p, weights_only=True)", 0),
        ("np.load(p)", 1),
        ("np.load(p, allow_pickle=False)", 0),
        ("import pickle\npickle.load(f)", 1),
        ("eval(text)", 1),
        ("model.eval()", 0),
        ("subprocess.run(c, shell=True)", 1),
        ("subprocess.run(c)", 0),
        ("yaml.load(t, Loader=yaml.Loader)", 1),
        ("yaml.safe_load(t)", 0),
        ("archive.extractall(folder)", 1),
    ],
)
def test_dangers_are_found(text, n):
    assert len(dangers(text)) == n


def test_unquoted_placeholders_are_found():
    lines = ("shell:", '    "x -m workflow.x {params.a:q} {params.b}"', '    " {threads} {log}"')
    rule = "".join(f"    {line}\n" for line in lines)
    assert unquoted(rule) == ["params.b", "log"]
