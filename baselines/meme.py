r"""MEME: CCVAE both ways, with pseudo-samples where labels are missing (arXiv:2106.12570).

Joy et al. supervise two views by each other. Here they are an image and its labels: q(z|x) and
p(z|y) = p(z_c|y) N(z_\c; 0, I) are the encoders, each of which is the other direction's
conditional prior, and p(x|z) and q(y|z_c) are the decoders (deviation: meme-views). A labelled
image is worth half the sum of

    L(x -> y) = E_q(z|x) w  [log p(x|z)   + log p(z|y) - log q(y|z_c) - log q(z|x)]
                + a log q(y|x) + log p(y),      w  = q(y|z_c) / q(y|x)
    L(y -> x) = E_p(z|y) w' [log q(y|z_c) + log q(z|x) - log p(x|z)   - log p(z|y)]
                + b log p(x|y),                 w' = p(x|z) / p(x|y)

with no gradient through the weights (deviation: meme-gradient). With a = 1 the first bounds
log p(x, y); with b = 1 the second bounds log q(y|x), and log p(x, y) with log p(x) added, which no
parameter moves. q(y|x) and p(x|y) are averages over draws, the one in the numerator among them. An
image without labels is worth

    U(x) = E_q(z|x) [log p(x|z) + log p(z_\c) + log 1/N sum_n p(z_c|u_n) - log q(z|x)]

where the pseudo-samples u_n, learned probabilities of every label's values, stand for the labels.
They start near labels drawn from p(y), as the authors' start from a batch.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ccvae.distributions import Gaussian, normal_log_prob
from ccvae.errors import InputError
from ccvae.interface import Bound
from ccvae.labels import LabelSpace
from ccvae.model import CCVAE, SupervisedGradient
from ccvae.networks import Architecture
from ccvae.shapes import Characteristics, Images, Labels, LabelTable, PerImage

SURE = 5.0
"""First logit of the value that a pseudo-sample was drawn with; those of the others are 0."""


class MEME(CCVAE):
    """Joy et al.'s MEME of an image and its labels, with CCVAE's networks.

    Parameters
    ----------
    labels, architecture, latents, latents_per_label, likelihood
        See `CharacteristicVAE`.
    prior_spread
        See `ConditionalPriorVAE`.
    prior_rate
        Learning rate of p(z_c|y) and of the pseudo-samples, relative to the networks'.
    label_samples
        k, the draws for q(y|x) besides the one that is decoded.
    image_samples
        The same for p(x|y); each is decoded (deviation: meme-image-samples).
    classifier_weight, generator_weight
        a and b; the authors' code has 10 for both (deviation: meme-weights).
    pseudo_samples
        N.
    """

    def __init__(
        self,
        labels: LabelSpace,
        architecture: Architecture,
        *,
        latents: int,
        latents_per_label: int,
        likelihood: str,
        label_samples: int = 10,
        image_samples: int = 10,
        classifier_weight: float = 10.0,
        generator_weight: float = 10.0,
        pseudo_samples: int = 64,
        prior_spread: float = 2.0,
        prior_rate: float = 1.0,
    ) -> None:
        super().__init__(
            labels,
            architecture,
            latents=latents,
            latents_per_label=latents_per_label,
            likelihood=likelihood,
            label_estimator="inclusive",
            label_samples=label_samples,
            classifier_weight=classifier_weight,
            prior_spread=prior_spread,
            prior_rate=prior_rate,
        )
        if pseudo_samples < 1:
            raise InputError(
                f"pseudo_samples is {pseudo_samples}, but what is missing is averaged over them; "
                "use 1 or more"
            )
        self.gradient = SupervisedGradient("detached", "attached")
        self.image_samples = image_samples
        self.generator_weight = generator_weight
        drawn = labels.one_hot(labels.sample_prior(pseudo_samples))
        self.pseudo_logits = nn.Parameter(SURE * drawn)

    def prior_parameters(self) -> list[nn.Parameter]:
        """See `ConditionalPriorVAE.prior_parameters`; pseudo-samples belong to them."""
        return [*super().prior_parameters(), self.pseudo_logits]

    def bound(self, x: Images, y: Labels | None = None) -> Bound:
        """Half of L(x -> y) + L(y -> x) with labels, U(x) without."""
        posterior = self.posterior(x)
        z = posterior.rsample()
        log_p_x_given_z = self.log_likelihood(x, self.decoder(z))
        if y is None:
            return self._unsupervised(posterior, z, log_p_x_given_z)
        one_hot = self.labels.one_hot(y)
        forward = self._supervised(posterior, z, log_p_x_given_z, one_hot)
        backward, log_p_x_given_y = self._backward(x, posterior, one_hot)
        named = {name: term for name, term in forward.terms.items() if name != "objective"}
        return Bound.of(
            (forward.objective + backward) / 2, **named, log_p_x_given_y=log_p_x_given_y
        )

    def _backward(
        self, x: Images, posterior: Gaussian, one_hot: LabelTable
    ) -> tuple[PerImage, PerImage]:
        """L(y -> x) and log p(x|y), (B,) each.

        Every draw is decoded for p(x|y), so all of them take the place of z in turn; the mean
        over them has the expectation of one, and less variance.
        """
        k, n = self.image_samples + 1, len(x)
        loc, scale = self._label_encoder(one_hot)
        z = loc + scale * torch.randn(k, *loc.shape, device=loc.device)
        batches = self.decoder(z.flatten(0, 1)).split(n)
        log_p_x = torch.stack([self.log_likelihood(x, logits) for logits in batches])
        log_p_z_given_y = normal_log_prob(z, loc, scale).sum(-1)
        log_q_z_given_x = normal_log_prob(z, posterior.loc, posterior.scale).sum(-1)
        log_q_y = (self.label_log_probs(self.characteristics(z)) * one_hot).sum((-1, -2))
        log_p_x_given_y = log_p_x.logsumexp(0) - math.log(k)
        # The weights w' of the draws sum to k.
        share = log_p_x.detach().softmax(0)
        inside = log_q_y + log_q_z_given_x - log_p_x - log_p_z_given_y
        bound = (share * inside).sum(0) + self.generator_weight * log_p_x_given_y
        return bound, log_p_x_given_y

    def _label_encoder(self, one_hot: LabelTable) -> tuple[Float[Tensor, "B m"], ...]:
        """Mean and standard deviation of p(z|y), (B, m) each."""
        loc, scale = (p.flatten(1) for p in self.conditional_prior.parameters_given(one_hot))
        rest = loc.new_zeros(len(loc), self.style_latents)
        return torch.cat([loc, rest], dim=1), torch.cat([scale, torch.ones_like(rest)], dim=1)

    def _log_p_z_c(self, z_c: Characteristics) -> PerImage:
        """Mixture over the pseudo-samples: (B, F, d) -> (B,)."""
        loc, scale = self.conditional_prior.parameters_given(self.pseudo_logits.softmax(-1))
        each = normal_log_prob(z_c.unsqueeze(1), loc, scale).sum((-1, -2))
        return each.logsumexp(1) - math.log(len(loc))
