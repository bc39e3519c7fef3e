r"""Mixtures and products of views: MoPoE and its kin (arXiv:2105.02470).

Image and labels are two views of one latent, as in MVAE (`baselines.mvae`): p(x, y, z) is
N(z; 0, I) p(x|z) p(y|z). A subset of the views has a posterior of its own, q(z|x), q(z|y) or
q(z|x,y), and those named in `subsets` form the mixture q_M with equal shares. With lambda the
`label_weight` and beta the annealed weight of the divergence, a labelled image is worth

    ELBO_M(x, y) = E_q_M [log p(x|z) + lambda log p(y|z)] - beta KL(q_M || N(0, I))
                   + alone [ELBO(x) + ELBO(y)]
                   - pull  [KL(q(z|x,y) || q(z|x)) + KL(q(z|x,y) || q(z|y))]

and an image without labels ELBO(x), the same with the one view that is there. Four published
models are settings of it (deviation: mopoe-family):

    MoPoE (Sutter et al. 2021)                      all three subsets, products of experts
    MMVAE (Shi et al. 2019, arXiv:1911.03393)       the two views alone, KL(q_M || .) itself
    JMVAE (Suzuki et al. 2016, arXiv:1611.01891)    both, a network, pull = alpha
    TELBO (Vedantam et al. 2018, arXiv:1705.10762)  both, a network, alone = 1

and MVAE is both, a product, alone = 1. MoPoE replaces KL(q_M || N(0, I)) by the mean over the
subsets, which is not less; MMVAE has the density of the mixture itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from baselines.mvae import HIDDEN, MVAE, product_of_experts
from baselines.registry import SYSTEMS
from ccvae.distributions import Gaussian, standard_normal_log_prob
from ccvae.errors import InputError
from ccvae.interface import Bound
from ccvae.labels import LabelSpace
from ccvae.networks import Architecture
from ccvae.shapes import Images, Labels, Latents, PerImage

IMAGE, LABELS, BOTH = "image", "labels", "both"
SUBSETS = (IMAGE, LABELS, BOTH)
JOINTS = ("product", "network")


class MoPoE(MVAE):
    """Mixture of the posteriors of subsets of two views, an image and its labels.

    Parameters
    ----------
    labels, architecture, latents, likelihood, label_weight, annealing
        See `MVAE`.
    subsets
        Whose posteriors are mixed, names in `SUBSETS`.
    joint
        What q(z|x,y) is: `product` of the views' experts and the prior, or a `network` of the
        image's features and the labels.
    mixture_density
        Whether the divergence is that of the mixture, from its density at the draws, or the mean
        of its parts' closed forms, which is at least as large.
    alone
        Weight of ELBO(x) + ELBO(y).
    pull
        Weight of the divergences from q(z|x,y) to q(z|x) and q(z|y).

    Raises
    ------
    InputError
        If `subsets` or `joint` has an unknown value, or none of the subsets has the image.
    """

    lacks = SYSTEMS["mopoe"].lacks

    def __init__(
        self,
        labels: LabelSpace,
        architecture: Architecture,
        *,
        latents: int,
        likelihood: str,
        label_weight: float = 10.0,
        annealing: float = 0.2,
        subsets: Sequence[str] = SUBSETS,
        joint: str = "product",
        mixture_density: bool = False,
        alone: float = 0.0,
        pull: float = 0.0,
    ) -> None:
        super().__init__(
            labels,
            architecture,
            latents=latents,
            likelihood=likelihood,
            label_weight=label_weight,
            annealing=annealing,
        )
        subsets = [subsets] if isinstance(subsets, str) else list(subsets)
        if not set(subsets) <= set(SUBSETS) or len(set(subsets)) != len(subsets):
            raise InputError(
                f"MoPoE mixes subsets of its views, each once, and cannot mix {subsets}; "
                f"use some of {list(SUBSETS)}"
            )
        if set(subsets) <= {LABELS}:
            raise InputError(
                f"MoPoE's subsets are {subsets}, none of which has the image, so that "
                f"nothing would be learnt from it; add '{IMAGE}' or '{BOTH}'"
            )
        if joint not in JOINTS:
            raise InputError(f"MoPoE knows no joint '{joint}'; use one of {list(JOINTS)}")
        self.subsets = tuple(subsets)
        self.mixture_density = mixture_density
        self.alone, self.pull = alone, pull
        self.joint: nn.Module | None = None
        if joint == "network":
            self.joint = nn.Sequential(
                nn.Linear(architecture.features + labels.n_outputs, HIDDEN),
                nn.ReLU(),
                architecture.posterior(HIDDEN, latents),
            )

    def posteriors(self, x: Images, y: Labels) -> dict[str, Gaussian]:
        """q(z | .) of every subset of the views, parameters (B, m)."""
        features = self.trunk(x)
        image, label = self.image_head(features), self.label_expert(y)
        if self.joint is None:
            both = product_of_experts(image, label)
        else:
            both = self.joint(torch.cat([features, self.labels.encode(y)], dim=1))
        return {IMAGE: product_of_experts(image), LABELS: product_of_experts(label), BOTH: both}

    def bound(self, x: Images, y: Labels | None = None) -> Bound:
        """The objective of a labelled image, or ELBO(x); one draw of z from each posterior."""
        if y is None:
            return super().bound(x)
        posteriors = self.posteriors(x, y)
        parts = [posteriors[name] for name in self.subsets]
        draws = [part.rsample() for part in parts]
        log_p_x = self._log_p_x(x, draws)
        log_p_y = torch.stack([self._log_p_y(y, z) for z in draws]).mean(0)
        divergence = self._divergence(parts, draws)
        objective = log_p_x + self.label_weight * log_p_y - self.kl_weight * divergence
        terms = {"reconstruction": log_p_x, "divergence": divergence, "log_p_y_given_z": log_p_y}
        if self.alone:
            for name, views in ((IMAGE, {"x": x}), (LABELS, {"y": y})):
                elbo, own = self._elbo(posteriors[name], **views)
                objective = objective + self.alone * elbo
                terms |= {f"{name}_only_{term}": value for term, value in own.items()}
        if self.pull:
            both = posteriors[BOTH]
            gaps = [both.kl(one.loc, one.scale).sum(-1) for one in self._single(posteriors)]
            terms["pull"] = torch.stack(gaps).sum(0)
            objective = objective - self.pull * terms["pull"]
        return Bound.of(objective, **terms)

    @staticmethod
    def _single(posteriors: dict[str, Gaussian]) -> list[Gaussian]:
        return [posteriors[IMAGE], posteriors[LABELS]]

    def _log_p_x(self, x: Images, draws: Sequence[Latents]) -> PerImage:
        """Mean of log p(x|z) over the draws, decoded together: (B,)."""
        batches = self.decoder(torch.cat(list(draws))).split(len(x))
        return torch.stack([self.log_likelihood(x, logits) for logits in batches]).mean(0)

    def _log_p_y(self, y: Labels, z: Latents) -> PerImage:
        return (self.labels.one_hot(y) * self.label_log_probs(z)).sum((-1, -2))

    def _divergence(self, parts: Sequence[Gaussian], draws: Sequence[Latents]) -> PerImage:
        """KL(q_M || N(0, I)), estimated at the draws, or its bound: (B,)."""
        if not self.mixture_density:
            return torch.stack([part.kl().sum(-1) for part in parts]).mean(0)
        each = []
        for z in draws:
            log_q = torch.stack([part.log_prob(z) for part in parts]).logsumexp(0)
            each.append(log_q - math.log(len(parts)) - standard_normal_log_prob(z).sum(-1))
        return torch.stack(each).mean(0)

    def intervene(self, x: Images, y_new: Labels) -> Images:
        """The mean of q(z | x, y_new): the joint posterior where it is trained, else the mixture.

        Without `both` among the subsets nothing weighs the views against each other, and each
        image has the mean of one of the mixture's posteriors, at random (deviation:
        posterior-means).
        """
        posteriors = self.posteriors(x, y_new)
        if BOTH in self.subsets:
            return self.decode(posteriors[BOTH].loc)
        means = torch.stack([posteriors[name].loc for name in self.subsets])
        chosen = torch.randint(len(means), (len(x),), device=x.device)
        return self.decode(means[chosen, torch.arange(len(x), device=x.device)])
