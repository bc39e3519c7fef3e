from __future__ import annotations

import shutil
import subprocess
import sys
from argparse import Namespace
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ccvae.errors import InputError
from tests import folders
from workflow.config import Config
from workflow.models import shapes_alone
from workflow.planning import preflight
from workflow.planning.overlay import merged_config
from workflow.planning.preflight import examine
from workflow.steps.doctor import screen, work

ROOT = Path(__file__).parents[2]
SMALL = "data={celeba: {options: {validation_size: 3}}}"


def config(*settings: str) -> Config:
    return Config(merged_config([], ["datasets=[synthetic_xrays]", "models=[m2]", *settings]))


def problems(config: Config, root: Path) -> list[str]:
    return [finding.sentence for finding in examine(config, root) if finding.is_problem]


def test_a_drawn_data_set_has_no_problem(tmp_path):
    findings = list(examine(config(), tmp_path))
    assert [f.sentence for f in findings if f.is_problem] == []
    topics = {"data", "code", "weights", "device", "memory", "disk", "versions"}
    assert {finding.topic for finding in findings} == topics
    assert "16000 train, 2000 validation, 4000 test images" in findings[0].sentence


def test_complete_folders_have_no_problem_and_their_licences_are_named(tmp_path):
    folders.celeba(tmp_path / "a"), folders.chexpert(tmp_path / "b")
    text = f"celeba: {tmp_path / 'a'}, chexpert: {tmp_path / 'b'}"
    few = ["settings={attributes: {gaussian_process: {inducing: 5}}}", "supervision_rates=['1.0']"]
    chosen = config("datasets=[celeba, chexpert]", f"folders={{{text}}}", SMALL, *few)
    findings = list(examine(chosen, tmp_path))
    assert [f.sentence for f in findings if f.is_problem] == []
    licences = " ".join(f.sentence for f in findings if f.topic == "licence")
    assert licences.count("non-commercial research") == 2
    assert licences.count("redistributed") == 2
    assert "registration" in licences


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["datasets=[celeba]"], ["celeba needs the option 'folder'", "folders={celeba: PATH}"]),
        (["datasets=[celeba]", "folders={celeba: TMP/xrays}"], ["neither list_attr_celeba.txt"]),
        (
            ["datasets=[celeba]", "folders={celeba: TMP/faces}", SMALL],
            ["000002.jpg is missing", "1 of the 19 images"],
        ),
        (["datasets=[celeba]", "folders={celeba: TMP/faces}"], ["'validation_size' is 10000"]),
        (["datasets=[chexpert]", "folders={chexpert: TMP/faces}"], ["holds no train.csv"]),
        (
            ["datasets=[chexpert]", "folders={chexpert: TMP/xrays}"],
            ["patient00001", "80 of 80 images"],
        ),
        (["datasets=[mnist]", "folders={mnist: TMP}"], ["train-images-idx3-ubyte"]),
        (
            ["inception_weights=TMP/none.pth"],
            ["none.pth does not exist", "torch-fidelity publishes"],
        ),
        (["supervision_rates=['0.00001']"], ["labels 0", "at least 1", "raise the rate"]),
        (
            ["datasets=[mnist]", "supervision_rates=['0.0001']"],
            ["f = 0.0001 labels 5", "at least 10"],
        ),
        (["data={synthetic_xrays: {options: {size: 3}}}"], ["no option 'size'"]),
        (["data={synthetic_xrays: {reader: drawings}}"], ["'drawings'", "known ones"]),
        (
            ["data={synthetic_xrays: {options: {sizes: {train: many}}}}"],
            ["'many' images for 'train'"],
        ),
        (
            ["model_settings={m2: {attributes: {latent: 3}}}"],
            ["m2.attributes has no option 'latent'"],
        ),
        (
            ["datasets=[mnist]", "settings={classes: {architecture: {name: table3}}}"],
            ["'table3' is for images (3, 64, 64)", "mnist has (1, 28, 28)"],
        ),
        (
            ["model_settings={m2: {attributes: {label_estimator: exact}}}"],
            ["m2 on synthetic_xrays", "no label_estimator 'exact'"],
        ),
        (
            ["studies={variants: {choices: {variants: {another: {unsupervised: none}}}}}"],
            ["ccvae on mnist", "no unsupervised 'none'"],
        ),
        (["figures={seed: 1}"], ["figures.seed is 1"]),
        (
            ["figures={traversals: {chexpert: [[Pleural_Effusion, Edema]]}}"],
            ["no label of chexpert", "did you mean 'Pleural Effusion'?"],
        ),
    ],
)
def test_each_problem_is_one_sentence(settings, words, tmp_path):
    folders.celeba(tmp_path / "faces")
    (tmp_path / "faces" / "img_align_celeba" / "000002.jpg").unlink()
    folders.chexpert(tmp_path / "xrays")
    shutil.rmtree(tmp_path / "xrays" / "train")
    chosen = config(*(setting.replace("TMP", str(tmp_path)) for setting in settings))
    try:
        found = problems(chosen, tmp_path / "results")
    except InputError as error:
        found = [str(error)]
    assert len(found) == 1, found
    assert "\n" not in found[0]
    for word in words:
        assert word in found[0]


def test_results_that_cannot_be_written_are_a_problem(tmp_path):
    (tmp_path / "results").touch()
    assert any("cannot be written" in p for p in problems(config(), tmp_path / "results"))


def test_a_full_disk_and_little_memory_are_problems(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 1000))
    monkeypatch.setattr(
        preflight.psutil, "virtual_memory", lambda: Namespace(available=100 * 2**20)
    )
    memory, disk = problems(config(), tmp_path)
    assert "100 MB of memory are free" in memory
    assert "make room" in disk


def test_a_missing_package_and_an_old_python_are_problems(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "version", lambda name: "0.1" if name == "pandas" else "99")
    monkeypatch.setattr(preflight.platform, "python_version", lambda: "3.8.0")
    python, pandas = problems(config(), tmp_path)
    assert "Python is 3.8.0" in python
    assert "pandas is 0.1, but pandas>=" in pandas


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_without_a_gpu_is_a_problem(tmp_path):
    (problem,) = problems(config("device=cuda"), tmp_path)
    assert "no GPU" in problem


@pytest.mark.slow
def test_the_command_prints_one_sentence_per_problem_and_fails(tmp_path):
    command = [sys.executable, "-m", "workflow.steps.doctor", "--results", str(tmp_path)]
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("preset: mine\ndatasets: [celeba, chexpert]\nmodels: [m2]\n")
    command += ["--configfile", str(overlay), "--config", "seeds=2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    sentences = done.stderr.strip().splitlines()
    assert [line.split()[1] for line in sentences] == ["celeba:", "chexpert:"]
    assert all(line.startswith("error: ") for line in sentences)
    assert done.stdout.startswith("preset mine")
    assert "nothing stops" not in done.stdout
    assert len(done.stdout.splitlines()) < 30


def test_the_command_says_when_nothing_is_wrong(tmp_path, capsys):
    settings = ["datasets=[synthetic_xrays]", "models=[m2]"]
    work(Namespace(configfile=[], config=settings, results=tmp_path))
    assert capsys.readouterr().out.endswith("nothing stops this configuration from running\n")


def test_planning_and_preflight_load_torch_only_when_they_need_it():
    modules = "workflow.planning.preflight, workflow.planning.costs"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_topic_is_named_once():
    lines = screen([preflight.Finding("data", "one"), preflight.Finding("data", "two")])
    assert lines == ["data      one", "          two"]


class Operations(TorchDispatchMode):
    """Names of the operations that are reached."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.seen.add(operation.overloadpacket.__name__)
        return operation(*args, **(kwargs or {}))


def test_a_look_at_models_initialises_nothing():
    """Which on the meta device takes longer than all else."""
    with Operations() as plainly, torch.device("cpu"):
        torch.nn.init.normal_(torch.nn.Linear(3, 4).weight)
    assert {"uniform_", "normal_"} <= plainly.seen
    with Operations() as found, shapes_alone():
        layer = torch.nn.Linear(3, 4)
        assert torch.nn.init.normal_(layer.weight) is layer.weight
        layer.weight.data.uniform_()
    assert not {"uniform_", "normal_", "rand", "randn"} & found.seen
    assert layer.weight.is_meta
    assert layer.weight.shape == (4, 3)
