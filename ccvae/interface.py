"""What a trainer and an evaluator may ask of any labelled VAE.

A model sees tensors only. Images are floats in [0, 1], shaped (B, C, H, W); labels are integers
(B, F), see `ccvae.labels`. Methods that draw samples use torch's global generator, so a caller
that wants the same answer twice seeds it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ccvae.labels import LabelSpace
from ccvae.shapes import Characteristics, Images, Labels, Latents, PerImage, Probabilities
from ccvae.tasks import TASKS


@dataclass(frozen=True)
class Bound:
    """A training objective, per example, and the named terms it is made of.

    Attributes
    ----------
    objective
        What training maximises, (B,), in nats.
    terms
        Named parts for histories and tests, each (B,) and detached from the graph. A name means
        the same in every model:

        `reconstruction`
            log p(x|z), of M2 log p(x|z,y).
        `divergence`
            From the prior to the posterior of all that the images did not come with, without its
            weight: log q(z|x) - log p(z|y), or its mean, where the labels are given, and where
            they are not, the labels too. So `reconstruction` - `divergence` bounds log p(x).
        `label_divergence`
            The share of `divergence` that y has: from p(y) to q(y|x), or to q(y|z_c).
        `log_q_y_given_x`, `log_q_y_given_z`, `log_p_y_given_z`
            What a classifier on x or on latents, or a decoder, says of the given labels.
    """

    objective: PerImage
    terms: dict[str, PerImage] = field(default_factory=dict)

    @classmethod
    def of(cls, objective: PerImage, **terms: PerImage) -> Bound:
        """Make a bound; `terms` are detached."""
        named = {"objective": objective, **terms}
        return cls(objective, {name: term.detach() for name, term in named.items()})


@dataclass(frozen=True)
class Inferred:
    r"""What a model infers from images.

    Attributes
    ----------
    probabilities
        Of the labels, (B, n_outputs), as `LabelledVAE.classify` gives them.
    reconstruction
        Images (B, C, H, W), as `LabelledVAE.reconstruct` gives them.
    characteristics
        Posterior means of z_c by label factor, (B, F, d), of a model that has such latents.
    rest
        Posterior means of all other latents, (B, m); m may be 0. None where nobody may probe them.

    What a model does not support is empty, (B, 0).
    """

    probabilities: Probabilities
    reconstruction: Images | Float[Tensor, "B 0"]
    characteristics: Characteristics | None = None
    rest: Latents | None = None


class LabelledVAE(nn.Module, ABC):
    """A variational autoencoder that knows labels.

    Attributes
    ----------
    labels
        The label space.
    lacks
        The tasks of `TASKS` that this model cannot do; for each a sentence that says why not.
    """

    labels: LabelSpace
    lacks: Mapping[str, str] = MappingProxyType({})

    @property
    def supports(self) -> frozenset[str]:
        """The tasks of `TASKS` that this model can do."""
        return frozenset(TASKS) - frozenset(self.lacks)

    def refusal(self, task: str) -> NotImplementedError:
        """Make the error that a method raises for a task which the model lacks."""
        return NotImplementedError(f"{type(self).__name__} cannot {task}: {self.lacks[task]}")

    @abstractmethod
    def bound(self, x: Images, y: Labels | None = None) -> Bound:
        """Objective of labelled images, or of unlabelled ones when `y` is None.

        Parameters
        ----------
        x
            Images, (B, C, H, W).
        y
            Labels, (B, F), or None.
        """

    @abstractmethod
    def classify(self, x: Images) -> Probabilities:
        """Label probabilities: (B, L) for binary labels, (B, K) for classes."""

    @abstractmethod
    def reconstruct(self, x: Images) -> Images:
        """The decoder's mean at the posterior mean, (B, C, H, W)."""

    @abstractmethod
    def sample(self, n: int) -> Float[Tensor, "{n} C H W"]:
        """`n` images drawn from the prior, as the decoder's mean."""

    @abstractmethod
    def generate(self, y: Labels) -> Images:
        """One image per row of `y` (B, F): conditional generation."""

    @abstractmethod
    def intervene(self, x: Images, y_new: Labels) -> Images:
        """Change the labels of `x` to `y_new` (B, F) and keep the rest.

        Labels on which `y_new` agrees with the model's own prediction stay as they are. Models that
        fuse labels into z (MVAE, MoPoE) move a little even where all agree, since labels that are
        given weigh more than such as are inferred from the image.
        """

    @abstractmethod
    def swap(self, characteristics: Images, background: Images) -> Images:
        """Give the images `background` the label characteristics of `characteristics`."""

    def diversify(self, x: Images, y: Labels) -> Images:
        """Draw characteristics of `y` (B, F) anew, and keep what `x` has beside them."""
        raise self.refusal("diversify")

    def infer(self, x: Images) -> Inferred:
        """All that the model infers from `x` (B, C, H, W), as it is measured.

        A model says here what its latents are, and does with one pass through its encoder what
        `classify` and `reconstruct` need one each for.
        """
        nothing = x.new_empty(len(x), 0)
        return Inferred(
            self.classify(x) if "classify" in self.supports else nothing,
            self.reconstruct(x) if "reconstruct" in self.supports else nothing,
        )

    def set_progress(self, progress: float) -> None:
        """Hear how far training is, from 0 to 1, before each step; for annealed weights.

        A captured step is not written anew: what depends on progress is a buffer that is filled.
        """

    def parameter_groups(self, learning_rate: float) -> list[dict[str, object]]:
        """Parameters with their learning rates, as torch optimisers take them."""
        return [{"params": list(self.parameters()), "lr": learning_rate}]

    def predict(self, x: Images) -> Labels:
        """Most probable labels, (B, F)."""
        return self.labels.predict(self.classify(x))

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device
