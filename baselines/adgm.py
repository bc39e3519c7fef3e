r"""ADGM: M2 with an auxiliary variable (Maaloe et al. 2016, arXiv:1602.05473).

The generative model is M2's with a variable a that the image does not need, p(a|x,y,z), which lets
the posteriors of y and z depend on each other: q(a|x) q(y|a,x) q(z|a,x,y). The bounds are

    L(x, y) = E_q(a|x) q(z|a,x,y) [log p(x|y,z) + log p(a|x,y,z) - log q(a|x)]
              - E_q(a|x) KL(q(z|a,x,y) || N(0, I)) + log p(y)
    U(x)    = the same with E_q(y|a,x) inside, and + E_q(a|x) H(q(y|a,x))

and training maximises L + classifier_weight * E_q(a|x) log q(y|a,x) on labelled images, U on the
others. p(a|x,y,z) integrates to 1, so L bounds M2's log p(x, y) and U its log p(x).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from baselines.m2 import HIDDEN, M2, Features
from baselines.registry import SYSTEMS
from ccvae.distributions import Gaussian
from ccvae.labels import LabelSpace
from ccvae.networks import Architecture, GaussianHead
from ccvae.shapes import Images, Probabilities


class ADGM(M2):
    """Maaloe et al.'s auxiliary deep generative model with the paper's networks.

    What M2 computes from the trunk's features, it computes from them and a.

    Parameters
    ----------
    labels, architecture, latents, likelihood, label_estimator
        See `M2`.
    classifier_weight
        alpha, the weight of log q(y|a,x) (deviation: adgm-weight).
    auxiliary_latents
        Size of a (deviation: adgm-networks).
    """

    lacks = SYSTEMS["adgm"].lacks

    def __init__(
        self,
        labels: LabelSpace,
        architecture: Architecture,
        *,
        latents: int,
        likelihood: str,
        classifier_weight: float = 1.0,
        label_estimator: str = "enum",
        auxiliary_latents: int = 32,
    ) -> None:
        super().__init__(
            labels,
            architecture,
            latents=latents,
            likelihood=likelihood,
            classifier_weight=classifier_weight,
            label_estimator=label_estimator,
        )
        self.n_features, with_a = architecture.features, architecture.features + auxiliary_latents
        self.auxiliary_head = architecture.posterior(architecture.features, auxiliary_latents)
        # In place of M2's, which see no a.
        self.label_head = _hidden(with_a, nn.Linear(HIDDEN, labels.n_outputs))
        self.joint = _hidden(with_a + labels.n_outputs)
        self.auxiliary_prior = _hidden(
            architecture.features + labels.n_outputs + self.latents,
            GaussianHead(HIDDEN, auxiliary_latents),
        )

    def features(self, x: Images) -> tuple[Features, Features]:
        """Trunk features and one draw of a, (B, features + auxiliary) twice."""
        h = self.label_trunk(x)
        both = torch.cat([h, self.auxiliary_head(h).rsample()], dim=1)
        return both, both

    def mean_features(self, x: Images) -> tuple[Features, Features]:
        """Trunk features and the mean of a, (B, features + auxiliary) twice."""
        h = self.label_trunk(x)
        both = torch.cat([h, self.auxiliary_head(h).loc], dim=1)
        return both, both

    def _divergence(
        self,
        posterior: Gaussian,
        z: Float[Tensor, "nB m"],
        features: Float[Tensor, "nB features"],
        code: Float[Tensor, "nB outputs"],
    ) -> Float[Tensor, " nB"]:
        """That of z, and log q(a|x) - log p(a|x,y,z) at a."""
        h, a = features[:, : self.n_features], features[:, self.n_features :]
        prior = self.auxiliary_prior(torch.cat([h, code, z], dim=1))
        log_ratio = self.auxiliary_head(h).log_prob(a) - prior.log_prob(a)
        return super()._divergence(posterior, z, features, code) + log_ratio

    def classify(self, x: Images) -> Probabilities:
        """q(y | a, x) at the mean of q(a | x) (deviation: accuracy-posterior-mean)."""
        return self.label_probabilities(self.mean_features(x)[0])


def _hidden(inputs: int, *last: nn.Module) -> nn.Sequential:
    """One hidden layer, and what comes after it."""
    return nn.Sequential(nn.Linear(inputs, HIDDEN), nn.ReLU(), *last)
