"""What the explorer's page is made of; what it does is in test_explorer_page.py."""

from __future__ import annotations

import base64
import json
import re
import zlib
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from ccvae.errors import InputError
from ccvae.labels import MultiLabel
from ccvae.networks import Conv28, Mlp28, Table3
from evaluators.classifier import Judge
from tests.baselines.test_every_model import CONFIG, MODELS, build
from tests.workflow.fabricated import ROOT, configuration
from workflow.config import Config
from workflow.explorer.arrays import Blob, rounded
from workflow.explorer.assemble import PAGE, SCRIPTS, Part, assembled, bundled
from workflow.explorer.models import describe_model
from workflow.explorer.networks import judge_layers, layers_of
from workflow.explorer.selection import selected
from workflow.planning.checks import check

GENERATOR = np.random.default_rng(0)


def unpacked(blob: Blob, described: dict) -> np.ndarray:
    """An array as the page reads it: planes of bytes, deflated."""
    data = zlib.decompress(base64.b64decode(blob.text()))
    kind = np.dtype(described["type"])
    count = int(np.prod(described["shape"]))
    planes = data[described["at"] : described["at"] + count * kind.itemsize]
    values = np.frombuffer(planes, np.uint8).reshape(kind.itemsize, count).T.copy().view(kind)
    array = values.reshape(described["shape"]).astype(np.float32)
    if described["type"] != "int8":
        return array
    steps = unpacked(blob, described["steps"])
    return array * steps.reshape(-1, *[1] * (array.ndim - 1))


@pytest.mark.parametrize(
    ("rounding", "error"), [("float32", 0.0), ("float16", 2**-11), ("int8", 0.5 / 127)]
)
def test_arrays_come_back_as_they_were_rounded(rounding: str, error: float) -> None:
    array = GENERATOR.standard_normal((5, 3, 4, 4)).astype(np.float32)
    array[2] = 0
    blob = Blob()
    blob.add(np.ones(3), "float32")
    described = blob.add(array, rounding)
    found = unpacked(blob, described)
    np.testing.assert_array_equal(found, rounded(array, rounding))
    largest = np.abs(array).reshape(5, -1).max(1).reshape(-1, 1, 1, 1)
    assert (np.abs(found - array) <= error * largest * (1 + 1e-6)).all()


@pytest.mark.parametrize("architecture", [Table3(), Table3(fast=True), Conv28(), Mlp28()])
def test_every_decoder_of_the_suite_can_be_computed_by_the_page(architecture) -> None:
    known = set(re.findall(r"^  (\w+)(?:\(|:)", (PAGE / "network.js").read_text(), re.M))
    layers = layers_of(architecture.decoder(20), Blob(), "int8")
    assert {layer["layer"] for layer in layers} <= known
    assert layers[0]["layer"] == "linear"


class Doubled(nn.Linear):
    def forward(self, input):
        return 2 * super().forward(input)


@pytest.mark.parametrize(
    "layer",
    [
        nn.GELU(),
        nn.Softplus(beta=2),
        Doubled(4, 4),
        nn.ConvTranspose2d(4, 4, 3, output_padding=1, stride=2),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, (1, 3)),
        nn.MaxPool2d(2, padding=1),
        nn.BatchNorm2d(4, track_running_stats=False),
    ],
    ids=repr,
)
def test_a_layer_that_the_page_does_not_know_is_named(layer: nn.Module) -> None:
    with pytest.raises(InputError, match="cannot compute the layer"):
        layers_of(nn.Sequential(nn.Linear(4, 4), layer), Blob(), "float16")


def test_a_judge_is_its_layers_and_a_large_one_is_left_out() -> None:
    space = MultiLabel("ab")
    names = [
        layer["layer"]
        for layer in judge_layers(Judge(space, "small_cnn", (3, 64, 64)), Blob(), "int8")
    ]
    assert names[0] == names[-1] == "affine"
    assert names.count("convolution") == 4
    with pytest.raises(InputError, match="cannot compute the layer ResNet"):
        judge_layers(Judge(space, "resnet18", (3, 64, 64)), Blob(), "int8")


@cache
def packed(name: str, dataset: str, rounding: str = "float16") -> tuple[dict, Blob, torch.Tensor]:
    model = build(name, dataset)
    model.eval()
    shape = (3, 64, 64) if dataset == "celeba" else (1, 28, 28)
    x = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    blob = Blob()
    return describe_model(model, x, x, blob, rounding=rounding, seed=0), blob, x


@pytest.mark.parametrize("dataset", ["mnist", "celeba"])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_packed_with_what_it_can_do(name: str, dataset: str) -> None:
    if (name, dataset) == ("vae_classifier", "mnist"):
        pytest.skip("no class of an untrained classifier is found by rejection")
    if "reconstruct" in CONFIG.lacking(name, dataset):
        with pytest.raises(InputError, match="has no part called `decoder`"):
            packed(name, dataset)
        return
    described, _, _ = packed(name, dataset)
    lacks = CONFIG.lacking(name, dataset)
    assert described["lacks"] == lacks
    assert ("swaps" in described) == ("swap" not in lacks)
    if dataset == "celeba":
        assert ("lines" in described) == ("traverse" not in lacks)
        assert ("switched" in described) == ("traverse" in lacks)
    else:
        assert described["classes"]["moves"] == ("traverse" not in lacks)
    assert max(described["off_by"]) < 1


def test_switches_add_up_where_the_label_is_the_decoders_input() -> None:
    assert packed("m2", "celeba")[0]["adds_up"]
    assert not packed("mvae", "celeba")[0]["adds_up"]


def test_an_image_as_its_own_class_is_its_reconstruction() -> None:
    for name in ("ccvae", "m2"):
        described, blob, x = packed(name, "mnist")
        of_image = unpacked(blob, described["classes"]["of_image"])
        own = of_image[np.arange(len(x)), np.ravel(described["predicted"])]
        np.testing.assert_allclose(own, unpacked(blob, described["reconstruction"]), atol=2e-3)


def test_the_error_that_the_page_states_is_that_of_its_weights() -> None:
    exact, rough = packed("ccvae", "celeba")[0], packed("ccvae", "celeba", "int8")[0]
    assert 0 < exact["off_by"][0] < 0.5 < 100 * rough["off_by"][0]
    assert exact["off_by"][1] < rough["off_by"][1]


class Plain(type(build("ccvae", "mnist"))):
    """A model whose picture is something else than its decoder's sigmoid."""

    def reconstruct(self, x):
        return super().reconstruct(x) * 0.5


def test_a_model_with_another_picture_is_refused() -> None:
    model = build("ccvae", "mnist")
    model.__class__ = Plain
    x = torch.rand(2, 1, 28, 28)
    with pytest.raises(InputError, match="picture of Plain is not the sigmoid"):
        describe_model(model, x, x, Blob(), rounding="float16", seed=0)


def shown(**explorer) -> list[str]:
    values = configuration(models=["ccvae", "m2", "mvae"], datasets=["mnist", "synthetic_faces"])
    values["explorer"] |= explorer
    config = Config(values)
    check(config, ROOT / "nowhere")
    return [f"{run.dataset}/{run.model}/{run.rate}" for run in selected(config)]


def test_models_take_turns_in_filling_the_page() -> None:
    models = {"synthetic_faces": ["ccvae", "m2", "diva", "mvae"], "mnist": ["m2"], "celeba": ["m2"]}
    faces = [f"synthetic_faces/{name}/1.0" for name in ("ccvae", "m2", "mvae")]
    assert shown(models=models) == [faces[0], "mnist/m2/1.0", *faces[1:]]
    both = shown(models={"mnist": ["ccvae"]}, supervision_rates=["largest", "0.06", "1.0"])
    assert both == ["mnist/ccvae/1.0", "mnist/ccvae/0.06"]
    assert shown(models={}) == []


@pytest.mark.parametrize(
    ("explorer", "words"),
    [
        ({"models": {"mnits": ["m2"]}}, "did you mean 'mnist'"),
        ({"models": {"mnist": ["m3"]}}, "explorer.models.mnist names 'm3'"),
        ({"supervision_rates": ["0.5"]}, "explorer.supervision_rates has 0.5, which is not run"),
        ({"weights": "int4"}, "int4"),
    ],
)
def test_a_selection_that_names_nothing_is_refused(explorer: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        shown(**explorer)


def test_the_page_is_one_file_that_asks_for_no_other() -> None:
    text = assembled({"preset": "</script>"}, {}, [Part({"title": "a"}, "QUJD")])
    outside = re.findall(r"(?:src|href|url\()\s*=?\s*[\"']?(https?:[^\"')]+|//[^\"')]+)", text)
    assert outside == ["https://openreview.net/forum?id=wQRlSUZ5V7B"]
    (contents,) = re.findall(r'id="contents">(.*?)</script>', text, re.S)
    assert json.loads(contents)["about"]["preset"] == "</script>"
    assert text.count('id="blob-0">QUJD</script>') == 1


def test_modules_follow_those_that_they_import() -> None:
    assert {path.stem for path in PAGE.glob("*.js")} == set(SCRIPTS)
    for position, name in enumerate(SCRIPTS):
        text = (PAGE / f"{name}.js").read_text(encoding="utf-8")
        imported = re.findall(r'^import [^;]* from "\./(\w+)\.js";$', text, re.M)
        assert len(imported) == len(re.findall("^import ", text, re.M))
        assert set(imported) <= set(SCRIPTS[:position])
    assert not re.search(r"^(import|export) ", bundled(), re.M)


def test_scripts_are_short_too() -> None:
    assert all(len(path.read_text().splitlines()) < 400 for path in PAGE.iterdir())


def test_flips_are_where_a_linear_classifier_is_zero() -> None:
    described, blob, x = packed("ccvae", "celeba")
    flips = unpacked(blob, described["lines"]["flip"])
    classifier = build("ccvae", "celeba").classifier
    with torch.no_grad():
        zero = (-classifier.bias / classifier.weight[..., 0])[:, 0]
    # The means start at -2 and 2.
    expected = ((zero + 2) / 4).expand(len(x), -1).numpy()
    np.testing.assert_allclose(flips, expected, atol=1e-4)
