r"""DIVA (Ilse et al. 2019, arXiv:1905.10427) without domains, as App. C.4 modifies it.

The networks are CCVAE's, only the objective differs. With beta the warmed-up weight of the
divergences, and labels observed or not,

    S(x, y) = E_q(z|x) log p(x|z) - beta KL(q(z_\c|x) || p(z_\c)) - beta KL(q(z_c|x) || p(z_c|y))
    U(x)    = E_q(z|x) log p(x|z) - beta KL(q(z_\c|x) || p(z_\c))
              + beta E_q(z_c|x) q(y|z_c) [log p(z_c|y) - log q(z_c|x)]
              +      E_q(z_c|x) q(y|z_c) [log p(y) - log q(y|z_c)]

and training maximises S + classifier_weight * E_q(z_c|x) log q(y|z_c) on labelled images, U on
the others. The paper prints the classifier term under the sum over the images without labels,
where y is unknown (deviation: diva-alpha-on-labelled). With beta = 1 and no classifier term S
bounds log p(x|y), and U bounds log p(x).
"""

from __future__ import annotations

import torch

from baselines.annealing import linear_warm_up
from ccvae.characteristic import ConditionalPriorVAE
from ccvae.distributions import Gaussian
from ccvae.interface import Bound
from ccvae.labels import LabelSpace
from ccvae.networks import Architecture
from ccvae.shapes import Characteristics, Images, Labels, LabelTable, PerImage, Scalar


class DIVA(ConditionalPriorVAE):
    """Modified DIVA.

    Parameters
    ----------
    labels, architecture, latents, latents_per_label, likelihood
        See `CharacteristicVAE`.
    prior_spread, prior_rate
        See `ConditionalPriorVAE`.
    classifier_weight
        alpha (deviation: diva-alpha).
    warm_up
        Share of training in which beta rises from 0 to 1 (deviation: diva-beta).
    label_beta
        Whether beta multiplies log p(y) - log q(y|z_c) too, as App. C.4 prints; DIVA's own code
        leaves that term unweighted (deviation: diva-beta).
    """

    beta: Scalar

    def __init__(
        self,
        labels: LabelSpace,
        architecture: Architecture,
        *,
        latents: int,
        latents_per_label: int,
        likelihood: str,
        classifier_weight: float = 1000.0,
        warm_up: float = 0.2,
        label_beta: bool = False,
        prior_spread: float = 2.0,
        prior_rate: float = 1.0,
    ) -> None:
        super().__init__(
            labels,
            architecture,
            latents=latents,
            latents_per_label=latents_per_label,
            likelihood=likelihood,
            prior_spread=prior_spread,
            prior_rate=prior_rate,
        )
        self.classifier_weight = classifier_weight
        self.warm_up = warm_up
        self.label_beta = label_beta
        # On the device, so that a captured step sees it change.
        self.register_buffer("beta", torch.ones(()), persistent=False)

    def set_progress(self, progress: float) -> None:
        """See `LabelledVAE.set_progress`; warms up beta, which is 1 until this is called."""
        self.beta.fill_(linear_warm_up(progress, self.warm_up))

    def bound(self, x: Images, y: Labels | None = None) -> Bound:
        """S(x, y) with its classifier term, or U(x); one draw of z per image."""
        posterior = self.posterior(x)
        z = posterior.rsample()
        reconstruction = self.log_likelihood(x, self.decoder(z))
        style_kl = posterior.slice(self.characteristic_latents, None).kl().sum(-1)
        characteristic = posterior.slice(None, self.characteristic_latents)
        z_c = self.characteristics(z)
        if y is None:
            return self._unsupervised(reconstruction, style_kl, characteristic, z_c)
        return self._supervised(
            reconstruction, style_kl, characteristic, z_c, self.labels.one_hot(y)
        )

    def _supervised(
        self,
        reconstruction: PerImage,
        style_kl: PerImage,
        characteristic: Gaussian,
        z_c: Characteristics,
        one_hot: LabelTable,
    ) -> Bound:
        loc, scale = self.conditional_prior.parameters_given(one_hot)
        divergence = style_kl + characteristic.kl(loc.flatten(1), scale.flatten(1)).sum(-1)
        log_q_y = (self.label_log_probs(z_c) * one_hot).sum((-1, -2))
        return Bound.of(
            reconstruction - self.beta * divergence + self.classifier_weight * log_q_y,
            reconstruction=reconstruction,
            divergence=divergence,
            log_q_y_given_z=log_q_y,
        )

    def _unsupervised(
        self,
        reconstruction: PerImage,
        style_kl: PerImage,
        characteristic: Gaussian,
        z_c: Characteristics,
    ) -> Bound:
        """U(x), with the expectation over y exact: p, q and log-densities factorise over labels."""
        log_q = self.label_log_probs(z_c)
        q = log_q.exp()
        log_p_z_c_given_y = self.log_p_z_c_given_y(z_c, q)
        latent_divergence = style_kl + characteristic.log_prob(z_c.flatten(1)) - log_p_z_c_given_y
        label_divergence = (q * (log_q - self.labels.log_prior)).sum((-1, -2))
        label_weight = self.beta if self.label_beta else 1.0
        return Bound.of(
            reconstruction - self.beta * latent_divergence - label_weight * label_divergence,
            reconstruction=reconstruction,
            divergence=latent_divergence + label_divergence,
            label_divergence=label_divergence,
        )
