"""What checks annotations under pytest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from beartype import BeartypeConf, beartype

F = TypeVar("F", bound=Callable[..., Any])
# A whole number will do where a float is asked for.
CONF = BeartypeConf(is_pep484_tower=True)


def checker(function: F) -> F:
    """Let beartype check a function's annotations.

    jaxtyping makes two functions of each: one for the arguments, which it calls before, and one for
    the arguments and the result, which it calls after. By then the arguments have been looked at.
    """
    hints = function.__annotations__
    if hints.get("return", Any) is not Any:
        hints.update({name: Any for name in hints if name != "return"})
    return beartype(conf=CONF)(function)
