"""What a labelled model can be asked for; cheap to import."""

from __future__ import annotations

TASKS = (
    "classify",
    "reconstruct",
    "sample",
    "generate",
    "intervene",
    "swap",
    "diversify",
    "traverse",
)
"""Everything a `LabelledVAE` may support.

All but the last are methods of the interface. `diversify` is varying labels' characteristics while
the labels and everything else stay; `traverse` is moving them continuously (section 6.1).
"""


def lacking_without_style(latents: int, characteristic_latents: int) -> dict[str, str]:
    r"""Task -> why not, of a model whose z = {z_c, z_\c} has an empty z_\c; nothing if it has one.

    Parameters
    ----------
    latents, characteristic_latents
        Sizes of z and of z_c.
    """
    if latents > characteristic_latents:
        return {}
    return {
        "swap": "All of z is z_c and nothing is left of the background; a swap would be the "
        "donor's reconstruction."
    }
