"""The judge as it is shipped, on as few images as people have."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from datasets.readers import prepare
from evaluators.assessment import assess
from evaluators.images import ImageSet
from evaluators.learning import JudgeSettings, train_judge
from workflow.config import Config
from workflow.steps.training.train_judge import NOT_OF_THE_TRAINING

ROOT = Path(__file__).parents[2]
IMAGES, NEEDED = 2000, 0.90
"""Training images, and the balanced accuracy on test images that passes the stand-in's gate."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> dict[str, ImageSet]:
    sizes = {"train": IMAGES, "validation": 1000, "test": 1000}
    folder = tmp_path_factory.mktemp("faces")
    options = {"seed": 0, "sizes": sizes}
    store = prepare("synthetic_faces", options, folder, raw=folder, workers=2)
    return {split: ImageSet.read(store, split) for split in sizes}


def test_few_images_make_a_judge(faces):
    values = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    settings = Config(values).judge_settings("synthetic_faces")
    options = {k: v for k, v in settings.items() if k not in NOT_OF_THE_TRAINING}
    train = faces["train"]
    judge, learnt = train_judge(train.space, train, faces["validation"], JudgeSettings(**options))
    assert learnt.left_plateau
    assert assess(judge, faces["test"])["balanced_accuracy"] >= NEEDED
