"""Every model by name: where its class is, what it cannot do, and why not; cheap to import.

A new model is a file beside this one and an entry here. Planning reads the entries without torch,
a class takes what it lacks from its own, tables and captions print the sentences, and
tests/baselines/test_every_model.py holds each model to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ccvae.tasks import TASKS, lacking_without_style

if TYPE_CHECKING:
    from ccvae.interface import LabelledVAE


@dataclass(frozen=True)
class System:
    """One kind of model.

    Attributes
    ----------
    place
        `module:class`; imported when a model is built.
    lacks
        Tasks of `ccvae.tasks.TASKS` that it cannot do whatever its options are; for each a
        sentence that says why not.
    """

    place: str
    lacks: Mapping[str, str] = field(default_factory=dict)

    def load(self) -> type[LabelledVAE]:
        """Import the class."""
        module, name = self.place.split(":")
        return getattr(import_module(module), name)

    def lacking(self, options: Mapping[str, Any], n_factors: int | None) -> dict[str, str]:
        """What a model of this kind cannot do, and why not; equals its `lacks` once it is built.

        Parameters
        ----------
        options
            Of its constructor.
        n_factors
            Label factors of the data, F; None where that is not known yet.
        """
        lacks = dict(self.lacks)
        if "latents_per_label" in options and n_factors is not None:
            characteristic = n_factors * int(options["latents_per_label"])
            lacks |= lacking_without_style(int(options["latents"]), characteristic)
        return lacks


DECODES_LABELS = {
    "diversify": "The label itself enters the decoder; no latent holds its characteristics "
    "(section 6.2).",
    "traverse": "The label itself enters the decoder, which has seen no values in between "
    "(section 6.1).",
}
SHARES_LATENTS = {
    "diversify": "All latents belong to all labels; those of one cannot be drawn anew "
    "(section 6.2).",
    "traverse": "All latents belong to all labels; nothing says along which one to go "
    "(section 6.1).",
}

SYSTEMS = {
    "ccvae": System("ccvae.model:CCVAE"),
    "m2": System("baselines.m2:M2", DECODES_LABELS),
    "mvae": System("baselines.mvae:MVAE", SHARES_LATENTS),
    "diva": System("baselines.diva:DIVA"),
    "vae_classifier": System("baselines.vae_classifier:VAEClassifier"),
    "supervised": System(
        "baselines.supervised:SupervisedClassifier",
        lacks={
            task: "It is a classifier and has no decoder." for task in TASKS if task != "classify"
        },
    ),
    "csvae": System("baselines.csvae:CSVAE"),
    "meme": System("baselines.meme:MEME"),
    "mopoe": System("baselines.mopoe:MoPoE", SHARES_LATENTS),
    "adgm": System("baselines.adgm:ADGM", DECODES_LABELS),
}
