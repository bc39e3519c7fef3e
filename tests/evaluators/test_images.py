from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ccvae.errors import InputError
from ccvae.labels import MultiClass, MultiLabel
from evaluators.images import BATCH, ImageSet, collect


def numbered(n: int = 7) -> ImageSet:
    """Image i is filled with the grey value 10 i; its two labels are the lowest bits of i."""
    i = torch.arange(n)
    images = (10 * i).to(torch.uint8).view(n, 1, 1, 1).expand(n, 1, 2, 3).clone()
    return ImageSet(images, torch.stack([i % 2, i // 2 % 2], dim=1), MultiLabel(["a", "b"]))


def test_batches_keep_order_and_scale_to_unit_interval():
    batches = list(numbered().batches(size=3))
    assert [len(x) for x, _ in batches] == [3, 3, 1]
    x = torch.cat([x for x, _ in batches])
    y = torch.cat([y for _, y in batches])
    assert x.dtype == torch.float32
    assert y.dtype == torch.int64
    torch.testing.assert_close(x[:, 0, 1, 2], torch.arange(7) * 10 / 255)
    assert y[5].tolist() == [1, 0]


def test_white_is_one():
    white = torch.full((1, 1, 2, 2), 255, dtype=torch.uint8)
    x, _ = next(ImageSet(white, torch.zeros(1, 1), MultiClass("ab")).batches())
    assert (x == 1).all()


def test_take_keeps_images_with_their_labels():
    taken = numbered().take(torch.tensor([6, 1]))
    assert len(taken) == 2
    assert taken.images[:, 0, 0, 0].tolist() == [60, 10]
    assert taken.labels.tolist() == [[0, 1], [1, 0]]
    assert taken.image_shape == (1, 2, 3)


@pytest.mark.parametrize("n", [0, 1, BATCH, 2 * BATCH + 3])
def test_results_of_all_batches_lie_in_the_order_of_the_images(n):
    pixels = torch.arange(4 * n).remainder(251).to(torch.uint8).view(n, 1, 2, 2)
    classes = torch.arange(n).remainder(3)[:, None]
    images = ImageSet(pixels, classes, MultiClass(["a", "b", "c"]))
    results, labels = collect(lambda x: x.double().flatten(2).sum(-1), images, "cpu")
    assert results.dtype == torch.float64
    assert torch.allclose(results, pixels.double().flatten(2).sum(-1) / 255, atol=1e-6)
    assert torch.equal(labels, classes)


def test_prevalence_of_labels_and_of_classes():
    assert numbered(4).prevalence.tolist() == [0.5, 0.5]
    images = torch.zeros(4, 1, 1, 1, dtype=torch.uint8)
    classes = ImageSet(images, torch.tensor([[0], [2], [2], [2]]), MultiClass("abc"))
    assert classes.prevalence.tolist() == [0.25, 0, 0.75]


def test_read_takes_the_rows_of_one_split():
    store = SimpleNamespace(
        kind="multi_class",
        label_names=("a", "b"),
        images=np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1),
        labels=np.array([[0], [1], [1], [0]], dtype=np.uint8),
        indices={"test": np.array([2, 3])}.__getitem__,
    )
    read = ImageSet.read(store, "test")
    assert read.images.flatten().tolist() == [2, 3]
    assert read.labels.tolist() == [[1], [0]]
    assert read.space.names == ("a", "b")


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(2, 1, 2, 2), torch.zeros(2, 2), "uint8"),
        (torch.zeros(2, 2, 2, dtype=torch.uint8), torch.zeros(2, 2), "uint8"),
        (torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.zeros(3, 2), "expected"),
        (torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.full((2, 2), 2), "0 to 1"),
    ],
)
def test_unfit_tensors_are_refused(images, labels, message):
    with pytest.raises(InputError, match=message):
        ImageSet(images, labels, MultiLabel(["a", "b"]))
