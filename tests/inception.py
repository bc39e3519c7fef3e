"""InceptionV3's weights in the published format, with random values."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor, nn


@cache
def random_weights() -> dict[str, Tensor]:
    """A state dictionary of torch-fidelity's network."""
    import torch_fidelity.feature_extractor_inceptionv3 as source

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(source.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        network = source.FeatureExtractorInceptionV3("random", ["2048"])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    return dict(network.state_dict())


def torchvision_weights(auxiliary: bool = True) -> dict[str, Tensor]:
    """The same names and shapes as torchvision's file, as far as they are looked at."""
    weights = {
        **random_weights(),
        "fc.weight": torch.zeros(1000, 2048),
        "fc.bias": torch.zeros(1000),
    }
    return {**weights, "AuxLogits.fc.weight": torch.zeros(1000, 768)} if auxiliary else weights
