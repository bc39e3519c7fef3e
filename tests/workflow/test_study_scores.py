from __future__ import annotations

import dataclasses

from evaluators.inferring import infer_all
from tests.test_devices import AMOUNTS, image_set, judge_and_head, make
from workflow.steps.studies import study_train


def test_a_study_scores_what_judge_latents_and_shapes_say() -> None:
    model, images = make("multi_class", "ccvae").eval(), image_set("multi_class")
    judge, head = judge_and_head("multi_class")
    amounts = dataclasses.asdict(AMOUNTS)
    inferred = infer_all(model, images)
    asked = {"amounts": amounts, "seed": 0, "style": ["slant", "width"]}
    scores, influence = study_train.judged(model, judge, head, images, inferred, asked)
    assert {
        *("swap_normalised", "generation_accuracy", "mutual_information", "leakage_rest"),
        *("style_kept_reconstruction", "style_kept_diversity", "style_diversity"),
    } <= set(scores)
    assert {name: len(values) for name, values in influence.items()} == {
        "balanced_accuracy": len(images),
        "generation_accuracy": AMOUNTS.generated_images,
    }
    # A Gaussian process that has never answered begins with noise.
    _, head = judge_and_head("multi_class")
    without, _ = study_train.judged(model, judge, head, images, inferred, asked | {"style": []})
    assert without == {k: v for k, v in scores.items() if not k.startswith("style")}
    nothing = make("multi_class", "supervised").eval()
    alone, influence = study_train.judged(
        nothing, judge, head, images, infer_all(nothing, images), asked
    )
    assert alone == {}
    assert set(influence) == {"balanced_accuracy"}
