r"""What is left of an image's style when its class changes: Appendix D.6, Figures 22 to 24.

The paper says of its digits that CCVAE introduces diversity "whilst preserving the 'style' of the
digit, e.g. pen width and tilt", and prints pictures. Here slant, thickness, width and height are
measured as in Morpho-MNIST (Castro et al., arXiv:1809.10319), see `shape_properties`, and how much
of them stays is a number between 0, nothing, and 1, all of it (deviation: style-measures):

* under interventions and swaps, the correlation of a property before and after, within source and
  target class, so that what a class looks like by itself counts for nothing;
* when z_c is drawn anew for a class on the z_\c of one image, the intraclass correlation: how much
  of a property's variance lies between images z_\c and not between draws.

An intervention or a swap that changes nothing keeps everything; so only images count in which the
judge sees the new class, and did not see it in the reconstruction before. A model with an empty
z_\c, or one that draws all its latents anew (M2 in Figure 23), keeps nothing of style in the last
of these, by construction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from ccvae.feeding import as_floats
from ccvae.interface import Inferred, LabelledVAE
from ccvae.shapes import Images
from evaluators.images import BATCH, ImageSet
from evaluators.measuring import NEGLIGIBLE, JudgeLike, measurement, most_probable, seeded
from evaluators.swap import random_pairs

PROPERTIES = ("slant", "thickness", "width", "height", "area")

BACKGROUND = 0.1
"""Of an image's brightest pixel: what is darker belongs to the background."""
STROKE = 0.5
"""The same of strokes, whose thickness is measured, as in Morpho-MNIST."""
CROPPED = 0.02
"""Share of the ink that lies beyond each end of a width or height, as in Morpho-MNIST."""
FINER = 2
"""Pixels that a pixel is divided into, along both axes, before its distance from an edge is taken.
"""
DRAWS = 5
r"""Draws of z_c for each class and each image that z_\c comes from."""

Numbers = Float[np.ndarray, " N"]
Groups = Integer[np.ndarray, " N"]
Shapes = Mapping[str, np.ndarray]
"""Properties by name, float64 (N,) each; NaN of an image without ink."""


def shape_properties(images: Images) -> dict[str, Numbers]:
    """Measure the shape of what is bright in each image.

    Parameters
    ----------
    images
        In [0, 1], (B, C, H, W); grey values are means over channels, and relative to the brightest.

    Returns
    -------
    dict
        For each of `PROPERTIES` float64 (B,), NaN where nothing is bright: `slant`, degrees to the
        right of upright, by second moments; `thickness`, pixels, four times the mean distance of a
        stroke's pixels from its edge, which is the thickness of a long bar; `height`, and `width`
        once the slant is undone, pixels between the outermost 2 % of the ink; `area`, pixels that
        are not background.
    """
    if len(images) == 0:
        return {name: np.empty(0) for name in PROPERTIES}
    grey = images.double().mean(1).cpu()
    brightest = grey.amax((1, 2), keepdim=True)
    grey = grey / brightest.clamp_min(NEGLIGIBLE)
    ink = torch.where(grey > BACKGROUND, grey, 0.0)
    n, height, width = ink.shape
    mass = ink.sum((1, 2)).clamp_min(NEGLIGIBLE)
    y, x = (torch.arange(size, dtype=torch.double) for size in (height, width))
    centre_x, centre_y = (ink.sum(1) @ x) / mass, (ink.sum(2) @ y) / mass
    dx, dy = x - centre_x[:, None], y - centre_y[:, None]
    covariance = torch.einsum("nhw,nh,nw->n", ink, dy, dx)
    # To the right of upright x falls while y, which points down, grows.
    shear = -covariance / torch.einsum("nhw,nh->n", ink, dy**2).clamp_min(NEGLIGIBLE)
    # Bilinear samples of row y, moved by the shear; 2 / width is a pixel of the grid's [-1, 1].
    transform = torch.zeros(n, 2, 3, dtype=torch.double)
    transform[:, 0, 0] = transform[:, 1, 1] = 1
    transform[:, 0, 1] = -shear * height / width
    transform[:, 0, 2] = shear * (2 * centre_y + 1 - height) / width
    grid = F.affine_grid(transform, [n, 1, height, width], align_corners=False)
    upright = F.grid_sample(ink[:, None], grid, align_corners=False)[:, 0]
    found = {
        "slant": torch.rad2deg(torch.atan(shear)),
        "thickness": _thickness(grey),
        "width": _extent(upright.sum(1)),
        "height": _extent(ink.sum(2)),
        "area": (ink > 0).sum((1, 2)).double(),
    }
    blank = brightest[:, 0, 0] < NEGLIGIBLE
    return {name: found[name].masked_fill(blank, torch.nan).numpy() for name in PROPERTIES}


def _extent(profile: Float[Tensor, "B size"]) -> Float[Tensor, " B"]:
    """Pixels between the outermost `CROPPED` of a profile's mass at either end."""
    within = torch.cat([torch.zeros(len(profile), 1), profile.cumsum(1)], 1)
    within = within / within[:, -1:].clamp_min(NEGLIGIBLE)
    ends = [
        [np.interp(share, row, np.arange(len(row))) for share in (CROPPED, 1 - CROPPED)]
        for row in within.numpy()
    ]
    start, stop = torch.tensor(ends, dtype=torch.double).view(-1, 2).unbind(1)
    return stop - start


def _thickness(grey: Float[Tensor, "B H W"]) -> Float[Tensor, " B"]:
    """Four times the mean distance of a stroke's pixels from its edge, in pixels."""
    fine = F.interpolate(grey[:, None], scale_factor=FINER, mode="bilinear", align_corners=False)
    stroke = (fine[:, 0] > STROKE).numpy()
    distance = distance_from_edge(stroke)
    # From a pixel's centre to the edge it is half a pixel less than to the next one's centre.
    inside = np.where(stroke, distance - 0.5, 0.0).sum((1, 2))
    mean = inside / np.maximum(stroke.sum((1, 2)), 1)
    mean[stroke.all((1, 2))] = np.nan
    return torch.from_numpy(4 * mean / FINER)


def distance_from_edge(shape: Bool[np.ndarray, "B H W"]) -> Float[np.ndarray, "B H W"]:
    """Distance of each pixel of a shape from the nearest pixel outside of it, centre to centre.

    Exact and Euclidean: the nearest of its row first, then of all rows (Felzenszwalb and
    Huttenlocher, doi:10.4086/toc.2012.v008a019). Where nothing lies outside it is infinite. The
    same as scipy's, which takes several times as long for many small images.
    """
    _, height, width = shape.shape
    x = np.arange(width, dtype=np.float32)
    left = np.maximum.accumulate(np.where(shape, -np.inf, x), 2)
    right = np.minimum.accumulate(np.where(shape, np.inf, x)[..., ::-1], 2)[..., ::-1]
    in_row = np.minimum(x - left, right - x) ** 2
    squared = in_row.copy()
    for rows in range(1, height):
        if rows**2 >= squared.max():
            break
        for to, of in ((slice(rows, None), slice(-rows)), (slice(-rows), slice(rows, None))):
            np.minimum(squared[:, to], in_row[:, of] + rows**2, out=squared[:, to])
    # Squares are whole numbers, which single precision holds exactly.
    return np.sqrt(squared, dtype=np.float64)


def kept_share(before: Numbers, after: Numbers, groups: Groups) -> float | None:
    """Correlation of two measurements within groups.

    Parameters
    ----------
    before, after
        Of the same images; pairs with a NaN are passed over.
    groups
        The group of each.

    Returns
    -------
    float or None
        Pearson's correlation once each group's means are subtracted; 0 where `after` does not vary
        within groups, and None where `before` does not, or where there are no two images more than
        groups.
    """
    known = np.isfinite(before) & np.isfinite(after)
    before, after = before[known], after[known]
    _, groups = np.unique(groups[known], return_inverse=True)
    n_groups = int(groups.max(initial=-1)) + 1
    if len(before) < n_groups + 2:
        return None
    counts = np.bincount(groups)
    centred = [v - (np.bincount(groups, v) / counts)[groups] for v in (before, after)]
    own, other = (float(v @ v) for v in centred)
    if own / len(before) < NEGLIGIBLE:
        return None
    if other / len(before) < NEGLIGIBLE:
        return 0.0
    return float(centred[0] @ centred[1]) / (own * other) ** 0.5


def intraclass_correlation(values: Float[np.ndarray, "K n m"]) -> float | None:
    """How much of a variance lies between n groups of m values each, pooled over K classes.

    The one-way ICC(1) of Shrout and Fleiss (1979), DOI 10.1037/0033-2909.86.2.420: near 0 where
    groups are alike, 1 where all values of a group are equal; its least value is -1 / (m - 1).
    None where nothing varies, or values are missing.
    """
    n_classes, n, m = values.shape
    means = values.mean(2)
    between = m * ((means - means.mean(1, keepdims=True)) ** 2).sum() / (n_classes * (n - 1))
    within = ((values - means[..., None]) ** 2).sum() / (n_classes * n * (m - 1))
    total = between + (m - 1) * within
    if not total > NEGLIGIBLE:
        return None
    return float((between - within) / total)


@measurement
def style(
    model: LabelledVAE,
    judge: JudgeLike,
    images: ImageSet,
    inferred: Inferred,
    *,
    counted: Sequence[str],
    n_images: int,
    n_pairs: int,
    seed: int,
) -> dict[str, float]:
    r"""How much of the style stays, for images with one label of several classes.

    Parameters
    ----------
    model
        The model.
    judge
        The independent classifier, on the model's device.
    images
        Test images.
    inferred
        What the model infers from them.
    counted
        Which of `PROPERTIES` are style on these images.
    n_images
        How many images to intervene on; z_\c of a tenth of them is kept for new draws of z_c.
    n_pairs
        How many pairs of images to swap.
    seed
        Of pairs and draws.

    Returns
    -------
    dict
        The mean over `counted`, and with `_<property>` behind it each of `PROPERTIES`:

        `style_kept_reconstruction`
            Within classes, of a test image in its reconstruction: the most that can stay.
        `style_kept_interventions`
            Within source and target class, of a test image in every class it is made.
        `style_kept_swaps`, `style_taken_swaps`
            Within both images' classes, of the background, and of the donor, in the swap.
        `style_kept_diversity`
            Intraclass correlation, with draws of z_c in groups of the same class and z_\c.

        `style_diversity`: what share of the pixels' variance within a class new draws of z_c make.
        Of tasks that the model lacks, and where nothing varies, there is none.
    """
    can = model.supports
    rows = torch.arange(min(n_images, len(images)))
    with seeded(seed, model.device):
        parts: dict[str, dict[str, float | None]] = {}
        if "reconstruct" in can:
            original = _measured(images.take(rows))
            classes = images.labels[rows, 0].numpy()
            redrawn = shape_properties(inferred.reconstruction[rows])
            parts["kept_reconstruction"] = _kept(original, redrawn, classes)
            if "intervene" in can:
                predicted = images.space.predict(inferred.probabilities[rows])
                parts["kept_interventions"] = _interventions(
                    model, judge, images.take(rows), predicted, original
                )
        if "swap" in can:
            parts["kept_swaps"], parts["taken_swaps"] = _swaps(
                model, judge, images, inferred, random_pairs(len(images), n_pairs, seed)
            )
        metrics = {}
        if "generate" in can:
            backgrounds = images.take(rows[: max(2, len(rows) // (2 * DRAWS))])
            parts["kept_diversity"], share = _new_draws(model, backgrounds)
            metrics["style_diversity"] = share
    for name, found in parts.items():
        metrics |= _named(f"style_{name}", found, counted)
    return metrics


def _named(
    name: str, found: Mapping[str, float | None], counted: Sequence[str]
) -> dict[str, float]:
    known = {p: value for p, value in found.items() if value is not None}
    metrics = {f"{name}_{p}": value for p, value in known.items()}
    if counted and all(p in known for p in counted):
        metrics[name] = float(np.mean([known[p] for p in counted]))
    return metrics


def _measured(images: ImageSet) -> Shapes:
    return _joined([shape_properties(x) for x, _ in images.batches()])


def _joined(parts: Sequence[Shapes]) -> Shapes:
    return {name: np.concatenate([part[name] for part in parts]) for name in PROPERTIES}


def _kept(before: Shapes, after: Shapes, groups: Groups) -> dict[str, float | None]:
    return {name: kept_share(before[name], after[name], groups) for name in PROPERTIES}


def _appeared(
    judge: JudgeLike, before: Images, after: Images, y: Integer[Tensor, "B F"]
) -> Bool[Tensor, " B"]:
    """Whether the judge sees these classes after and not before, on the CPU."""
    unseen, seen = (
        (most_probable(judge.log_probs(x), judge.labels) == y).all(1) for x in (before, after)
    )
    return (seen & ~unseen).cpu()


def _interventions(
    model: LabelledVAE,
    judge: JudgeLike,
    images: ImageSet,
    predicted: Integer[Tensor, "N F"],
    original: Shapes,
) -> dict[str, float | None]:
    """Make every image each class that it neither has nor seems to have."""
    n_classes = images.space.n_values
    after, sources, groups = [], [], []
    for target in range(n_classes):
        others = ((images.labels != target) & (predicted != target)).all(1).nonzero()[:, 0]
        for rows in others.split(BATCH):
            x = as_floats(images.images[rows], model.device)
            wanted = torch.full((len(rows), 1), target, device=model.device)
            unchanged = model.intervene(x, predicted[rows].to(model.device))
            changed = model.intervene(x, wanted)
            done = _appeared(judge, unchanged, changed, wanted)
            after.append(shape_properties(changed[done.to(changed.device)]))
            sources.append(rows[done])
            groups.append(images.labels[rows[done], 0] * n_classes + target)
    rows = torch.cat(sources).numpy()
    before = {name: values[rows] for name, values in original.items()}
    return _kept(before, _joined(after), torch.cat(groups).numpy())


def _swaps(
    model: LabelledVAE,
    judge: JudgeLike,
    images: ImageSet,
    inferred: Inferred,
    pairs: Integer[Tensor, "P 2"],
) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """What swaps between images of different classes have of the background, and of the donor."""
    labels = images.labels[:, 0]
    pairs = pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]]
    swapped, used = [], []
    for some in pairs.split(BATCH):
        a, b = (as_floats(images.images[rows], model.device) for rows in some.unbind(1))
        x = model.swap(characteristics=a, background=b)
        unchanged = inferred.reconstruction[some[:, 1]].to(model.device)
        done = _appeared(judge, unchanged, x, images.labels[some[:, 0]].to(model.device))
        swapped.append(shape_properties(x[done.to(x.device)]))
        used.append(some[done])
    donors, backgrounds = torch.cat(used).unbind(1)
    groups = (labels[donors] * images.space.n_values + labels[backgrounds]).numpy()
    after = _joined(swapped)
    kept, taken = (
        _kept(_measured(images.take(rows)), after, groups) for rows in (backgrounds, donors)
    )
    return kept, taken


def _new_draws(model: LabelledVAE, backgrounds: ImageSet) -> tuple[dict[str, float | None], float]:
    r"""Draw z_c of every class anew on the z_\c of each image, or all of z where z_c is no part."""
    n = len(backgrounds)
    values: dict[str, list[np.ndarray]] = {name: [] for name in PROPERTIES}
    within, total = 0.0, 0.0
    x = as_floats(backgrounds.images, model.device).repeat_interleave(DRAWS, 0)
    for label in range(backgrounds.space.n_values):
        y = torch.full((len(x), 1), label, device=model.device)
        drawn = model.diversify(x, y) if "diversify" in model.supports else model.generate(y)
        for name, found in shape_properties(drawn).items():
            values[name].append(found.reshape(n, DRAWS))
        pixels = drawn.double().flatten(1)
        within += float(pixels.unflatten(0, (n, DRAWS)).var(1, correction=0).sum(-1).mean())
        total += float(pixels.var(0, correction=0).sum())
    kept = {name: intraclass_correlation(np.stack(found)) for name, found in values.items()}
    return kept, within / total if total > NEGLIGIBLE else 0.0
