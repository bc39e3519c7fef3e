"""The same noise on every device, and torch's switches for rounding as a test found them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor


@contextmanager
def same_noise(seed: int) -> Iterator[None]:
    """Draw what models draw in host memory, from one seed, and move it to where it is wanted."""
    generator = torch.Generator().manual_seed(seed)
    originals = {
        name: getattr(torch, name) for name in ("randn", "rand", "randn_like", "rand_like")
    }
    multinomial, exponential = torch.multinomial, torch.Tensor.exponential_

    def shaped(name: str) -> Callable[..., Tensor]:
        def draw(*size: Any, device: Any = None, **options: Any) -> Tensor:
            return originals[name](*size, generator=generator, **options).to(device or "cpu")

        return draw

    def like(name: str) -> Callable[..., Tensor]:
        def draw(tensor: Tensor) -> Tensor:
            drawn = originals[name](tensor.shape, generator=generator, dtype=tensor.dtype)
            return drawn.to(tensor.device)

        return draw

    def draw_categories(probabilities: Tensor, n: int, replacement: bool = False) -> Tensor:
        drawn = multinomial(probabilities.cpu(), n, replacement, generator=generator)
        return drawn.to(probabilities.device)

    def draw_exponential(tensor: Tensor, **options: Any) -> Tensor:
        if options:
            # The call below, as a mode for functions passes it on.
            return exponential(tensor, **options)
        drawn = exponential(torch.empty(tensor.shape, dtype=tensor.dtype), generator=generator)
        return tensor.copy_(drawn.to(tensor.device))

    replaced = {
        "randn": shaped("randn"),
        "rand": shaped("rand"),
        "randn_like": like("randn"),
        "rand_like": like("rand"),
        "multinomial": draw_categories,
    }
    with ExitStack() as stack:
        for name, function in replaced.items():
            stack.enter_context(mock.patch.object(torch, name, function))
        stack.enter_context(mock.patch.object(Tensor, "exponential_", draw_exponential))
        yield


@contextmanager
def switches_kept() -> Iterator[None]:
    """Undo afterwards what a test does to torch's global switches."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic, matmul.allow_tf32
    fill = torch.utils.deterministic.fill_uninitialized_memory
    try:
        yield
    finally:
        cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic, matmul.allow_tf32 = before
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = fill
