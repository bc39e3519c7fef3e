r"""CSVAE: a subspace for the labels, and an adversary that empties the rest (arXiv:1812.06190).

Klys et al.'s w is z_c here and their z is z_\c: p(x, y, z) = p(y) p(z_c|y) N(z_\c; 0, I) p(x|z),
with one posterior q(z|x) for images with and without labels (deviation: csvae-posterior). The
labels are read off z_c by Bayes' rule, p(y|z_c) = p(y) p(z_c|y) / p(z_c), and the bounds are

    S(x, y) = E_q(z|x) log p(x|z) - KL(q(z|x) || p(z_c|y) p(z_\c)) + log p(y)
    U(x)    = E_q(z|x) [log p(x|z) - log q(z|x) + log p(z_c) + log p(z_\c)]

with the sum over y in p(z_c) exact. Training maximises S + classifier_weight * log p(y|z_c) on
labelled images, U on the others. Beside it a game is played: a network r(y|z_\c) learns to read
the labels off z_\c, and the encoder makes it unsure,

    r:  maximise  E_q(z|x) log r(y|z_\c)                        on labelled images
    q:  maximise  adversary_weight * E_q(z|x) H(r(y|z_\c))      on all images

both sides in every step instead of by turns (deviation: csvae-game). The game's terms carry these
gradients and add nothing to the objective, so that its value stays a bound.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from ccvae.characteristic import ConditionalPriorVAE
from ccvae.distributions import Gaussian, standard_normal_log_prob
from ccvae.errors import InputError
from ccvae.interface import Bound
from ccvae.labels import LabelSpace
from ccvae.networks import Architecture
from ccvae.shapes import Images, Labels, LabelTable, Latents, PerImage

HIDDEN = 256

Style = Float[Tensor, "B s"]


class CSVAE(ConditionalPriorVAE):
    r"""Klys et al.'s conditional subspace VAE with the paper's image networks.

    Parameters
    ----------
    labels, architecture, latents, latents_per_label, likelihood
        See `CharacteristicVAE`; z_\c must not be empty.
    prior_spread, prior_rate
        See `ConditionalPriorVAE`.
    classifier_weight
        alpha, the weight of log p(y|z_c) (deviation: csvae-weights).
    adversary_weight
        Weight of the entropy of r(y|z_\c) (deviation: csvae-weights); 0 leaves z_\c alone.

    Raises
    ------
    InputError
        If there is no z_\c.
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
        adversary_weight: float = 1.0,
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
        if self.style_latents == 0:
            raise InputError(
                f"CSVAE empties what is left of {latents} latents of labels, but its "
                f"{labels.n_factors} labels with {latents_per_label} latents each leave nothing; "
                "raise latents or lower latents_per_label"
            )
        # Bayes' rule reads the labels; there is no classifier to learn.
        del self.classifier
        self.classifier_weight = classifier_weight
        self.adversary_weight = adversary_weight
        self.adversary = nn.Sequential(
            nn.Linear(self.style_latents, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, labels.n_outputs),
        )

    def label_log_probs(self, z_c: Float[Tensor, "*batch F d"]) -> Float[Tensor, "*batch F V"]:
        """log p(y_f = v | z_c^f): (..., F, d) -> (..., F, V)."""
        return self._log_joint(z_c).log_softmax(-1)

    def _log_joint(self, z_c: Float[Tensor, "*batch F d"]) -> Float[Tensor, "*batch F V"]:
        """log p(z_c^f | y_f = v) p(y_f = v)."""
        return self.conditional_prior.log_density(z_c) + self.labels.log_prior

    def bound(self, x: Images, y: Labels | None = None) -> Bound:
        """S(x, y) with its classifier term, or U(x); one draw of z per image."""
        posterior = self.posterior(x)
        z = posterior.rsample()
        reconstruction = self.log_likelihood(x, self.decoder(z))
        if y is None:
            bound = self._unsupervised(posterior, z, reconstruction)
        else:
            bound = self._supervised(posterior, z, reconstruction, self.labels.one_hot(y))
        return self._with_game(bound, self.style(z), y)

    def _supervised(
        self, posterior: Gaussian, z: Latents, reconstruction: PerImage, one_hot: LabelTable
    ) -> Bound:
        loc, scale = (p.flatten(1) for p in self.conditional_prior.parameters_given(one_hot))
        characteristic = posterior.slice(None, self.characteristic_latents)
        style = posterior.slice(self.characteristic_latents, None)
        divergence = characteristic.kl(loc, scale).sum(-1) + style.kl().sum(-1)
        log_p_y = (one_hot * self.labels.log_prior).sum((-1, -2))
        log_p_y_given_z = (one_hot * self.label_log_probs(self.characteristics(z))).sum((-1, -2))
        return Bound.of(
            reconstruction - divergence + log_p_y + self.classifier_weight * log_p_y_given_z,
            reconstruction=reconstruction,
            divergence=divergence,
            log_p_y_given_z=log_p_y_given_z,
        )

    def _unsupervised(self, posterior: Gaussian, z: Latents, reconstruction: PerImage) -> Bound:
        log_p_z_c = self._log_joint(self.characteristics(z)).logsumexp(-1).sum(-1)
        log_p_style = standard_normal_log_prob(self.style(z)).sum(-1)
        divergence = posterior.log_prob(z) - log_p_z_c - log_p_style
        return Bound.of(
            reconstruction - divergence, reconstruction=reconstruction, divergence=divergence
        )

    def _with_game(self, bound: Bound, style: Style, y: Labels | None) -> Bound:
        """Add both players' gradients, and to the terms what they play for."""
        # The encoder sees the adversary as it is, the adversary sees z_\c as it is.
        frozen = {name: value.detach() for name, value in self.adversary.named_parameters()}
        log_r = self.labels.log_probs(functional_call(self.adversary, frozen, (style,)))
        entropy = -(log_r.exp() * log_r).sum((-1, -2))
        game, terms = self.adversary_weight * entropy, {"adversary_entropy": entropy.detach()}
        if y is not None:
            log_r = self.labels.log_probs(self.adversary(style.detach()))
            log_r_y = (self.labels.one_hot(y) * log_r).sum((-1, -2))
            game, terms["adversary_log_r"] = game + log_r_y, log_r_y.detach()
        return Bound(bound.objective + (game - game.detach()), {**bound.terms, **terms})
