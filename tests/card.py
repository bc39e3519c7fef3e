"""A GPU that every machine has: tensors that lie on a card of their own, computed by the CPU.

Inside `card()`, a tensor on `CARD` holds real numbers, and an operation that mixes it with a tensor
in host memory raises, as CUDA would: code that forgets `device=` fails here, on a machine without a
GPU. torch must take the device's name for one that it can differentiate on, and "meta" is the
only such name that needs no driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

CARD = torch.device("meta")

# Operations that CUDA too lets read host memory: copies, and indices of what lies on the card.
MAY_MIX = ("_to_copy", "copy_", "index", "index_put", "index_put_", "_index_put_impl_")


# What hands numbers to the host, beside copies.
READ_BY_HOST = ("_local_scalar_dense", "nonzero", "equal", "is_nonzero")


class WrongDeviceError(AssertionError):
    """A tensor is where it should not be."""


class OnCard(Tensor):
    """A tensor on the card; `held` has its numbers."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> OnCard:
        tensor = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=CARD,
        )
        tensor.held = held
        return tensor

    def __repr__(self) -> str:
        return f"OnCard({self.held!r})"

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _compute(function, args, kwargs or {})


class Listener:
    """Hears of what is done on the card, while it is in `LISTENERS`."""

    def waits(self, operation: str) -> None:
        """The host and the card would wait for each other."""

    def begins(self, tensors: list[OnCard]) -> None:
        """An operation on these begins."""

    def ends(self, function: Any, args: Any, kwargs: dict[str, Any], result: Any) -> None:
        """An operation has this result."""


LISTENERS: list[Listener] = []


def _waits(operation: str) -> None:
    for listener in LISTENERS:
        listener.waits(operation)


def _compute(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run one operation on the held numbers, and put its results where they belong."""
    tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)]
    on_card = [t for t in tensors if isinstance(t, OnCard)]
    name = function._schema.name.split("::")[1]
    host = [t for t in tensors if not isinstance(t, OnCard) and t.ndim > 0]
    if on_card and host and name not in MAY_MIX:
        raise WrongDeviceError(
            f"{name} mixes a tensor on the card with one in host memory, {tuple(host[0].shape)}"
        )
    if name in ("index", "index_put", "index_put_") and not isinstance(args[0], OnCard) and on_card:
        raise WrongDeviceError(f"{name} of a tensor in host memory by one on the card")
    target = kwargs.get("device")
    stays = bool(on_card) if target is None else torch.device(target).type == CARD.type
    across = name in MAY_MIX and bool(host or (target is not None and stays != bool(on_card)))
    if (on_card or stays) and (name in READ_BY_HOST or across):
        _waits(name)
    for listener in LISTENERS:
        listener.begins(on_card)
    inner = {k: v for k, v in kwargs.items() if k != "device"}
    if target is not None:
        inner["device"] = torch.device("cpu")
    result = function(
        *tree_map(lambda t: t.held if isinstance(t, OnCard) else t, args),
        **tree_map(lambda t: t.held if isinstance(t, OnCard) else t, inner),
    )
    if name.endswith("_") and not name.endswith("__") and isinstance(args[0], Tensor):
        result = args[0]
    else:
        result = tree_map(lambda t: OnCard(t) if stays and isinstance(t, Tensor) else t, result)
    if stays:
        for listener in LISTENERS:
            listener.ends(function, args, kwargs, result)
    return result


class _Placing(TorchDispatchMode):
    """Puts new tensors on the card when they name it; hears of every tensor made on the host."""

    def __init__(self, made_on_host: Callable[[str], None]) -> None:
        super().__init__()
        self._made_on_host = made_on_host

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Spare every operation a detour through the compiler, which is not in use."""
        return False

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        leaves = tree_flatten((args, kwargs))[0]
        result = _compute(function, args, kwargs)
        if not any(isinstance(leaf, Tensor) for leaf in leaves):
            made = [t for t in tree_flatten(result)[0] if isinstance(t, Tensor)]
            if any(not isinstance(t, OnCard) for t in made):
                self._made_on_host(function._schema.name)
        return result


class _FromNumbers(TorchFunctionMode):
    """`torch.tensor` fills tensors on its own, out of the dispatcher's sight."""

    def __init__(self, made_on_host: Callable[[str], None]) -> None:
        super().__init__()
        self._made_on_host = made_on_host

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if function not in (torch.tensor, torch.as_tensor) or isinstance(args[0], Tensor):
            return function(*args, **kwargs)
        device = torch.device(kwargs.pop("device", None) or "cpu")
        if device.type == CARD.type:
            _waits(function.__name__)
        else:
            self._made_on_host(function.__name__)
            return function(*args, **kwargs)
        return OnCard(function(*args, **kwargs))


@contextmanager
def card(only: bool = False) -> Iterator[None]:
    """Make `CARD` a device.

    With `only`, a tensor that is newly made in host memory raises as well, whether or not it ever
    meets one on the card.
    """

    def made_on_host(name: str) -> None:
        if only:
            raise WrongDeviceError(f"{name} makes a tensor in host memory")

    with _FromNumbers(made_on_host), _Placing(made_on_host):
        yield


def to_card(value: Any) -> Any:
    """Move a tensor, or a module with its parameters and buffers, to the card."""
    if not isinstance(value, nn.Module):
        return OnCard(value.detach().clone())
    for module in value.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None and not isinstance(parameter, OnCard):
                held = OnCard(parameter.detach().clone())
                module._parameters[name] = nn.Parameter(held, parameter.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None and not isinstance(buffer, OnCard):
                module._buffers[name] = OnCard(buffer.clone())
    return value


def from_card(tensor: Tensor) -> Tensor:
    """Return the numbers of a tensor that must lie on the card."""
    assert isinstance(tensor, OnCard), f"a result lies on {tensor.device}"
    return tensor.held
