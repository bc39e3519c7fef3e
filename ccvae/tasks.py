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

The first six are methods of the interface. `diversify` is varying one label's characteristics
while the labels and everything else stay; `traverse` is moving them continuously (section 6.1).
"""
