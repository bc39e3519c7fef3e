"""A GPU computes what a CPU does: run with `pytest -m gpu` on a machine that has one.

The comparison of losses also runs on the card of `tests.card`, so that the comparison itself is
tested where there is no GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import Tensor

import ccvae.feeding
from ccvae.batches import Batches, Schedule
from ccvae.feeding import Feed, Streamed, feed
from ccvae.networks import Architecture, Conv28, Table3
from ccvae.numerics import Numerics
from ccvae.training import Trainer
from tests.card import CARD, card, to_card
from tests.noise import same_noise, switches_kept
from tests.test_devices import CASES, make
from workflow.provenance import Stopwatch
from workflow.steps.computing import start_computing

NETWORKS: dict[str, Architecture] = {"multi_label": Table3(), "multi_class": Conv28()}
TOLERANCE = 1e-4
CUDA = torch.device("cuda")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
EAGER = Numerics(compile="eager")
PLAIN = Schedule("mixed", 1e-3, steps=12, labelled_batch=4, unlabelled_batch=6)


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    """Compute as every step does."""
    with switches_kept():
        start_computing("auto", torch.get_num_threads())
        yield


def objectives(space: str, variant: str, device: torch.device) -> dict[str, Tensor]:
    """Objectives per image, and the norms of the gradients of their means, in float64."""
    architecture = NETWORKS[space]
    model = make(space, variant, architecture)
    x, y = torch.rand(8, *architecture.image_shape), model.labels.sample_prior(8)
    if device == CARD:
        model, x, y = to_card(model), to_card(x), to_card(y)
    else:
        model, x, y = model.to(device), x.to(device), y.to(device)
    found = {}
    for subset, labels in (("labelled", y), ("unlabelled", None)):
        with same_noise(1):
            objective = model.bound(x, labels).objective
        objective.mean().backward()
        norms = [p.grad.norm() for p in model.parameters() if p.grad is not None]
        found[subset] = objective.detach().cpu().double()
        found[f"{subset} gradient"] = torch.stack(norms).norm().cpu().double()
    return found


@pytest.mark.parametrize(
    "device", [CARD, pytest.param(CUDA, marks=[pytest.mark.gpu, needs_gpu])], ids=str
)
@pytest.mark.parametrize(("space", "variant"), CASES)
def test_losses_agree(space: str, variant: str, device: torch.device) -> None:
    expected = objectives(space, variant, torch.device("cpu"))
    with card() if device == CARD else nullcontext():
        found = objectives(space, variant, device)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=TOLERANCE, atol=0)


def trainer(
    numerics: Numerics | None = None, space: str = "multi_class", variant: str = "ccvae"
) -> Trainer:
    """A short training of a model on noise, on the GPU."""
    numerics = numerics or Numerics()
    architecture = numerics.apply(NETWORKS[space])
    model = make(space, variant, architecture).to(CUDA)
    generator = torch.Generator().manual_seed(0)
    shape = (60, *architecture.image_shape)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    several = space == "multi_label"
    labels = torch.randint(2 if several else 4, (60, 3 if several else 1), generator=generator)
    batches = Batches(PLAIN, torch.arange(20), torch.arange(20, 60), seed=1)
    torch.manual_seed(5)
    return Trainer(model, images, labels, batches, PLAIN, intervals=4, capture=numerics.captures)


def finish(training: Trainer) -> list[float]:
    """Train to the end; the objectives of the whole history."""
    while not training.finished:
        training.run_interval()
    return [value for row in training.history for key, value in row.items() if "objective" in key]


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("compile_", ["none", "eager"])
def test_a_training_resumes(tmp_path: Path, compile_: str) -> None:
    numerics = Numerics(compile=compile_)
    whole = trainer(numerics)
    whole.run_interval()
    torch.save(whole.state_dict(), tmp_path / "state.pt")
    expected = finish(whole)

    resumed = trainer(numerics)
    state = torch.load(tmp_path / "state.pt", map_location=CUDA, weights_only=True)
    torch.manual_seed(99)
    resumed.load_state_dict(state)
    assert 0 < resumed.step < resumed.total
    assert finish(resumed) == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.gpu
@needs_gpu
def test_streamed_images_equal_those_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.randint(256, (50, 3, 64, 64), dtype=torch.uint8)
    resident = feed(images, CUDA)
    assert (type(resident), resident.lies_on) == (Feed, "cuda")
    expected = finish(trainer())
    monkeypatch.setattr(ccvae.feeding, "RESIDENT_SHARE", 0.0)
    streamed = feed(images, CUDA)
    assert (type(streamed), streamed.lies_on) == (Streamed, "cpu")
    # Many batches at once, so that page-locked buffers are given out again while in use.
    many = [torch.randint(50, (16,)) for _ in range(40)]
    pairs = [(resident.take(chosen), streamed.take(chosen)) for chosen in many]
    assert all(torch.equal(a, b) for a, b in pairs)
    assert all(a.device.type == "cuda" for a, _ in pairs)
    assert finish(trainer()) == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize(
    "numerics",
    [
        Numerics("tf32", "eager"),
        Numerics("bf16", "eager"),
        Numerics("fp32", "default"),
        Numerics("fp32", "reduce-overhead"),
        Numerics("bf16", "reduce-overhead"),
        Numerics("fp32", "none"),
        Numerics("bf16", "none"),
    ],
    ids=str,
)
def test_faster_numerics_stay_near(numerics: Numerics) -> None:
    expected = finish(trainer(EAGER))
    numerics.allow_tf32()
    assert finish(trainer(numerics)) == pytest.approx(expected, rel=0.02)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize(("space", "variant"), CASES)
def test_every_model_trains_as_captured_steps(space: str, variant: str) -> None:
    captured, eager = (
        finish(trainer(numerics, space, variant)) for numerics in (Numerics(), EAGER)
    )
    assert captured == pytest.approx(eager, rel=0.02)


@pytest.mark.gpu
@needs_gpu
def test_a_record_describes_the_gpu() -> None:
    stopwatch = Stopwatch()
    finish(trainer())
    stopwatch.sample(CUDA)
    seen = stopwatch.gpu("cuda")
    assert seen is not None
    assert seen["name"] == torch.cuda.get_device_name()
    assert seen["peak_mb"] > 0
    assert seen["utilisation"] is None or 0 <= seen["utilisation"] <= 100
