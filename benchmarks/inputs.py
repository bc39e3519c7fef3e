"""Input: decoding official-format JPEGs, and feeding the training loop from a store."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image

from benchmarks.common import table
from ccvae.allocator import keep_freed_memory
from datasets import source
from datasets.decode import decode_image
from datasets.image_files import CHUNK
from datasets.readers import prepare
from datasets.stand_ins import faces
from datasets.store import Store
from datasets.writer import ImageRows, StoreWriter

SIZE, JPEG_SIZE, QUALITY = 64, (178, 218), 92
BATCH = 200
IMAGES = 40_000
"""JPEGs to decode: a fifth of CelebA."""
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
class TimedRows(ImageRows):
    """Rows that note when their first image began and what decoding them took.

    The decoder is timed where `prepare` uses it, because a decoder in another process says little:
    libjpeg-turbo writes a row of pixels past the caches where it begins at a multiple of 32 bytes,
    and reading it back then makes decoding a fifth slower; whether it does is settled by all that
    a process allocated before.
    """

    def put(self, row: int, images: Iterable[np.ndarray]) -> None:
        """Write the images, and what was noted into a file of their own."""
        began, spent = time.monotonic(), 0.0

        def timed() -> Iterator[np.ndarray]:
            nonlocal spent
            rest, start = iter(images), time.thread_time()
            for image in rest:
                spent += time.thread_time() - start
                yield image
                start = time.thread_time()

        super().put(row, timed())
        note = self.path.parent.with_suffix(".seconds") / str(row)
        note.parent.mkdir(exist_ok=True)
        note.write_text(f"{began} {spent}")


class TimedWriter(StoreWriter):
    """A writer whose rows note when they began and what decoding them took."""

    @property
    def rows(self) -> ImageRows:
        """See `StoreWriter.rows`."""
        return TimedRows(**vars(super().rows))


@dataclass(frozen=True)
class Turn:
    """What one call of `prepare` took, in seconds.

    Attributes
    ----------
    starting
        Wall time until the first image began: reading the lists, looking for the files, starting
        the processes.
    working
        Wall time from then on.
    decoding
        Processor time of decoding, all processes together.
    """

    starting: float
    working: float
    decoding: float

    def share(self, cores: int) -> float:
        """Of the time that all cores have from the first image on, the part that decodes."""
        return self.decoding / cores / self.working


def time_turn(root: Path, store: Path, n: int, workers: int) -> Turn:
    """Prepare a store of `n` images of the data set in `root` and read what its rows noted.

    A store that is there already goes first. Five side by side would fill the page cache with
    memory that a virtual machine has not touched before, and that alone costs it a twentieth.
    """
    noted = store.with_name(f".{store.name}.seconds")
    for old in (store, noted):
        shutil.rmtree(old, ignore_errors=True)
    # The system would write the JPEGs, which a user has on disk, beside what is timed.
    os.sync()
    start = time.monotonic()
    _prepare(root, store, n, workers)
    end = time.monotonic()
    notes = [map(float, note.read_text().split()) for note in noted.iterdir()]
    began, spent = zip(*notes, strict=True)
    return Turn(min(began) - start, end - min(began), sum(spent))


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(n: int = IMAGES, repeats: int = 5) -> dict[str, float]:
    """Images per second: `prepare`, the decoder in it, and the store's batches.

    The first turn warms up and is not counted.
    """
    cores = os.cpu_count() or 1
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        make_celeba(root / "celeba", n)
        store = root / "store"
        turns = [time_turn(root, store, n, cores) for _ in range(1 + repeats)][1:]
        files = sorted((root / "celeba" / "img_align_celeba").iterdir())[:CHUNK]
        one_core = statistics.median(
            seconds(lambda: [decode_image(path, SIZE) for path in files]) for _ in range(5)
        )
        return {
            "cores": float(cores),
            "images": float(n),
            "repeats": float(repeats),
            "decode_one_core": len(files) / one_core,
            "decode": n * cores / statistics.median(turn.decoding for turn in turns),
            "prepare": n / statistics.median(turn.starting + turn.working for turn in turns),
            "prepare_without_start": n / statistics.median(turn.working for turn in turns),
            "share": statistics.median(turn.share(cores) for turn in turns),
            "start_s": statistics.median(turn.starting for turn in turns),
            **_feeding(Store.open(store)),
        }


def _prepare(root: Path, place: Path, n: int, workers: int) -> None:
    test = max(1, n // 10)
    sizes = {"train": n - 2 * test, "validation": test, "test": test}
    options = {"folder": str(root / "celeba"), "official_validation": True, "limit": sizes}
    with mock.patch.object(source, "StoreWriter", TimedWriter):
        prepare("celeba", options, place, raw=root, workers=workers)


def _feeding(store: Store, batches: int = 50) -> dict[str, float]:
    """Rate of shuffled batches as floats."""
    # Imported here: the processes that decode import this module, and `prepare`'s need no torch.
    import torch

    from ccvae.feeding import Feed

    torch.set_num_threads(1)
    images = torch.from_numpy(store.writable_images())
    feed = Feed(images, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    picks = [torch.randint(len(images), (BATCH,), generator=generator) for _ in range(batches)]
    times = [seconds(lambda p=pick: feed.take(p)) for pick in picks]
    return {"feed": BATCH / statistics.median(times)}


def section(found: dict[str, float]) -> list[str]:
    """Markdown of the input."""
    cores = int(found["cores"])
    feed_ratio = found["feed"] / found["decode_one_core"]
    return [
        "## Input",
        "",
        f"{found['images']:.0f} generated JPEGs of {JPEG_SIZE[0]}x{JPEG_SIZE[1]} pixels in "
        f"CelebA's official layout, wall time, {cores} cores, median of {found['repeats']:.0f} "
        "turns. The decoder's processor time is taken inside `prepare`: where a process happens to "
        "keep a row of pixels makes a fifth of its speed, so other processes say little. A batch "
        "of the loop is gathered from the memory-mapped bytes and converted to floats once; "
        "nothing else is copied.",
        "",
        *table(
            ["", "images/s"],
            [
                ["decoder alone, one core", found["decode_one_core"]],
                [f"the decoder in `prepare`, were it all that {cores} cores did", found["decode"]],
                [
                    f"`prepare`, {cores} cores, from the first image on",
                    found["prepare_without_start"],
                ],
                [f"`prepare`, {cores} cores, all of it", found["prepare"]],
                [f"store to the loop, batches of {BATCH}, one thread", found["feed"]],
            ],
        ),
        "",
        f"`prepare` runs at {100 * found['share']:.1f} % of the decoder alone (goal "
        f"{100 * PREPARE_GOAL:.0f} %), after {found['start_s']:.1f} s in which it reads the lists, "
        f"looks for the files and starts its processes; those counted, at "
        f"{100 * found['prepare'] / found['decode']:.1f} %. The store feeds the loop at "
        f"{feed_ratio:.1f} times the rate of decoding on the same core (goal {FEED_GOAL}).",
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", type=json.loads, required=True)
    print(json.dumps(measure(**parser.parse_args().worker)))
