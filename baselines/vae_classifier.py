r"""VAE + classifier: equation (2), with the inference of App. A that makes it usable.

A VAE with prior N(0, I) whose z_c also has to classify: training maximises

    L_VAE(x) = E_q(z|x) log p(x|z) - KL(q(z|x) || N(0, I))

and, on labelled images, + classifier_weight * E_q(z|x) log q(y|z_c). No part of the model draws
z_c for wanted labels, so App. A conditions the prior on what the classifier says,

    p(z_c | y) ∝ N(z_c; 0, I) 1[q(y_f | z_c^f) > lambda for every label f],

see `baselines.confident_region`. Its three interventions are `intervene`, `closest_flip` and
`within_class`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from baselines.confident_region import ConfidentRegion
from ccvae.characteristic import CharacteristicVAE
from ccvae.interface import Bound
from ccvae.labels import LabelSpace, MultiLabel
from ccvae.networks import Architecture
from ccvae.shapes import Characteristics, Images, Labels


class VAEClassifier(CharacteristicVAE):
    """The model of equation (2).

    Parameters
    ----------
    labels, architecture, latents, latents_per_label, likelihood
        See `CharacteristicVAE`.
    classifier_weight
        alpha of equation (2) (deviation: eq2-alpha).
    confidence
        lambda of App. A, between 0 and 1 (deviation: eq2-confidence).
    max_tries
        Most draws of the prior per label when a class has to be drawn by rejection
        (deviation: eq2-multiclass-rejection).

    Attributes
    ----------
    region
        Where the classifier is confident: exact draws, rejection, acceptance.

    Raises
    ------
    InputError
        If `confidence` is not between 0 and 1.
    """

    def __init__(
        self,
        labels: LabelSpace,
        architecture: Architecture,
        *,
        latents: int,
        latents_per_label: int,
        likelihood: str,
        classifier_weight: float = 1.0,
        confidence: float = 0.9,
        max_tries: int = 10_000,
    ) -> None:
        super().__init__(
            labels,
            architecture,
            latents=latents,
            latents_per_label=latents_per_label,
            likelihood=likelihood,
        )
        self.classifier_weight = classifier_weight
        self.region = ConfidentRegion(labels, self.classifier, confidence, max_tries)

    def bound(self, x: Images, y: Labels | None = None) -> Bound:
        """L_VAE(x), with the classifier term where there are labels; one draw of z per image."""
        posterior = self.posterior(x)
        z = posterior.rsample()
        reconstruction = self.log_likelihood(x, self.decoder(z))
        divergence = posterior.kl().sum(-1)
        elbo = reconstruction - divergence
        if y is None:
            return Bound.of(elbo, reconstruction=reconstruction, divergence=divergence)
        log_q = self.label_log_probs(self.characteristics(z))
        log_q_y = (self.labels.one_hot(y) * log_q).sum((-1, -2))
        return Bound.of(
            elbo + self.classifier_weight * log_q_y,
            reconstruction=reconstruction,
            divergence=divergence,
            log_q_y_given_z=log_q_y,
        )

    def sample(self, n: int) -> Images:
        """z ~ N(0, I); the labels play no part."""
        return self.decode(torch.randn(n, self.latents, device=self.device))

    def sample_characteristics(self, y: Labels) -> Characteristics:
        """z_c from the prior, where the classifier is confident in y.

        With it, `intervene` is App. A's conventional intervention: draw anew the z_c^i of the
        labels that change.
        """
        return self.region.sample(y)

    @contextmanager
    def confident(self, confidence: float) -> Iterator[None]:
        """Draw and intervene with another lambda inside the block."""
        own = self.region
        self.region = own.at(confidence)
        try:
            yield
        finally:
            self.region = own

    def within_class(self, x: Images) -> Images:
        """Draw all characteristics anew while the predicted labels stay (App. A).

        Parameters
        ----------
        x
            Images, (B, C, H, W).

        Returns
        -------
        Images, (B, C, H, W).
        """
        _, y, style = self._encoded(x)
        return self._decode(self.sample_characteristics(y), style)

    def closest_flip(self, x: Images, label: int) -> Images:
        """Change one label by the smallest move of its characteristics (App. A).

        Parameters
        ----------
        x
            Images, (B, C, H, W).
        label
            Position in `labels.names`: the binary label to flip, or the class to change to.

        Returns
        -------
        Images, (B, C, H, W).
        """
        z_c, y, style = self._encoded(x)
        if isinstance(self.labels, MultiLabel):
            factor, y_new = label, 1 - y
        else:
            factor, y_new = 0, torch.full_like(y, label)
        moved = z_c.clone()
        moved[:, factor] = self.region.closest(z_c, y_new)[:, factor]
        return self._decode(moved, style)

    def _encoded(self, x: Images) -> tuple[Characteristics, Labels, Float[Tensor, "B s"]]:
        """Posterior means of z_c (B, F, d), the labels they predict (B, F), and of the style."""
        z = self.posterior(x).loc
        z_c = self.characteristics(z)
        y = self.labels.predict(self.labels.probabilities(self.label_log_probs(z_c)))
        return z_c, y, self.style(z)

    def _decode(self, z_c: Characteristics, style: Float[Tensor, "B s"]) -> Images:
        return self.decode(torch.cat([z_c.flatten(1), style], dim=1))
