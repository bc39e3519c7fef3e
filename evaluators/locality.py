r"""Where the picture varies when the characteristics of one label are drawn anew: section 6.2.

"It can be seen that generally there is only variance in the spatial locations expected" (Figure 5).
Where images are drawn, the expected location is known: the pixels that truly change when the label
does. The paper has no such figure (deviation: truth-measures).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from ccvae.characteristic import CharacteristicVAE
from ccvae.feeding import as_floats
from ccvae.shapes import Images
from evaluators.images import ImageSet
from evaluators.measuring import measurement, ratios, seeded
from evaluators.regions import changed

MOST_IMAGES, DRAWS = 24, 12
"""Images that are looked at, and draws of one label's characteristics for each."""


@measurement
def label_variance(
    model: CharacteristicVAE, images: Images, labels: Sequence[int], *, draws: int, seed: int
) -> Float[Tensor, "B n H W"]:
    """Variance of each pixel when one label is switched on and its z_c drawn again and again.

    The rest of z stays at the posterior mean.

    Parameters
    ----------
    model
        A model of binary labels with characteristic latents.
    images
        (B, C, H, W) in [0, 1].
    labels
        Which labels, by position; n of them.
    draws
        Draws per image and label.
    seed
        Of the draws.

    Returns
    -------
    Tensor
        (B, n, H, W), the mean over the colours; squared pixel values.
    """
    z = model.posterior(images).loc
    style = model.style(z).repeat_interleave(draws, 0)
    maps = []
    with seeded(seed, model.device):
        for label in labels:
            z_c = model.characteristics(z).repeat_interleave(draws, 0).clone()
            on = torch.ones(len(z_c), model.labels.n_factors, dtype=torch.long, device=z.device)
            z_c[:, label] = model.sample_characteristics(on)[:, label]
            drawn = model.decode(torch.cat([z_c.flatten(1), style], dim=1))
            maps.append(drawn.unflatten(0, (len(images), draws)).var(dim=1).mean(dim=1))
    return torch.stack(maps, dim=1)


def variance_locality(
    model: CharacteristicVAE, images: ImageSet, redrawn: UInt8[Tensor, "L n C H W"], *, seed: int
) -> dict[str, float]:
    """Share of the variance of pixels that lies where the label truly shows.

    Parameters
    ----------
    model
        A model of binary labels with characteristic latents.
    images
        Drawings.
    redrawn
        The first n of them with one label changed and nothing else, uint8 (L, n, C, H, W); the
        first `MOST_IMAGES` are used.
    seed
        Of the draws.

    Returns
    -------
    dict
        As from `localities`.
    """
    n = min(redrawn.shape[1], MOST_IMAGES)
    x = as_floats(images.images[:n], model.device)
    labels = range(len(redrawn))
    inside = torch.stack(
        [changed(as_floats(redrawn[label, :n], model.device), x) for label in labels], dim=1
    )
    variance = label_variance(model, x, labels, draws=DRAWS, seed=seed)
    return localities(variance.cpu(), inside.cpu(), images.space.names)


def localities(
    variance: Float[Tensor, "n L H W"], inside: Bool[Tensor, "n L H W"], names: Sequence[str]
) -> dict[str, float]:
    """Compare where pixels vary with where labels show.

    Parameters
    ----------
    variance
        Of each pixel while one label's characteristics vary, (n, L, H, W).
    inside
        Whether the pixel shows that label, (n, L, H, W).
    names
        Of the L labels.

    Returns
    -------
    dict
        Means over labels:

        `variance_locality`
            Share of the variance inside the label's own region; also per label.
        `variance_locality_chance`
            The same of a variance that is even over the picture: the share of pixels; also per
            label.
        `variance_locality_other`
            Share of the variance inside another label's region, mean over them: what a variance
            scores that does not know its label.

        Labels whose pixels never vary, or that show nowhere, are left out.
    """
    amounts, shown = variance.double(), inside.double()
    # Variance of label i inside the region of label j, over all images.
    table = torch.einsum("nihw,njhw->ij", amounts, shown)
    total, area = amounts.sum((0, 2, 3)), shown.sum((0, 2, 3))
    pixels = inside[:, 0].numel()
    own, chance, other = {}, {}, []
    for i, name in enumerate(names):
        share = ratios(share=(table[i, i].item(), total[i].item())).get("share")
        if share is None or not area[i]:
            continue
        own[name], chance[name] = share, area[i].item() / pixels
        others = [j for j in range(len(names)) if j != i and area[j]]
        if others:
            other.append((table[i, others] / total[i]).mean().item())
    metrics = {}
    for key, values in (("", own), ("_chance", chance)):
        if values:
            metrics[f"variance_locality{key}"] = sum(values.values()) / len(values)
            metrics |= {f"variance_locality{key}/{name}": v for name, v in values.items()}
    if other:
        metrics["variance_locality_other"] = sum(other) / len(other)
    return metrics
