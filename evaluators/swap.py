r"""Characteristic swaps: section 6.4, Table 2.

The characteristics z_c of an image A are put on the background z_\c of an image B. "An ideal
characteristic swap should not change the probability assigned by a pre-trained classifier between
the original image and a swapped one": the paper reports the average difference in
log-probabilities, which we read as (deviation: swap-score)

    S = mean over pairs and labels of |log p(y_i = 1 | A) - log p(y_i = 1 | swap)|

with A the real image; for one label with K classes the mean runs over the K log-probabilities.
S grows with the sharpness of the judge and with blur, so it comes with its two ends: S of A's own
reconstruction, what a perfect transfer scores, and S of B's reconstruction, no transfer at all.
S alone can be won by a model that ignores B, so the change of the background is reported as well.

Where the images are drawings, swaps are compared with the true ones: `evaluators.true_swap`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from ccvae.errors import InputError
from ccvae.feeding import as_floats
from ccvae.interface import Inferred, LabelledVAE
from ccvae.labels import LabelSpace
from ccvae.shapes import Images, LabelTable, PerImage, Probabilities
from evaluators.images import BATCH, ImageSet
from evaluators.measuring import (
    JudgeLike,
    device_of,
    measurement,
    output_log_probs,
    ratios,
    seeded,
)
from evaluators.seen import Seen
from evaluators.true_swap import TrueSwaps, pixel_distances, truth_scores


def random_pairs(n_images: int, n_pairs: int, seed: int) -> Integer[Tensor, "{n_pairs} 2"]:
    """Ordered pairs of different images, drawn with replacement: (n_pairs, 2) indices.

    Raises
    ------
    InputError
        If there are fewer than two images.
    """
    if n_images < 2:
        raise InputError(
            f"swaps need pairs of different images but were given {n_images} image(s); "
            "give at least 2"
        )
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(n_images, (n_pairs,), generator=generator)
    gap = torch.randint(1, n_images, (n_pairs,), generator=generator)
    return torch.stack([first, (first + gap) % n_images], dim=1)


@measurement
def swap(
    model: LabelledVAE,
    judge: JudgeLike,
    images: ImageSet,
    inferred: Inferred,
    *,
    n_pairs: int,
    seed: int,
    truth: TrueSwaps | None = None,
    real: Seen | None = None,
    reconstructed: Seen | None = None,
) -> dict[str, float]:
    r"""Score characteristic swaps between random pairs of images.

    Parameters
    ----------
    model
        The model; its latents are posterior means where it can choose.
    judge
        The independent classifier, on the model's device.
    images
        Test images.
    inferred
        What the model infers from them.
    n_pairs
        Number of ordered pairs (A, B).
    seed
        Of the pairs, and of the models that draw when they swap.
    truth
        Where the images are drawings: what the `random_pairs` should become.
    real, reconstructed
        `images` and their reconstructions as the judge sees them, if other measures ask as well.

    Returns
    -------
    dict
        `swap`
            S, in nats, lower is better; also `swap/<label>`.
        `swap_self`, `swap_no_transfer`
            S with the reconstruction of A, or of B, in place of the swap; also per label.
        `swap_normalised`
            (swap - swap_self) / (swap_no_transfer - swap_self).
        `swap_positives`
            S over the labels that are on in A, or over A's class.
        `swap_true_label`
            Mean change of the log-probability of A's own value, |log p(y_A)|.
        `swap_signed`
            Mean loss of log p(y_A), with its sign: gains and losses cancel.
        `swap_logit`
            Mean absolute change of the log-odds of y_i = 1, or of each class.
        `swap_background_change`
            L1(swap, reconstruction of B) / L1(reconstruction of A, reconstruction of B): 0 when
            nothing of B changes, about 1 when nothing of B is left.

        and with `truth`

        `swap_truth_l1`, `swap_truth_l1_no_transfer`, `swap_truth_l1_reconstruction`
            Mean absolute pixel difference of the true swap from the model's swap, from the
            reconstruction of B, and from the model's reconstruction of the true swap, the best
            that it could draw.
        `swap_truth_normalised`
            (swap_truth_l1 - reconstruction) / (no_transfer - reconstruction): 0 is perfect, 1 as
            far off as no transfer.
        `swap_truth_inside`, `swap_truth_inside_no_transfer`, `swap_truth_inside_reconstruction`,
        `swap_truth_inside_normalised`
            The same over the pixels that truly change.
        `swap_outside_change`
            `swap_background_change` over the pixels that truly stay: 0 is perfect.
        `swap_truth`, `swap_truth_background_change`
            S of the true swap, and its background change, L1(true swap, B) / L1(A, B).
        `swap_background_distance`
            How far `swap_background_change` is from the true swap's, either way.

        Quotients with denominator 0 are left out.
    """
    pairs = random_pairs(len(images), n_pairs, seed)
    with seeded(seed, model.device):
        return _score(
            judge,
            images,
            pairs,
            inferred.reconstruction,
            real or Seen.of_set(judge, images),
            reconstructed or Seen.of_floats(judge, inferred.reconstruction),
            swapped=lambda x_a, x_b, _: model.swap(characteristics=x_a, background=x_b),
            reconstruct=model.reconstruct,
            truth=truth,
        )


@measurement
def true_swap(
    judge: JudgeLike, images: ImageSet, truth: TrueSwaps, *, seed: int
) -> dict[str, float]:
    """Score the true swaps of the `random_pairs` as if a perfect model had drawn them.

    Its reconstructions are the images themselves.

    Parameters
    ----------
    judge, images, truth, seed
        As of `swap`.

    Returns
    -------
    dict
        As from `swap`.
    """
    device, real = device_of(judge), Seen.of_set(judge, images)
    return _score(
        judge,
        images,
        random_pairs(len(images), len(truth.images), seed),
        as_floats(images.images, torch.device("cpu")),
        real,
        real,
        swapped=lambda x_a, x_b, rows: as_floats(truth.images[rows], device),
        reconstruct=lambda x: x,
        truth=truth,
    )


def _score(
    judge: JudgeLike,
    images: ImageSet,
    pairs: Integer[Tensor, "P 2"],
    reconstruction: Float[Tensor, "N C H W"],
    real: Seen,
    reconstructed: Seen,
    *,
    swapped: Callable[[Images, Images, Integer[Tensor, " B"]], Images],
    reconstruct: Callable[[Images], Images],
    truth: TrueSwaps | None,
) -> dict[str, float]:
    """Figures of `swap`, of whatever draws swaps of (images A, images B, numbers of pairs)."""
    a, b = pairs.unbind(1)
    real_a, own_a, own_b = (
        images_of.log_probs(rows).double()
        for images_of, rows in ((real, a), (reconstructed, a), (reconstructed, b))
    )
    seen = _judge_swaps(judge, images, pairs, reconstruction, swapped, reconstruct, truth)

    def scores(name: str, log_probs: LabelTable) -> dict[str, float]:
        change = output_log_probs((log_probs - real_a).abs(), images.space)
        per_label = dict(zip(images.space.names, change.mean(0).tolist(), strict=True))
        return {name: change.mean().item()} | {f"{name}/{k}": v for k, v in per_label.items()}

    loss = real_a - seen["swap"]
    change = loss.abs()
    own_value = images.space.one_hot(images.labels[a]).double()
    on = output_log_probs(own_value, images.space)
    metrics = (
        scores("swap", seen["swap"])
        | scores("swap_self", own_a)
        | scores("swap_no_transfer", own_b)
        | {
            "swap_true_label": (change * own_value).sum(-1).mean().item(),
            "swap_signed": (loss * own_value).sum(-1).mean().item(),
            "swap_logit": _logit_change(real_a, seen["swap"], images.space).mean().item(),
        }
    )
    positives = (output_log_probs(change, images.space) * on).mean().item()
    own = metrics["swap_self"]
    mean = {name: value.mean().item() for name, value in seen.items() if value.ndim == 1}
    metrics |= ratios(
        swap_normalised=(metrics["swap"] - own, metrics["swap_no_transfer"] - own),
        swap_positives=(positives, on.mean().item()),
        swap_background_change=(mean["moved"], mean["apart"]),
    )
    if truth is not None:
        metrics["swap_truth"] = scores("swap_truth", seen["truth"])["swap_truth"]
        metrics |= truth_scores({k: v for k, v in seen.items() if k.startswith(("swap_", "sum_"))})
        metrics |= ratios(swap_truth_background_change=(mean["truth_moved"], mean["truth_apart"]))
        if {"swap_background_change", "swap_truth_background_change"} <= set(metrics):
            off = metrics["swap_background_change"] - metrics["swap_truth_background_change"]
            metrics["swap_background_distance"] = abs(off)
    return metrics


def _judge_swaps(
    judge: JudgeLike,
    images: ImageSet,
    pairs: Integer[Tensor, "P 2"],
    reconstruction: Float[Tensor, "N C H W"],
    swapped: Callable[[Images, Images, Integer[Tensor, " B"]], Images],
    reconstruct: Callable[[Images], Images],
    truth: TrueSwaps | None,
) -> dict[str, Float[Tensor, "P ..."]]:
    """Log-probabilities of the swaps, (P, F, V), and pixel differences, (P,), by name."""
    parts: dict[str, list[Tensor]] = defaultdict(list)
    device = device_of(judge)
    for rows in torch.arange(len(pairs)).split(BATCH):
        a, b = pairs[rows].unbind(1)
        x_a, x_b = (as_floats(images.images[i], device) for i in (a, b))
        recon_a, recon_b = (reconstruction[i].to(device) for i in (a, b))
        drawn = swapped(x_a, x_b, rows)
        parts["swap"].append(_ask(judge, drawn))
        parts["moved"].append(_l1(drawn, recon_b))
        parts["apart"].append(_l1(recon_a, recon_b))
        if truth is not None:
            true = as_floats(truth.images[rows], device)
            parts["truth"].append(_ask(judge, true))
            parts["truth_moved"].append(_l1(true, x_b))
            parts["truth_apart"].append(_l1(x_a, x_b))
            found = pixel_distances(
                true,
                truth.regions[rows].to(device),
                swapped=drawn,
                background=recon_b,
                donor=recon_a,
                best=reconstruct(true),
            )
            for name, value in found.items():
                parts[name].append(value)
    return {name: torch.cat(values) for name, values in parts.items()}


def _ask(judge: JudgeLike, x: Images) -> LabelTable:
    return judge.log_probs(x).double().cpu()


def _logit_change(before: LabelTable, after: LabelTable, space: LabelSpace) -> Probabilities:
    """Absolute change of log p - log(1 - p): log-probabilities (P, F, V) -> (P, n_outputs)."""

    def logits(log_probs: LabelTable) -> Probabilities:
        if space.kind == "multi_label":
            return log_probs[..., 1] - log_probs[..., 0]
        # 1 - p from the other classes, since p of a confident judge is 1 in single precision.
        log_p = log_probs[:, 0]
        own = torch.eye(log_p.shape[-1], dtype=torch.bool, device=log_p.device)
        others = log_p.unsqueeze(1).masked_fill(own, -math.inf)
        return log_p - others.logsumexp(-1)

    return (logits(before) - logits(after)).abs()


def _l1(first: Images, second: Images) -> PerImage:
    """Mean absolute pixel difference of each pair of images: (B, C, H, W) twice -> (B,)."""
    return (first - second).abs().flatten(1).mean(1).double().cpu()
