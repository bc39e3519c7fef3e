"""Which trainings a study plans: no two alike, and weights that mean what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from workflow.config import Config
from workflow.planning.overlay import merged_config
from workflow.steps.reporting.make_reference import gather_study
from workflow.studies.plan import (
    Variant,
    classifier_weight,
    described_study,
    named_variants,
    recorded_trainings,
)

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"


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
            times = len(study.get("budgets", [None]))
            assert [v.value for v in first] == list(here(study, found[0].run.rate)) * times


def here(study: dict, rate: str) -> list[str]:
    """Variants that are trained at an f."""
    return [k for k, v in study["variants"].items() if rate in v.get("supervision_rates", [rate])]


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


def test_variants_that_change_nothing_under_a_configuration_are_left_out() -> None:
    config = Config(merged_config([ROOT / "config" / "paper.yaml"], []))
    assert config.values["settings"]["classes"]["architecture"]["posterior_scale"] is None
    assert "wide_posterior" not in {v.value for v in named_variants(config, "choices")}
    found = {v.value for v in named_variants(config, "recipe")}
    assert not {"wide_posterior", "m2_wide_posterior"} & found
    assert "wider_posterior" in found


def test_a_budget_is_the_same_training_for_longer() -> None:
    config = Config(merged_config([], ["studies={variants: {budget: {budgets: [1, 2]}}}"]))
    found = {v.folder: v for v in named_variants(config, "budget")}
    once, twice = (found[f"studies/budget/synthetic_xrays/m2.{n}x/f=1.0/seed=0"] for n in (1, 2))
    assert once.settings["training"] == config.run_settings(once.run)["training"]
    steps = once.settings["training"]["steps"]
    longer = {**once.settings["training"], "steps": 2 * steps}
    assert twice.settings == {**once.settings, "training": longer}
    assert (twice.value, twice.described()["budget"]) == ("m2", 2)
    # What is stopped half-way has all models at the smaller budgets.
    assert [v.budget for v in found.values()] == sorted(v.budget for v in found.values())


def test_the_stated_schedule_is_that_of_the_paper_preset() -> None:
    paper = Config(merged_config([ROOT / "config" / "paper.yaml"], []))
    default = Config(merged_config([], []))
    found = {(v.value, v.run): v.settings for v in named_variants(default, "protocol")}
    assert len({run for value, run in found if value in ("ccvae", "m2")}) == 2 * 2 * 4
    for (value, run), settings in found.items():
        if value not in ("ccvae", "m2"):
            continue
        stated = paper.run_settings(run)
        assert {k: settings[k] for k in ("options", "system")} == {
            k: stated[k] for k in ("options", "system")
        }
        assert networks(settings) == networks(stated)
        assert trained(settings["training"]) == trained(stated["training"])


def networks(settings: dict) -> dict:
    """Networks without what is left to torch."""
    return {k: v for k, v in settings["architecture"].items() if v is not None}


def test_each_remedy_changes_one_thing() -> None:
    config = Config(merged_config([], []))
    found = [v for v in named_variants(config, "protocol") if v.run.dataset == "mnist"]
    stated = {v.run.model: v.settings for v in found if v.value == v.run.model}
    remedies = [v for v in found if v.value != v.run.model]
    assert {v.run.rate for v in remedies} == {"0.004"}
    for remedy in remedies:
        before, after = stated[remedy.run.model], remedy.settings
        options = {k for k in after["options"] if after["options"][k] != before["options"].get(k)}
        schedule = {
            k
            for k in (*trained(after["training"]), "kind")
            if after["training"][k] != before["training"].get(k)
        }
        mixing = {"kind", "steps"} if "mixed" in remedy.value else set()
        changed = options | (schedule - mixing)
        changed |= {"networks"} if networks(before) != networks(after) else set()
        weighted = "equation6" in remedy.value
        assert len(changed) == (1 if weighted or not mixing else 0), remedy.value
        assert remedy.against == remedy.run.model


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
    assert weights <= {key for changes in study["variants"].values() for key in changes}
    for weight in weights:
        assert {weight} in [set(changes) for changes in study["variants"].values()]


@pytest.mark.slow
@pytest.mark.skipif(not REFERENCE.exists(), reason="no result is committed yet")
def test_committed_pages_of_studies_follow_from_their_tables(tmp_path):
    config = Config.recorded(yaml.safe_load((REFERENCE / "config.yaml").read_text("utf-8")))
    config = Config({**config.values, "records_from": str(REFERENCE)})
    recorded = recorded_trainings(config)
    names = list(config.values["studies"]["variants"])
    assert len(names) > 10
    for name in names:
        gather_study(described_study(config, name, recorded), tmp_path, tmp_path)
        page = Path("studies", f"{name}.md")
        assert (tmp_path / page).read_text("utf-8") == (REFERENCE / page).read_text("utf-8"), name
