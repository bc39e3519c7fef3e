"""Shapes of tensors as signatures name them; pytest checks them at every call, nothing else does.

A letter is one number throughout a signature: B or N images of C x H x W; F label factors of V
values each, which a classifier or a network sees as `outputs` numbers; m latents, of which each
label has d. `*batch` is any number of leading axes.
"""

from __future__ import annotations

from jaxtyping import Float, Integer, UInt8
from torch import Tensor

Images = Float[Tensor, "B C H W"]
"""In [0, 1], or logits of pixels."""

SomeImages = Float[Tensor, "_ _ _ _"]
"""One of several batches, which need not be of one size."""

Bytes = UInt8[Tensor, "N C H W"]
"""Images as they are stored."""

Labels = Integer[Tensor, "B F"]
Probabilities = Float[Tensor, "B outputs"]
"""Of labels, or a classifier's logits of them."""

LabelTable = Float[Tensor, "B F V"]
"""A number for each value of each label factor."""

Latents = Float[Tensor, "B m"]
Characteristics = Float[Tensor, "B F d"]
PerImage = Float[Tensor, " B"]
Scalar = Float[Tensor, ""]
