"""Input: decoding official-format JPEGs, and feeding the training loop from a store."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import table
from ccvae.allocator import keep_freed_memory
from ccvae.data import faces
from ccvae.data.celeba import prepare_celeba
from ccvae.data.decode import CHUNK, decode_image
from ccvae.data.store import Store

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


def decode_only(paths: list[str]) -> int:
    """Decode and resize files and throw the pixels away: what no preparation can beat."""
    for path in paths:
        decode_image(path, SIZE)
    return len(paths)


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(n: int = 20_000, repeats: int = 3) -> dict[str, float]:
    """Images per second of wall time: decoder alone, `prepare`, and the store's batches.

    `cores` decoder processes are started and warm before the clock starts; `prepare` starts its
    own, as it does for a user, and that start-up is reported on its own.
    """
    cores = os.cpu_count() or 1
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        make_celeba(root / "celeba", n)
        files = sorted(map(str, (root / "celeba" / "img_align_celeba").iterdir()))
        chunks = [files[i : i + CHUNK] for i in range(0, n, CHUNK)]
        decoding, preparing, idle = [], [], []
        # As in `prepare`: what an image took is kept for the next one.
        pool = ProcessPoolExecutor(
            cores, mp_context=get_context("spawn"), initializer=keep_freed_memory
        )
        with pool:
            list(pool.map(decode_only, chunks[:cores]))
            for turn in range(repeats):
                decoding.append(seconds(lambda: list(pool.map(decode_only, chunks))))
                place = root / f"store{turn}"
                preparing.append(seconds(lambda p=place: _prepare(root, p, n, cores)))
                tiny = root / f"tiny{turn}"
                idle.append(seconds(lambda p=tiny: _prepare(root, p, 3 * cores, cores)))
        one_core = statistics.median(seconds(lambda: decode_only(chunks[0])) for _ in range(5))
        return {
            "cores": float(cores),
            "images": float(n),
            "decode_one_core": len(chunks[0]) / one_core,
            "decode": n / statistics.median(decoding),
            "prepare": n / statistics.median(preparing),
            "prepare_without_start": n / (statistics.median(preparing) - statistics.median(idle)),
            "start_s": statistics.median(idle),
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
        f"CelebA's official layout, wall time, {cores} cores. A batch of the loop is gathered "
        "from the memory-mapped bytes and converted to floats once; nothing else is copied.",
        "",
        *table(
            ["", "images/s"],
            [
                ["decoder alone, one core", found["decode_one_core"]],
                [f"decoder alone, {cores} cores", found["decode"]],
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
