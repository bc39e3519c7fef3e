"""A wrong file of InceptionV3's weights stops a run before its first job."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.inception import random_weights, torchvision_weights
from workflow.config import Config
from workflow.planning.overlay import merged_config
from workflow.planning.preflight import weights

ROOT = Path(__file__).parents[2]
SMALL = "data={synthetic_xrays: {options: {sizes: {train: 40, validation: 4, test: 4}}}}"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    found = {name: folder / f"{name}.pth" for name in ("page", "torchvision", "wrapped")}
    found["page"].write_text("<!DOCTYPE html>")
    torch.save(torchvision_weights(), found["torchvision"])
    torch.save({"state_dict": random_weights()}, found["wrapped"])
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dry", "code", "said"),
    [
        ("page", ["-n"], 1, "page.pth is no file of torch's"),
        ("torchvision", ["-n"], 0, ""),
        ("torchvision", [], 1, "torchvision's classifier of ImageNet"),
        ("wrapped", [], 0, ""),
    ],
)
def test_a_run_with_the_wrong_file_starts_no_job(name, dry, code, said, files):
    preset = ROOT / "results" / f"weights_{files[name].parent.name}"
    settings = [f"preset={preset.name}", f"inception_weights={files[name]}", SMALL]
    settings += ["datasets=[synthetic_xrays]", "models=[m2]", "supervision_rates=['1.0']"]
    settings += ["settings={attributes: {gaussian_process: {inducing: 8}}}"]
    target = f"results/{preset.name}/data/synthetic_xrays/store.json"
    command = ["snakemake", "--nolock", "--cores", "1", *dry, "--config", *settings, "--", target]
    try:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "HOME": str(files[name].parent)},
            capture_output=True,
            text=True,
            check=False,
        )
        made = (ROOT / target).exists()
    finally:
        shutil.rmtree(preset, ignore_errors=True)
    output = done.stdout + done.stderr
    assert done.returncode == code, output
    assert said in output
    assert "Traceback" not in output
    assert made == (not dry and code == 0)
    assert ("weights-inception-2015-12-05-6726825d.pth" in output) == (code == 1)


@pytest.mark.parametrize(
    ("name", "is_problem", "said"),
    [
        ("page", True, "is no file of torch's"),
        ("torchvision", True, "torchvision's classifier of ImageNet"),
        ("wrapped", False, "which is not the published file"),
    ],
)
def test_doctor_says_what_the_file_is(name, is_problem, said, files):
    config = Config(merged_config([], [f"inception_weights={files[name]}"]))
    (finding,) = weights(config)
    assert finding.is_problem == is_problem
    assert said in finding.sentence
