r"""What CCVAE, modified DIVA and the VAE + classifier of equation (2) have in common.

All three encode an image into z = {z_c, z_\c}, read the labels off the characteristic latents
z_c with a factorised classifier, and decode z. They differ in their objective, and in where
characteristics for a wanted label come from (`sample_characteristics`).
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from ccvae.distributions import LIKELIHOODS, Gaussian
from ccvae.errors import InputError
from ccvae.interface import Inferred, LabelledVAE
from ccvae.labels import LabelSpace
from ccvae.networks import Architecture, ConditionalPrior, Diagonal
from ccvae.shapes import (
    Characteristics,
    Images,
    Labels,
    LabelTable,
    Latents,
    PerImage,
    Probabilities,
)
from ccvae.tasks import lacking_without_style


class CharacteristicVAE(LabelledVAE):
    r"""A VAE whose first latents are tied to the labels.

    Parameters
    ----------
    labels
        The label space.
    architecture
        Trunk and decoder for the image shape.
    latents
        m, the size of z.
    latents_per_label
        Latents of each label factor; together they are z_c, and the rest of z is z_\c, which may
        be empty (App. D.6); then there is no background to swap.
    likelihood
        Name in `ccvae.distributions.LIKELIHOODS`.

    Raises
    ------
    InputError
        If there are fewer latents than the labels need.
    """

    def __init__(
        self,
        labels: LabelSpace,
        architecture: Architecture,
        *,
        latents: int,
        latents_per_label: int,
        likelihood: str,
    ) -> None:
        super().__init__()
        characteristic_latents = labels.n_factors * latents_per_label
        if not 0 < characteristic_latents <= latents:
            raise InputError(
                f"{labels.n_factors} labels with {latents_per_label} latents each do not fit "
                f"into {latents} latents; change latents or latents_per_label"
            )
        self.labels = labels
        self.latents = latents
        self.width = latents_per_label
        self.characteristic_latents = characteristic_latents
        self.style_latents = latents - characteristic_latents
        self.lacks = {**self.lacks, **lacking_without_style(latents, characteristic_latents)}
        self.trunk = architecture.trunk()
        self.head = architecture.posterior(architecture.features, latents)
        self.decoder = architecture.decoder(latents)
        self.classifier = Diagonal(labels, latents_per_label)
        self.log_likelihood = LIKELIHOODS[likelihood]

    def posterior(self, x: Images) -> Gaussian:
        """q(z | x), parameters (B, m) with z_c first."""
        return self.head(self.trunk(x))

    def characteristics(self, z: Float[Tensor, "*batch m"]) -> Float[Tensor, "*batch F d"]:
        """The z_c part of z, by label factor: (..., m) -> (..., F, d)."""
        z_c = z[..., : self.characteristic_latents]
        return z_c.unflatten(-1, (self.labels.n_factors, self.width))

    def style(self, z: Float[Tensor, "*batch m"]) -> Float[Tensor, "*batch s"]:
        r"""The z_\c part of z: (..., m) -> (..., m - m_c)."""
        return z[..., self.characteristic_latents :]

    def label_log_probs(self, z_c: Float[Tensor, "*batch F d"]) -> Float[Tensor, "*batch F V"]:
        """log q(y_f = v | z_c^f): (..., F, d) -> (..., F, V)."""
        return self.labels.log_probs(self.classifier(z_c))

    def label_probabilities(self, z_c: Characteristics) -> Probabilities:
        """What the classifier reads off z_c: (B, F, d) -> (B, n_outputs)."""
        return self.labels.probabilities(self.label_log_probs(z_c))

    def decode(self, z: Latents) -> Images:
        """The decoder's mean, (B, m) -> (B, C, H, W) in [0, 1]."""
        return self.decoder(z).sigmoid()

    @abstractmethod
    def sample_characteristics(self, y: Labels) -> Characteristics:
        """Characteristics that fit the labels: (B, F) -> (B, F, d)."""

    def classify(self, x: Images) -> Probabilities:
        """Label probabilities at the posterior mean."""
        return self.label_probabilities(self.characteristics(self.posterior(x).loc))

    def reconstruct(self, x: Images) -> Images:
        """See `LabelledVAE.reconstruct`."""
        return self.decode(self.posterior(x).loc)

    def infer(self, x: Images) -> Inferred:
        """See `LabelledVAE.infer`."""
        z = self.posterior(x).loc
        z_c = self.characteristics(z)
        return Inferred(self.label_probabilities(z_c), self.decode(z), z_c, self.style(z))

    def sample(self, n: int) -> Images:
        """Draw labels from p(y), then generate."""
        return self.generate(self.labels.sample_prior(n))

    def generate(self, y: Labels) -> Images:
        r"""z_c fits `y`, z_\c ~ N(0, I)."""
        z_c = self.sample_characteristics(y).flatten(1)
        style = torch.randn(len(y), self.style_latents, device=z_c.device)
        return self.decode(torch.cat([z_c, style], dim=1))

    def intervene(self, x: Images, y_new: Labels) -> Images:
        """Draw anew the characteristics of the labels that change, keep the posterior mean."""
        z = self.posterior(x).loc
        z_c = self.characteristics(z)
        predicted = self.labels.predict(self.label_probabilities(z_c))
        changed = (predicted != y_new).unsqueeze(-1)
        z_c = torch.where(changed, self.sample_characteristics(y_new), z_c)
        return self.decode(torch.cat([z_c.flatten(1), self.style(z)], dim=1))

    def swap(self, characteristics: Images, background: Images) -> Images:
        r"""z_c of one image with z_\c of another, both posterior means (section 6.4)."""
        if "swap" in self.lacks:
            raise self.refusal("swap")
        z_c = self.characteristics(self.posterior(characteristics).loc)
        style = self.style(self.posterior(background).loc)
        return self.decode(torch.cat([z_c.flatten(1), style], dim=1))

    def diversify(self, x: Images, y: Labels) -> Images:
        r"""Draw characteristics of `y` anew on the z_\c of `x`, its posterior mean (Figure 22)."""
        style = self.style(self.posterior(x).loc)
        return self.decode(torch.cat([self.sample_characteristics(y).flatten(1), style], dim=1))


class ConditionalPriorVAE(CharacteristicVAE):
    """A `CharacteristicVAE` that learns p(z_c | y), as CCVAE and modified DIVA do.

    Parameters
    ----------
    labels, architecture, latents, latents_per_label, likelihood
        See `CharacteristicVAE`.
    prior_spread, prior_rate
        Initial spread of the conditional prior's means, and their learning rate as a multiple
        of the networks' (deviation: prior-rate).
    """

    def __init__(
        self,
        labels: LabelSpace,
        architecture: Architecture,
        *,
        latents: int,
        latents_per_label: int,
        likelihood: str,
        prior_spread: float = 2.0,
        prior_rate: float = 1.0,
    ) -> None:
        super().__init__(
            labels,
            architecture,
            latents=latents,
            latents_per_label=latents_per_label,
            likelihood=likelihood,
        )
        self.prior_rate = prior_rate
        self.conditional_prior = ConditionalPrior(labels, self.width, prior_spread)

    def log_p_z_c_given_y(self, z_c: Characteristics, y: LabelTable) -> PerImage:
        """log p(z_c | y) at (B, F, d), or its mean over y: (B,).

        `y` are probabilities (B, F, V): indicators where the labels are known, q(y|z_c) where
        they are not.
        """
        return (y * self.conditional_prior.log_density(z_c)).sum((-1, -2))

    def sample_characteristics(self, y: Labels) -> Characteristics:
        """z_c ~ p(z_c | y)."""
        loc, scale = self.conditional_prior.parameters_given(self.labels.one_hot(y))
        return loc + scale * torch.randn_like(loc)

    def prior_parameters(self) -> list[torch.nn.Parameter]:
        """What learns at the rate of the conditional prior."""
        return list(self.conditional_prior.parameters())

    def parameter_groups(self, learning_rate: float) -> list[dict[str, object]]:
        """See `LabelledVAE.parameter_groups`; the conditional prior has its own rate."""
        prior = self.prior_parameters()
        chosen = {id(parameter) for parameter in prior}
        rest = [parameter for parameter in self.parameters() if id(parameter) not in chosen]
        return [
            {"params": rest, "lr": learning_rate},
            {"params": prior, "lr": learning_rate * self.prior_rate},
        ]
