"""How a judge learns: until its validation loss stops falling.

A fixed number of passes suits one data set and fails on the next, so a judge is looked at on
validation images every few steps, and its best state is kept. Where the loss has stopped falling,
the judge goes on from that state at a lower rate, and then ends. A judge that has found nothing
better than the prevalence of the labels starts anew at a lower rate (deviation: judge-learning).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor

from ccvae.errors import InputError
from ccvae.feeding import feed
from ccvae.labels import LabelSpace, MultiLabel
from ccvae.shapes import Bytes, Images, Labels, Probabilities
from evaluators.accuracy import constant_loss
from evaluators.classifier import Judge, fit_temperature
from evaluators.images import BATCH, ImageSet, collect
from evaluators.measuring import seeded

FALL = 1e-3
"""Share of the best validation loss by which a lower one must differ to count as falling."""
PLATEAU = 0.99
"""A loss above this share of the constant answer's has not left the plateau."""
DECAY = 0.2
"""Factor of the learning rate where the loss has stopped falling, and at a new start."""
DECAYS = 2
"""How often the rate is lowered where the loss has stopped falling, before learning ends."""

Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class JudgeSettings:
    """How a judge is built and how it learns.

    Attributes
    ----------
    network
        Name in `evaluators.classifier.NETWORKS`.
    steps
        Most optimiser steps, over all starts.
    check_steps
        Steps between two looks at the validation images.
    patience
        Looks in a row without a lower loss, after which it has stopped falling.
    restarts
        How often a judge that stays at the constant answer starts anew.
    learning_rate
        Of Adam at the first step; it falls linearly, to 0 at the last of `steps`.
    batch_size
        Images per step.
    dropout
        Probability, before the feature layer (`small_cnn`) and before the last layer.
    flip
        Mirror half of the images; wrong where left and right differ, as in X-rays and digits.
    shift
        Largest random displacement in pixels, along both axes.
    seed
        Of the initialisation, the order of images and the augmentation.
    """

    network: str = "small_cnn"
    steps: int = 2000
    check_steps: int = 100
    patience: int = 4
    restarts: int = 2
    learning_rate: float = 2e-3
    batch_size: int = 64
    dropout: float = 0.1
    flip: bool = False
    shift: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Check:
    """One look at the validation images.

    Attributes
    ----------
    step
        Steps made, over all starts.
    start
        0, or the number of the restart.
    learning_rate
        At that step.
    loss
        Mean cross-entropy per image and label of the validation images, in nats.
    """

    step: int
    start: int
    learning_rate: float
    loss: float


@dataclass(frozen=True)
class Learning:
    """How a judge learnt.

    Attributes
    ----------
    steps
        Made, over all starts.
    best_step
        After which the kept state was reached.
    restarts
        How often it started anew.
    learning_rate
        Of the start whose state was kept.
    constant_loss, best_loss
        Validation loss of the best constant answer, and of the kept state.
    left_plateau
        Whether the judge learnt more than the constant answer.
    stopped
        Why learning ended.
    checks
        Every look at the validation images.
    """

    steps: int
    best_step: int
    restarts: int
    learning_rate: float
    constant_loss: float
    best_loss: float
    left_plateau: bool
    stopped: str
    checks: tuple[Check, ...]


def train_judge(
    labels: LabelSpace,
    train: ImageSet,
    validation: ImageSet,
    settings: JudgeSettings,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> tuple[Judge, Learning]:
    """Train and calibrate a judge; the same settings give the same judge on the same machine.

    Parameters
    ----------
    labels
        The label space.
    train, validation
        Images to learn from, and images to stop and to choose the temperatures on.
    settings
        Network and learning.
    device
        Where to train; the judge stays there.
    progress
        Called at every look with (steps made, most steps, validation loss).

    Returns
    -------
    tuple
        The judge, in evaluation mode, its parameters frozen, and how it learnt.

    Raises
    ------
    InputError
        If an image set is empty, or the loss stops being finite at every start.
    """
    for name, images in (("training", train), ("validation", validation)):
        if len(images) == 0:
            raise InputError(f"a judge cannot be trained without {name} images; give at least one")
    device = torch.device(device)
    with seeded(settings.seed, device):
        learner = _Learner(labels, train, validation, settings, device, progress)
        judge, learning = learner.learn()
    judge.eval().requires_grad_(False)
    logits, y = collect(judge.raw_logits, validation, device)
    judge.temperature.copy_(fit_temperature(labels, logits, y))
    return judge, learning


class _Learner:
    """Makes starts until one leaves the plateau, within one budget of steps."""

    def __init__(
        self,
        labels: LabelSpace,
        train: ImageSet,
        validation: ImageSet,
        settings: JudgeSettings,
        device: torch.device,
        progress: Progress | None,
    ) -> None:
        self._labels, self._train, self._validation = labels, train, validation
        self._settings, self._device, self._progress = settings, device, progress
        self._images = feed(train.images, device)
        self._scale = channel_scale(train.images)
        self._constant = constant_loss(validation, train.prevalence)
        self._step = 0
        self._checks: list[Check] = []
        self._best: Check | None = None
        self._kept: dict[str, Tensor] = {}

    def learn(self) -> tuple[Judge, Learning]:
        """Make starts; the judge has the best state of all of them."""
        settings, start = self._settings, 0
        while True:
            judge = Judge(
                self._labels, settings.network, self._train.image_shape, settings.dropout
            ).to(self._device)
            judge.normalise(*self._scale)
            stopped = self._make_start(judge, start)
            if self._left or start == settings.restarts or self._step == settings.steps:
                break
            start += 1
        if self._best is None:
            raise InputError(
                f"the judge's loss is not finite at any of {start + 1} starts; lower its learning "
                f"rate from {settings.learning_rate:g}"
            )
        judge.load_state_dict(self._kept)
        learning = Learning(
            steps=self._step,
            best_step=self._best.step,
            restarts=start,
            learning_rate=self._rate(self._best.start),
            constant_loss=self._constant,
            best_loss=self._best.loss,
            left_plateau=self._left,
            stopped=stopped,
            checks=tuple(self._checks),
        )
        return judge, learning

    @property
    def _left(self) -> bool:
        return self._best is not None and self._best.loss < PLATEAU * self._constant

    def _rate(self, start: int) -> float:
        return self._settings.learning_rate * DECAY**start

    def _make_start(self, judge: Judge, start: int) -> str:
        """Train a fresh judge until its validation loss stops falling; returns why it ended."""
        settings, rate = self._settings, self._rate(start)
        optimizer = torch.optim.Adam(judge.parameters(), rate, fused=True)
        lowest, waited, decays = math.inf, 0, 0
        for chosen in batches(len(self._train), settings.batch_size):
            now = rate * (1 - self._step / settings.steps)
            for group in optimizer.param_groups:
                group["lr"] = now
            judge.train()
            loss = self._step_loss(judge, chosen)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            self._step += 1
            spent = self._step == settings.steps
            # Reading a loss waits for the device, so not every step does.
            if self._step % settings.check_steps and not spent:
                continue
            held_out = validation_loss(judge, self._validation, self._device)
            found = Check(self._step, start, now, held_out)
            if not math.isfinite(found.loss):
                return "its loss stopped being finite"
            self._note(judge, found)
            waited = 0 if found.loss < (1 - FALL) * lowest else waited + 1
            lowest = min(lowest, found.loss)
            if spent:
                return "its budget of steps was spent"
            if waited < settings.patience:
                continue
            if not self._left:
                return "its validation loss stayed at that of a constant answer"
            if decays == DECAYS:
                return "its validation loss had stopped falling"
            decays, waited, rate = decays + 1, 0, rate * DECAY
            judge.load_state_dict(self._kept)
        raise AssertionError("batches never end")

    def _step_loss(self, judge: Judge, chosen: Integer[Tensor, " B"]) -> Float[Tensor, ""]:
        x = augment(self._images.take(chosen), self._settings)
        return cross_entropy(
            self._labels, judge.raw_logits(x), self._train.labels[chosen].to(self._device)
        )

    def _note(self, judge: Judge, found: Check) -> None:
        """Record a look, and keep the state if it is the best so far."""
        self._checks.append(found)
        if self._best is None or found.loss < self._best.loss:
            self._best = found
            self._kept = {name: value.clone() for name, value in judge.state_dict().items()}
        if self._progress is not None:
            self._progress(self._step, self._settings.steps, found.loss)


def batches(n: int, size: int) -> Iterator[Integer[Tensor, " B"]]:
    """Positions of the images of each step, (B,), without end; every pass has a new order.

    What is left over at the end of a pass is not used, unless it is all there is: a batch of a
    few images would upset the statistics of batch normalisation.
    """
    size = min(n, size)
    while True:
        yield from torch.randperm(n)[: n - n % size].split(size)


def cross_entropy(labels: LabelSpace, logits: Probabilities, y: Labels) -> Float[Tensor, ""]:
    """Mean over images and labels of -log p(y) in nats: logits (B, n_outputs), y (B, F)."""
    if isinstance(labels, MultiLabel):
        return F.binary_cross_entropy_with_logits(logits, y.to(logits.dtype))
    return F.cross_entropy(logits, y[:, 0])


def validation_loss(judge: Judge, images: ImageSet, device: torch.device) -> float:
    """Cross-entropy of a judge in evaluation mode, in nats per image and label."""
    judge.eval()
    logits, y = collect(judge.raw_logits, images, device)
    return cross_entropy(judge.labels, logits.double(), y).item()


def channel_scale(images: Bytes) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """Mean and standard deviation of each channel over images (N, C, H, W) and pixels, (C,) each.

    Bytes are scaled to [0, 1]. A channel without any contrast has the deviation of one grey level.
    """
    counts = torch.zeros(images.shape[1], 256, dtype=torch.float64)
    for block in images.split(BATCH):
        for channel, shown in enumerate(block.unbind(1)):
            counts[channel] += torch.bincount(shown.flatten(), minlength=256)
    shares = counts / counts.sum(1, keepdim=True)
    levels = torch.arange(256, dtype=torch.float64) / 255
    mean = shares @ levels
    deviation = (shares @ levels.square() - mean.square()).clamp_min(0).sqrt()
    return mean.float(), deviation.clamp_min(1 / 255).float()


def augment(x: Images, settings: JudgeSettings) -> Images:
    """Mirror and move images (B, C, H, W) at random; the gap shows the image's edge, repeated."""
    if settings.flip:
        mirrored = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
        x = torch.where(mirrored, x.flip(3), x)
    if settings.shift:
        height, width = x.shape[2:]
        padded = F.pad(x, [settings.shift] * 4, mode="replicate")
        # One displacement per batch keeps this a view; batches are small and many.
        down, right = torch.randint(0, 2 * settings.shift + 1, (2,)).tolist()
        x = padded[:, :, down : down + height, right : right + width]
    return x
