"""The judge as it is shipped, on as few images as people have."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from datasets.readers import prepare
from evaluators.assessment import assess
from evaluators.images import ImageSet
from evaluators.learning import JudgeSettings, train_judge
from workflow.config import Config
from workflow.steps.training.train_judge import NOT_OF_THE_TRAINING

ROOT = Path(__file__).parents[2]
NEEDED = {2000: 0.80, 4000: 0.87, 8000: 0.91}
"""Balanced accuracy on test images, by the number of training images."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> dict[str, ImageSet]:
    sizes = {"train": max(NEEDED), "validation": 1000, "test": 1000}
    folder = tmp_path_factory.mktemp("faces")
    options = {"seed": 0, "sizes": sizes}
    store = prepare("synthetic_faces", options, folder, raw=folder, workers=2)
    return {split: ImageSet.read(store, split) for split in sizes}


@pytest.mark.parametrize("n", NEEDED)
def test_few_images_make_a_judge(faces, n):
    values = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    settings = Config(values).judge_settings("synthetic_faces")
    options = {k: v for k, v in settings.items() if k not in NOT_OF_THE_TRAINING}
    train = faces["train"].take(torch.arange(n))
    judge, learnt = train_judge(train.space, train, faces["validation"], JudgeSettings(**options))
    assert learnt.left_plateau
    assert assess(judge, faces["test"])["balanced_accuracy"] >= NEEDED[n]
