"""MVAE: image and labels as two views of one latent (Wu & Goodman 2018, arXiv:1802.05335).

p(x, y, z) = N(z; 0, I) p(x | z) p(y | z). Each view has a Gaussian expert, and the posterior given
any set of views is the renormalised product of their experts and the prior. With lambda the
`label_weight` and beta the annealed weight of the divergence,

    ELBO(x, y) = E_q(z|x,y) [log p(x|z) + lambda log p(y|z)] - beta KL(q(z|x,y) || N(0, I))
    ELBO(x)    = E_q(z|x) log p(x|z)                         - beta KL(q(z|x) || N(0, I))
    ELBO(y)    = E_q(z|y) lambda log p(y|z)                  - beta KL(q(z|y) || N(0, I))

and training maximises the sum of the three on labelled images, ELBO(x) on the others.
"""

from __future__ import annotations

import torch
from torch import nn

from baselines.annealing import linear_warm_up
from baselines.registry import SYSTEMS
from ccvae.distributions import LIKELIHOODS, Gaussian
from ccvae.interface import Bound, Inferred, LabelledVAE
from ccvae.labels import LabelSpace
from ccvae.networks import Architecture, GaussianHead
from ccvae.shapes import (
    Images,
    Labels,
    LabelTable,
    Latents,
    PerImage,
    Probabilities,
    Scalar,
)

HIDDEN = 512


def product_of_experts(*experts: Gaussian) -> Gaussian:
    """Renormalised product of Gaussian densities and of the prior N(0, I), MVAE's section 2.1.

    Precisions add up, and the mean is the precision-weighted mean; the prior expert pulls it
    towards 0 and keeps the scale at most 1.

    Parameters
    ----------
    experts
        Diagonal Gaussians of one shape, (B, m).
    """
    locs = torch.stack([expert.loc for expert in experts])
    precisions = torch.stack([expert.scale for expert in experts]) ** -2
    variance = 1 / (1 + precisions.sum(0))
    return Gaussian(variance * (precisions * locs).sum(0), variance.sqrt())


def label_mlp(inputs: int, outputs: int) -> list[nn.Module]:
    """Two hidden layers; ReLU without batch normalisation (deviation: mvae-label-network)."""
    layers: list[nn.Module] = [nn.Linear(inputs, HIDDEN), nn.ReLU()]
    layers += [nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs)]
    return layers


class MVAE(LabelledVAE):
    """Wu and Goodman's MVAE of an image and its labels, with the paper's image networks.

    Parameters
    ----------
    labels
        The label space.
    architecture
        Trunk and decoder for the image shape.
    latents
        Size of z.
    likelihood
        Name in `ccvae.distributions.LIKELIHOODS`.
    label_weight
        lambda, the weight of log p(y|z) (deviation: mvae-label-weight); 1 gives bounds.
    annealing
        Share of training in which beta rises from 0 to 1 (deviation: mvae-annealing).
    """

    lacks = SYSTEMS["mvae"].lacks
    kl_weight: Scalar

    def __init__(
        self,
        labels: LabelSpace,
        architecture: Architecture,
        *,
        latents: int,
        likelihood: str,
        label_weight: float = 10.0,
        annealing: float = 0.2,
    ) -> None:
        super().__init__()
        self.labels = labels
        self.latents = latents
        self.label_weight = label_weight
        self.annealing = annealing
        # On the device, so that a captured step sees it change.
        self.register_buffer("kl_weight", torch.ones(()), persistent=False)
        self.trunk = architecture.trunk()
        self.image_head = architecture.posterior(architecture.features, latents)
        self.label_trunk = nn.Sequential(*label_mlp(labels.n_outputs, HIDDEN)[:-1])
        self.label_head = GaussianHead(HIDDEN, latents)
        self.decoder = architecture.decoder(latents)
        self.label_decoder = nn.Sequential(*label_mlp(latents, labels.n_outputs))
        self.log_likelihood = LIKELIHOODS[likelihood]

    def set_progress(self, progress: float) -> None:
        """See `LabelledVAE.set_progress`; anneals beta, which is 1 until this is called."""
        self.kl_weight.fill_(linear_warm_up(progress, self.annealing))

    def image_expert(self, x: Images) -> Gaussian:
        """The factor that the image puts into the posterior, parameters (B, m)."""
        return self.image_head(self.trunk(x))

    def label_expert(self, y: Labels) -> Gaussian:
        """The factor that the labels (B, F) put into the posterior, parameters (B, m)."""
        return self.label_head(self.label_trunk(self.labels.encode(y)))

    def label_log_probs(self, z: Latents) -> LabelTable:
        """log p(y_f = v | z): (B, m) -> (B, F, V)."""
        return self.labels.log_probs(self.label_decoder(z))

    def decode(self, z: Latents) -> Images:
        """The decoder's mean, (B, m) -> (B, C, H, W) in [0, 1]."""
        return self.decoder(z).sigmoid()

    def bound(self, x: Images, y: Labels | None = None) -> Bound:
        """ELBO(x, y) + ELBO(x) + ELBO(y) with labels, ELBO(x) without; one draw of z in each."""
        image = self.image_expert(x)
        image_elbo, image_terms = self._elbo(product_of_experts(image), x=x)
        if y is None:
            return Bound.of(image_elbo, **image_terms)
        label = self.label_expert(y)
        joint_elbo, joint_terms = self._elbo(product_of_experts(image, label), x=x, y=y)
        label_elbo, label_terms = self._elbo(product_of_experts(label), y=y)
        return Bound.of(
            joint_elbo + image_elbo + label_elbo,
            **image_terms,
            **{f"joint_{name}": term for name, term in joint_terms.items()},
            **{f"labels_only_{name}": term for name, term in label_terms.items()},
        )

    def _elbo(
        self, posterior: Gaussian, x: Images | None = None, y: Labels | None = None
    ) -> tuple[PerImage, dict[str, PerImage]]:
        """One-draw estimate of the ELBO of the views that are given, (B,), and its terms."""
        z = posterior.rsample()
        divergence = posterior.kl().sum(-1)
        elbo = -self.kl_weight * divergence
        terms = {"divergence": divergence}
        if x is not None:
            terms["reconstruction"] = self.log_likelihood(x, self.decoder(z))
            elbo = elbo + terms["reconstruction"]
        if y is not None:
            log_p_y = (self.labels.one_hot(y) * self.label_log_probs(z)).sum((-1, -2))
            terms["log_p_y_given_z"] = log_p_y
            elbo = elbo + self.label_weight * log_p_y
        return elbo, terms

    def posterior(self, x: Images) -> Gaussian:
        """q(z | x), parameters (B, m)."""
        return product_of_experts(self.image_expert(x))

    def label_probabilities(self, z: Latents) -> Probabilities:
        """p(y | z): (B, m) -> (B, n_outputs)."""
        return self.labels.probabilities(self.label_log_probs(z))

    def classify(self, x: Images) -> Probabilities:
        """p(y | z) at the mean of q(z | x)."""
        return self.label_probabilities(self.posterior(x).loc)

    def reconstruct(self, x: Images) -> Images:
        """See `LabelledVAE.reconstruct`."""
        return self.decode(self.posterior(x).loc)

    def infer(self, x: Images) -> Inferred:
        """See `LabelledVAE.infer`; no latent belongs to a label."""
        z = self.posterior(x).loc
        return Inferred(self.label_probabilities(z), self.decode(z), rest=z)

    def sample(self, n: int) -> Images:
        """z ~ N(0, I)."""
        return self.decode(torch.randn(n, self.latents, device=self.device))

    def generate(self, y: Labels) -> Images:
        """z ~ q(z | y)."""
        return self.decode(product_of_experts(self.label_expert(y)).rsample())

    def intervene(self, x: Images, y_new: Labels) -> Images:
        """The mean of q(z | x, y_new): the new labels are one more expert beside the image.

        (deviation: posterior-means)
        """
        experts = self.image_expert(x), self.label_expert(y_new)
        return self.decode(product_of_experts(*experts).loc)

    def swap(self, characteristics: Images, background: Images) -> Images:
        """`intervene` on the background, with the labels predicted from the characteristics."""
        return self.intervene(background, self.predict(characteristics))
