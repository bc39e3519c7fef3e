from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from ccvae.errors import InputError
from workflow.config import Config
from workflow.identity import Run, seed_of, settings_hash, subset_seed
from workflow.reporting.register import DEVIATIONS

ROOT = Path(__file__).parents[2]


def default() -> dict:
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


def overlaid(name: str) -> dict:
    def merge(below: dict, above: dict) -> dict:
        merged = dict(below)
        for key, value in above.items():
            both = isinstance(value, dict) and isinstance(below.get(key), dict)
            merged[key] = merge(below[key], value) if both else value
        return merged

    return merge(default(), yaml.safe_load((ROOT / "config" / name).read_text()))


@pytest.mark.parametrize("overlay", ["smoke.yaml", "paper.yaml"])
def test_overlays_are_valid(overlay):
    config = Config(overlaid(overlay))
    assert config.preset == overlay.removesuffix(".yaml")
    assert len(list(config.runs())) > 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.update(epoch=3), "unknown key 'epoch'"),
        (lambda c: c["settings"]["classes"]["training"].update(lr=1), "unknown key 'lr'"),
        (lambda c: c.update(datasets=["imagenet"]), "'imagenet', which is not known"),
        (lambda c: c.update(models=["gan"]), "'gan', which is not known"),
        (lambda c: c.update(supervision_rates=["0"]), "not a number in (0, 1]"),
        (lambda c: c.update(supervision_rates=["1.5"]), "not a number in (0, 1]"),
        (lambda c: c.update(supervision_rates=["a"]), "not a number in (0, 1]"),
        (lambda c: c.update(seeds=0), "seeds"),
        (lambda c: c.update(device="tpu"), "device"),
        (lambda c: c["data"]["mnist"].update(settings="words"), "'words', which is not known"),
        (lambda c: c["data"]["mnist"].update(style=["colour"]), "'colour' is not one of"),
        (lambda c: c["data"]["celeba"].update(style=["slant"]), "those of celeba have several"),
        (lambda c: c["model_settings"]["m2"].update(system="m3"), "model_settings.m2.system"),
    ],
)
def test_mistakes_are_named(change, sentence):
    raw = default()
    change(raw)
    with pytest.raises(InputError) as caught:
        Config(raw)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numerics_change_the_settings_of_a_run_only_where_they_are_not_plain():
    raw = default()
    run = next(Config(raw).runs("classes"))
    plain = Config(raw).run_settings(run)
    training = raw["settings"]["classes"]["training"]
    assert (training.pop("precision"), training.pop("compile")) == ("fp32", "none")
    assert Config(raw).run_settings(run) == plain
    training["precision"] = "bf16"
    assert Config(raw).run_settings(run)["training"] == {**plain["training"], "precision": "bf16"}


def test_determinism_is_a_switch_of_every_step():
    raw = default()
    assert Config(raw).device == "auto"
    raw.update(device="cuda", deterministic="false")
    assert Config(raw).device == "cuda --no-deterministic"


def test_command_line_strings_become_what_the_schema_asks_for():
    raw = default()
    raw.update(supervision_rates=["0.06", "1"], seeds="3", datasets="mnist", models=["m2"])
    raw["settings"]["classes"]["training"]["steps"] = "7"
    config = Config(raw)
    assert config.rates == ["0.06", "1"]
    runs = list(config.runs())
    assert runs == [Run("mnist", "m2", rate, seed) for rate in ("0.06", "1") for seed in range(3)]
    assert config.run_settings(runs[0])["training"]["steps"] == 7


def test_command_line_strings_in_options_become_numbers_where_they_look_like_them():
    raw = default()
    raw["data"]["synthetic_faces"]["options"] = {"seed": "3", "sizes": {"train": "128"}}
    raw["data"]["chexpert"]["options"] = {"views": "all", "folder": "/1/2"}
    raw["model_settings"]["m2"]["classes"].update(latents="12", separate_trunk="true")
    raw["model_settings"]["diva"]["attributes"].update(classifier_weight="1e-2")
    config = Config(raw)
    options = config.data_settings("synthetic_faces")["options"]
    assert options == {"seed": 3, "sizes": {"train": 128}}
    assert config.data_settings("chexpert")["options"] == {"views": "all", "folder": "/1/2"}
    trained = config.run_settings(Run("mnist", "m2", "1.0", 0))["options"]
    assert (trained["latents"], trained["separate_trunk"]) == (12, True)
    trained = config.run_settings(Run("celeba", "diva", "1.0", 0))["options"]
    assert trained["classifier_weight"] == 0.01


def test_a_single_rate_given_as_a_number_is_read_as_written():
    raw = default()
    raw["supervision_rates"] = 0.06
    assert Config(raw).rates == ["0.06"]


def test_adding_a_model_moves_no_other_seed_and_no_labelled_subset():
    raw = default()
    before = Config(raw)
    more = copy.deepcopy(raw)
    more["model_settings"]["another"] = {**raw["model_settings"]["m2"], "title": "Another"}
    more["models"] = ["another", *raw["models"]]
    after = Config(more)
    run = Run("mnist", "ccvae", "0.06", 0)
    assert before.run_settings(run) == after.run_settings(run)
    other = Run("mnist", "another", "0.06", 0)
    assert after.run_settings(other)["torch_seed"] != after.run_settings(run)["torch_seed"]
    assert subset_seed("mnist", "0.06", 0) != subset_seed("mnist", "0.06", 1)


def test_seeds_fit_every_generator_and_depend_on_each_part():
    seeds = {seed_of("a", "b"), seed_of("a", "c"), seed_of("b", "b"), seed_of("ab")}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_settings_hash_ignores_order_and_sees_every_value():
    assert settings_hash({"a": 1, "b": 2}) == settings_hash({"b": 2, "a": 1})
    assert settings_hash({"a": 1, "b": 2}) != settings_hash({"a": 1, "b": 3})


def test_run_settings_do_not_depend_on_what_else_is_run():
    raw = default()
    narrow = {**copy.deepcopy(raw), "datasets": ["mnist"], "seeds": 1}
    wide = {**copy.deepcopy(raw), "seeds": 5}
    run = Run("mnist", "m2", "1.0", 0)
    assert Config(narrow).run_settings(run) == Config(wide).run_settings(run)


def test_what_is_asked_of_a_judge_trains_nothing_again():
    values = default()
    values["data"]["mnist"]["judge"] = {"minimum": {"accuracy": 0.5}, "label_minimum": {}}
    before, after = Config(default()), Config(values)
    assert after.judge_settings("mnist") == before.judge_settings("mnist")
    assert after.gate_settings("mnist")["minimum"] == {"accuracy": 0.5}


def test_a_data_set_has_its_own_judge_where_it_says_so():
    values = default()
    values["data"]["mnist"]["judge"] = {"network": "resnet18", "flip": True}
    config = Config(values)
    shared = values["settings"]["classes"]["judge"]
    assert config.judge_settings("mnist")["network"] == "resnet18"
    assert config.judge_settings("mnist")["steps"] == shared["steps"]
    assert config.judge_settings("fashion_mnist")["network"] == shared["network"]
    assert config.gate_settings("mnist")["minimum"] == {}


@pytest.mark.parametrize("name", sorted(default()["data"]))
def test_every_shipped_data_set_has_a_gate_that_the_register_names(name):
    register = yaml.safe_load(DEVIATIONS.read_text(encoding="utf-8"))
    (entry,) = [entry for entry in register if entry["id"] == "judge-gates"]
    asked = Config(default()).gate_settings(name)
    assert asked["minimum"]
    for value in (*asked["minimum"].values(), *asked["label_minimum"].values()):
        assert f"{value:.3f}".rstrip("0").removeprefix("0") in entry["ours"]


def test_a_new_recipe_of_judges_trains_judges_and_no_model(monkeypatch):
    config, run = Config(default()), Run("mnist", "ccvae", "1.0", 0)
    judge, model = config.judge_settings("mnist"), config.run_settings(run)
    monkeypatch.setattr("workflow.config.JUDGE_RECIPE", 99)
    assert config.judge_settings("mnist") != judge
    assert config.run_settings(run) == model
