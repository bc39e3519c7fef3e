"""What happens on the card of `tests.card`: where it would be waited for, and recorded steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map

from tests.card import LISTENERS, Listener, OnCard, WrongDeviceError


@contextmanager
def listening(listener: Listener) -> Iterator[Any]:
    LISTENERS.append(listener)
    try:
        yield listener
    finally:
        LISTENERS.remove(listener)


class Waits(Listener):
    """Names of the operations at which the host and the card would wait for each other."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def waits(self, operation: str) -> None:
        self.seen.append(operation)


class Tape(Listener):
    """Every operation on the card, to be undone, and to be done again on the same memory."""

    def __init__(self) -> None:
        self._operations: list[Callable[[], None]] = []
        self._before: list[tuple[Tensor, Tensor]] = []
        self._known: set[int] = set()
        self._alive: list[OnCard] = []
        self._noise = torch.get_rng_state()

    def waits(self, operation: str) -> None:
        raise WrongDeviceError(f"{operation} waits for the card while a step is recorded")

    def begins(self, tensors: list[OnCard]) -> None:
        for tensor in tensors:
            if id(tensor) not in self._known:
                self._known.add(id(tensor))
                self._before.append((tensor.held, tensor.held.clone()))

    def ends(self, function: Any, args: Any, kwargs: dict[str, Any], result: Any) -> None:
        inputs = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, OnCard)]
        made = [t for t in tree_flatten(result)[0] if isinstance(t, OnCard)]
        self._known.update(map(id, made))
        # Kept alive, or others would get their ids.
        self._alive += [*inputs, *made]
        memory = {tensor.held.untyped_storage().data_ptr() for tensor in inputs}
        views = all(tensor.held.untyped_storage().data_ptr() in memory for tensor in made)
        in_place = any(tensor is result for tensor in inputs)
        if views and not in_place:
            return
        options = {key: value for key, value in kwargs.items() if key != "device"}
        held = tree_map(lambda t: t.held if isinstance(t, OnCard) else t, (args, options))
        places = [tensor.held for tensor in made]

        def again() -> None:
            found = tree_flatten(function(*held[0], **held[1]))[0]
            if not in_place:
                values = [value for value in found if isinstance(value, Tensor)]
                for place, value in zip(places, values, strict=True):
                    place.copy_(value)

        self._operations.append(again)

    def undo(self) -> None:
        for place, value in reversed(self._before):
            place.copy_(value)
        torch.set_rng_state(self._noise)

    def play(self) -> None:
        for again in self._operations:
            again()


class CardGraphs:
    """What `ccvae.capture.CudaGraphs` is to CUDA: what the host does is in no recording."""

    replays = 0

    def aside(self, compute: Callable[[], Tensor]) -> Tensor:
        return compute()

    def record(self, compute: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        with listening(Tape()) as tape:
            result = compute()
        tape.undo()

        def replay() -> None:
            type(self).replays += 1
            tape.play()

        return result, replay
