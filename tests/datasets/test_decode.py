from __future__ import annotations

import math
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from ccvae.errors import InputError
from datasets.decode import decode_image, white_level
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


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("L", "png"),
        ("1", "png"),
        ("P", "png"),
        ("P", "gif"),
        ("LA", "png"),
        ("RGBA", "png"),
        ("CMYK", "jpg"),
        ("CMYK", "tif"),
        ("YCbCr", "jpg"),
        ("L", "jpg"),
    ],
)
def test_every_mode_becomes_three_channels(tmp_path: Path, mode: str, suffix: str) -> None:
    right = scene(80, 70).convert("RGB" if mode not in ("L", "LA", "1") else "L")
    right.convert(mode).save(tmp_path / f"a.{suffix}")
    found = decode_image(tmp_path / f"a.{suffix}", 64)
    assert found.shape == (3, 64, 64)
    expected = np.asarray(right.convert("RGB").resize((64, 64), Image.Resampling.BILINEAR))
    # Black and white, and few colours, are right in the mean.
    apart = np.abs(found.transpose(1, 2, 0).astype(int) - expected)
    assert apart.mean() < (40 if mode == "1" else 8)
    if mode in ("L", "LA", "1"):
        assert np.array_equal(found[0], found[2])


def test_transparency_is_ignored(tmp_path: Path) -> None:
    image = scene(64, 64)
    image.save(tmp_path / "opaque.png")
    image.putalpha(Image.linear_gradient("L").resize((64, 64)))
    image.save(tmp_path / "a.png")
    assert np.array_equal(
        decode_image(tmp_path / "a.png", 64), decode_image(tmp_path / "opaque.png", 64)
    )


def deep(path: Path, bits: int, dtype: str = "uint16") -> np.ndarray:
    """Write a grey gradient in a file of 16 bits or more; returns it with 8."""
    levels = np.linspace(0, 2**bits - 1, 64 * 64).reshape(64, 64)
    Image.fromarray(levels.astype(dtype)).save(path)
    return np.rint(levels * (255 / (2**bits - 1))).astype(int)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_grey_of_sixteen_bits_is_scaled_by_the_depth_that_is_used(
    tmp_path: Path, bits: int, suffix: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    expected = deep(path, bits)
    white = white_level([str(path)])
    assert white == 2**bits - 1
    found = decode_image(path, 64, white=white)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_the_depth_is_that_of_all_images_and_nothing_is_clipped(tmp_path: Path) -> None:
    bright, dark, shallow = (tmp_path / name for name in ("bright.png", "dark.png", "shallow.png"))
    deep(bright, 12), deep(dark, 9)
    scene(20, 20, "L").save(shallow)
    assert white_level([str(path) for path in (shallow, dark, bright)]) == 4095
    assert decode_image(dark, 64, white=4095).max() == round(511 * 255 / 4095)
    with pytest.raises(InputError, match=r"bright.png has the level 4095, where .* from 0 to 1023"):
        decode_image(bright, 64, white=white_level([str(dark)]))
    assert np.array_equal(decode_image(shallow, 64, white=1023), decode_image(shallow, 64))


def test_levels_below_black_and_decimals_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), -1, dtype=np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a.tif has the level -1, where"):
        decode_image(tmp_path / "a.tif", 64)
    Image.fromarray(np.full((8, 8), 0.5, dtype=np.float32)).save(tmp_path / "b.tif")
    with pytest.raises(InputError, match=r"b.tif has pixels with decimals, .*; convert"):
        decode_image(tmp_path / "b.tif", 64)


def png(channels: np.ndarray) -> bytes:
    """A PNG of 16 bits a colour, which Pillow reads and does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width, _ = channels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in channels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


def test_colours_of_sixteen_bits(tmp_path: Path) -> None:
    levels = np.linspace(0, 255, 64 * 64 * 3).astype(int).reshape(64, 64, 3)
    path = tmp_path / "a.png"
    path.write_bytes(png(levels * 257))
    assert white_level([str(path)]) is None
    assert np.array_equal(decode_image(path, 64).transpose(1, 2, 0), levels)
    path.write_bytes(png(levels * 16))
    with pytest.raises(InputError, match="16 bits for each colour, of which the highest is never"):
        white_level([str(path)])


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
