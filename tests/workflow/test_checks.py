from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from baselines.registry import SYSTEMS
from ccvae.errors import InputError, known_instead
from ccvae.networks import ARCHITECTURES
from datasets.readers import READERS
from evaluators.classifier import NETWORKS
from workflow.config import Config
from workflow.planning import signatures
from workflow.planning.checks import check, settings_of_asked_for
from workflow.planning.overlay import merged_config
from workflow.planning.signatures import constant_of, members_of, options_of
from workflow.schema import SCHEMA

ROOT = Path(__file__).parents[2]
FOLDERS = "folders={celeba: /nowhere, chexpert: /nowhere}"

MISTAKES: dict[str, tuple[list[str], str]] = {
    "a label with an underscore": (
        ["figures={traversals: {chexpert: [[Pleural_Effusion, Cardiomegaly]]}}"],
        "figures.traversals.chexpert names 'Pleural_Effusion', which is no label of chexpert; "
        "did you mean 'Pleural Effusion'?",
    ),
    "a label in small letters": (
        ["figures={more_traversals: {celeba: [[smiling, Male]]}}"],
        "'smiling', which is no label of celeba; did you mean 'Smiling'?",
    ),
    "a label of a stand-in": (
        ["figures={variance_labels: {synthetic_xrays: [Fracture]}}"],
        "'Fracture', which is no label of synthetic_xrays; known are Atelectasis",
    ),
    "a class": (
        ["figures={corners: {fashion_mnist: [T-shirt, Dress, Sneaker, Ankle boot]}}"],
        "'T-shirt', which is no class of fashion_mnist; did you mean",
    ),
    "one label twice": (
        ["figures={traversals: {celeba: [[Smiling, Smiling]]}}"],
        "figures.traversals.celeba names one label twice",
    ),
    "a figure's data set": (
        ["figures={variance_labels: {celebs: [Smiling]}}"],
        "figures.variance_labels.celebs: there is no data set 'celebs'; did you mean 'celeba'?",
    ),
    "the rate of figures": (["figures={supervision_rate: '0.5'}"], "supervision_rate is 0.5"),
    "the seed of figures": (["figures={seed: 3}"], "figures.seed is 3"),
    "a figure to show": (["reference={figures: [figure33/*]}"], "there is no figure 'figure33'"),
    "a model in a figure to show": (
        ["reference={figures: [figure3/celeba_cvae]}"],
        "'figure3/celeba_cvae', but no data set or model is called so",
    ),
    "a model's data set": (
        ["model_settings={m2: {datasets: [mnits]}}"],
        "model_settings.m2.datasets names 'mnits', which is not known; did you mean 'mnist'?",
    ),
    "nothing to run": (
        ["datasets=[mnist]", "models=[mvae]"],
        "leave nothing to run: mvae runs on celeba, chexpert",
    ),
    "an option of a model": (
        ["model_settings={m2: {classes: {latent: 3}}}"],
        "model_settings.m2.classes has no option 'latent'; did you mean 'latents'?",
    ),
    "the kind of an option's value": (
        ["model_settings={ccvae: {classes: {latents: many}}}"],
        "latents = 'many', where a whole number was expected",
    ),
    "an option of a network": (
        ["settings={classes: {architecture: {kaiming: true}}}"],
        "settings.classes.architecture 'conv28' has no option 'kaiming'",
    ),
    "an option of a network of one model": (
        ["model_settings={m2: {classes: {architecture: {kaiming: true}}}}"],
        "model_settings.m2.classes has the architecture 'conv28', which has no option 'kaiming'",
    ),
    "a network for other images": (
        ["settings={classes: {architecture: {name: table3}}}"],
        "'table3' is for images (3, 64, 64), but mnist has (1, 28, 28)",
    ),
    "a network": (["settings={classes: {architecture: {name: conv29}}}"], "'conv29' is not one of"),
    "a judge": (["settings={classes: {judge: {network: resnet}}}"], "'resnet' is not one of"),
    "a schedule": (
        ["settings={classes: {training: {kind: interleaved}}}"],
        "needs training.epochs",
    ),
    "a reader": (
        ["data={synthetic_xrays: {reader: synthetic_xray}}"],
        "no reader 'synthetic_xray'; did you mean 'synthetic_xrays'?",
    ),
    "an option of a reader": (
        ["data={synthetic_xrays: {options: {size: 3}}}"],
        "has no option 'size'; did you mean 'sizes'?",
    ),
    "a study's option": (
        ["studies={variants: {choices: {variants: {another: {priorspread: 1}}}}}"],
        "choices, another of ccvae has no option 'priorspread'; did you mean 'prior_spread'?",
    ),
    "a weight that a model does not have": (
        ["studies={alpha: {weights: {supervised: [1]}}}"],
        "alpha, 1 of supervised has no option 'classifier_weight'",
    ),
    "a study's deviation": (
        ["studies={variants: {choices: {deviations: [prior_rate]}}}"],
        "there is no deviation 'prior_rate'; did you mean 'prior-rate'?",
    ),
    "a network of a study's variant": (
        ["studies={variants: {style: {variants: {wide: {architecture: {name: table3}}}}}}"],
        "style, wide of ccvae_ten has the architecture 'table3', which is for images (3, 64, 64)",
    ),
    "a variant beside the paper": (
        ["studies={variants: {protocol: {beside_paper: [ccva]}}}"],
        "protocol.beside_paper: there is no variant 'ccva'; did you mean 'ccvae'?",
    ),
    "a variant beside the paper that is no model": (
        ["studies={variants: {protocol: {beside_paper: [ccvae_high_rate]}}}"],
        "'ccvae_high_rate', which is a variant of ccvae; the paper's numbers are those of models",
    ),
    "a study's model": (["studies={gradients: {model: m2}}"], "only a model of the system ccvae"),
    "too few labelled images": (
        ["datasets=[mnist]", "supervision_rates=['0.0001']"],
        "f = 0.0001 labels 5; at least 10 are needed",
    ),
    "more inducing points than images": (
        ["data={synthetic_faces: {options: {sizes: {train: 100}}}}", "supervision_rates=['1.0']"],
        "inducing is 200, but synthetic_faces has only 100 training images",
    ),
    "one test image": (
        ["data={synthetic_faces: {options: {sizes: {test: 1}}}}"],
        "a swap takes two",
    ),
}


def checked(*settings: str) -> None:
    check(Config(merged_config([], settings)), Path("nowhere"))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_before_anything_runs(name):
    settings, sentence = MISTAKES[name]
    with pytest.raises(InputError) as caught:
        checked(*settings)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("configuration: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("overlay", [[], ["smoke.yaml"], ["paper.yaml"], ["reference.yaml"]])
def test_every_configuration_of_ours_passes(overlay):
    overlays = [ROOT / "config" / name for name in overlay]
    check(Config(merged_config(overlays, [FOLDERS])), Path("nowhere"))


def test_a_store_with_other_labels_is_noticed_before_its_figures_fail(tmp_path):
    config = Config(merged_config([], ["datasets=[synthetic_xrays]"]))
    path = tmp_path / "data" / "synthetic_xrays" / "store.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"labels": list(READERS["synthetic_xrays"].spec.labels)}))
    check(config, tmp_path)
    path.write_text(json.dumps({"labels": ["Edema", "Pleural_Effusion"]}))
    with pytest.raises(InputError, match=r"xrays was prepared with a label 'Pleural_Effusion'"):
        check(config, tmp_path)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("folders={}", 'no folder is named; give it with --config "folders={celeba: PATH}"'),
        ("folders={celeba: ''}", "no folder is named"),
        ("folders={celeba: $NOT_SET/celeba}", "the variable $NOT_SET is not set"),
    ],
)
def test_a_folder_matters_only_where_it_is_asked_for(setting, sentence):
    checked(setting)
    config = Config(merged_config([], ["datasets=[mnist, celeba]", setting]))
    check(config, Path("nowhere"))
    with pytest.raises(InputError) as caught:
        settings_of_asked_for(config, "celeba")
    assert sentence in str(caught.value)


@pytest.mark.parametrize("target", ["table2", "figure3"])
def test_who_asks_for_what_is_not_run_is_told_so(target):
    command = [sys.executable, "-m", "snakemake", "-n", target, "--config", "datasets=[mnist]"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"there is nothing to show in {target}, which takes" in done.stdout + done.stderr


@pytest.mark.parametrize(("target", "code"), [("table6", 0), ("table1", 1)])
def test_who_asks_for_other_data_needs_no_folder(target, code):
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules"]
    command += ["--config", "datasets=[mnist, celeba]", "preset=unmade", "--", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert ("no folder is named" in done.stdout + done.stderr) == bool(code)


def test_nothing_is_a_text_that_is_empty():
    assert Config(merged_config([], ["inception_weights="])).values["inception_weights"] == ""


def test_checking_loads_no_torch_and_finds_a_mistake_in_the_planning_of_snakemake():
    settings, sentence = MISTAKES["a label with an underscore"]
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from workflow.config import Config\n"
        "from workflow.planning.checks import check\n"
        "from workflow.planning.overlay import merged_config\n"
        "from pathlib import Path\n"
        f"check(Config(merged_config([], {settings!r})), Path('nowhere'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert sentence in done.stderr
    command = [sys.executable, "-m", "snakemake", "-n", "--config", *settings]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert sentence in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def parameters(place: str, leading: int) -> dict[str, bool]:
    module, _, name = place.partition(":")
    found = inspect.signature(getattr(import_module(module), name)).parameters
    return {p.name: p.default is p.empty for p in list(found.values())[leading:]}


PLACES = (
    [(system.place, 2) for system in SYSTEMS.values()]
    + [(place, 0) for place in members_of("ccvae.networks:ARCHITECTURES").values()]
    + [(reader.function, 1) for reader in READERS.values()]
)


@pytest.mark.parametrize(("place", "leading"), PLACES)
def test_options_read_from_the_source_are_those_of_the_signature(place, leading):
    options = options_of(place, leading)
    assert options is not None
    found = {option.name: option.required for option in options.values()}
    assert found == parameters(place, leading)


def test_registries_read_from_the_source_are_those_of_the_modules():
    places = members_of("ccvae.networks:ARCHITECTURES")
    assert list(places) == list(ARCHITECTURES)
    shapes = {name: constant_of(place, "image_shape") for name, place in places.items()}
    assert shapes == {name: found.image_shape for name, found in ARCHITECTURES.items()}


def test_the_schema_lists_every_network():
    schema = SCHEMA.read_text(encoding="utf-8")
    for networks in (ARCHITECTURES, NETWORKS):
        assert f"enum: [{', '.join(networks)}]\n" in schema


def test_what_the_source_does_not_tell_is_not_checked(tmp_path, monkeypatch):
    (tmp_path / "models.py").write_text(
        "from elsewhere import Base\n"
        "class Inherits(Base): ...\n"
        "class Anything:\n"
        "    def __init__(self, labels, architecture, **options): ...\n"
        "class Plain:\n"
        "    def __init__(self, labels, architecture, latents: int, width=3): ...\n"
        "class Child(Plain): ...\n"
    )
    monkeypatch.setattr(signatures, "ROOT", tmp_path)
    assert options_of("models:Inherits", 2) is None
    assert options_of("models:Anything", 2) is None
    assert options_of("models:Absent", 2) is None
    assert options_of("absent:Plain", 2) is None
    child = options_of("models:Child", 2)
    assert child is not None
    found = [(o.name, o.kind, o.required) for o in child.values()]
    assert found == [("latents", "int", True), ("width", "", False)]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("int", 3, None),
        ("int", True, "a whole number"),
        ("int", 3.5, "a whole number"),
        ("float", 3, None),
        ("float", "3", "a number"),
        ("bool", True, None),
        ("bool", 1, "true or false"),
        ("str", "a", None),
        ("str", 1, "a word"),
        ("Mapping[str, int] | None", 1, None),
    ],
)
def test_kinds_of_values(kind, value, expected):
    assert signatures.Option("name", kind, True).expected(value) == expected


def test_the_nearest_name_is_suggested():
    known = ["Pleural Effusion", "Edema", "Cardiomegaly"]
    assert known_instead("pleural_effusion", known) == "did you mean 'Pleural Effusion'?"
    assert known_instead("Cardiomegalie", known) == "did you mean 'Cardiomegaly'?"
    assert known_instead("x", known) == "known are Cardiomegaly, Edema, Pleural Effusion"
    assert known_instead("x", []) == "known are none"


def test_numbers_in_lists_may_come_from_the_command_line():
    values = Config(merged_config([], ["studies={alpha: {weights: {m2: [1, kingma]}}}"])).values
    assert json.dumps(values["studies"]["alpha"]["weights"]["m2"]) == '[1, "kingma"]'
