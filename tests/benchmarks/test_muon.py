"""Muon's benchmark: which parameters it moves, by how much, and what its page says."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from benchmarks.curves import Cell
from benchmarks.muon import Form, MuonTrainer, as_matrix, kernels, muon_of
from benchmarks.muon_page import (
    ADAM,
    AGAIN,
    CELLS,
    FORMS,
    LONGER,
    TORCHS,
    WAYS,
    conclusion,
    document,
)
from ccvae.batches import Batches, Schedule
from ccvae.model import CCVAE
from ccvae.networks import Conv28
from ccvae.training import Trainer
from tests.tiny import classes

STEPS = 4
Kind = type[Trainer] | partial[MuonTrainer]


def small_training(kind: Kind) -> Trainer:
    torch.manual_seed(0)
    model = CCVAE(
        classes(10), Conv28(), latents=6, latents_per_label=4, likelihood="laplace",
        label_samples=5,
    ).to(memory_format=torch.channels_last)  # fmt: skip
    images = torch.randint(256, (40, 1, 28, 28), dtype=torch.uint8)
    schedule = Schedule(
        kind="mixed", steps=STEPS, labelled_batch=4, unlabelled_batch=4, learning_rate=1e-3,
        one_cycle=True,
    )  # fmt: skip
    batches = Batches(schedule, torch.arange(10), torch.arange(10, 40), 0)
    labels = torch.arange(40)[:, None] % 10
    return kind(model, images, labels, batches, schedule, STEPS)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_kernel_and_its_matrix_share_their_memory(layout: torch.memory_format) -> None:
    kernel = torch.zeros(3, 2, 4, 4).to(memory_format=layout)
    as_matrix(kernel)[1] += 1
    assert kernel[1].eq(1).all()
    assert kernel[[0, 2]].eq(0).all()


def moves(kind: Kind, steps: int = 1) -> list[list[torch.Tensor]]:
    """What each step of a training adds to every kernel."""
    trainer = small_training(kind)
    assert isinstance(trainer.model, CCVAE)
    found = []
    for _ in range(steps):
        before = [kernel.detach().clone() for kernel in kernels(trainer.model)]
        trainer.run_interval()
        pairs = zip(kernels(trainer.model), before, strict=True)
        found.append([(kernel - old).detach() for kernel, old in pairs])
    return found


def test_a_kernel_moves_by_a_nearly_orthogonal_matrix() -> None:
    (of_step,) = moves(partial(MuonTrainer, Form("")))
    for move in of_step:
        if move.ndim == 4:
            # Eight images give the other matrices gradients of a low rank.
            values = torch.linalg.svdvals(as_matrix(move))
            assert values[-1] > 0.5 * values[0]


@pytest.mark.parametrize("shape", [(16, 40), (40, 16)])
def test_moves_are_those_of_torch(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    pair = [nn.Parameter(torch.ones(shape)) for _ in range(2)]
    forms = (Form("", rate=2), Form("", rate=2, torchs=True))
    optimisers = [muon_of(form, [matrix], 0.01) for form, matrix in zip(forms, pair, strict=True)]
    for _ in range(3):
        gradient = torch.randn(shape)
        for matrix, optimiser in zip(pair, optimisers, strict=True):
            matrix.grad = gradient.clone()
            optimiser.step()
    ours, theirs = (matrix.detach() - 1 for matrix in pair)
    assert (ours - theirs).norm() < 0.03 * theirs.norm()


def test_steps_in_between_repeat_the_last_move() -> None:
    for first, second, third in zip(
        *moves(partial(MuonTrainer, Form("", every=2)), 3), strict=True
    ):
        torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-6)
        assert not torch.allclose(second, third, rtol=1e-2)


def test_what_is_not_large_is_left_to_adam() -> None:
    (with_adam,) = moves(Trainer)
    largest = max(move.numel() for move in with_adam)
    (largest_alone,) = moves(partial(MuonTrainer, Form("", least=largest)))
    for ours, theirs in zip(largest_alone, with_adam, strict=True):
        assert torch.equal(ours, theirs) == (ours.numel() < largest)


def test_every_parameter_moves_once() -> None:
    trainer = small_training(partial(MuonTrainer, Form("")))
    before = {name: value.detach().clone() for name, value in trainer.model.named_parameters()}
    trainer.run_interval()
    after: dict[str, nn.Parameter] = dict(trainer.model.named_parameters())
    assert all(not torch.equal(after[name], value) for name, value in before.items())


def measured(gain: float) -> dict[str, dict[str, float]]:
    found = {way: {"accuracy": 0.9, "unlabelled_objective": -600.0} for way in WAYS}
    found[AGAIN] |= {"accuracy": 0.92}
    found[LONGER] |= {"accuracy": 0.91, "unlabelled_objective": -590.0}
    found[FORMS[0].title] |= {"accuracy": 0.9 + gain}
    found[FORMS[1].title] |= {"unlabelled_objective": -585.0}
    return found


@pytest.mark.parametrize(
    ("gain", "words"),
    [(0.01, "+0.010 against Adam, not more"), (0.03, "+0.030 against Adam, more")],
)
def test_the_page_weighs_a_gain_against_another_seed(gain: float, words: str) -> None:
    costs = {ADAM: 10.0, FORMS[0].title: 20.0, FORMS[3].title: 15.0, TORCHS.title: 90.0}
    text = conclusion(Cell("mnist", "0.06"), measured(gain), costs)
    assert words in text
    assert "Adam in twice as many steps gains +0.010." in text
    assert f"By unlabelled objective the best of Muon is `{FORMS[1].title}`, +15 against" in text
    assert "1.50 times Adam's" in text
    page = document({CELLS[0].name: measured(gain)}, {CELLS[0].name: costs})
    assert text in page
    assert "| torch.optim.Muon | 90 | 9.00 |  |" in page
    assert page.count("Not measured.") == len(CELLS) - 1
