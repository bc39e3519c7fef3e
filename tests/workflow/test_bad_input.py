from __future__ import annotations

import errno
import json
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ccvae.errors import InputError
from tests.workflow.running import SETTINGS, assert_one_sentence, step, train_arguments
from workflow.steps.training import train
from workflow.steps.training.train import ResumeState, train_to_the_end
from workflow.tensors import save_tensors

EMPTY_PLAN = json.dumps({"preset": "p", "datasets": {}, "models": {}, "rates": [], "seeds": 1})


def celeba_without_a_label(folder: Path) -> list[object]:
    (folder / "img_align_celeba").mkdir()
    (folder / "list_attr_celeba.txt").write_text("1\nSmiling Young\n000001.jpg 1 -1\n")
    (folder / "list_eval_partition.txt").write_text("000001.jpg 0\n")
    return prepare("celeba", folder)


def chexpert_without_a_label(folder: Path) -> list[object]:
    (folder / "train.csv").write_text("Path,Frontal/Lateral,Edema\n")
    return prepare("chexpert", folder)


def prepare(reader: str, folder: Path, **options: object) -> list[object]:
    settings = {"name": reader, "reader": reader, "options": {"folder": str(folder), **options}}
    out = next(place for place in (folder, *folder.parents) if place.is_dir()) / "store"
    return ["--settings", json.dumps(settings), "--raw", folder, "--out", out]


CASES: dict[str, tuple[str, Callable[[Path, Path, Path], list[object]], tuple[str, ...]]] = {
    "unknown reader": (
        "prepare_data",
        lambda tmp, *_: prepare("imagenet", tmp),
        ("'imagenet'", "known ones are celeba"),
    ),
    "unknown option of a reader": (
        "prepare_data",
        lambda tmp, *_: prepare("celeba", tmp, crop=True),
        ("no option 'crop'", "its options are"),
    ),
    "no such data folder": (
        "prepare_data",
        lambda tmp, *_: prepare("chexpert", tmp / "nowhere"),
        ("nowhere", "does not exist"),
    ),
    "a label missing from CelebA": (
        "prepare_data",
        lambda tmp, *_: celeba_without_a_label(tmp),
        ("no column 'Arched_Eyebrows'", "official list"),
    ),
    "a label missing from CheXpert": (
        "prepare_data",
        lambda tmp, *_: chexpert_without_a_label(tmp),
        ("no column 'Cardiomegaly'", "official list"),
    ),
    "f too small for one image of each class": (
        "label_subset",
        lambda tmp, store, _: ["--store", store, "--rate", "0.01", "--seed", 1, "--out", tmp / "f"],
        ("0.01 gives 1 labelled images of the 120", "smallest usable rate is 0.025"),
    ),
    "f above one": (
        "label_subset",
        lambda tmp, store, _: ["--store", store, "--rate", "1.5", "--seed", 1, "--out", tmp / "f"],
        ("'1.5'", "at most 1"),
    ),
    "no file of labelled images": (
        "train",
        lambda tmp, store, _: train_arguments(store, tmp / "none.npy", tmp, SETTINGS),
        ("none.npy",),
    ),
    "results that cannot be written": (
        "train",
        lambda tmp, store, labelled: train_arguments(store, labelled, file(tmp) / "out", SETTINGS),
        ("file/out cannot be written", "choose another"),
    ),
    "no records": (
        "check_claims",
        lambda tmp, *_: [
            *("--settings", EMPTY_PLAN, "--records", tmp / "records.csv"),
            *("--claims", tmp / "claims.csv", "--comparison", tmp / "comparison.csv"),
        ],
        ("records.csv",),
    ),
    "no such overlay": (
        "doctor",
        lambda tmp, *_: ["--configfile", tmp / "mine.yaml"],
        ("mine.yaml", "cannot be read"),
    ),
    "unknown model": (
        "plan",
        lambda tmp, *_: ["--results", tmp, "--config", "models=[gan]"],
        ("names 'gan', which is not known",),
    ),
}


def file(folder: Path) -> Path:
    """A file where a folder should be; nothing can be written below it, not even by root."""
    path = folder / "file"
    path.touch()
    return path


@pytest.mark.parametrize("case", CASES)
def test_bad_input_ends_in_one_sentence(case, store, labelled, tmp_path):
    name, arguments, words = CASES[case]
    done = step(name, *arguments(tmp_path, store, labelled))
    assert_one_sentence(done, *words)
    left = [
        p
        for p in tmp_path.rglob("*")
        if p.suffix in (".pt", ".npy", ".csv") and p.stat().st_size == 0
    ]
    assert left == []


def small_files_only() -> None:
    """Let writing more than 20 kB to a file fail, much as a full disk does."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_model_that_does_not_fit_is_one_sentence_and_leaves_nothing(store, labelled, tmp_path):
    arguments = train_arguments(store, labelled, tmp_path, SETTINGS)
    done = step("train", *arguments, preexec_fn=small_files_only)
    assert_one_sentence(done, "cannot be written", "is kept")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / "settings.json"]


def test_a_full_disk_leaves_the_previous_state_whole(tmp_path, monkeypatch):
    path = tmp_path / "state.pt"
    save_tensors({"step": torch.tensor(1)}, path)

    def write_half(self: Path, content: memoryview) -> int:
        with open(self, "wb") as stream:
            stream.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_half)
        with pytest.raises(InputError, match="No space left on device") as caught:
            save_tensors({"step": torch.tensor(2)}, path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]
    assert torch.load(path, weights_only=True)["step"] == 1


class Diverging:
    """A training whose third interval has a loss that is not finite."""

    total, step = 4, 0

    def __init__(self) -> None:
        self.history: list[dict[str, float]] = []

    @property
    def finished(self) -> bool:
        return self.step >= self.total

    def run_interval(self) -> int:
        if self.step == 2:
            raise InputError("the loss is not finite at step 3 of 4, first in kl")
        self.step += 1
        self.history.append({"labelled_objective": -1.0})
        return 1

    def state_dict(self) -> dict[str, int]:
        return {"step": self.step}


class Finished(Diverging):
    """A training whose last interval was saved before whatever came next was stopped."""

    step = total = 2

    def __init__(self) -> None:
        super().__init__()
        self.history = [{"labelled_objective": -1.0}]


def test_a_training_that_ended_before_it_was_stopped_is_done(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    train_to_the_end(Finished(), ResumeState(tmp_path / "key.pt"))  # type: ignore[arg-type]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_loss_that_is_not_finite_keeps_the_last_state(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "SAVE_EVERY_S", -1.0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    state = tmp_path / "key.pt"
    with pytest.raises(InputError, match="step 3 of 4, first in kl"):
        train_to_the_end(Diverging(), ResumeState(state))  # type: ignore[arg-type]
    assert torch.load(state, weights_only=True) == {"step": 2}
