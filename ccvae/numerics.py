"""How a training computes: the precision of the networks, and whether they are compiled.

Only trunks and decoders are concerned, where nearly all the work is, and only while they train.
Their outputs are float32 again, and so is all that a bound does with them: the heads, the draws
and the log-densities, which add up thousands of nats and would lose their differences in 8 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ccvae.errors import InputError
from ccvae.networks import Architecture

PRECISIONS = ("fp32", "tf32", "bf16")
COMPILERS = ("none", "eager", "default", "reduce-overhead")


@dataclass(frozen=True)
class Numerics:
    """How trunks and decoders are computed.

    Attributes
    ----------
    precision
        `fp32`; `tf32`, in which a GPU's tensor cores round the factors of products to 10 bits; or
        `bf16`, autocast to bfloat16.
    compile
        `none`, in which nothing is compiled, and a GPU gets every whole step as one CUDA graph (see
        `ccvae.capture`); `eager`, which is `none` without graphs; or a mode of `torch.compile`:
        `default`, or `reduce-overhead`, which replays CUDA graphs of its own on a GPU.

    Raises
    ------
    InputError
        If either is unknown.
    """

    precision: str = "fp32"
    compile: str = "none"

    def __post_init__(self) -> None:
        for option, value, known in (
            ("precision", self.precision, PRECISIONS),
            ("compile", self.compile, COMPILERS),
        ):
            if value not in known:
                raise InputError(
                    f"training.{option} is '{value}', which is not known; use one of {list(known)}"
                )

    @property
    def captures(self) -> bool:
        """Whether a GPU is to capture whole steps."""
        return self.compile == "none"

    @property
    def _compiles(self) -> bool:
        return self.compile not in ("none", "eager")

    def allow_tf32(self) -> None:
        """Let this process round to TF32 if, and only if, the precision says so."""
        allowed = self.precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = allowed
        # On by default in torch, even where everything is asked for in float32.
        torch.backends.cudnn.allow_tf32 = allowed

    def apply(self, architecture: Architecture) -> Architecture:
        """Make an architecture whose networks are computed this way."""
        if self.precision != "bf16" and not self._compiles:
            return architecture
        return _Accelerated(architecture, self)


class _Accelerated(Architecture):
    """Another architecture's networks, with the same parameters under the same names."""

    def __init__(self, architecture: Architecture, numerics: Numerics) -> None:
        super().__init__(architecture.posterior_scale)
        self._architecture, self._numerics = architecture, numerics
        self.features, self.image_shape = architecture.features, architecture.image_shape

    def trunk(self) -> nn.Module:
        """See `Architecture.trunk`."""
        return self._accelerate(self._architecture.trunk())

    def decoder(self, latents: int) -> nn.Module:
        """See `Architecture.decoder`."""
        return self._accelerate(self._architecture.decoder(latents))

    def _accelerate(self, network: nn.Module) -> nn.Module:
        numerics, plain = self._numerics, network.forward
        compute: Callable[[Tensor], Tensor] = plain
        if numerics._compiles:
            # A training has a handful of batch sizes; each gets kernels of its own.
            compute = torch.compile(compute, mode=numerics.compile, dynamic=False)

        def forward(x: Tensor) -> Tensor:
            if not network.training:
                return plain(x)
            in_bf16 = numerics.precision == "bf16"
            with torch.autocast(x.device.type, torch.bfloat16, enabled=in_bf16):
                y = compute(x)
            if numerics.compile == "reduce-overhead":
                # The next replay of the graph overwrites its output.
                y = y.clone()
            return y.float()

        # Replaced on the instance rather than wrapped: a wrapper would rename the parameters.
        network.forward = forward
        return network
