"""A judge is asked about each image once, and says of it what it would say by itself."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ccvae.labels import MultiClass, MultiLabel
from evaluators.classifier import Judge
from evaluators.images import ImageSet, collect
from evaluators.seen import Seen
from tests.toys import PixelJudge, toy_images


class CountingJudge(PixelJudge):
    """Counts the images that it looks at."""

    looked_at = 0

    def features(self, x: Tensor) -> Tensor:
        self.looked_at += len(x)
        return super().features(x)


def test_each_image_is_looked_at_once_and_only_when_it_is_wanted():
    images = toy_images()
    judge = CountingJudge(images.space)
    seen = Seen.of_set(judge, images)
    rows = torch.tensor([3, 1, 3, len(images) - 1])
    expected = PixelJudge(images.space).log_probs(images.images / 255)
    assert torch.equal(seen.log_probs(rows), expected[rows])
    assert judge.looked_at == 3
    assert torch.equal(seen.log_probs(), expected)
    assert torch.equal(seen.features(rows[:0]), torch.empty(0, images.space.n_outputs))
    assert judge.looked_at == len(images)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 64)], ids=["small", "strided"])
@pytest.mark.parametrize("space", [MultiLabel("ab"), MultiClass("abc")], ids=["labels", "classes"])
def test_a_judge_says_the_same_whichever_images_are_beside(space, shape):
    torch.manual_seed(0)
    judge = Judge(space, "small_cnn", shape, dropout=0.5)
    n = 40
    images = ImageSet(
        torch.randint(256, (n, *shape), dtype=torch.uint8),
        space.predict(torch.rand(n, space.n_outputs)),
        space,
    )
    seen = Seen.of_set(judge, images)
    some = seen.log_probs(torch.tensor([17, 4, 30]))
    assert judge.training
    expected, _ = collect(judge.eval().log_probs, images, "cpu")
    torch.testing.assert_close(seen.log_probs(), expected)
    torch.testing.assert_close(some, expected[[17, 4, 30]])
    again = Seen.of_floats(judge, images.images / 255)
    torch.testing.assert_close(again.features(), seen.features())
