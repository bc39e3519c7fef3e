"""The classifier alone: the shared encoder and a linear layer, trained on labelled images only.

It says what the generative half of a model, and the images without labels, are worth to its
classifier: training maximises log q(y|x) of the labelled images that every other model sees, in as
many steps. There is no decoder (deviation: supervised-only).
"""

from __future__ import annotations

from torch import nn

from baselines.registry import SYSTEMS
from ccvae.interface import Bound, LabelledVAE
from ccvae.labels import LabelSpace
from ccvae.networks import Architecture
from ccvae.shapes import Images, Labels, Probabilities


class SupervisedClassifier(LabelledVAE):
    """A classifier behind the interface of the labelled VAEs.

    Its logits are linear in the trunk's features, as are those that CCVAE takes from posterior
    means.

    Parameters
    ----------
    labels
        The label space.
    architecture
        Its trunk is used.
    likelihood
        Of images, which every model is told; there is nothing to use it on.
    """

    lacks = SYSTEMS["supervised"].lacks

    def __init__(self, labels: LabelSpace, architecture: Architecture, *, likelihood: str) -> None:
        super().__init__()
        self.labels = labels
        self.trunk = architecture.trunk()
        self.head = nn.Linear(architecture.features, labels.n_outputs)

    def bound(self, x: Images, y: Labels | None = None) -> Bound:
        """log q(y|x), (B,); 0 of images without labels, which no parameter hears of."""
        if y is None:
            return Bound.of(x.new_zeros(len(x), requires_grad=True))
        log_q = self.labels.log_probs(self.head(self.trunk(x)))
        log_q_y = (self.labels.one_hot(y) * log_q).sum((-1, -2))
        return Bound.of(log_q_y, log_q_y_given_x=log_q_y)

    def classify(self, x: Images) -> Probabilities:
        """q(y | x)."""
        return self.labels.probabilities(self.labels.log_probs(self.head(self.trunk(x))))

    def reconstruct(self, x: Images) -> Images:
        """There is no decoder."""
        raise self.refusal("reconstruct")

    def sample(self, n: int) -> Images:
        """There is no decoder."""
        raise self.refusal("sample")

    def generate(self, y: Labels) -> Images:
        """There is no decoder."""
        raise self.refusal("generate")

    def intervene(self, x: Images, y_new: Labels) -> Images:
        """There is no decoder."""
        raise self.refusal("intervene")

    def swap(self, characteristics: Images, background: Images) -> Images:
        """There is no decoder."""
        raise self.refusal("swap")
