"""Every model by name. A new one is a file in `baselines/` and a line here."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ccvae.errors import InputError
from ccvae.tasks import TASKS

if TYPE_CHECKING:
    from ccvae.interface import LabelledVAE
    from ccvae.labels import LabelSpace
    from ccvae.numerics import Numerics

SYSTEMS = {
    "ccvae": "ccvae.model:CCVAE",
    "m2": "baselines.m2:M2",
    "mvae": "baselines.mvae:MVAE",
    "diva": "baselines.diva:DIVA",
    "vae_classifier": "baselines.vae_classifier:VAEClassifier",
}
"""Where each system's class is; imported when it is built, so that planning needs no torch."""

LACKING: dict[str, frozenset[str]] = {
    "m2": frozenset({"diversify", "traverse"}),
    "mvae": frozenset({"diversify", "traverse"}),
}
"""Tasks that a system cannot do, as its class says in `supports`; importing that needs torch."""


def supported_tasks(system: str) -> frozenset[str]:
    """Tasks of `ccvae.tasks.TASKS` that a system can do."""
    return frozenset(TASKS) - LACKING.get(system, frozenset())


def system_class(system: str) -> type[LabelledVAE]:
    """Import a system's class by its name in `SYSTEMS`."""
    module, name = SYSTEMS[system].split(":")
    return getattr(import_module(module), name)


def build_model(
    settings: dict[str, Any],
    labels: LabelSpace,
    image_shape: tuple[int, int, int],
    numerics: Numerics | None = None,
) -> LabelledVAE:
    """Make an untrained model from the resolved settings of a run.

    Parameters
    ----------
    settings
        From `workflow.config.Config.run_settings`.
    labels
        The label space of the data.
    image_shape
        (C, H, W) of the data.
    numerics
        How its networks compute, for a training; plain float32 when None.

    Raises
    ------
    InputError
        If an option is unknown or missing, or the architecture is for another image shape.
    """
    from ccvae.networks import ARCHITECTURES

    system = system_class(settings["system"])
    options = dict(settings["architecture"])
    architecture = _call(ARCHITECTURES[options.pop("name")], "the architecture", options)
    if architecture.image_shape != tuple(image_shape):
        raise InputError(
            f"the architecture '{settings['architecture']['name']}' is for images "
            f"{architecture.image_shape}, but {settings['dataset']} has {tuple(image_shape)}; "
            "choose another architecture in the configuration"
        )
    if numerics is not None:
        architecture = numerics.apply(architecture)
    return _call(
        system, f"model_settings.{settings['model']}", settings["options"], labels, architecture
    )


def _call(function: Any, where: str, options: dict[str, Any], *arguments: Any) -> Any:
    """Call with keyword options, naming those it does not know or misses."""
    parameters = list(inspect.signature(function).parameters.values())[len(arguments) :]
    known = {parameter.name for parameter in parameters}
    if unknown := sorted(set(options) - known):
        raise InputError(
            f"{where} has no option '{unknown[0]}'; its options are {', '.join(sorted(known))}"
        )
    required = {p.name for p in parameters if p.default is inspect.Parameter.empty}
    if missing := sorted(required - set(options)):
        raise InputError(f"{where} needs the option '{missing[0]}'; set it in the configuration")
    return function(*arguments, **options)
