"""Every measure of one trained model, in an order that shares work between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from baselines.vae_classifier import VAEClassifier
from ccvae.characteristic import CharacteristicVAE
from ccvae.interface import LabelledVAE
from ccvae.shapes import Images
from datasets.stand_ins.truth import Truth
from evaluators.accuracy import accuracy
from evaluators.answers import Answers
from evaluators.classifier import Judge
from evaluators.confident_region import confident_region
from evaluators.counterfactual import counterfactual
from evaluators.fid import inception_fid, judge_frechet_distance
from evaluators.generation import generation
from evaluators.images import BATCH, ImageSet
from evaluators.inferring import infer_all, part_of
from evaluators.intervention import Matrix, intervention
from evaluators.locality import variance_locality
from evaluators.measuring import measurement, seeded
from evaluators.reconstruction import reconstruction
from evaluators.seen import Seen
from evaluators.style import style
from evaluators.swap import swap
from evaluators.uncertainty import mutual_information
from workflow.config import JUDGED

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
    answers: Answers | None = None,
    styles: Sequence[str] = (),
    inception_weights: Path | None = None,
    judged_only: bool = False,
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
    truth, answers
        Of a stand-in; the answers to the questions of `amounts` and `seed`.
    styles
        Properties of a shape that are style on these images; without any, style is not measured.
    inception_weights
        Checksummed weights of InceptionV3; without them there is no FID.
    judged_only
        Leave out what no other judge would change, and Fréchet distances, which are in units of a
        judge's features.
    progress
        Hears the name of each measure before it starts.
    """
    can = model.supports & JUDGED if judged_only else model.supports
    metrics: dict[str, float] = {}
    matrices: dict[str, Matrix] = {}
    progress("inference")
    inferred = infer_all(model, images)
    real = Seen.of_set(judge, images)
    reconstructed = Seen.of_floats(judge, inferred.reconstruction)
    if "classify" in can:
        progress("accuracy")
        metrics |= accuracy(inferred, images)
    if "reconstruct" in can:
        progress("reconstruction")
        metrics |= reconstruction(inferred, images)
    if "swap" in can:
        progress("swap")
        metrics |= swap(
            model,
            judge,
            images,
            inferred,
            n_pairs=amounts.swap_pairs,
            seed=seed,
            truth=None if answers is None else answers.true_swaps,
            real=real,
            reconstructed=reconstructed,
        )
    if "generate" in can:
        progress("generation")
        found, _, generated = generation(
            model,
            judge,
            images,
            n=amounts.generated_images,
            seed=seed,
            perfect=None if answers is None else answers.generated,
            real=real,
        )
        metrics |= found
        if head is not None:
            draws = amounts.information_draws
            metrics |= mutual_information(head, generated.features(), draws, seed)
    if "sample" in can:
        progress("Fréchet distances")
        samples = _samples(model, amounts.sampled_images, seed)
        sampled = Seen.of_floats(judge, samples)
        metrics |= judge_frechet_distance(
            {"": sampled.features(), "_reconstruction": reconstructed.features()}, real.features()
        )
        if inception_weights is not None:
            sets = {"": samples, "_reconstruction": inferred.reconstruction}
            metrics |= inception_fid(
                {name: drawn.split(BATCH) for name, drawn in sets.items()},
                (x for x, _ in images.batches(model.device)),
                inception_weights,
                model.device,
            )
    if "intervene" in can:
        progress("interventions")
        n = amounts.intervention_images
        done = intervention(model, judge, images, inferred, n_images=n, seed=seed)
        metrics |= done.metrics
        matrices = done.matrices
        if isinstance(model, VAEClassifier):
            metrics |= confident_region(model, judge, images, inferred, n_images=n, seed=seed)
    if styles and "reconstruct" in model.supports:
        progress("style")
        metrics |= style(
            model,
            judge,
            images,
            inferred,
            counted=styles,
            n_images=amounts.intervention_images,
            n_pairs=amounts.swap_pairs,
            seed=seed,
        )
    has_latents = inferred.rest is not None and not judged_only
    if has_latents:
        progress("leakage")
        # sklearn takes a second to import, and what another judge says again needs none of it.
        from evaluators.leakage import leakage

        half = min(amounts.probe_images, len(images) // 2) // 8 * 8
        rows = torch.arange(2 * half)
        sides = part_of(inferred, 0, half), part_of(inferred, half, 2 * half)
        metrics |= leakage(images.take(rows[:half]), images.take(rows[half:]), sides)
        if truth is not None:
            progress("truth")
            from evaluators.truth import Drawings, characteristics_r2

            fit, test = (
                Drawings(
                    images.take(rows[start : start + half]), truth.factors(start, start + half)
                )
                for start in (0, half)
            )
            metrics |= characteristics_r2(fit, test, sides, truth.characteristics)
    if answers is not None and has_latents and "intervene" in can and amounts.counterfactual_images:
        metrics |= counterfactual(model, images, inferred, answers.counterfactuals, seed=seed)
        if "diversify" in can and isinstance(model, CharacteristicVAE):
            metrics |= variance_locality(model, images, answers.counterfactuals, seed=seed)
    return Measured(metrics, matrices)


@measurement
def _samples(model: LabelledVAE, n: int, seed: int) -> Images:
    """Samples of the prior on the CPU, (n, C, H, W)."""
    with seeded(seed, model.device):
        return torch.cat([model.sample(min(BATCH, n - k)).cpu() for k in range(0, n, BATCH)])


def matrix_to_json(matrix: Matrix) -> dict[str, Any]:
    """Names and values of a matrix; undefined entries become None."""
    values = [[None if value != value else float(value) for value in row] for row in matrix.values]
    return {"rows": list(matrix.rows), "columns": list(matrix.columns), "values": values}
