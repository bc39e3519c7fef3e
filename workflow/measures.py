"""Every measure of one trained model, in an order that shares work between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ccvae.interface import LabelledVAE
from evaluators.accuracy import accuracy
from evaluators.classifier import Judge
from evaluators.counterfactual import counterfactual
from evaluators.fid import inception_fid, judge_frechet_distance
from evaluators.generation import generation
from evaluators.images import BATCH, ImageSet
from evaluators.intervention import Matrix, intervention
from evaluators.latents import HasCharacteristics, HasLatentMean, encode
from evaluators.leakage import leakage
from evaluators.measuring import seeded
from evaluators.reconstruction import reconstruct_all, reconstruction
from evaluators.swap import swap
from evaluators.truth import characteristics_r2
from evaluators.uncertainty import mutual_information
from workflow.drawings import Truth

if TYPE_CHECKING:
    from pathlib import Path

    from evaluators.gaussian_process import GPHead


@dataclass(frozen=True)
class Amounts:
    """How much each measure looks at.

    Attributes
    ----------
    swap_pairs, generated_images, sampled_images, intervention_images, counterfactual_images
        Numbers of pairs or images.
    probe_images
        Test images that probes of the latents are fitted on and, as many again, scored on.
    information_draws
        Functions drawn from the Gaussian process per image.
    """

    swap_pairs: int
    generated_images: int
    sampled_images: int
    intervention_images: int
    probe_images: int
    counterfactual_images: int
    information_draws: int


@dataclass(frozen=True)
class Measured:
    """All figures of one model.

    Attributes
    ----------
    metrics
        Flat, by name.
    matrices
        Confusion matrices of single interventions, by name.
    """

    metrics: dict[str, float]
    matrices: dict[str, Matrix]


def measure(
    model: LabelledVAE,
    judge: Judge,
    head: GPHead | None,
    images: ImageSet,
    amounts: Amounts,
    seed: int,
    *,
    truth: Truth | None = None,
    inception_weights: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Measured:
    """Measure one model on test images.

    Parameters
    ----------
    model, judge, head
        On one device. Without `head` there is no mutual information.
    images
        Test images.
    amounts
        How much to look at.
    seed
        Of pairs, labels and draws: the same for every model of a data set, so that models are
        compared on the same questions.
    truth
        Of a stand-in.
    inception_weights
        Checksummed weights of InceptionV3; without them there is no FID.
    progress
        Hears the name of each measure before it starts.
    """
    can = model.supports
    metrics: dict[str, float] = {}
    matrices: dict[str, Matrix] = {}
    if "classify" in can:
        progress("accuracy")
        metrics |= accuracy(model, images)
    reconstructions = None
    if "reconstruct" in can:
        progress("reconstruction")
        reconstructions = reconstruct_all(model, images)
        metrics |= reconstruction(model, images, reconstructions)
    if "swap" in can:
        progress("swap")
        redraw = None if truth is None else truth.redraw_swap
        metrics |= swap(
            model,
            judge,
            images,
            n_pairs=amounts.swap_pairs,
            seed=seed,
            redraw=redraw,
            reconstructions=reconstructions,
        )
    if "generate" in can:
        progress("generation")
        draw = None if truth is None else truth.draw
        found, generated = generation(
            model, judge, images, n=amounts.generated_images, seed=seed, draw=draw
        )
        metrics |= found
        if head is not None:
            metrics |= mutual_information(head, judge, generated, amounts.information_draws, seed)
    if "sample" in can:
        progress("Fréchet distances")
        if reconstructions is None:
            reconstructions = reconstruct_all(model, images)
        metrics |= _frechet(
            model, judge, images, reconstructions, amounts.sampled_images, seed, inception_weights
        )
    if "intervene" in can:
        progress("interventions")
        done = intervention(model, judge, images, n_images=amounts.intervention_images, seed=seed)
        metrics |= done.metrics
        matrices = done.matrices
    half = min(amounts.probe_images, len(images) // 2) // 8 * 8
    rows = torch.arange(2 * half)
    has_latents = isinstance(model, HasCharacteristics | HasLatentMean)
    latents = None
    if has_latents:
        progress("leakage")
        latents = encode(model, images.take(rows)).halves()
        metrics |= leakage(model, images.take(rows[:half]), images.take(rows[half:]), latents)
    if truth is not None and has_latents:
        progress("truth")
        metrics |= characteristics_r2(
            model,
            truth.drawings(0, half),
            truth.drawings(half, 2 * half),
            truth.characteristics,
            latents,
        )
        if "intervene" in can and amounts.counterfactual_images:
            metrics |= counterfactual(
                model,
                images,
                truth.redraw,
                n_images=amounts.counterfactual_images,
                seed=seed,
                reconstructions=reconstructions,
            )
    return Measured(metrics, matrices)


def _frechet(
    model: LabelledVAE,
    judge: Judge,
    images: ImageSet,
    reconstructions: Tensor,
    n: int,
    seed: int,
    inception_weights: Path | None,
) -> dict[str, float]:
    """Distances of prior samples, and of reconstructions, from all test images (Table 4)."""

    def real() -> Iterator[Tensor]:
        return (x for x, _ in images.batches(model.device))

    with torch.no_grad(), seeded(seed, model.device):
        samples = [model.sample(min(BATCH, n - start)).cpu() for start in range(0, n, BATCH)]
    sets = {"": samples, "_reconstruction": reconstructions.split(BATCH)}
    found = judge_frechet_distance(judge, sets, real())
    if inception_weights is not None:
        found |= inception_fid(sets, real(), inception_weights, model.device)
    return found


def matrix_to_json(matrix: Matrix) -> dict[str, Any]:
    """Names and values of a matrix; undefined entries become None."""
    values = [[None if value != value else float(value) for value in row] for row in matrix.values]
    return {"rows": list(matrix.rows), "columns": list(matrix.columns), "values": values}
