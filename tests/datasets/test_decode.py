from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from ccvae.errors import InputError
from datasets.decode import decode_image
from datasets.parallel import ordered_map


def scene(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """A smooth picture with a different gradient in each channel."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [255 * x / width, 255 * y / height, 127 + 60 * np.sin(x / 20) * np.cos(y / 15)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8)).convert(mode)


def test_celeba_sized_images_are_resized_from_all_their_pixels(tmp_path: Path) -> None:
    scene(178, 218).save(tmp_path / "a.jpg", quality=95)
    with Image.open(tmp_path / "a.jpg") as image:
        expected = np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR))
    found = decode_image(tmp_path / "a.jpg", 64)
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected.transpose(2, 0, 1))


def test_draft_decoding_of_large_images_is_close(tmp_path: Path) -> None:
    scene(640, 520).save(tmp_path / "a.jpg", quality=95)
    with Image.open(tmp_path / "a.jpg") as image:
        expected = np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(decode_image(tmp_path / "a.jpg", 64).transpose(1, 2, 0) - expected).max() <= 3


def test_the_whole_image_is_squeezed_not_cropped(tmp_path: Path) -> None:
    image = Image.new("RGB", (100, 200))
    image.paste((255, 255, 255), (0, 100, 100, 200))
    image.save(tmp_path / "a.png")
    found = decode_image(tmp_path / "a.png", 64)
    assert found[:, :31].max() == 0
    assert found[:, 33:].min() == 255


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_every_mode_becomes_three_channels(tmp_path: Path, mode: str) -> None:
    scene(80, 70, mode).save(tmp_path / "a.png")
    found = decode_image(tmp_path / "a.png", 64)
    assert found.shape == (3, 64, 64)
    if mode == "L":
        assert np.array_equal(found[0], found[2])
        assert found[0].std() > 10


@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_truncated_file_is_named(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "broken.jpg"
    scene(178, 218).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep < 1 else int(keep)])
    with pytest.raises(InputError, match=r"The image .*broken.jpg cannot be decoded"):
        decode_image(path, 64)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"The image .*a.jpg is missing"):
        decode_image(tmp_path / "a.jpg", 64)


def test_ordered_map_keeps_order_and_takes_tasks_when_needed() -> None:
    taken = []

    def tasks() -> Iterator[int]:
        for value in range(9):
            taken.append(value)
            yield value**2

    results = ordered_map(math.isqrt, tasks(), workers=2)
    assert next(results) == 0
    assert len(taken) == 5
    assert list(results) == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("workers", [1, 2])
def test_ordered_map_passes_errors_on(workers: int) -> None:
    results = ordered_map(math.isqrt, [4, 1, -1, 9], workers=workers)
    assert [next(results), next(results)] == [2, 1]
    with pytest.raises(ValueError, match="nonnegative"):
        next(results)


def test_workers_end_with_a_killed_parent() -> None:
    program = (
        "import time, multiprocessing as m; from datasets.parallel import ordered_map; "
        "results = ordered_map(time.sleep, [0, 0, 60, 60], workers=2); next(results); "
        "print(*[child.pid for child in m.active_children()], flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        workers = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(workers) == 2
    _, alive = psutil.wait_procs(workers, timeout=10)
    # A process that nobody has reaped yet has ended all the same.
    assert [worker for worker in alive if worker.status() != psutil.STATUS_ZOMBIE] == []
