"""From the settings of a run to a model."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from baselines.registry import SYSTEMS
from ccvae.errors import InputError

if TYPE_CHECKING:
    from ccvae.interface import LabelledVAE
    from ccvae.labels import LabelSpace
    from ccvae.numerics import Numerics


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

    system = SYSTEMS[settings["system"]].load()
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


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Make models without numbers: no memory is filled, and nothing is initialised."""
    import torch
    from torch.overrides import TorchFunctionMode

    class Untouched(TorchFunctionMode):
        # On the meta device torch initialises by decompositions, which take longer than all else.
        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if function in (torch.Tensor.normal_, torch.Tensor.uniform_):
                return args[0]
            if getattr(function, "__module__", "") == torch.nn.init.__name__:
                return (kwargs or {}).get("tensor", args[0] if args else None)
            return function(*args, **(kwargs or {}))

    with torch.device("meta"), Untouched():
        yield


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
