"""The judge: a classifier, independent of every model, that the measures of the paper rest on.

Sections 6.2 to 6.4 of the paper put reconstructed, swapped and generated images before "a
pre-trained classifier" and read its log-probabilities. A difference of log-probabilities grows in
proportion to the logits, so the judge's are calibrated by temperature scaling on validation data
(Guo et al., arXiv:1706.04599), one temperature per binary label (deviation: judge).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ccvae.errors import InputError
from ccvae.feeding import feed
from ccvae.labels import LabelSpace, MultiLabel
from evaluators.images import ImageSet, collect
from evaluators.measuring import seeded

LARGEST_TEMPERATURE = 100.0
POSITIVE_WEIGHTS = (0.1, 12.0)
"""Limits of the weight of a label's positive images when the labels are balanced."""


def _small(channels: int) -> nn.Sequential:
    """Two convolutions with pooling, for images up to 32 pixels."""
    return nn.Sequential(
        *(nn.Conv2d(channels, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
        nn.MaxPool2d(2),
        *(nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()),
        nn.MaxPool2d(2),
    )


def _strided(channels: int) -> nn.Sequential:
    """Four convolutions of stride 2, for larger images."""
    layers: list[nn.Module] = []
    for width in (32, 32, 64, 64):
        layers += [nn.Conv2d(channels, width, 4, 2, 1), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers)


def small_cnn(image_shape: tuple[int, int, int], dropout: float) -> tuple[nn.Module, int]:
    """Return a network that a CPU trains in minutes, and its number of features."""
    channels, height, width = image_shape
    small = max(height, width) <= 32
    convolutions = _small(channels) if small else _strided(channels)
    with torch.no_grad():
        flat = convolutions.eval()(torch.zeros(1, *image_shape)).numel()
    features = 128 if small else 256
    layers = (nn.Flatten(), nn.Dropout(dropout), nn.Linear(flat, features), nn.ReLU())
    return nn.Sequential(convolutions, *layers), features


def resnet18(image_shape: tuple[int, int, int], dropout: float) -> tuple[nn.Module, int]:
    """Return torchvision's ResNet-18 (arXiv:1512.03385) and its number of features.

    The stem is 3x3 with stride 2 and without pooling: the original one leaves 2x2 of 64 pixels.
    """
    # Imported here because torchvision takes seconds and no other network needs it.
    from torchvision.models import resnet18 as build

    network = build(weights=None)
    network.conv1 = nn.Conv2d(image_shape[0], 64, 3, 2, 1, bias=False)
    network.maxpool = nn.Identity()
    features = network.fc.in_features
    network.fc = nn.Identity()
    return network, features


NETWORKS = {"small_cnn": small_cnn, "resnet18": resnet18}


@dataclass(frozen=True)
class JudgeSettings:
    """How a judge is built and trained.

    Attributes
    ----------
    network
        Name in `NETWORKS`.
    epochs, batch_size
        Passes over the training images, and images per step.
    learning_rate
        Adam's peak rate in the one-cycle policy (arXiv:1708.07120).
    dropout
        Probability, before the feature layer (`small_cnn`) and before the last layer.
    flip
        Mirror half of the images; wrong where left and right differ, as in X-rays and digits.
    shift
        Largest random displacement in pixels, along both axes.
    balanced
        Weigh positive images by (1 - prevalence) / prevalence, within `POSITIVE_WEIGHTS`;
        training then sees rare labels, and the last layer's biases are corrected afterwards so
        that the probabilities are those of the data. Binary labels only.
    seed
        Of the initialisation, the order of images and the augmentation.
    """

    network: str = "small_cnn"
    epochs: int = 4
    learning_rate: float = 5e-3
    batch_size: int = 128
    dropout: float = 0.1
    flip: bool = False
    shift: int = 0
    balanced: bool = False
    seed: int = 0


class Judge(nn.Module):
    """A classifier with calibrated probabilities.

    Parameters
    ----------
    labels
        The label space.
    network
        Name in `NETWORKS`.
    image_shape
        (C, H, W) of the images it will see.
    dropout
        See `JudgeSettings`.

    Attributes
    ----------
    n_features
        D, width of the last hidden layer.
    temperature
        Buffer by which logits are divided: (L,) for binary labels, (1,) for classes.

    Raises
    ------
    InputError
        If there is no network of that name.
    """

    temperature: Tensor

    def __init__(
        self,
        labels: LabelSpace,
        network: str,
        image_shape: tuple[int, int, int],
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if network not in NETWORKS:
            raise InputError(
                f"there is no judge network '{network}'; choose one of {sorted(NETWORKS)}"
            )
        self.labels = labels
        self.network, self.n_features = NETWORKS[network](image_shape, dropout)
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(self.n_features, labels.n_outputs)
        size = labels.n_outputs if isinstance(labels, MultiLabel) else 1
        self.register_buffer("temperature", torch.ones(size))
        # Nearly twice as fast on a CPU, and here so that a loaded judge computes the same bits.
        self.to(memory_format=torch.channels_last)

    def features(self, x: Tensor) -> Tensor:
        """Activations of the last hidden layer: images (B, C, H, W) in [0, 1] -> (B, D)."""
        return self.network(x)

    def raw_logits(self, x: Tensor) -> Tensor:
        """Logits as trained, before calibration: (B, n_outputs)."""
        return self.last(self.dropout(self.features(x)))

    def logits(self, x: Tensor) -> Tensor:
        """Calibrated logits, (B, n_outputs)."""
        return self.raw_logits(x) / self.temperature

    def log_probs(self, x: Tensor) -> Tensor:
        """log p(y_f = v | x) in nats: (B, F, V)."""
        return self.labels.log_probs(self.logits(x))


def train_judge(
    labels: LabelSpace,
    train: ImageSet,
    validation: ImageSet,
    settings: JudgeSettings,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int, float], None] | None = None,
) -> Judge:
    """Train and calibrate a judge; the same settings give the same judge on the same machine.

    Parameters
    ----------
    labels
        The label space.
    train, validation
        Images to learn from, and images to choose the temperatures on.
    settings
        Network and training.
    device
        Where to train; the judge stays there.
    progress
        Called about a hundred times with (steps made, all steps, loss of the last one).

    Returns
    -------
    Judge
        In evaluation mode, its parameters frozen.

    Raises
    ------
    InputError
        If an image set is empty, or the loss stops being finite.
    """
    for name, images in (("training", train), ("validation", validation)):
        if len(images) == 0:
            raise InputError(f"a judge cannot be trained without {name} images; give at least one")
    device = torch.device(device)
    with seeded(settings.seed, device):
        judge = Judge(labels, settings.network, train.image_shape, settings.dropout).to(device)
        _fit(judge, train, settings, device, progress)
    judge.eval().requires_grad_(False)
    logits, y = collect(judge.raw_logits, validation, device)
    judge.temperature.copy_(fit_temperature(labels, logits, y))
    return judge


def _fit(
    judge: Judge,
    train: ImageSet,
    settings: JudgeSettings,
    device: torch.device,
    progress: Callable[[int, int, float], None] | None,
) -> None:
    steps = settings.epochs * math.ceil(len(train) / settings.batch_size)
    optimizer = torch.optim.Adam(judge.parameters(), settings.learning_rate, fused=True)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=steps, cycle_momentum=False
    )
    weight = _positive_weight(train, settings).to(device)
    judge.train()
    images = feed(train.images, device)
    step = 0
    for _ in range(settings.epochs):
        for chosen in torch.randperm(len(train)).split(settings.batch_size):
            x = augment(images.take(chosen), settings)
            y = train.labels[chosen].to(device)
            loss = _loss(judge, x, y, weight)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            scheduler.step()
            step += 1
            # Reading the loss waits for the device, so not every step does.
            if progress is not None and (step % max(1, steps // 100) == 0 or step == steps):
                progress(step, steps, loss.item())
    if not torch.isfinite(loss):
        raise InputError(
            f"the judge's loss is {loss.item()} at the end of training; lower its learning rate "
            f"from {settings.learning_rate}"
        )
    if isinstance(judge.labels, MultiLabel):
        # The weighted loss is least at odds `weight` times the data's; take that factor out.
        with torch.no_grad():
            judge.last.bias.sub_(weight.log())


def _positive_weight(train: ImageSet, settings: JudgeSettings) -> Tensor:
    """Weight of each label's positive images, (n_outputs,); ones unless balanced."""
    on = train.prevalence
    if not settings.balanced:
        return torch.ones(len(on))
    return ((1 - on) / on.clamp_min(1e-9)).clamp(*POSITIVE_WEIGHTS).float()


def _loss(judge: Judge, x: Tensor, y: Tensor, positive_weight: Tensor) -> Tensor:
    """Mean cross-entropy per image and label, in nats."""
    logits = judge.raw_logits(x)
    if isinstance(judge.labels, MultiLabel):
        return F.binary_cross_entropy_with_logits(
            logits, y.to(logits.dtype), pos_weight=positive_weight
        )
    return F.cross_entropy(logits, y[:, 0])


def augment(x: Tensor, settings: JudgeSettings) -> Tensor:
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


def fit_temperature(labels: LabelSpace, logits: Tensor, y: Tensor) -> Tensor:
    """Temperatures that minimise the negative log-likelihood (arXiv:1706.04599), at least 1.

    The loss is convex in the inverse temperature, so its derivative is bisected. Below 1 the
    temperature would sharpen: labels that validation data happen to separate would drive it to 0
    and every log-probability with it.

    Parameters
    ----------
    labels
        The label space.
    logits, y
        (N, n_outputs) and (N, F).

    Returns
    -------
    Tensor
        (L,) for binary labels, (1,) for classes.
    """
    logits, one_hot = logits.double(), labels.one_hot(y).double()
    size = logits.shape[1] if isinstance(labels, MultiLabel) else 1
    low = torch.full((size,), 1 / LARGEST_TEMPERATURE, dtype=torch.float64)
    high = torch.ones(size, dtype=torch.float64)
    for _ in range(40):
        inverse = ((low + high) / 2).requires_grad_()
        loss = -(labels.log_probs(logits * inverse) * one_hot).sum()
        (slope,) = torch.autograd.grad(loss, inverse)
        # A falling loss, or a flat one, asks for sharper probabilities.
        low = torch.where(slope <= 0, inverse.detach(), low)
        high = torch.where(slope <= 0, high, inverse.detach())
    return (1 / high).float()
