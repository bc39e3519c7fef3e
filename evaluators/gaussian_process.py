r"""A sparse variational Gaussian process in place of the judge's last layer (App. D.6, Table 7).

The paper replaces the last linear layer of a trained classifier with a sparse variational GP of
200 inducing points (Hensman et al., AISTATS 2015, arXiv:1411.2005) and keeps the rest frozen. Every
class, or every binary label, has its own GP with a scaled RBF kernel on the standardised features;
they share inducing points. Inducing points start at k-means centres and the lengthscale at the
mean distance between features, because GPs far from the data have no gradient
(van Amersfoort et al., arXiv:2102.11409). The rest is our choice (deviation: gaussian-process).

Classes have the softmax likelihood p(y = k | f) = softmax(f)_k. Binary labels have the Bernoulli
likelihood with the probit link, p(y = 1 | f) = \Phi(f), so their log-probabilities have lighter
tails than those of the judge's sigmoid.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ccvae.errors import InputError
from ccvae.labels import LabelSpace, MultiLabel
from ccvae.shapes import Labels, LabelTable, Probabilities
from evaluators.classifier import Judge
from evaluators.images import BATCH, ImageSet, collect
from evaluators.measuring import evaluating, measurement, seeded
from evaluators.seen import Seen

with warnings.catch_warnings():
    # It compiles a function as torch advises against by now, for whoever imports it to read.
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
    import gpytorch
    from linear_operator.utils.errors import NanError, NotPSDError

JITTER = 1e-4
"""A variance that gpytorch adds to the inducing points' covariance and to the predictive one."""

KMEANS_FEATURES = 5000
ACCURACY_TOLERANCE = 0.005


@dataclass(frozen=True)
class GPSettings:
    """How the GP is built and trained.

    Attributes
    ----------
    inducing
        Number of inducing points.
    steps, batch_size
        Optimiser steps, and images in each.
    learning_rate
        Adam's, without weight decay: it would pull the variational parameters off the bound.
    seed
        Of k-means, the batches and the Monte Carlo estimate of the softmax likelihood.
    """

    inducing: int = 200
    steps: int = 500
    batch_size: int = 512
    learning_rate: float = 1e-2
    seed: int = 0


Features = Float[Tensor, "B D"]


@contextmanager
def _numerics_explained() -> Iterator[None]:
    """Say in the suite's words that a covariance cannot be decomposed."""
    try:
        yield
    except (NanError, NotPSDError) as error:
        raise InputError(
            f"the Gaussian process on the judge's features broke down ({str(error).rstrip('.')}); "
            "look at whether the images differ from each other, or lower "
            "gaussian_process.learning_rate or gaussian_process.inducing"
        ) from error


class _Softmax(gpytorch.likelihoods.Likelihood):
    """p(y | f) = softmax(f)_y.

    gpytorch's own transposes f when a batch has as many images as there are classes.
    """

    def forward(
        self, function_samples: Float[Tensor, "S B K"], *args: Any, **kwargs: Any
    ) -> torch.distributions.Categorical:
        """Distribution of y: samples of f (S, B, K) -> batch shape (S, B)."""
        return torch.distributions.Categorical(logits=function_samples)


class _IndependentGPs(gpytorch.models.ApproximateGP):
    """A batch of O sparse GPs on shared inducing points (M, D)."""

    def __init__(self, outputs: int, inducing_points: Float[Tensor, "M D"]) -> None:
        batch = torch.Size([outputs])
        distribution = gpytorch.variational.CholeskyVariationalDistribution(
            len(inducing_points), batch_shape=batch
        )
        super().__init__(
            gpytorch.variational.VariationalStrategy(
                self,
                inducing_points,
                distribution,
                learn_inducing_locations=True,
                jitter_val=JITTER,
            )
        )
        self.mean_module = gpytorch.means.ConstantMean(batch_shape=batch)
        self.covar_module = gpytorch.kernels.ScaleKernel(
            gpytorch.kernels.RBFKernel(batch_shape=batch), batch_shape=batch
        )

    def forward(self, x: Float[Tensor, "*batch N D"]) -> gpytorch.distributions.MultivariateNormal:
        """Prior over f at the standardised features x (N, D): batch shape (O,), event (N,)."""
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


class GPHead(nn.Module):
    """The GPs that take the judge's last layer's place.

    Parameters
    ----------
    labels
        The label space.
    n_features
        D, width of the judge's features.
    inducing
        Number of inducing points.

    Attributes
    ----------
    location, scale
        Buffers (D,) that standardise features.
    """

    location: Float[Tensor, " D"]
    scale: Float[Tensor, " D"]

    def __init__(self, labels: LabelSpace, n_features: int, inducing: int = 200) -> None:
        super().__init__()
        self.labels = labels
        self.gps = _IndependentGPs(labels.n_outputs, torch.zeros(inducing, n_features))
        self.register_buffer("location", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.location.device

    def distribution(self, features: Features) -> gpytorch.distributions.MultivariateNormal:
        """q(f) at features (B, D): batch shape (n_outputs,), event shape (B,)."""
        return self.gps((features - self.location) / self.scale)

    @_numerics_explained()
    def posterior(self, features: Features) -> tuple[Probabilities, Probabilities]:
        """Mean and variance of the marginals q(f(x)), both (B, n_outputs)."""
        q = self.distribution(features)
        return q.mean.T, q.variance.T

    def sample_log_probs(self, features: Features, n: int) -> Float[Tensor, "{n} B F V"]:
        """log p(y_f = v | f) for draws of f from its marginal at every image.

        Uses torch's global generator.

        Parameters
        ----------
        features
            (B, D), from `Judge.features`.
        n
            Number of draws, S.

        Returns
        -------
        Tensor
            (S, B, F, V), in nats.
        """
        mean, variance = self.posterior(features)
        f = mean + variance.sqrt() * torch.randn(n, *mean.shape, device=mean.device)
        if isinstance(self.labels, MultiLabel):
            return torch.special.log_ndtr(torch.stack([-f, f], dim=-1))
        return self.labels.log_probs(f)

    def log_probs(self, features: Features, samples: int = 256) -> LabelTable:
        """Predictive log p(y_f = v | x, D), the average over `samples` draws: (B, F, V)."""
        return self.sample_log_probs(features, samples).logsumexp(0) - math.log(samples)

    @_numerics_explained()
    def negative_bound(self, features: Features, y: Labels, n_data: int) -> Float[Tensor, ""]:
        """Loss: minus the variational bound per training image, in nats.

        The expected log-likelihood is summed over labels and averaged over the batch; the KL of
        every GP's inducing values is divided by `n_data`, the size of the whole training set.

        Parameters
        ----------
        features, y
            A batch, (B, D) and (B, F).
        n_data
            Number of training images.
        """
        q = self.distribution(features)
        likelihood: gpytorch.likelihoods.Likelihood
        if isinstance(self.labels, MultiLabel):
            # A batch of GPs wants its targets in the GPs' shape, (L, B); (B, L) would broadcast.
            likelihood, target = gpytorch.likelihoods.BernoulliLikelihood(), y.T.to(q.mean.dtype)
            # It holds the nodes of its quadrature.
            likelihood = likelihood.to(self.device)
        else:
            q = gpytorch.distributions.MultitaskMultivariateNormal.from_batch_mvn(q)
            likelihood, target = _Softmax(), y[:, 0]
        bound = gpytorch.mlls.VariationalELBO(
            likelihood, self.gps, num_data=n_data, combine_terms=False
        )
        # Taken apart because the KL has one entry per GP and the softmax term is a single number.
        log_likelihood, kl, _ = bound(q, target)
        return kl.sum() - log_likelihood.sum()


def fit_gp_head(
    judge: Judge,
    train: ImageSet,
    settings: GPSettings,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int, float], None] | None = None,
) -> GPHead:
    """Train a GP head on the features of a frozen judge.

    Parameters
    ----------
    judge
        On `device`.
    train
        Images the judge was trained on.
    settings
        Size and training.
    device
        Where to train; the head stays there.
    progress
        Called about a hundred times with (steps made, all steps, loss of the last one).

    Returns
    -------
    GPHead
        In evaluation mode, its parameters frozen.

    Raises
    ------
    InputError
        If there are fewer images than inducing points, the judge's features are not finite, or
        the covariance of the inducing points cannot be decomposed.
    """
    if len(train) < settings.inducing:
        raise InputError(
            f"the Gaussian process has {settings.inducing} inducing points but only {len(train)} "
            "training images; lower the number of inducing points"
        )
    device = torch.device(device)
    with evaluating(judge):
        features, y = collect(judge.features, train, device)
    if not features.isfinite().all():
        raise InputError(
            "the judge's features of the training images are not finite; train the judge again "
            "with a lower learning rate"
        )
    with seeded(settings.seed, device):
        head = GPHead(judge.labels, judge.n_features, settings.inducing)
        _initialise(head, features, settings)
        head.to(device)
        _fit(head, features, y, settings, progress)
    return head.eval().requires_grad_(False)


@torch.no_grad()
def _initialise(head: GPHead, features: Features, settings: GPSettings) -> None:
    head.location.copy_(features.mean(0))
    spread = features.std(0)
    # A unit that is silent on all training images must not be blown up where it does answer.
    head.scale.copy_(torch.where(spread > 1e-3 * spread.max(), spread, spread.max() + 1e-6))
    # Imported here because sklearn takes a second, and nothing but fitting needs it.
    from sklearn.cluster import MiniBatchKMeans

    chosen = torch.randperm(len(features))[:KMEANS_FEATURES]
    subset = (features[chosen] - head.location) / head.scale
    kmeans = MiniBatchKMeans(
        settings.inducing, random_state=settings.seed, n_init=1, batch_size=1024
    )
    centres = torch.from_numpy(kmeans.fit(subset.numpy()).cluster_centers_)
    head.gps.variational_strategy.inducing_points.copy_(centres)
    distance = torch.pdist(subset[:1000]).mean().clamp_min(1e-3)
    head.gps.covar_module.base_kernel.lengthscale = distance


def _fit(
    head: GPHead,
    features: Features,
    y: Labels,
    settings: GPSettings,
    progress: Callable[[int, int, float], None] | None,
) -> None:
    optimizer = torch.optim.Adam(head.parameters(), settings.learning_rate)
    head.train()
    n = len(features)
    size = min(settings.batch_size, n)
    order = torch.empty(0, dtype=torch.long)
    for step in range(1, settings.steps + 1):
        if len(order) < size:
            order = torch.randperm(n)
        chosen, order = order[:size], order[size:]
        loss = head.negative_bound(features[chosen].to(head.device), y[chosen].to(head.device), n)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if progress is not None and (
            step % max(1, settings.steps // 100) == 0 or step == settings.steps
        ):
            progress(step, settings.steps, loss.item())


@measurement
def assess_gp_head(
    head: GPHead, seen: Seen, y: Labels, samples: int, seed: int
) -> dict[str, float]:
    """Compare the accuracy of the GP with that of the judge it was put into.

    Parameters
    ----------
    head
        The Gaussian process.
    seen, y
        Test images as the judge sees them, and their labels (N, F).
    samples
        Draws for the GP's predictive distribution.
    seed
        Of the draws.

    Returns
    -------
    dict
        `accuracy_gp` and `accuracy_judge`, means over images and labels, and
        `negative_log_likelihood_gp` in nats per label.
    """
    with seeded(seed, head.device):
        parts = seen.features().split(BATCH)
        predicted = torch.cat([head.log_probs(x.to(head.device), samples).cpu() for x in parts])
    return {
        "accuracy_gp": float((predicted.argmax(-1) == y).double().mean()),
        "accuracy_judge": float((seen.log_probs().argmax(-1) == y).double().mean()),
        "negative_log_likelihood_gp": -float(predicted.gather(-1, y.unsqueeze(-1)).mean()),
    }


def gate_gp_head(record: Mapping[str, float], tolerance: float = ACCURACY_TOLERANCE) -> list[str]:
    """Say when the GP is not as good a classifier as the judge; an empty list if it is.

    Parameters
    ----------
    record
        From `assess_gp_head`.
    tolerance
        How far its accuracy may lie below the judge's.
    """
    if record["accuracy_gp"] >= record["accuracy_judge"] - tolerance:
        return []
    return [
        f"the Gaussian process classifies {record['accuracy_gp']:.4f} of the labels rightly and "
        f"the judge {record['accuracy_judge']:.4f}, more than {tolerance:g} better; do not trust "
        "its uncertainties, train it for more steps"
    ]
