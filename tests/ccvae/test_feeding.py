"""How images reach a device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ccvae.feeding import RESIDENT_SHARE, Feed, Streamed, as_floats, feed
from tests.card import CARD, card, from_card, to_card

CPU = torch.device("cpu")
POSITIONS = torch.tensor([3, 0, 3, 6])


def mapped(folder: Path, shape: tuple[int, ...]) -> torch.Tensor:
    """Random bytes in a memory-mapped file, as a training reads them."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (7, *shape), dtype=torch.uint8, generator=generator)
    np.save(folder / "images.npy", images.numpy())
    return torch.from_numpy(np.load(folder / "images.npy", mmap_mode="c", allow_pickle=False))


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 4, 4)])
def test_a_cpu_reads_a_mapped_file_where_it_is(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = mapped(tmp_path, shape)
    chosen = feed(images, CPU)
    assert (type(chosen), chosen.lies_on) == (Feed, "cpu")
    assert chosen._images.data_ptr() == images.data_ptr()
    batch = chosen.take(POSITIONS)
    assert torch.equal(batch, images[POSITIONS].float() / 255)
    assert batch.stride() == as_floats(images[POSITIONS], CPU).stride()


def test_streamed_batches_are_the_same(tmp_path: Path) -> None:
    images = mapped(tmp_path, (3, 4, 4))
    expected = Feed(images, CPU).take(POSITIONS)
    streamed = Streamed(images, CPU)
    first, second = streamed.take(POSITIONS), streamed.take(POSITIONS.flip(0))
    assert torch.equal(first, expected)
    assert torch.equal(second, expected.flip(0))
    with card():
        for images_there in (images, to_card(images)):
            assert torch.equal(from_card(Feed(images_there, CARD).take(POSITIONS)), expected)
        assert torch.equal(from_card(Streamed(images, CARD).take(POSITIONS)), expected)


class Elsewhere(torch.Tensor):
    """A tensor that says it has moved, where there is no card to move it to."""

    place = CPU

    @property
    def device(self) -> torch.device:
        return self.place

    def to(self, device: torch.device) -> torch.Tensor:
        moved = self.clone()
        moved.place = device
        return moved


@pytest.mark.parametrize(("room", "kind"), [(1.0, Feed), (0.99, Streamed)])
def test_a_gpu_holds_what_fits(
    room: float, kind: type[Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    nbytes = 1000
    free = room * nbytes / RESIDENT_SHARE
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (free, 2 * free))
    cuda = torch.device("cuda")
    images = torch.zeros(nbytes, 1, 1, 1, dtype=torch.uint8).as_subclass(Elsewhere)
    chosen = feed(images, cuda)
    assert type(chosen) is kind
    assert chosen.lies_on == ("cuda" if kind is Feed else "cpu")
