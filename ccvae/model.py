"""CCVAE: the characteristic capturing VAE (Joy et al., ICLR 2021), sections 4.1 and 4.2.

Notation of the code: `log_ratio` is log p(x|z) p(z|y) / (q(y|z_c) q(z|x)), `weight` the
Radon-Nikodym derivative q(y|z_c) / q(y|x), so that equation (4) reads
weight * log_ratio + log q(y|x) + log p(y).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ccvae.characteristic import ConditionalPriorVAE
from ccvae.distributions import Gaussian, standard_normal_log_prob
from ccvae.errors import InputError
from ccvae.interface import Bound
from ccvae.labels import LabelSpace
from ccvae.networks import Architecture


@dataclass(frozen=True)
class SupervisedGradient:
    """Which parts of equation (4) carry a gradient: one reading of the paper or of its codes.

    The value of the bound is the same for all readings but `analytic_kl`; only the gradient
    differs, and for the classifier's own parameters not even that between equations (4) and (8)
    (deviation: figure8-variance). Each of the two places where log q(y | z_c) stands can be
    `attached`; `latent_stopped` (gradient to the classifier's parameters but not through z_c: the
    bar of equation (8)); or `detached`.

    Attributes
    ----------
    weight
        The numerator of the weight. When it is detached, so is the weight's denominator.
    inner
        The log q(y | z_c) inside the log-ratio.
    analytic_kl
        Replace the sampled log q(z|x) / p(z|y) by its expectation, as the released torch code
        does. Biased, because the weight depends on z (deviation: analytic-kl).
    """

    weight: str
    inner: str
    analytic_kl: bool = False


SUPERVISED_GRADIENTS = {
    "paper_eq8": SupervisedGradient("latent_stopped", "latent_stopped"),
    "eq4": SupervisedGradient("attached", "attached"),
    "released_torch": SupervisedGradient("latent_stopped", "attached", analytic_kl=True),
    "weight_detached": SupervisedGradient("detached", "attached", analytic_kl=True),
    "detached": SupervisedGradient("detached", "detached"),
}
"""Readings of equation (4): `paper_eq8` is equation (8) literally (deviation:
eq8-implicit-weight says what its stop-gradient does), `eq4` reparameterises everywhere,
`released_torch` and `weight_detached` are what the authors' torch code and their later code
compute, `detached` stops the weight and the inner classifier term altogether."""

LABEL_ESTIMATORS = ("joint", "factorised", "inclusive")
UNSUPERVISED = ("enum", "exact", "sampled")


class CCVAE(ConditionalPriorVAE):
    """The characteristic capturing VAE.

    Parameters
    ----------
    labels, architecture, latents, latents_per_label, likelihood
        See `CharacteristicVAE`.
    prior_spread, prior_rate
        See `ConditionalPriorVAE`.
    supervised
        A reading in `SUPERVISED_GRADIENTS`.
    unsupervised
        `enum`: equation (5) with the expectation over y computed exactly, which the
        factorisation makes cheap (deviation: enumerated-y); `exact`: log p(z_c) marginalised over
        y, the tighter bound that section 4.2 calls prohibitively expensive; `sampled`: one draw
        of y per image and no score-function term, as in the released torch code.
    label_estimator
        How q(y|x) is estimated from k draws of z_c: `joint` averages q(y|z_c) over draws (the
        released codes), `factorised` averages per label, `inclusive` adds the decoded z to
        the draws of the joint average, which bounds the weight by k + 1.
    label_samples
        k.
    classifier_weight
        Multiplier of log q(y|x), "classifier strength" in section 4.2; 1 is the bound.

    Raises
    ------
    InputError
        If an option has an unknown value.
    """

    def __init__(
        self,
        labels: LabelSpace,
        architecture: Architecture,
        *,
        latents: int,
        latents_per_label: int,
        likelihood: str,
        supervised: str = "paper_eq8",
        unsupervised: str = "enum",
        label_estimator: str = "joint",
        label_samples: int = 100,
        classifier_weight: float = 1.0,
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
        for option, value, known in (
            ("supervised", supervised, tuple(SUPERVISED_GRADIENTS)),
            ("unsupervised", unsupervised, UNSUPERVISED),
            ("label_estimator", label_estimator, LABEL_ESTIMATORS),
        ):
            if value not in known:
                raise InputError(f"CCVAE knows no {option} '{value}'; use one of {list(known)}")
        self.gradient = SUPERVISED_GRADIENTS[supervised]
        self.unsupervised = unsupervised
        self.label_estimator = label_estimator
        self.label_samples = label_samples
        self.classifier_weight = classifier_weight

    def bound(self, x: Tensor, y: Tensor | None = None) -> Bound:
        """Equation (4)/(8) with labels, equation (5)/(7) without; one draw of z per image."""
        posterior = self.posterior(x)
        z = posterior.rsample()
        reconstruction = self.log_likelihood(x, self.decoder(z))
        if y is None:
            return self._unsupervised(posterior, z, reconstruction)
        return self._supervised(posterior, z, reconstruction, self.labels.one_hot(y))

    def _supervised(
        self, posterior: Gaussian, z: Tensor, reconstruction: Tensor, one_hot: Tensor
    ) -> Bound:
        z_c = self.characteristics(z)
        attached = self._log_q_y(z_c, one_hot)
        stopped = self._log_q_y(z_c.detach(), one_hot)
        readings = {
            "attached": attached,
            "latent_stopped": stopped,
            "detached": stopped.detach(),
        }
        log_q_y_given_x = self._log_q_y_given_x(posterior, attached, one_hot)
        weight_is_constant = self.gradient.weight == "detached"
        denominator = log_q_y_given_x.detach() if weight_is_constant else log_q_y_given_x
        weight = (readings[self.gradient.weight] - denominator).exp()
        divergence = self._log_posterior_over_prior(posterior, z, z_c, one_hot)
        log_ratio = reconstruction - divergence - readings[self.gradient.inner]
        log_p_y = (one_hot * self.labels.log_prior).sum((-1, -2))
        classifier = self.classifier_weight * log_q_y_given_x
        return Bound.of(
            weight * log_ratio + classifier + log_p_y,
            reconstruction=reconstruction,
            divergence=divergence,
            log_q_y_given_x=log_q_y_given_x,
            weight=weight,
        )

    def _unsupervised(self, posterior: Gaussian, z: Tensor, reconstruction: Tensor) -> Bound:
        z_c = self.characteristics(z)
        log_q = self.label_log_probs(z_c)
        log_joint = self.conditional_prior.log_density(z_c) + self.labels.log_prior
        if self.unsupervised == "exact":
            log_p_z_c = log_joint.logsumexp(-1).sum(-1)
        else:
            probabilities = log_q.exp()
            if self.unsupervised == "sampled":
                drawn = torch.multinomial(probabilities.detach().flatten(0, 1), 1)
                probabilities = self.labels.one_hot(drawn.view(log_q.shape[:2]))
            log_p_z_c = (probabilities * (log_joint - log_q)).sum((-1, -2))
        divergence = posterior.log_prob(z) - log_p_z_c - self._log_p_style(z)
        return Bound.of(
            reconstruction - divergence, reconstruction=reconstruction, divergence=divergence
        )

    def _log_q_y(self, z_c: Tensor, one_hot: Tensor) -> Tensor:
        """log q(y | z_c), (B,)."""
        return (self.label_log_probs(z_c) * one_hot).sum((-1, -2))

    def _log_q_y_given_x(
        self, posterior: Gaussian, log_q_y_given_z: Tensor, one_hot: Tensor
    ) -> Tensor:
        """log q(y | x) = log E_q(z|x) q(y | z_c), from draws of z_c alone: (B,)."""
        k = self.label_samples
        marginal = posterior.slice(None, self.characteristic_latents)
        noise = torch.randn(k, *marginal.loc.shape, device=marginal.loc.device)
        draws = self.characteristics(marginal.loc + marginal.scale * noise)
        per_label = (self.label_log_probs(draws) * one_hot).sum(-1)
        if self.label_estimator == "factorised":
            return per_label.logsumexp(0).sub(math.log(k)).sum(-1)
        joint = per_label.sum(-1)
        if self.label_estimator == "inclusive":
            joint = torch.cat([joint, log_q_y_given_z[None]])
        return joint.logsumexp(0) - math.log(len(joint))

    def _log_posterior_over_prior(
        self, posterior: Gaussian, z: Tensor, z_c: Tensor, one_hot: Tensor
    ) -> Tensor:
        """log q(z|x) / p(z|y) at z, or its expectation over q(z|x): (B,)."""
        if self.gradient.analytic_kl:
            loc, scale = self.conditional_prior.parameters_given(one_hot)
            characteristic = posterior.slice(None, self.characteristic_latents)
            style = posterior.slice(self.characteristic_latents, None)
            kl_c = characteristic.kl(loc.flatten(1), scale.flatten(1)).sum(-1)
            return kl_c + style.kl().sum(-1)
        log_p_z_c = (self.conditional_prior.log_density(z_c) * one_hot).sum((-1, -2))
        return posterior.log_prob(z) - log_p_z_c - self._log_p_style(z)

    def _log_p_style(self, z: Tensor) -> Tensor:
        r"""log p(z_\c), (B,)."""
        return standard_normal_log_prob(self.style(z)).sum(-1)
