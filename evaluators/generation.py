"""Conditional generation: Appendix D.4 (Table 5) and D.6 (Table 7).

Images are generated for given labels, and an independent classifier says whether they show them.
For binary labels every label is on with probability 1/2, the only law under which the paper's
"random guessing" scores .5 for any classifier (deviation: generation-labels). Such label sets
include impossible ones, so the accuracy has a ceiling below 1 even for perfect drawings; label
sets drawn from the data are scored as well, with the judge's accuracy on real images as theirs.
Classes are balanced.

Generated images are rounded to 8 bits, as the images are that the judge has learned from.
"""

from __future__ import annotations

import torch
from jaxtyping import Integer, UInt8
from torch import Tensor

from ccvae.interface import LabelledVAE
from ccvae.labels import LabelSpace
from ccvae.shapes import Labels
from evaluators.accuracy import label_scores
from evaluators.images import BATCH, ImageSet
from evaluators.measuring import JudgeLike, measurement, most_probable, seeded
from evaluators.seen import Seen


def even_labels(space: LabelSpace, n: int, seed: int) -> Integer[Tensor, "{n} {space.n_factors}"]:
    """Labels that favour no value: y_i ~ Bernoulli(1/2), or every class equally often, (n, F)."""
    if space.kind == "multi_class":
        return (torch.arange(n) % space.n_values).unsqueeze(1)
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(2, (n, space.n_factors), generator=generator)


def data_labels(images: ImageSet, n: int, seed: int) -> Integer[Tensor, "{n} F"]:
    """Whole label vectors of `images`, drawn with replacement, (n, F)."""
    generator = torch.Generator().manual_seed(seed)
    return images.labels[torch.randint(len(images), (n,), generator=generator)]


@measurement
def generate_images(model: LabelledVAE, y: Labels, *, seed: int) -> ImageSet:
    """One image of the model per row of `y` (N, F), with these labels."""
    batches = []
    with seeded(seed, model.device):
        for part in y.split(BATCH):
            x = model.generate(part.to(model.device))
            batches.append((x * 255).round().clamp(0, 255).to(torch.uint8).cpu())
    return ImageSet(torch.cat(batches), y, model.labels)


def agreement(seen: Seen, images: ImageSet) -> dict[str, float]:
    """How often a judge sees the labels that the images should show; see `label_scores`."""
    return label_scores(most_probable(seen.log_probs(), images.space), images.labels, images.space)


def generation(
    model: LabelledVAE,
    judge: JudgeLike,
    images: ImageSet,
    *,
    n: int,
    seed: int,
    perfect: UInt8[Tensor, "{n} C H W"] | None = None,
    real: Seen | None = None,
) -> tuple[dict[str, float], ImageSet, Seen]:
    """Score conditional generation.

    Parameters
    ----------
    model
        The model.
    judge
        The independent classifier.
    images
        Test images.
    n
        Number of generated images per law of the labels.
    seed
        Of labels and latents.
    perfect
        Where the images are drawings: perfect ones of the `even_labels`, uint8 (n, C, H, W).
    real
        `images` as the judge sees them, if other measures ask as well.

    Returns
    -------
    metrics : dict
        `generation_accuracy` (Tables 5 and 7), `generation_balanced_accuracy` and their
        `.../<label>`: labels that favour no value. `generation_ceiling_accuracy` and
        `generation_ceiling_balanced_accuracy`: perfect drawings of the same labels, with `perfect`.
        `generation_data_accuracy`, `generation_data_balanced_accuracy`: labels from the data
        (binary labels only). `generation_real_accuracy`, `generation_real_balanced_accuracy`:
        the judge on the real images.
    generated : ImageSet
        The images with even labels, for other measures on the same images.
    seen : Seen
        These images as the judge sees them.
    """
    y = even_labels(images.space, n, seed)
    generated = generate_images(model, y, seed=seed)
    seen = Seen.of_set(judge, generated)
    metrics = {f"generation_{key}": value for key, value in agreement(seen, generated).items()}
    others = {"real": (real or Seen.of_set(judge, images), images)}
    if images.space.kind == "multi_label":
        drawn = generate_images(model, data_labels(images, n, seed), seed=seed)
        others["data"] = (Seen.of_set(judge, drawn), drawn)
    if perfect is not None:
        drawings = ImageSet(perfect, y, images.space)
        others["ceiling"] = (Seen.of_set(judge, drawings), drawings)
    for name, other in others.items():
        scores = agreement(*other)
        for key in ("accuracy", "balanced_accuracy"):
            metrics[f"generation_{name}_{key}"] = scores[key]
    return metrics, generated, seen
