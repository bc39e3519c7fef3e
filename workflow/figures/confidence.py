r"""The interventions of Appendix A for equation (2), at several confidences of the classifier."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from baselines.vae_classifier import VAEClassifier
from ccvae.errors import InputError
from evaluators.confident_region import CONFIDENCES
from evaluators.intervention import changed_labels
from evaluators.measuring import measurement, seeded
from workflow.figures.characteristics import label_index
from workflow.figures.grids import Block
from workflow.figures.scene import Scene
from workflow.reporting.names import readable

DRAWS = 2
COLUMNS = ("reconstruction", *["drawn anew"] * DRAWS, "closest", *["within class"] * DRAWS)


@measurement
def confident_interventions(
    model: VAEClassifier, x: Tensor, labels: list[int], confidence: float, *, seed: int
) -> Tensor:
    """Reconstruct each image and intervene on it in the three ways of Appendix A.

    Parameters
    ----------
    model
        The model.
    x
        One image per row, (R, C, H, W).
    labels
        Which label of each image is flipped; R of them.
    confidence
        lambda.
    seed
        Of what is drawn; the same noise for every confidence.

    Returns
    -------
    Tensor
        (R, len(COLUMNS), C, H, W).
    """
    before = model.predict(x)
    flips = zip(before.split(1), labels, strict=True)
    wanted = torch.cat([changed_labels(y, label, model.labels) for y, label in flips])
    with seeded(seed, model.device), model.confident(confidence):
        redrawn = [model.intervene(x, wanted) for _ in range(DRAWS)]
        varied = [model.within_class(x) for _ in range(DRAWS)]
        pairs = zip(x.split(1), labels, strict=True)
        closest = torch.cat([model.closest_flip(image, label) for image, label in pairs])
    return torch.stack([model.reconstruct(x), *redrawn, closest, *varied], dim=1)


def draw_confident_region(scene: Scene) -> Figure:
    """One block per confidence, one image and one flipped label per row."""
    model, space = scene.model, scene.images.space
    if not isinstance(model, VAEClassifier):
        raise InputError(
            f"{type(model).__name__} has no classifier to be confident; only the VAE + classifier "
            "of equation (2) has this figure"
        )
    names = scene.options["variance_labels"] or space.names
    labels = [label_index(space, name, "figures.variance_labels") for name in names]
    x = scene.test_images(len(labels))
    labels = labels[: len(x)]
    blocks = []
    for confidence in CONFIDENCES:
        accepted = model.region.at(confidence).acceptance()[labels].mean().item()
        blocks.append(
            Block(
                confident_interventions(model, x, labels, confidence, seed=scene.seed),
                title=f"λ = {confidence}: {accepted:.2g} of the prior's draws are accepted",
                rows=[readable(space.names[label]) for label in labels],
                columns=COLUMNS,
            )
        )
    return scene.draw(blocks, per_line=2)
