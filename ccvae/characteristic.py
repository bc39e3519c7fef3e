r"""What CCVAE, modified DIVA and the VAE + classifier of equation (2) have in common.

All three encode an image into z = {z_c, z_\c}, read the labels off the characteristic latents
z_c with a factorised classifier, and decode z. They differ in their objective, and in where
characteristics for a wanted label come from (`sample_characteristics`).
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from ccvae.distributions import LIKELIHOODS, Gaussian
from ccvae.errors import InputError
from ccvae.interface import LabelledVAE
from ccvae.labels import LabelSpace
from ccvae.networks import Architecture, Diagonal, GaussianHead


class CharacteristicVAE(LabelledVAE):
    r"""A VAE whose first latents are tied to the labels.

    Parameters
    ----------
    labels
        The label space.
    architecture
        Trunk and decoder for the image shape.
    characteristic_latents
        m_c, the size of z_c; a multiple of the number of label factors.
    style_latents
        Size of z_\c; may be 0 (App. D.6).
    likelihood
        Name in `ccvae.distributions.LIKELIHOODS`.

    Raises
    ------
    InputError
        If `characteristic_latents` cannot be shared out evenly among the labels.
    """

    def __init__(
        self,
        labels: LabelSpace,
        architecture: Architecture,
        *,
        characteristic_latents: int,
        style_latents: int,
        likelihood: str,
    ) -> None:
        super().__init__()
        width, remainder = divmod(characteristic_latents, labels.n_factors)
        if remainder or width == 0:
            raise InputError(
                f"{characteristic_latents} characteristic latents cannot be shared out evenly "
                f"among {labels.n_factors} labels; use a multiple of {labels.n_factors}"
            )
        self.labels = labels
        self.width = width
        self.characteristic_latents = characteristic_latents
        self.style_latents = style_latents
        latents = characteristic_latents + style_latents
        self.trunk = architecture.trunk()
        self.head = GaussianHead(architecture.features, latents)
        self.decoder = architecture.decoder(latents)
        self.classifier = Diagonal(labels, width)
        self.log_likelihood = LIKELIHOODS[likelihood]

    def posterior(self, x: Tensor) -> Gaussian:
        """q(z | x), parameters (B, m) with z_c first."""
        return self.head(self.trunk(x))

    def characteristics(self, z: Tensor) -> Tensor:
        """The z_c part of z, by label factor: (..., m) -> (..., F, d)."""
        z_c = z[..., : self.characteristic_latents]
        return z_c.unflatten(-1, (self.labels.n_factors, self.width))

    def style(self, z: Tensor) -> Tensor:
        r"""The z_\c part of z: (..., m) -> (..., m - m_c)."""
        return z[..., self.characteristic_latents :]

    def label_log_probs(self, z_c: Tensor) -> Tensor:
        """log q(y_f = v | z_c^f): (..., F, d) -> (..., F, V)."""
        return self.labels.log_probs(self.classifier(z_c))

    def decode(self, z: Tensor) -> Tensor:
        """The decoder's mean, (B, m) -> (B, C, H, W) in [0, 1]."""
        return self.decoder(z).sigmoid()

    @abstractmethod
    def sample_characteristics(self, y: Tensor) -> Tensor:
        """Characteristics that fit the labels: (B, F) -> (B, F, d)."""

    def classify(self, x: Tensor) -> Tensor:
        """Label probabilities at the posterior mean."""
        z_c = self.characteristics(self.posterior(x).loc)
        return self.labels.probabilities(self.label_log_probs(z_c))

    def reconstruct(self, x: Tensor) -> Tensor:
        """See `LabelledVAE.reconstruct`."""
        return self.decode(self.posterior(x).loc)

    def sample(self, n: int) -> Tensor:
        """Draw labels from p(y), then generate."""
        return self.generate(self.labels.sample_prior(n))

    def generate(self, y: Tensor) -> Tensor:
        r"""z_c fits `y`, z_\c ~ N(0, I)."""
        z_c = self.sample_characteristics(y).flatten(1)
        style = torch.randn(len(y), self.style_latents, device=z_c.device)
        return self.decode(torch.cat([z_c, style], dim=1))

    def intervene(self, x: Tensor, y_new: Tensor) -> Tensor:
        """Draw anew the characteristics of the labels that change, keep the posterior mean."""
        z = self.posterior(x).loc
        z_c = self.characteristics(z)
        predicted = self.labels.predict(self.labels.probabilities(self.label_log_probs(z_c)))
        changed = (predicted != y_new).unsqueeze(-1)
        z_c = torch.where(changed, self.sample_characteristics(y_new), z_c)
        return self.decode(torch.cat([z_c.flatten(1), self.style(z)], dim=1))

    def swap(self, characteristics: Tensor, background: Tensor) -> Tensor:
        r"""z_c of one image with z_\c of another, both posterior means (section 6.4)."""
        z_c = self.characteristics(self.posterior(characteristics).loc)
        style = self.style(self.posterior(background).loc)
        return self.decode(torch.cat([z_c.flatten(1), style], dim=1))
