r"""The characteristic latents of a model, as the figures move them."""

from __future__ import annotations

import torch
from torch import Tensor

from ccvae.characteristic import CharacteristicVAE, ConditionalPriorVAE
from ccvae.errors import InputError
from ccvae.interface import LabelledVAE
from ccvae.labels import LabelSpace
from evaluators.measuring import seeded

DRAWS = 2000
"""Draws that stand in for the mean and spread of z_c where a model has no formula for them."""


def with_characteristics(model: LabelledVAE) -> CharacteristicVAE:
    """Return the model as one whose z_c can be moved.

    Raises
    ------
    InputError
        If it has no characteristic latents.
    """
    if not isinstance(model, CharacteristicVAE):
        raise InputError(
            f"{type(model).__name__} has no characteristic latents to move; "
            "name 'diversify' and 'traverse' among what it `lacks`"
        )
    return model


def prior_moments(model: CharacteristicVAE, seed: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of p(z_c | y): (F, V, d) each.

    From the conditional prior, or from draws where the model has another way to z_c.
    """
    if isinstance(model, ConditionalPriorVAE):
        return model.conditional_prior.loc.detach(), model.conditional_prior.scale.detach()
    space = model.labels
    with seeded(seed, model.device):
        moments = [
            torch.std_mean(
                model.sample_characteristics(
                    torch.full((DRAWS, space.n_factors), value, device=model.device)
                ),
                dim=0,
            )
            for value in range(space.n_values)
        ]
    return (
        torch.stack([mean for _, mean in moments], dim=1),
        torch.stack([deviation for deviation, _ in moments], dim=1),
    )


def decode(model: CharacteristicVAE, z_c: Tensor, style: Tensor) -> Tensor:
    r"""Images of z_c (B, F, d) and z_\c (B, m - m_c)."""
    return model.decode(torch.cat([z_c.flatten(1), style], dim=1))


def label_index(space: LabelSpace, name: str, where: str) -> int:
    """Position of a label or class.

    Parameters
    ----------
    space
        The label space.
    name
        The label's name.
    where
        Key of the configuration that names it, for the message.

    Raises
    ------
    InputError
        If there is no such label.
    """
    if name not in space.names:
        raise InputError(
            f"configuration: {where} names '{name}', which is no label of the data set; "
            f"its labels are {', '.join(space.names)}"
        )
    return space.names.index(name)
