"""Where a classifier on z_c is confident: draw from the prior there, or go there (App. A).

The region of labels y is {z_c : q(y_f | z_c^f) > lambda for every factor f}, under the prior
N(0, I). The factors are independent, so each is treated on its own. For a binary label the
region is a half-space: conditioning the prior truncates it along one direction, and the closest
point is a projection. For classes it is convex but has no such form: draws come from rejection
(deviation: eq2-multiclass-rejection), the closest point from an iteration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from ccvae.errors import InputError
from ccvae.labels import LabelSpace, MultiLabel
from ccvae.networks import Diagonal
from ccvae.shapes import Characteristics, Labels

CANDIDATES = 65_536
"""Draws of the prior that the rejection loop holds at a time."""

ROWS, TRIES = 256, 1000
"""Rows over which the rate of acceptance of a class is pooled, and most draws of each."""

PROJECTION_STEPS = 200


def truncated_normal(threshold: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Draw w ~ N(0, 1) given w > threshold, elementwise and for any finite threshold.

    Inverts the upper tail, P(w > t) = Phi(-t), in double precision. Where the tail underflows
    (threshold above 37) its leading order, w^2 = threshold^2 - 2 log u, takes over; that is
    off by less than a thousandth of the law's own spread.

    Parameters
    ----------
    threshold
        Lower end of the support, any shape.
    """
    t = threshold.double()
    u = torch.rand_like(t).clamp_min(2.0**-54)
    log_tail = u.log() + torch.special.log_ndtr(-t)
    body = -torch.special.ndtri(log_tail.exp())
    far = (t**2 - 2 * u.log()).sqrt()
    return torch.where(log_tail > -690, body, far).to(threshold.dtype)


@dataclass(frozen=True)
class Rejection:
    """Outcome of the rejection loop.

    Attributes
    ----------
    z_c
        The accepted draws, (B, F, d); where none was accepted, the draw of highest q(y|z_c).
    accepted
        Whether a draw was accepted, (B, F).
    tries
        Draws made, up to and including the accepted one, (B, F).
    """

    z_c: Characteristics
    accepted: Bool[Tensor, "B F"]
    tries: Integer[Tensor, "B F"]

    @property
    def rate(self) -> Float[Tensor, " F"]:
        """Accepted draws over draws made, by label factor, (F,); pools the rows."""
        return self.accepted.sum(0) / self.tries.sum(0)


class ConfidentRegion:
    """The regions of all labels under one classifier, whose parameters it reads at each call.

    Parameters
    ----------
    labels
        The label space.
    classifier
        Linear classifier on z_c.
    confidence
        lambda, between 0 and 1.
    max_tries
        Most draws that the rejection loop makes per label.

    Raises
    ------
    InputError
        If `confidence` is not between 0 and 1.
    """

    def __init__(
        self, labels: LabelSpace, classifier: Diagonal, confidence: float, max_tries: int
    ) -> None:
        if not 0 < confidence < 1:
            raise InputError(
                f"the classifier's confidence is {confidence}, but it is a probability; "
                "use a number between 0 and 1, such as 0.9"
            )
        if max_tries < 1:
            raise InputError(f"max_tries is {max_tries}, and nothing would be drawn; use 1 or more")
        self.labels, self.classifier = labels, classifier
        self.confidence, self.max_tries = confidence, max_tries
        self._logit = math.log(confidence) - math.log1p(-confidence)

    def sample(self, y: Labels) -> Characteristics:
        """Draw z_c from the prior given the region of y: (B, F) -> (B, F, d).

        Exact for binary labels. For classes, where no draw in `max_tries` reaches the
        confidence, the draw that the classifier is surest of.
        """
        if not isinstance(self.labels, MultiLabel):
            return self.rejection_sample(y).z_c
        normal, threshold = self.half_spaces(y)
        across = torch.randn_like(normal)
        along = (across * normal).sum(-1)
        return across + (truncated_normal(threshold) - along).unsqueeze(-1) * normal

    def half_spaces(self, y: Labels) -> tuple[Characteristics, Float[Tensor, "B F"]]:
        """Regions of binary labels: normal . z_c^i > threshold.

        Parameters
        ----------
        y
            Labels, (B, L).

        Returns
        -------
        normal, threshold
            Unit vectors (B, L, d), and signed distances from the origin (B, L).

        Raises
        ------
        InputError
            If the labels are classes.
        """
        if not isinstance(self.labels, MultiLabel):
            raise InputError(
                "the classifier's confident region is a half-space for binary labels only; "
                "use rejection_sample for classes"
            )
        sign = 2 * self.labels.encode(y) - 1
        weight, bias = self.classifier.weight[..., 0], self.classifier.bias[..., 0]
        # A label that the classifier ignores has its region far away instead of nowhere.
        norm = weight.norm(dim=-1).clamp_min(1e-6)
        normal = sign.unsqueeze(-1) * (weight / norm.unsqueeze(-1))
        return normal, (self._logit - sign * bias) / norm

    def at(self, confidence: float) -> ConfidentRegion:
        """The regions of another confidence under the same classifier."""
        return ConfidentRegion(self.labels, self.classifier, confidence, self.max_tries)

    @torch.no_grad()
    def acceptance(self) -> Float[Tensor, "F V"]:
        """Probability that a draw of the prior is accepted, by label and value: (F, V).

        Phi(-threshold) for binary labels; for classes the rate of the loop over `ROWS` rows.
        """
        values = torch.arange(self.labels.n_values, device=self.classifier.weight.device)
        every = values.unsqueeze(1).expand(-1, self.labels.n_factors)
        if isinstance(self.labels, MultiLabel):
            return torch.special.ndtr(-self.half_spaces(every)[1]).T
        rates = [self.rejection_sample(y.expand(ROWS, -1), TRIES).rate for y in every]
        return torch.stack(rates, dim=1)

    @torch.no_grad()
    def rejection_sample(self, y: Labels, max_tries: int | None = None) -> Rejection:
        """Draw z_c^f ~ N(0, I) until q(y_f | z_c^f) > lambda, for every factor separately.

        Parameters
        ----------
        y
            Labels, (B, F).
        max_tries
            Draws per label after which it gives up; `self.max_tries` when None.
        """
        most = self.max_tries if max_tries is None else max_tries
        one_hot = self.labels.one_hot(y)
        z_c = one_hot.new_zeros(*y.shape, self.classifier.weight.shape[1])
        best = one_hot.new_full(y.shape, -torch.inf)
        tries = torch.zeros_like(y, dtype=torch.long)
        confident = math.log(self.confidence)
        made, pending = 0, torch.arange(len(y), device=y.device)
        while made < most and len(pending) > 0:
            count = min(most - made, max(1, CANDIDATES // len(pending)))
            shape = (len(pending), count, *z_c.shape[1:])
            candidates = torch.randn(shape, dtype=z_c.dtype, device=z_c.device)
            log_q = self.labels.log_probs(self.classifier(candidates))
            log_q = (log_q * one_hot[pending, None]).sum(-1)
            accepted = log_q > confident
            any_accepted = accepted.any(1)
            # argmax of 0 and 1 is the position of the first 1.
            chosen = torch.where(any_accepted, accepted.byte().argmax(1), log_q.argmax(1))
            reached = log_q.take_along_dim(chosen[:, None], 1).squeeze(1)
            drawn = candidates.take_along_dim(chosen[:, None, :, None], 1).squeeze(1)
            is_open = best[pending] <= confident
            tries[pending] += is_open * torch.where(any_accepted, chosen + 1, count)
            better = is_open & (reached > best[pending])
            z_c[pending] = torch.where(better.unsqueeze(-1), drawn, z_c[pending])
            best[pending] = torch.where(better, reached, best[pending])
            made += count
            pending = pending[(best[pending] <= confident).any(1)]
        return Rejection(z_c, best > confident, tries)

    def closest(self, z_c: Characteristics, y: Labels) -> Characteristics:
        """The point of the regions of y that is closest to z_c.

        For a binary label with one latent that is (+-logit(lambda) - b) / a.

        Parameters
        ----------
        z_c, y
            (B, F, d) and (B, F).

        Returns
        -------
        (B, F, d); z_c itself where the classifier is confident already.
        """
        if not isinstance(self.labels, MultiLabel):
            return self._closest_in_class(z_c.squeeze(1), y.squeeze(1)).unsqueeze(1)
        normal, threshold = self.half_spaces(y)
        missing = (threshold - (normal * z_c).sum(-1)).clamp_min(0)
        return z_c + missing.unsqueeze(-1) * normal

    @torch.no_grad()
    def _closest_in_class(
        self, z_c: Float[Tensor, "B d"], y: Integer[Tensor, " B"]
    ) -> Float[Tensor, "B d"]:
        """Project (B, d) on the regions of classes (B,).

        q(y|z) >= lambda is g(z) = logsumexp_k (l_k - l_y) + logit(lambda) <= 0 over the other
        classes k, and g is convex. Each step returns to the boundary along the gradient of g
        (Newton) and slides along the boundary towards the start; at full length this is the
        iteration of Rackwitz & Fiessler (doi:10.1016/0045-7949(78)90046-9). The slide is
        shortened by the boundary's curvature, so that it contracts, and more and more with the
        steps, so that it settles at the edges where a steep classifier's classes meet. If no
        point reaches the confidence, the result is where the iteration stops.
        """
        start = z_c.double()
        weight, bias = self.classifier.weight[0].double().T, self.classifier.bias[0].double()
        difference = weight - weight[y].unsqueeze(1)
        own = F.one_hot(y, len(bias)).bool()
        offset = (bias - bias[y].unsqueeze(1)).masked_fill(own, -torch.inf)

        def boundary(z: Float[Tensor, "B d"]) -> tuple[Float[Tensor, "B 1"], Float[Tensor, "B K"]]:
            scores = (difference @ z.unsqueeze(-1)).squeeze(-1) + offset
            return scores.logsumexp(-1, keepdim=True) + self._logit, scores.softmax(-1)

        z = start
        for step in range(PROJECTION_STEPS):
            g, share = boundary(z)
            gradient = (share.unsqueeze(-1) * difference).sum(1)
            squared = (gradient**2).sum(-1, keepdim=True).clamp_min(1e-6)
            back = start - z
            along = back - (back * gradient).sum(-1, keepdim=True) / squared * gradient
            variance = (share * (difference**2).sum(-1)).sum(-1, keepdim=True) - squared
            curvature = back.norm(dim=-1, keepdim=True) * variance / squared.sqrt()
            slide = 1 / (1 + curvature.clamp_min(step / 5))
            # The last steps only return to the boundary.
            slide = slide * (step < PROJECTION_STEPS - 3)
            z = z - g / squared * gradient + slide * along
        already = boundary(start)[0] <= 0
        return torch.where(already, start, z).to(z_c.dtype)
