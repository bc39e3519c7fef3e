"""The judge: a classifier, independent of every model, that the measures of the paper rest on.

The paper puts swapped images (section 6.4), interventions (Appendix D.1) and generated images (D.4
and D.6) before "a pre-trained classifier" and reads what it says. A difference of log-probabilities
grows in proportion to the logits, so the judge's are calibrated by temperature scaling on
validation data (Guo et al., arXiv:1706.04599), one temperature per binary label (deviation: judge).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ccvae.errors import InputError
from ccvae.labels import LabelSpace, MultiLabel
from ccvae.shapes import Images, Labels, LabelTable, Probabilities

LARGEST_TEMPERATURE = 100.0


def _small(channels: int) -> nn.Sequential:
    """Two convolutions with pooling, for images up to 32 pixels."""
    layers: list[nn.Module] = []
    for width in (32, 64):
        convolution, normalisation, relu = _normalised(
            nn.Conv2d(channels, width, 3, padding=1, bias=False)
        )
        # The same numbers and gradients as pooled last, with a quarter of the work for the ReLU.
        layers += [convolution, normalisation, nn.MaxPool2d(2), relu]
        channels = width
    return nn.Sequential(*layers)


def _strided(channels: int) -> nn.Sequential:
    """Four convolutions of stride 2, for larger images."""
    layers: list[nn.Module] = []
    for width in (32, 32, 64, 64):
        layers += _normalised(nn.Conv2d(channels, width, 4, 2, 1, bias=False))
        channels = width
    return nn.Sequential(*layers)


def _normalised(convolution: nn.Conv2d) -> list[nn.Module]:
    """A convolution with batch normalisation, arXiv:1502.03167.

    Without it, what differs between images shrinks a hundredfold on its way through the layers
    under torch's initialisation, and the judge answers with the prevalence for thousands of images.
    """
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]


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
        Probability, before the feature layer (`small_cnn`) and before the last layer.

    Attributes
    ----------
    n_features
        D, width of the last hidden layer.
    channel_mean, channel_deviation
        Buffers (C, 1, 1) that images are normalised with: those of the training images.
    temperature
        Buffer by which logits are divided: (L,) for binary labels, (1,) for classes.

    Raises
    ------
    InputError
        If there is no network of that name.
    """

    channel_mean: Float[Tensor, "C 1 1"]
    channel_deviation: Float[Tensor, "C 1 1"]
    temperature: Float[Tensor, " T"]

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
        channels = image_shape[0]
        self.register_buffer("channel_mean", torch.zeros(channels, 1, 1))
        self.register_buffer("channel_deviation", torch.ones(channels, 1, 1))
        size = labels.n_outputs if isinstance(labels, MultiLabel) else 1
        self.register_buffer("temperature", torch.ones(size))
        # Nearly twice as fast on a CPU, and here so that a loaded judge computes the same bits.
        self.to(memory_format=torch.channels_last)

    def features(self, x: Images) -> Float[Tensor, "B D"]:
        """Activations of the last hidden layer: images (B, C, H, W) in [0, 1] -> (B, D)."""
        return self.network((x - self.channel_mean) / self.channel_deviation)

    def normalise(self, mean: Float[Tensor, " C"], deviation: Float[Tensor, " C"]) -> None:
        """Take over the mean and standard deviation of each channel, (C,) each."""
        self.channel_mean.copy_(mean.view(-1, 1, 1))
        self.channel_deviation.copy_(deviation.view(-1, 1, 1))

    def raw_logits(self, x: Images) -> Probabilities:
        """Logits as trained, before calibration: (B, n_outputs)."""
        return self._last(self.features(x))

    def _last(self, features: Float[Tensor, "B D"]) -> Probabilities:
        return self.last(self.dropout(features))

    def read(self, features: Float[Tensor, "B D"]) -> LabelTable:
        """log p(y_f = v | x) in nats, from the features of images: (B, D) -> (B, F, V)."""
        return self.labels.log_probs(self._last(features) / self.temperature)

    def log_probs(self, x: Images) -> LabelTable:
        """log p(y_f = v | x) in nats: (B, F, V)."""
        return self.read(self.features(x))


def fit_temperature(labels: LabelSpace, logits: Probabilities, y: Labels) -> Float[Tensor, " T"]:
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
