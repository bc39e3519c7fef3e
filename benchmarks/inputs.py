"""Input: decoding official-format JPEGs, and feeding the training loop from a store."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import table
from ccvae.allocator import keep_freed_memory
from ccvae.data import faces
from ccvae.data.celeba import prepare_celeba
from ccvae.data.decode import AHEAD, CHUNK, decode_chunk, decode_image
from ccvae.data.parallel import ordered_map
from ccvae.data.store import Store
from ccvae.data.writer import WRITE_BYTES, ImageRows

SIZE, JPEG_SIZE, QUALITY = 64, (178, 218), 92
BATCH = 200
SHARES = (0.8, 0.1, 0.1)
HEADER_COLUMNS = 40
FEED_GOAL, PREPARE_GOAL = 20, 0.9


def make_celeba(folder: Path, n: int, distinct: int = 256) -> None:
    """Write a folder in CelebA's official format: 178x218 JPEGs and two lists.

    `distinct` drawn faces are enlarged and repeated; decoding does not know that they repeat.
    """
    images = folder / "img_align_celeba"
    images.mkdir(parents=True)
    drawn = faces.draw(min(n, distinct), seed=0, split="train").images
    encoded = []
    for pixels in drawn:
        picture = Image.fromarray(pixels.transpose(1, 2, 0)).resize(JPEG_SIZE)
        path = images / "one.jpg"
        picture.save(path, quality=QUALITY)
        encoded.append(path.read_bytes())
    (images / "one.jpg").unlink()
    names = [f"{i + 1:06d}.jpg" for i in range(n)]
    for i, name in enumerate(names):
        (images / name).write_bytes(encoded[i % len(encoded)])
    fillers = [f"attribute_{i}" for i in range(HEADER_COLUMNS - len(faces.LABELS))]
    rows = np.random.default_rng(0).integers(0, 2, (n, HEADER_COLUMNS)) * 2 - 1
    lines = [str(n), " ".join([*faces.LABELS, *fillers])]
    lines += [f"{name} {' '.join(map(str, row))}" for name, row in zip(names, rows, strict=True)]
    (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    splits = np.repeat([0, 1, 2], [n - 2 * (n // 10), n // 10, n // 10])
    lines = [f"{name} {split}" for name, split in zip(names, splits, strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(lines) + "\n")


@dataclass(frozen=True)
class NoRows(ImageRows):
    """Rows of no store: images are decoded and thrown away, which no preparation can beat.

    Processes that run the same code with the same buffers have the same layout of memory. That
    matters here: libjpeg-turbo writes a row of pixels past the caches where it begins at a
    multiple of 32 bytes, and reading it back then makes decoding a fifth slower; whether it does
    is settled by all that a process allocated before, and differs from process to process.
    """

    def put(self, row: int, images: Iterable[np.ndarray]) -> None:
        """Decode the images."""
        with self.path.open("r+b", buffering=WRITE_BYTES):
            for _ in images:
                pass


def decode_only(files: Sequence[str], rows: ImageRows, workers: int) -> None:
    """Decode files in as many processes and pieces as `prepare` does."""
    chunks = [(i, files[i : i + CHUNK]) for i in range(0, len(files), CHUNK)]
    decode = partial(decode_chunk, rows=rows)
    list(ordered_map(decode, chunks, workers=workers, ahead=AHEAD))


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(n: int = 20_000, repeats: int = 5) -> dict[str, float]:
    """Images per second of wall time: decoder alone, `prepare`, and the store's batches.

    Both start their own processes, and take turns. What they take for a few images is their
    start-up, which is reported on its own.
    """
    cores = os.cpu_count() or 1
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        make_celeba(root / "celeba", n)
        files = sorted(map(str, (root / "celeba" / "img_align_celeba").iterdir()))
        few = 3 * cores
        (root / "nothing").touch()
        rows = NoRows(root / "nothing", 0, (3, SIZE, SIZE))
        works: dict[str, Callable[[int], Any]] = {
            "decode": lambda turn: decode_only(files, rows, cores),
            "decode_few": lambda turn: decode_only(files[:few], rows, cores),
            "prepare": lambda turn: _prepare(root, root / f"store{turn}", n, cores),
            "prepare_few": lambda turn: _prepare(root, root / f"few{turn}", few, cores),
        }
        times: dict[str, list[float]] = {name: [] for name in works}
        for turn in range(repeats):
            for name, work in works.items():
                times[name].append(seconds(partial(work, turn)))
        took = {name: statistics.median(found) for name, found in times.items()}
        one_core = statistics.median(
            seconds(lambda: [decode_image(path, SIZE) for path in files[:CHUNK]]) for _ in range(5)
        )
        return {
            "cores": float(cores),
            "images": float(n),
            "repeats": float(repeats),
            "decode_one_core": CHUNK / one_core,
            "decode": n / (took["decode"] - took["decode_few"]),
            "prepare": n / took["prepare"],
            "prepare_without_start": n / (took["prepare"] - took["prepare_few"]),
            "start_s": took["prepare_few"],
            **_feeding(Store.open(root / "store0")),
        }


def _prepare(root: Path, place: Path, n: int, workers: int) -> None:
    test = max(1, n // 10)
    sizes = {"train": n - 2 * test, "validation": test, "test": test}
    prepare_celeba(
        place,
        raw=root,
        workers=workers,
        folder=str(root / "celeba"),
        official_validation=True,
        limit=sizes,
    )


def _feeding(store: Store, batches: int = 50) -> dict[str, float]:
    """Rate of shuffled batches as floats."""
    # Imported here: the processes that decode import this module, and `prepare`'s need no torch.
    import torch

    from ccvae.feeding import Feed

    torch.set_num_threads(1)
    images = np.load(store.folder / "images.npy", mmap_mode="c", allow_pickle=False)
    feed = Feed(torch.from_numpy(images), torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    picks = [torch.randint(len(images), (BATCH,), generator=generator) for _ in range(batches)]
    times = [seconds(lambda p=pick: feed.take(p)) for pick in picks]
    return {"feed": BATCH / statistics.median(times)}


def section(found: dict[str, float]) -> list[str]:
    """Markdown of the input."""
    cores = int(found["cores"])
    feed_ratio = found["feed"] / found["decode_one_core"]
    share = found["prepare_without_start"] / found["decode"]
    return [
        "## Input",
        "",
        f"{found['images']:.0f} generated JPEGs of {JPEG_SIZE[0]}x{JPEG_SIZE[1]} pixels in "
        f"CelebA's official layout, wall time, {cores} cores, median of {found['repeats']:.0f} "
        "turns. The decoder alone runs in processes of its own like those of `prepare`, which "
        "throw away what they decode: where a process happens to keep a row of pixels makes a "
        "fifth of the decoder's speed, so only like processes compare. A batch of the loop is "
        "gathered from the memory-mapped bytes and converted to floats once; nothing else is "
        "copied.",
        "",
        *table(
            ["", "images/s"],
            [
                ["decoder alone, one core", found["decode_one_core"]],
                [f"decoder alone, {cores} cores, from the first image on", found["decode"]],
                [
                    f"`prepare`, {cores} cores, from the first image on",
                    found["prepare_without_start"],
                ],
                [f"`prepare`, {cores} cores, all of it", found["prepare"]],
                [f"store to the loop, batches of {BATCH}, one thread", found["feed"]],
            ],
        ),
        "",
        f"`prepare` runs at {100 * share:.0f} % of the decoder alone (goal "
        f"{100 * PREPARE_GOAL:.0f} %), after {found['start_s']:.1f} s of start-up. The store "
        f"feeds the loop at {feed_ratio:.1f} times the rate of decoding on the same core (goal "
        f"{FEED_GOAL}).",
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", type=json.loads, required=True)
    print(json.dumps(measure(**parser.parse_args().worker)))
