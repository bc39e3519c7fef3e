"""The explorer in a browser: it shows what torch computes, and does what its reader asks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ccvae.interface import LabelledVAE
from datasets.stand_ins.truth import Truth
from datasets.store import Store
from evaluators.images import ImageSet, to_unit
from evaluators.measuring import seeded
from tests.workflow.explored import DIGITS, FACES, MODELS, results
from workflow.figures.characteristics import prior_moments
from workflow.load import load_judge, load_model
from workflow.steps.reporting import make_explorer, picture_explorer

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")
PATIENCE_MS = 180_000
"""A machine may have much else to do."""

IMAGES = range(3)
"""Test images on which pictures are compared."""

PIXELS = """title => {
  const heads = [...document.querySelectorAll(".bench thead th")];
  const head = heads.find(head => head.querySelector(".title")?.textContent === title);
  const canvas = head.querySelector("canvas");
  return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
}"""
BARS = """title => {
  const titles = [...document.querySelectorAll(".bench thead .title")].map(b => b.textContent);
  const column = 2 + titles.indexOf(title);
  const cells = document.querySelectorAll(`.bench tbody tr > :nth-child(${column})`);
  return [...cells].map(cell => cell.title);
}"""
NAMELESS = """() => [...document.querySelectorAll("input, button, select")]
  .filter(it => !(it.ariaLabel || it.textContent.trim() || it.labels?.length))
  .map(it => it.outerHTML)"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("results")
    return folder, results(folder)


@pytest.fixture(scope="module")
def page_file(folder) -> Path:
    path, settings = folder
    make_explorer.work(Namespace(settings=settings, results=path, out=path / "explorer.html"))
    return path / "explorer.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install -e .[browser]")
    found = next(filter(None, map(shutil.which, picture_explorer.BROWSERS)), None)
    if found is None:
        pytest.skip("there is no Chromium on the PATH; install your system's package of it")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.usefixtures("browser")
def test_a_picture_of_the_page_shows_its_models(page_file, tmp_path):
    pictures = []
    for view in ("", urlencode({"data": DIGITS})):
        out = tmp_path / "explorer.png"
        # In a process of its own: playwright is started once in each.
        step = [sys.executable, "-m", "workflow.steps.reporting.picture_explorer"]
        told = ["--page", str(page_file), "--view", view, "--out", str(out)]
        subprocess.run([*step, *told], check=True)
        with Image.open(out) as opened:
            pictures.append(np.asarray(opened.convert("RGB")))
    assert pictures[0].shape == (picture_explorer.HEIGHT, picture_explorer.WIDTH, 3)
    assert (pictures[0] != pictures[1]).any()


class Reader:
    """Somebody before the page, without a network, who notes what goes wrong."""

    def __init__(self, browser: Any, path: Path, **how: Any) -> None:
        self.context = browser.new_context(offline=True, **how)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.path, self.wrong = path, []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._note)

    def _hear(self, said: Any) -> None:
        # The browser advises against reading canvases as often as these tests do.
        if said.type != "warning" or "willReadFrequently" not in said.text:
            self.wrong.append(said.text)

    def _note(self, request: Any) -> None:
        if request.url.partition("#")[0] != self.path.as_uri() and not request.url.startswith(
            ("data:", "blob:")
        ):
            self.wrong.append(f"asked for {request.url}")

    def open(self, **said: object) -> None:
        # Another address of the same page is followed, not loaded.
        self.page.goto("about:blank")
        self.page.goto(f"{self.path.as_uri()}#{urlencode(said)}")
        self.page.wait_for_selector("html[data-open]")
        self.wait()

    def wait(self) -> None:
        self.page.wait_for_selector("html[data-idle=true]")

    def picture(self, title: str, channels: int) -> np.ndarray:
        """What a column shows, (C, H, W), 0 to 255."""
        pixels = np.array(self.page.evaluate(PIXELS, title), dtype=float).reshape(-1, 4)
        side = round(len(pixels) ** 0.5)
        return pixels.T.reshape(4, side, side)[:channels]

    def done(self) -> None:
        self.context.close()
        assert self.wrong == []


@pytest.fixture
def reader(browser, page_file) -> Iterator[Reader]:
    reader = Reader(browser, page_file)
    yield reader
    reader.done()


class Known:
    """What torch knows of a data set."""

    def __init__(self, folder: Path, dataset: str) -> None:
        self.store = Store.open(folder / "data" / dataset)
        self.images = ImageSet.read(self.store, "test")
        self.x = to_unit(self.images.images[:4])
        self.judge = load_judge(folder / "judges" / dataset, self.store, CPU)
        runs = folder / "runs" / dataset
        self.models: dict[str, LabelledVAE] = {
            name: load_model(runs / name / "f=1.0" / "seed=0", self.store, CPU)
            for name in MODELS[dataset]
        }


@pytest.fixture(scope="module")
def faces(folder) -> Known:
    return Known(folder[0], FACES)


@pytest.fixture(scope="module")
def digits(folder) -> Known:
    return Known(folder[0], DIGITS)


def assert_same(shown: np.ndarray, torchs: Tensor, tolerance: float = 1.0) -> None:
    """Within 1/255 of torch's; and worth comparing."""
    expected = 255 * torchs.double().numpy()
    assert expected.std() > 5
    assert np.abs(shown - expected).max() <= tolerance


def at(model: Any, image: int, x: Tensor, label: int, position: float) -> Tensor:
    """An image with one label's characteristics at a position between its classes' means."""
    mean, _ = prior_moments(model, 0)
    z = model.posterior(x[image : image + 1]).loc.clone()
    z[:, label] = torch.lerp(mean[label, 0], mean[label, 1], position)
    return model.decode(z)[0]


@pytest.mark.parametrize("image", IMAGES)
def test_reconstructions_are_torchs(reader, faces, digits, image: int) -> None:
    for dataset, known in ((FACES, faces), (DIGITS, digits)):
        reader.open(data=dataset, image=image)
        channels = known.x.shape[1]
        test_image = known.images.images[image].double() / 255
        assert_same(reader.picture("Test image", channels), test_image, 0.01)
        for name, model in known.models.items():
            assert_same(reader.picture(name.upper(), channels), model.reconstruct(known.x)[image])


@pytest.mark.parametrize("image", IMAGES)
def test_a_slider_moves_what_it_names(reader, faces, image: int) -> None:
    label, position = faces.store.label_names.index("Smiling"), 1.25
    reader.open(data=FACES, image=image, **{"z.Smiling": position})
    predicted = {name: model.predict(faces.x) for name, model in faces.models.items()}
    for name, model in faces.models.items():
        if "traverse" in model.supports:
            expected = at(model, image, faces.x, label, position)
        elif predicted[name][image, label]:
            expected = model.reconstruct(faces.x)[image]
        else:
            asked = predicted[name].clone()
            asked[:, label] = 1
            with seeded(0, CPU):
                expected = model.intervene(faces.x, asked)[image]
        assert_same(reader.picture(name.upper(), 3), expected)


@pytest.mark.parametrize("background", IMAGES)
def test_swaps_are_torchs_and_the_truths(reader, faces, background: int) -> None:
    donor = 3
    reader.open(data=FACES, image=background, donor=donor, view="swap")
    for name, model in faces.models.items():
        with seeded(0, CPU):
            swaps = model.swap(faces.x.repeat_interleave(4, 0), faces.x.repeat(4, 1, 1, 1))
        assert_same(reader.picture(name.upper(), 3), swaps[4 * donor + background])
    true = Truth(faces.store).redraw_swap(torch.tensor([donor]), torch.tensor([background]))[0]
    off = np.abs(reader.picture("True redrawing", 3) - true.double().numpy())
    assert off.mean() < 6


@pytest.mark.parametrize("image", IMAGES)
def test_the_wheel_mixes_class_means_or_switches(reader, digits, image: int) -> None:
    reader.open(data=DIGITS, image=image, wheel="2.25_1", kept=0.5)
    model: Any = digits.models["ccvae"]
    mean = prior_moments(model, 0)[0][0]
    z = model.posterior(digits.x).loc[image]
    own = z - mean[model.predict(digits.x)[image, 0]]
    mixed = 0.75 * mean[2] + 0.25 * mean[3] + 0.5 * own
    assert_same(reader.picture("CCVAE", 1), model.decode(mixed.unsqueeze(0))[0])
    reader.open(data=DIGITS, image=image, wheel="2.25_1")
    asked = torch.full((4, 1), 2)
    switched = digits.models["m2"].intervene(digits.x, asked)[image]
    assert_same(reader.picture("M2", 1), switched)


def said(reader: Reader, title: str) -> list[float]:
    """What the judge says of the picture in a column, label by label."""
    texts = [text.partition("log-probability ")[2] for text in reader.page.evaluate(BARS, title)]
    return [float(text.partition(",")[0].replace("−", "-")) for text in texts]


@pytest.mark.parametrize("dataset", [FACES, DIGITS])
def test_the_judge_says_what_torchs_says(reader, faces, digits, dataset: str) -> None:
    known = faces if dataset == FACES else digits
    reader.open(data=dataset, image=1)
    log_probs = known.judge.log_probs(known.x)[1]
    expected = log_probs[:, 1] if dataset == FACES else log_probs[0]
    np.testing.assert_allclose(said(reader, "Test image"), expected.double().numpy(), atol=0.02)


def test_a_judge_that_is_too_large_was_asked_beforehand(browser, tmp_path) -> None:
    settings = results(tmp_path, network="resnet18")
    out = tmp_path / "explorer.html"
    make_explorer.work(Namespace(settings=settings, results=tmp_path, out=out))
    reader = Reader(browser, out)
    known = Known(tmp_path, FACES)
    reader.open(data=FACES, image=1, donor=2, view="swap")
    swap = known.models["diva"].swap(known.x[2:3], known.x[1:2])
    expected = known.judge.log_probs(swap)[0, :, 1].double().numpy()
    np.testing.assert_allclose(said(reader, "DIVA"), expected, rtol=2e-3, atol=0.05)
    assert "ResNet" in reader.page.inner_text("#about")
    assert "−0.0 " not in f"{reader.page.inner_text('body')} ".replace("\n", " ")
    assert reader.page.locator("td.bars.empty").count() == len(known.store.label_names)
    reader.open(data=FACES, image=1, **{"z.Smiling": 2})
    columns = 1 + len(known.models)
    assert reader.page.locator("td.bars.empty").count() == columns * len(known.store.label_names)
    known = Known(tmp_path, DIGITS)
    reader.open(data=DIGITS, image=1)
    expected = known.judge.log_probs(known.x)[1, 0].double().numpy()
    np.testing.assert_allclose(said(reader, "Test image"), expected, rtol=2e-3, atol=0.02)
    reader.done()


def test_keys_move_sliders_and_the_address_keeps_everything(reader, browser, page_file) -> None:
    reader.open(data=FACES, image=2)
    before = reader.picture("CCVAE", 3)
    slider = reader.page.get_by_role("slider", name="Smiling", exact=True)
    slider.focus()
    reader.page.keyboard.press("End")
    reader.page.keyboard.press("ArrowLeft")
    reader.wait()
    moved = reader.picture("CCVAE", 3)
    assert np.abs(moved - before).max() > 5
    assert "z.Smiling" in reader.page.url
    assert "Smiling" in slider.get_attribute("aria-valuetext")
    reader.page.get_by_role("checkbox", name="Lock Young").check()
    reader.page.get_by_role("button", name="Draw anew").click()
    reader.page.get_by_role("button", name="M2", exact=True).click()
    reader.wait()
    kept = reader.picture("DIVA", 3)
    reader.page.wait_for_function("document.getElementById('reading').textContent.startsWith('M2')")
    again = Reader(browser, page_file)
    again.page.goto(reader.page.url)
    again.page.wait_for_selector("html[data-open]")
    again.wait()
    np.testing.assert_array_equal(again.picture("DIVA", 3), kept)
    assert again.page.url == reader.page.url
    assert again.page.get_by_role("checkbox", name="Lock Young").is_checked()
    again.done()
    reader.page.get_by_role("button", name="Reset").click()
    reader.wait()
    np.testing.assert_array_equal(reader.picture("CCVAE", 3), before)


def test_the_wheel_follows_the_pointer_and_the_keys(reader) -> None:
    reader.open(data=DIGITS)
    box = reader.page.locator(".wheel").bounding_box()
    # Half past: towards class 5.
    reader.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8)
    reader.page.mouse.down()
    reader.page.mouse.up()
    assert "wheel=5_" in reader.page.url
    reader.page.get_by_role("slider", name="Around the wheel").press("ArrowRight")
    assert "wheel=5.2_" in reader.page.url
    reader.page.get_by_role("button", name="7", exact=True).click()
    assert "wheel=7_1" in reader.page.url
    reader.page.get_by_role("slider", name="Style 2").press("Home")
    assert "styles=0_-3_0_0" in reader.page.url


def test_a_grid_is_live_and_what_cannot_be_is_said(reader, faces) -> None:
    reader.open(data=FACES, view="grid", across="Smiling", up="Young")
    grids = reader.page.locator("canvas.grid")
    assert grids.count() == 3
    for name in ("m2", "mvae"):
        assert faces.models[name].lacks["traverse"] in reader.page.inner_text(".grids")
    before = grids.first.screenshot()
    reader.page.get_by_role("slider", name="Male", exact=True).press("End")
    reader.wait()
    assert grids.first.screenshot() != before


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (820, "dark"), (1600, "light")])
def test_it_fits_every_screen_and_every_control_has_a_name(
    browser, page_file, width: int, scheme: str
) -> None:
    reader = Reader(
        browser, page_file, viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    for view in ({"data": FACES}, {"data": FACES, "view": "grid"}, {"data": DIGITS}):
        reader.open(**view)
        assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
        assert reader.page.evaluate(NAMELESS) == []
    assert "failed its gate" in reader.page.inner_text("#warnings")
    reader.done()


def test_eight_bits_are_off_by_what_the_page_says(browser, folder, faces) -> None:
    path, settings = folder
    options = {**settings["options"], "weights": "int8"}
    out = path / "rough.html"
    make_explorer.work(Namespace(settings={**settings, "options": options}, results=path, out=out))
    reader = Reader(browser, out)
    reader.open(data=FACES)
    stated = float(reader.page.inner_text("#about").partition("by more than ")[2].split()[0])
    off = [
        np.abs(reader.picture(name.upper(), 3) - 255 * model.reconstruct(faces.x)[0].numpy()).max()
        for name, model in faces.models.items()
    ]
    assert max(off) <= stated + 0.5
    reader.done()
