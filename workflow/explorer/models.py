"""What the page is told of a model: its decoder, and the codes that it decodes.

A code is what a decoder is given: z, or whatever a model puts beside it. Codes are overheard while
the model does what it is asked for, so that nothing here depends on which model it is. What is
asked for depends on what it can do (`LabelledVAE.supports`), and on the kind of labels:

`reconstruction`
    (n, m), of each test image.
`swaps`
    (n, n, m), the characteristics of one image on the background of another.
`lines`
    Of several binary labels, where characteristics can be moved: means of p(z_c | y), from which
    the page follows a slider, and where the model's own classifier flips.
`switched`
    Of several binary labels, where they cannot: (n, L, m), each label switched.
`classes`
    Of one label with classes: each image as each class, each class without an image, and draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ccvae.characteristic import CharacteristicVAE
from ccvae.errors import InputError
from ccvae.interface import LabelledVAE
from ccvae.labels import MultiLabel
from evaluators.measuring import JudgeLike, measurement, output_log_probs, seeded
from workflow.explorer.arrays import Blob
from workflow.explorer.networks import layers_of, round_weights
from workflow.figures.characteristics import prior_moments, with_characteristics

DRAWS = 12
"""Draws within a class that a reader can step through."""

STYLES = 4
"""Directions of style that have a slider of their own."""

SEEN, STEPS, FAR = 10.0, 801, 1e6
"""How far along a line, and in how many steps, a classifier is asked; and what is beyond it."""

SAME = 1e-5
"""Largest difference of pixels, or of codes, that is rounding alone."""


@measurement
def describe_model(
    model: LabelledVAE,
    x: Tensor,
    others: Tensor,
    blob: Blob,
    *,
    rounding: str,
    seed: int,
    judge: JudgeLike | None = None,
) -> dict[str, Any]:
    """Pack a model; its decoder has rounded weights afterwards.

    Parameters
    ----------
    model
        The model, on the CPU.
    x
        The images that the page shows, (n, C, H, W) in [0, 1].
    others
        Images of which directions of style are made, (B, C, H, W) in [0, 1].
    blob
        Takes the arrays.
    rounding
        Of the decoder's weights, see `Blob.add`.
    seed
        Of what the model draws.
    judge
        To be asked beforehand, where the page cannot compute it.

    Returns
    -------
    dict
        The arrays above where they apply, and `decoder`, `lacks`, `predicted` (the labels that the
        model reads off the images, (n, F)), `asked` (log-probabilities of the judge, of the first
        two arrays: (n, outputs) and (n, n, outputs)), `off_by` (largest and mean difference of the
        page's reconstructions from the model's, in 255ths).

    Raises
    ------
    InputError
        If its picture is not the sigmoid of known layers.
    """
    network = _decoder(model, x)
    described: dict[str, Any] = {
        "decoder": layers_of(network, blob, rounding),
        "lacks": dict(model.lacks),
        "predicted": model.predict(x).tolist(),
    }
    codes = {"reconstruction": _overheard(model, lambda: model.reconstruct(x))}
    if "swap" in model.supports:
        with seeded(seed, model.device):
            pairs = _overheard(
                model,
                lambda: model.swap(x.repeat_interleave(len(x), 0), x.repeat(len(x), 1, 1, 1)),
            )
        codes["swaps"] = pairs.unflatten(0, (len(x), len(x)))
    described |= {name: blob.add(code.numpy()) for name, code in codes.items()}
    if judge is not None:
        described["asked"] = {
            name: blob.add(judged(judge, model, code)) for name, code in codes.items()
        }
    if isinstance(model.labels, MultiLabel):
        described |= _binary(model, x, blob, seed)
    elif "intervene" in model.supports:
        described["classes"] = _classes(model, x, others, blob, seed)
    exact = model.reconstruct(x)
    round_weights(network, rounding)
    off = (network(codes["reconstruction"]).sigmoid() - exact).abs() * 255
    described["off_by"] = [round(off.max().item(), 2), round(off.mean().item(), 3)]
    return described


def judged(judge: JudgeLike, model: LabelledVAE, codes: Tensor) -> np.ndarray:
    """What a judge says of the pictures of codes (..., m): (..., outputs)."""
    pictures = model.get_submodule("decoder")(codes.flatten(0, -2)).sigmoid()
    said = output_log_probs(judge.log_probs(pictures), model.labels)
    return said.unflatten(0, codes.shape[:-1]).numpy()


@contextmanager
def overhearing(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what a network is given inside the block."""
    heard: list[Tensor] = []
    hook = network.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0].detach()))
    try:
        yield heard
    finally:
        hook.remove()


def _overheard(model: LabelledVAE, act: Any) -> Tensor:
    """The codes that a model decodes while it acts, (B, m)."""
    with overhearing(model.get_submodule("decoder")) as heard:
        act()
    return torch.cat(heard)


def _decoder(model: LabelledVAE, x: Tensor) -> nn.Module:
    """Network whose sigmoid is the model's picture.

    Raises
    ------
    InputError
        If the model has no such network under the name `decoder`.
    """
    name = type(model).__name__
    network = dict(model.named_children()).get("decoder")
    if network is None:
        raise InputError(f"{name} has no part called `decoder`")
    with overhearing(network) as heard:
        picture = model.reconstruct(x)
    if len(heard) != 1 or heard[0].shape[:-1] != x.shape[:1]:
        raise InputError(f"{name} does not decode an image from one vector")
    if (network(heard[0]).sigmoid() - picture).abs().max() > SAME:
        raise InputError(f"the picture of {name} is not the sigmoid of what its decoder gives")
    return network


def _binary(model: LabelledVAE, x: Tensor, blob: Blob, seed: int) -> dict[str, Any]:
    """Several binary labels: `lines` of a model whose characteristics move, or `switched`."""
    if "traverse" in model.supports:
        return {"lines": _lines(with_characteristics(model), x, blob, seed)}
    if "intervene" not in model.supports:
        return {}
    predicted, labels = model.predict(x), range(model.labels.n_factors)

    def switch(*chosen: int) -> Tensor:
        asked = predicted.clone()
        asked[:, chosen] = 1 - asked[:, chosen]
        with seeded(seed, model.device):
            return _overheard(model, lambda: model.intervene(x, asked))

    switched = torch.stack([switch(label) for label in labels], dim=1)
    start = switch()
    together = start + (switched - start.unsqueeze(1)).sum(1)
    return {
        "switched": blob.add(switched.numpy()),
        # Whether several switches are the sum of single ones, as far as this model is concerned.
        "adds_up": bool((switch(*labels) - together).abs().max() <= SAME),
    }


def _lines(model: CharacteristicVAE, x: Tensor, blob: Blob, seed: int) -> dict[str, Any]:
    """Means and deviations (F, V, d), flips (n, F), draws (DRAWS, V, F, d)."""
    mean, deviation = prior_moments(model, seed)
    lines = {"mean": mean, "deviation": deviation, "flip": _flips(model, x, mean)}
    if "diversify" in model.supports:
        with seeded(seed, model.device):
            values = [
                model.sample_characteristics(torch.full((DRAWS, model.labels.n_factors), value))
                for value in range(model.labels.n_values)
            ]
        lines["draws"] = torch.stack(values, dim=1)
    return {
        "width": model.width,
        **{name: blob.add(value.detach().numpy(), "float32") for name, value in lines.items()},
    }


def _flips(model: CharacteristicVAE, x: Tensor, mean: Tensor) -> Tensor:
    """Positions beyond which the model's own classifier sees each label, (n, F).

    A position is 0 at the mean of p(z_c | y = 0) and 1 at that of y = 1. Where the label is never
    seen, or always, the flip is far away.
    """
    off, direction = mean[:, 0], mean[:, 1] - mean[:, 0]
    z_c = model.characteristics(model.posterior(x).loc)
    length = (direction**2).sum(-1).clamp_min(1e-12)
    start = ((z_c - off) * direction).sum(-1) / length
    positions = torch.linspace(-SEEN, SEEN, STEPS)
    move = (positions - start.unsqueeze(-1)).movedim(-1, 1).unsqueeze(-1) * direction
    asked = (z_c.unsqueeze(1) + move).flatten(0, 1)
    log_probs = model.label_log_probs(asked).unflatten(0, (len(x), STEPS))
    logits = log_probs[..., 1] - log_probs[..., 0]
    # The first step at which it is seen, and by linear interpolation where on the way there.
    seen = logits > 0
    first = seen.byte().argmax(1, keepdim=True).clamp_min(1)
    above, below = logits.gather(1, first), logits.gather(1, first - 1)
    flips = (positions[first] - above / (above - below) * (positions[1] - positions[0])).squeeze(1)
    flips = torch.where(seen.any(1), flips, FAR)
    return torch.where(seen[:, 0], -FAR, flips)


def _classes(
    model: LabelledVAE, x: Tensor, others: Tensor, blob: Blob, seed: int
) -> dict[str, Any]:
    """One label with K classes: how the page goes from one to another.

    `of_image` (n, K, m) is an image as each class, `middle` (K, m) a class without an image, and
    `draws` (DRAWS, K, m) are conditional generations. `moves` says whether the model may be shown
    between classes. `styles` (STYLES, m) are the directions in which codes of one class differ
    most, a standard deviation long.
    """
    labels, predicted = model.labels, model.predict(x).flatten()
    every = torch.arange(labels.n_values)
    moves = "traverse" in model.supports
    if moves:
        flexible = with_characteristics(model)
        mean, _ = prior_moments(flexible, seed)
        style = torch.zeros(labels.n_values, flexible.style_latents)
        middle = torch.cat([mean[0], style], dim=1)
        # What an image has beside its class goes with it from class to class.
        own = _overheard(model, lambda: model.reconstruct(x))
        of_image = middle + (own - middle[predicted]).unsqueeze(1)
    else:
        asked = every.repeat(len(x)).unsqueeze(1)
        with seeded(seed, model.device):
            changed = _overheard(
                model, lambda: model.intervene(x.repeat_interleave(len(every), 0), asked)
            )
        of_image = changed.unflatten(0, (len(x), len(every)))
        middle = of_image.mean(0)
    codes = _overheard(model, lambda: model.reconstruct(others))
    styles = _styles(codes, model.predict(others).flatten())
    arrays = {"middle": middle, "of_image": of_image, "styles": styles}
    if "generate" in model.supports:
        with seeded(seed, model.device):
            draws = _overheard(model, lambda: model.generate(every.repeat(DRAWS).unsqueeze(1)))
        arrays["draws"] = draws.unflatten(0, (DRAWS, len(every)))
    return {
        "moves": moves,
        **{name: blob.add(value.detach().numpy()) for name, value in arrays.items()},
    }


def _styles(codes: Tensor, predicted: Tensor) -> Tensor:
    """Principal directions of codes (B, m) around the means of their classes (B,): (STYLES, m)."""
    values = codes.double().numpy()
    groups = predicted.numpy()
    residual = np.concatenate(
        [values[groups == k] - values[groups == k].mean(0) for k in np.unique(groups)]
    )
    _, singular, directions = np.linalg.svd(residual, full_matrices=False)
    lengths = singular / np.sqrt(max(len(residual) - len(np.unique(groups)), 1))
    return torch.from_numpy((directions * lengths[:, None])[:STYLES]).float()
