"""The one schedule of an objective's weight that baselines know.

The default configuration uses it for none of them (deviation: kl-warm-up).
"""

from __future__ import annotations


def linear_warm_up(progress: float, share: float) -> float:
    """Weight that rises linearly from 0 to 1 over the first `share` of training, then stays 1.

    Parameters
    ----------
    progress
        How far training is, from 0 to 1.
    share
        0 for a weight of 1 throughout.
    """
    return min(1.0, progress / share) if share > 0 else 1.0
