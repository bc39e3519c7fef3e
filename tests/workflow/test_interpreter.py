"""The command that runs the suite's modules, by where it is called and what is on the PATH."""

from __future__ import annotations

import getpass
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from workflow import interpreter
from workflow.interpreter import SUITE, name_the_user, python_command

HERE = Path(sys.executable).parent


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SUITE)
    monkeypatch.setenv("PATH", f"{HERE}{os.pathsep}/usr/bin:/bin")
    monkeypatch.delenv("PYTHONPATH", raising=False)


def test_at_home_in_the_activated_environment_python_is_enough():
    assert python_command() == "python"


@pytest.mark.parametrize("path", ["/usr/bin:/bin", "", "TMP:/bin"])
def test_another_python_or_none_on_the_path_is_passed_over(path, monkeypatch, tmp_path):
    # As a virtual environment has it: a link to the same program, in another folder.
    (tmp_path / "python").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", path.replace("TMP", str(tmp_path)))
    assert python_command() == sys.executable


def test_elsewhere_the_suite_is_named_and_the_folder_s_own_packages_are_not_taken(
    monkeypatch, tmp_path
):
    for name in ("workflow", "datasets"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('not the suite')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"/other{os.pathsep}{SUITE}")
    assert python_command() == f"PYTHONPATH={SUITE}:/other python -P"
    command = f"{python_command()} -m workflow.steps.reporting.make_index --help"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_job_s_own_environment_has_its_own_python_and_nobody_s_pythonpath(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", "/other")
    assert python_command(own_environment=True) == "python"
    monkeypatch.chdir(tmp_path)
    assert python_command(own_environment=True) == f"PYTHONPATH={SUITE} python -P"


def test_blanks_in_paths_are_quoted(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(interpreter, "SUITE", Path("/a suite"))
    monkeypatch.setattr(sys, "executable", "/a venv/bin/python")
    monkeypatch.setenv("PATH", "")
    assert python_command() == "PYTHONPATH='/a suite' '/a venv/bin/python' -P"


@pytest.mark.parametrize("known", [True, False])
def test_who_has_no_name_gets_one(known, monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def getpwuid(uid: int) -> list[str]:
        if not known:
            raise KeyError(f"getpwuid(): uid not found: {uid}")
        return ["somebody"]

    monkeypatch.setattr(pwd, "getpwuid", getpwuid)
    name_the_user()
    assert getpass.getuser() == ("somebody" if known else f"user{os.getuid()}")
    assert ("USER" in os.environ) != known
