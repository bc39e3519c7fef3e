"""M2: the labels are themselves latent variables (Kingma et al. 2014, arXiv:1406.5298).

p(x, y, z) = p(y) N(z; 0, I) p(x | y, z), with q(y | x) and q(z | x, y). The bounds are

    L(x, y) = E_q(z|x,y) log p(x|y,z) - KL(q(z|x,y) || N(0, I)) + log p(y)
    U(x)    = E_q(y|x) L(x, y) + H(q(y|x))

and training maximises L + classifier_weight * log q(y|x) on labelled images, U on the others.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from baselines.registry import SYSTEMS
from ccvae.distributions import LIKELIHOODS, Gaussian
from ccvae.errors import InputError
from ccvae.interface import Bound, Inferred, LabelledVAE
from ccvae.labels import LabelSpace, MultiLabel
from ccvae.networks import Architecture
from ccvae.shapes import Images, Labels, LabelTable, Latents, PerImage, Probabilities

LABEL_ESTIMATORS = ("enum", "disarm", "relaxed")
HIDDEN = 256
RELAXATION_TEMPERATURE = 2 / 3

Features = Float[Tensor, "B features"]
Code = Float[Tensor, "B outputs"]
"""Labels as the input of a network, or relaxed ones."""


class M2(LabelledVAE):
    """Kingma et al.'s M2 with the paper's networks.

    Parameters
    ----------
    labels
        The label space.
    architecture
        Trunk and decoder for the image shape.
    latents
        Size of the decoder's input, z and the labels together, so that every model has the same
        decoder.
    likelihood
        Name in `ccvae.distributions.LIKELIHOODS`.
    classifier_weight
        alpha, the weight of log q(y|x) on labelled images (deviation: m2-alpha).
    label_estimator
        How E_q(y|x) is taken for unlabelled images: `enum` sums over every value of y; `disarm`
        is the unbiased antithetic estimator for binary labels (arXiv:2006.10680), two decoder
        passes; `relaxed` decodes one draw of a relaxed Bernoulli (arXiv:1611.00712), biased
        (deviation: m2-label-estimator).
    separate_trunk
        Whether q(z|x,y) has a trunk of its own beside the one of q(y|x).

    Raises
    ------
    InputError
        If the estimator is unknown or does not fit the label space.
    """

    lacks = SYSTEMS["m2"].lacks

    def __init__(
        self,
        labels: LabelSpace,
        architecture: Architecture,
        *,
        latents: int,
        likelihood: str,
        classifier_weight: float = 1.0,
        label_estimator: str = "enum",
        separate_trunk: bool = False,
    ) -> None:
        super().__init__()
        if label_estimator not in LABEL_ESTIMATORS:
            raise InputError(
                f"M2 knows no label_estimator '{label_estimator}'; use one of "
                f"{list(LABEL_ESTIMATORS)}"
            )
        if label_estimator != "enum" and not isinstance(labels, MultiLabel):
            raise InputError(
                f"M2's label_estimator '{label_estimator}' is for binary labels; "
                "use 'enum' for classes"
            )
        if latents <= labels.n_outputs:
            raise InputError(
                f"M2 decodes z together with {labels.n_outputs} label inputs, so {latents} latents "
                f"leave nothing for z; give it more than {labels.n_outputs}"
            )
        self.labels = labels
        self.latents = latents - labels.n_outputs
        self.classifier_weight = classifier_weight
        self.label_estimator = label_estimator
        self.label_trunk = architecture.trunk()
        self.latent_trunk = architecture.trunk() if separate_trunk else self.label_trunk
        self.label_head: nn.Module = nn.Linear(architecture.features, labels.n_outputs)
        self.joint = nn.Sequential(
            nn.Linear(architecture.features + labels.n_outputs, HIDDEN), nn.ReLU()
        )
        self.latent_head = architecture.posterior(HIDDEN, self.latents)
        self.decoder = architecture.decoder(latents)
        self.log_likelihood = LIKELIHOODS[likelihood]

    def features(self, x: Images) -> tuple[Features, Features]:
        """Trunk features for q(y|x) and for q(z|x,y), (B, features) each."""
        label = self.label_trunk(x)
        return label, label if self.latent_trunk is self.label_trunk else self.latent_trunk(x)

    def mean_features(self, x: Images) -> tuple[Features, Features]:
        """`features` without chance."""
        return self.features(x)

    def posterior(self, features: Features, code: Code) -> Gaussian:
        """q(z | x, y) from the latent trunk's features and labels as network input."""
        return self.latent_head(self.joint(torch.cat([features, code], dim=1)))

    def decode(self, z: Latents, code: Code) -> Images:
        """The decoder's mean in [0, 1]; `code` are labels as network input, (B, n_outputs)."""
        return self.decoder(torch.cat([z, code], dim=1)).sigmoid()

    def bound(self, x: Images, y: Labels | None = None) -> Bound:
        """L(x, y) with its classifier term, or U(x)."""
        label_features, features = self.features(x)
        logits = self.label_head(label_features)
        if y is not None:
            return self._supervised(x, y, features, self.labels.log_probs(logits))
        if self.label_estimator == "enum":
            return self._enumerated(x, features, logits)
        return self._sampled(x, features, logits)

    def _image_bound(
        self,
        x: Images,
        features: Float[Tensor, "nB features"],
        code: Float[Tensor, "nB outputs"],
        noise: Float[Tensor, "nB m"] | None = None,
    ) -> tuple[Float[Tensor, " nB"], Float[Tensor, " nB"]]:
        """One-draw estimate of log p(x|y,z) and KL(q(z|x,y) || p(z)), each (n B,).

        `features` and `code` are n stacked batches for the same images `x` (B, C, H, W); z is drawn
        with the standard normal `noise`, or with its own where there is none.
        """
        posterior = self.posterior(features, code)
        z = posterior.rsample() if noise is None else posterior.loc + posterior.scale * noise
        batches = self.decoder(torch.cat([z, code], dim=1)).split(len(x))
        reconstruction = torch.cat([self.log_likelihood(x, logits) for logits in batches])
        return reconstruction, self._divergence(posterior, z, features, code)

    def _divergence(
        self,
        posterior: Gaussian,
        z: Float[Tensor, "nB m"],
        features: Float[Tensor, "nB features"],
        code: Float[Tensor, "nB outputs"],
    ) -> Float[Tensor, " nB"]:
        """From the priors to the posteriors of all that has no label, given y: (n B,)."""
        return posterior.kl().sum(-1)

    def _supervised(self, x: Images, y: Labels, features: Features, log_q: LabelTable) -> Bound:
        reconstruction, kl = self._image_bound(x, features, self.labels.encode(y))
        log_q_y = (self.labels.one_hot(y) * log_q).sum((-1, -2))
        bound = reconstruction - kl + self.labels.log_prior_of(y)
        return Bound.of(
            bound + self.classifier_weight * log_q_y,
            reconstruction=reconstruction,
            divergence=kl,
            log_q_y_given_x=log_q_y,
        )

    def _enumerated(self, x: Images, features: Features, logits: Probabilities) -> Bound:
        values = self.labels.joint_values()
        n, count = len(x), len(values)
        codes = self.labels.encode(values).repeat(n, 1)
        reconstruction, kl = self._image_bound(
            x.repeat_interleave(count, 0), features.repeat_interleave(count, 0), codes
        )
        reconstruction, kl = reconstruction.view(n, count), kl.view(n, count)
        log_q = self.labels.log_probs(logits)
        joint = torch.einsum("bfv,cfv->bc", log_q, self.labels.one_hot(values)).exp()
        return self._unsupervised((joint * reconstruction).sum(1), (joint * kl).sum(1), log_q)

    def _sampled(self, x: Images, features: Features, logits: Probabilities) -> Bound:
        log_q = self.labels.log_probs(logits)
        u = torch.rand_like(logits)
        if self.label_estimator == "relaxed":
            noise = torch.logit(u.clamp(1e-6, 1 - 1e-6))
            code = ((logits + noise) / RELAXATION_TEMPERATURE).sigmoid()
            return self._unsupervised(*self._image_bound(x, features, code), log_q)
        # DisARM: with a the logits, u uniform, b = 1[u > sigmoid(-a)], c = 1[1 - u > sigmoid(-a)],
        #   d/da_i E f(y) = E 1/2 (f(b) - f(c)) (-1)^{c_i} 1[b_i != c_i] sigmoid(|a_i|),
        # and (-1)^{c_i} 1[b_i != c_i] = b_i - c_i.
        threshold = (-logits).sigmoid()
        first, second = (u > threshold).float(), (1 - u > threshold).float()
        # Both codes see one z's noise, so that f(b) - f(c) is a difference of the codes alone.
        noise = torch.randn(len(x), self.latents, dtype=logits.dtype, device=x.device).repeat(2, 1)
        codes = torch.cat([first, second])
        reconstruction, kl = self._image_bound(x, features.repeat(2, 1), codes, noise)
        f_first, f_second = (reconstruction - kl).detach().chunk(2)
        direction = (first - second) * logits.abs().sigmoid()
        score = 0.5 * (f_first - f_second) * (direction.detach() * logits).sum(-1)
        reconstruction = torch.stack(reconstruction.chunk(2)).mean(0)
        kl = torch.stack(kl.chunk(2)).mean(0)
        # `score` carries the gradient to q(y|x) and adds nothing to the value.
        return self._unsupervised(reconstruction + score - score.detach(), kl, log_q)

    def _unsupervised(self, reconstruction: PerImage, kl: PerImage, log_q: LabelTable) -> Bound:
        """U(x); E log p(y) and the entropy of q(y|x) are exact, they factorise."""
        label_kl = (log_q.exp() * (log_q - self.labels.log_prior)).sum((-1, -2))
        return Bound.of(
            reconstruction - kl - label_kl,
            reconstruction=reconstruction,
            divergence=kl + label_kl,
            label_divergence=label_kl,
        )

    def label_probabilities(self, features: Features) -> Probabilities:
        """q(y | x) from the label trunk's features: (B, features) -> (B, n_outputs)."""
        return self.labels.probabilities(self.labels.log_probs(self.label_head(features)))

    def classify(self, x: Images) -> Probabilities:
        """q(y | x)."""
        return self.label_probabilities(self.label_trunk(x))

    def _encoded(self, x: Images) -> tuple[Probabilities, Code, Latents]:
        """q(y | x), the most probable labels as network input, and the mean of q(z | x, them)."""
        label_features, features = self.mean_features(x)
        probabilities = self.label_probabilities(label_features)
        code = self.labels.encode(self.labels.predict(probabilities))
        return probabilities, code, self.posterior(features, code).loc

    def reconstruct(self, x: Images) -> Images:
        """Decode the most probable labels and the mean of z given them."""
        _, code, z = self._encoded(x)
        return self.decode(z, code)

    def infer(self, x: Images) -> Inferred:
        """See `LabelledVAE.infer`; no latent belongs to a label."""
        probabilities, code, z = self._encoded(x)
        return Inferred(probabilities, self.decode(z, code), rest=z)

    def sample(self, n: int) -> Images:
        """y ~ p(y), z ~ N(0, I)."""
        return self.generate(self.labels.sample_prior(n))

    def generate(self, y: Labels) -> Images:
        """z ~ N(0, I); diversity comes from z alone."""
        z = torch.randn(len(y), self.latents, device=self.device)
        return self.decode(z, self.labels.encode(y))

    def intervene(self, x: Images, y_new: Labels) -> Images:
        """Keep z, decode it with the new labels."""
        *_, z = self._encoded(x)
        return self.decode(z, self.labels.encode(y_new))

    def swap(self, characteristics: Images, background: Images) -> Images:
        """Labels of one image with z of the other; all that M2 can transfer are the labels."""
        _, code, _ = self._encoded(characteristics)
        *_, z = self._encoded(background)
        return self.decode(z, code)
