"""Which trainings a study plans: no two alike, and weights that mean what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflow.config import Config
from workflow.planning.overlay import merged_config
from workflow.studies.plan import Variant, classifier_weight, named_variants

ROOT = Path(__file__).parents[2]


def test_kingmas_weight_is_a_tenth_of_the_images_per_labelled_one() -> None:
    interleaved = {"kind": "interleaved", "epochs": 1, "batch_size": 9}
    mixed = {"kind": "mixed", "labelled_batch": 4, "unlabelled_batch": 12}
    assert classifier_weight("kingma", "0.004", interleaved) == pytest.approx(25)
    # Steps that are a quarter labelled images show them 62.5 times too often already.
    assert classifier_weight("kingma", "0.004", mixed) == pytest.approx(0.4)
    assert classifier_weight("kingma", "1.0", mixed) == pytest.approx(0.1)
    as_in_data = {**mixed, "weights": "equation6"}
    assert classifier_weight("kingma", "0.004", as_in_data) == pytest.approx(25)
    assert classifier_weight(46, "0.004", mixed) == 46


@pytest.mark.parametrize("overlay", [[], ["paper.yaml"], ["smoke.yaml"], ["reference.yaml"]])
def test_no_two_variants_of_a_study_are_the_same_training(overlay: list[str]) -> None:
    config = Config(merged_config([ROOT / "config" / name for name in overlay], []))
    for name, study in config.values["studies"]["variants"].items():
        found = named_variants(config, name)
        assert found[0].value == study["baseline"]
        first = [v for v in found if (v.run.dataset, v.run.rate, v.run.seed) == key(found[0])]
        settings = [
            {**v.settings, "training": trained(v.settings["training"]), "model": ""} for v in first
        ]
        assert all(a != b for i, a in enumerate(settings) for b in settings[:i])
        if not overlay:
            assert [v.value for v in first] == list(study["variants"])


def key(variant: Variant) -> tuple[str, str, int]:
    return variant.run.dataset, variant.run.rate, variant.run.seed


def trained(training: dict) -> dict:
    """What a schedule reads, by its kind."""
    other = {"mixed": ("epochs", "batch_size"), "interleaved": ("steps", "weights")}[
        training["kind"]
    ]
    return {
        k: v for k, v in training.items() if k not in other and not k.endswith("labelled_batch")
    }


def test_variants_that_count_steps_are_left_out_where_epochs_count() -> None:
    config = Config(merged_config([ROOT / "config" / "paper.yaml"], []))
    left = {variant.value for variant in named_variants(config, "choices")}
    assert not {"slow_prior", "equation6_weights"} & left
    assert {"as_configured", "ten_label_samples", "interleaved"} <= left
    assert "twice_as_long" in {v.value for v in named_variants(config, "m2_generation")}


@pytest.mark.parametrize(
    ("model", "weights"),
    [
        ("csvae", {"classifier_weight", "adversary_weight"}),
        ("meme", {"classifier_weight", "generator_weight"}),
        ("mopoe", {"label_weight"}),
        ("adgm", {"classifier_weight"}),
    ],
)
def test_every_weight_of_a_relative_is_varied_on_digits_and_on_faces(
    model: str, weights: set[str]
) -> None:
    study = Config(merged_config([], [])).values["studies"]["variants"][model]
    assert study["model"] == model
    assert study["datasets"] == ["mnist", "synthetic_faces"]
    assert {key for changes in study["variants"].values() for key in changes} == weights
    for weight in weights:
        assert {weight} in [set(changes) for changes in study["variants"].values()]
