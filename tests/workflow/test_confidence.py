"""The figure of Appendix A's interventions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ccvae.errors import InputError
from evaluators.confident_region import CONFIDENCES
from tests.workflow.test_figures import ccvae, one_pixel_per_latent, scene, vae_classifier
from workflow.figures import confidence


def test_interventions_reach_the_confidence_and_the_closest_stops_there():
    model, flipped, wanted = vae_classifier(), [2, 0], 0.9
    one_pixel_per_latent(model)
    x = torch.rand(2, 1, 2, 2)
    images = confidence.confident_interventions(model, x, flipped, wanted, seed=0)
    assert images.shape == (2, len(confidence.COLUMNS), 1, 2, 2)
    assert model.region.confidence == 0.9
    z = images.flatten(2).logit()
    for row, label in enumerate(flipped):
        before = model.classifier(z[row, 0, :3, None]) > 0
        logits = model.classifier(z[row, :, :3, None]) * torch.where(before, 1, -1)
        limit = np.log(9)
        assert (logits[1:3, label] < -limit).all()
        assert logits[3, label].item() == pytest.approx(-limit, abs=1e-3)
        kept = [i for i in range(4) if i != label]
        torch.testing.assert_close(z[row, 1:4, kept], z[row, :1, kept].expand(3, -1))
        assert (logits[4:] > limit).all()
        torch.testing.assert_close(z[row, 4:, 3], z[row, :1, 3].expand(2))


def test_the_figure_has_a_block_per_confidence_and_a_row_per_label():
    model = vae_classifier()
    shown = confidence.draw_confident_region(scene(model))
    assert len(shown.axes) == len(CONFIDENCES)
    words = {" ".join(text.get_text().split()) for text in shown.axes[1].texts}
    assert {"old", "red", "closest"} <= words
    price = model.region.at(0.9).acceptance()[[2, 0]].mean().item()
    assert f"λ = 0.9: {price:.2g} of the prior's draws are accepted" in words


def test_only_the_system_of_equation_2_has_a_classifier_to_be_confident():
    with pytest.raises(InputError, match="CCVAE has no classifier to be confident"):
        confidence.draw_confident_region(scene(ccvae()))
