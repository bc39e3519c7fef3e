"""Label spaces: what y can be, and how a classifier's logits and a prior speak about it.

Every space is a set of F categorical label *factors* with V values each. Several binary labels
(CelebA, CheXpert) are F = L factors with V = 2 values; one label with K classes (MNIST) is a
single factor with V = K. Written this way, a bound of the paper is one expression for both: a
table (B, F, V) of log-densities, weighted by probabilities over V and summed over F.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor, nn

from ccvae.errors import InputError
from ccvae.shapes import Labels, PerImage

PRIOR_FLOOR = 1e-3
"""Smallest prior probability of a label value; log p(y) stays finite (deviation: prior-y)."""

MAX_JOINT_VALUES = 4096
"""Largest number of joint label values that `LabelSpace.joint_values` lists."""


Values = Integer[Tensor, "*batch {self.n_factors}"]
Outputs = Float[Tensor, "*batch {self.n_outputs}"]
Table = Float[Tensor, "*batch {self.n_factors} {self.n_values}"]
Prior = Float[Tensor, "F V"]


class LabelSpace(nn.Module, ABC):
    """Label factors and their prior p(y) = prod_f p(y_f).

    Attributes
    ----------
    names
        Names of the labels (several binary labels) or of the classes (one label).
    n_factors, n_values
        F and V.
    n_outputs
        Number of logits of a classifier, and of columns that a label vector has as the input
        of a network: L for binary labels, K for classes.
    prior
        Buffer (F, V): probabilities of every factor's values.
    """

    kind: str
    prior: Prior

    def __init__(self, names: Sequence[str], n_factors: int, n_values: int, prior: Prior) -> None:
        super().__init__()
        self.names = tuple(names)
        self.n_factors = n_factors
        self.n_values = n_values
        self.n_outputs = len(self.names)
        self.register_buffer("prior", prior)

    @property
    def log_prior(self) -> Prior:
        """log p(y_f = v), (F, V)."""
        return self.prior.log()

    def one_hot(self, y: Integer[Tensor, "*batch F"]) -> Float[Tensor, "*batch F {self.n_values}"]:
        """Indicator of each factor's value: (..., F) integers -> (..., F, V) floats."""
        return F.one_hot(y.long(), self.n_values).to(self.prior.dtype)

    def log_prior_of(self, y: Labels) -> PerImage:
        """log p(y): (B, F) -> (B,)."""
        return (self.one_hot(y) * self.log_prior).sum((-1, -2))

    def sample_prior(self, n: int) -> Integer[Tensor, "{n} {self.n_factors}"]:
        """Draw y ~ p(y): (n, F)."""
        return torch.multinomial(self.prior, n, replacement=True).T.contiguous()

    def joint_values(self) -> Integer[Tensor, "count {self.n_factors}"]:
        """Every value of y: (V**F, F).

        Raises
        ------
        InputError
            If there are more than `MAX_JOINT_VALUES`.
        """
        count = self.n_values**self.n_factors
        if count > MAX_JOINT_VALUES:
            raise InputError(
                f"enumerating y over {self.n_factors} labels means {count} decoder passes per "
                f"image, more than {MAX_JOINT_VALUES}; choose a sampling estimator instead"
            )
        values = torch.arange(self.n_values, device=self.prior.device)
        return torch.cartesian_prod(*[values] * self.n_factors).view(count, self.n_factors)

    @abstractmethod
    def log_probs(self, logits: Outputs) -> Table:
        """log q(y_f = v): logits (..., n_outputs) -> (..., F, V)."""

    @abstractmethod
    def encode(self, y: Values) -> Outputs:
        """Labels as the input of a network: (..., F) integers -> (..., n_outputs) floats."""

    @abstractmethod
    def probabilities(self, log_probs: Table) -> Outputs:
        """Probabilities as a user reads them: (..., F, V) -> (..., n_outputs)."""

    @abstractmethod
    def predict(self, probabilities: Outputs) -> Values:
        """Most probable labels: (..., n_outputs) -> (..., F) integers."""

    @abstractmethod
    def fit_prior(self, y: Integer[Tensor, "N {self.n_factors}"]) -> None:
        """Set p(y) from the labelled subset, y (N, F)."""


class MultiLabel(LabelSpace):
    """L binary labels; q(y | z_c) and p(y) are products of Bernoullis.

    Parameters
    ----------
    names
        One name per label.
    """

    kind = "multi_label"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names, len(names), 2, torch.full((len(names), 2), 0.5))

    def log_probs(self, logits: Outputs) -> Table:
        """See `LabelSpace.log_probs`; one logit of y_i = 1 per label."""
        return torch.stack([F.logsigmoid(-logits), F.logsigmoid(logits)], dim=-1)

    def encode(self, y: Values) -> Outputs:
        """See `LabelSpace.encode`; the bits themselves."""
        return y.to(self.prior.dtype)

    def probabilities(self, log_probs: Table) -> Outputs:
        """p(y_i = 1), (..., L)."""
        return log_probs[..., 1].exp()

    def predict(self, probabilities: Outputs) -> Values:
        """Round at 0.5."""
        return (probabilities > 0.5).long()

    def fit_prior(self, y: Integer[Tensor, "N {self.n_factors}"]) -> None:
        """Prevalence of each label among the labelled images, clipped to [1e-3, 1 - 1e-3]."""
        on = y.double().mean(0).clamp(PRIOR_FLOOR, 1 - PRIOR_FLOOR)
        self.prior.copy_(torch.stack([1 - on, on], dim=-1))


class MultiClass(LabelSpace):
    """One label with K classes; p(y) is uniform because the labelled subsets are balanced.

    Parameters
    ----------
    names
        One name per class.
    """

    kind = "multi_class"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names, 1, len(names), torch.full((1, len(names)), 1 / len(names)))

    def log_probs(self, logits: Outputs) -> Table:
        """See `LabelSpace.log_probs`; one logit per class."""
        return F.log_softmax(logits, dim=-1).unsqueeze(-2)

    def encode(self, y: Values) -> Outputs:
        """See `LabelSpace.encode`; one-hot."""
        return self.one_hot(y).squeeze(-2)

    def probabilities(self, log_probs: Table) -> Outputs:
        """Class probabilities, (..., K)."""
        return log_probs.squeeze(-2).exp()

    def predict(self, probabilities: Outputs) -> Values:
        """Class of the highest probability, (..., 1)."""
        return probabilities.argmax(-1, keepdim=True)

    def fit_prior(self, y: Integer[Tensor, "N {self.n_factors}"]) -> None:
        """Keep the uniform prior."""


LABEL_SPACES: dict[str, type[MultiLabel] | type[MultiClass]] = {
    space.kind: space for space in (MultiLabel, MultiClass)
}
