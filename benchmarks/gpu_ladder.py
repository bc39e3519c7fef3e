"""What each way of training adds on a GPU: steps a second, share of the card's peak, and memory.

Every rung trains CCVAE on Table 3's networks, with images of CelebA's shape that are noise, half of
them labelled, by the training loop itself, for a few seconds in fresh processes on one card. Where
there is no GPU, the page is made of what was measured before, or says that nothing was.

    python -m benchmarks.gpu_ladder --out docs/gpu.md
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import answer, machine, peak_mb, worker
from benchmarks.step_cost import CONTESTANTS, IMAGE_SHAPES, N_LABELS, build
from ccvae.batches import Batches, Schedule
from ccvae.files import write_text
from ccvae.numerics import Numerics
from ccvae.training import Trainer
from workflow.cards import VISIBLE, visible_cards
from workflow.steps.computing import start_computing

BATCHES = (32, 200)
"""Images of a step: the default preset's, and the paper's."""
IMAGES = 4096
INTERVAL, INTERVALS = 20, 10**5
"""Steps between two looks at the card, and how many times; no training comes to its end. The first
interval warms up, and records the graph."""
SECONDS = 4.0
CONTROL = "nvidia-cuda-mps-control"
"""Starts and ends NVIDIA's multi-process service."""


@dataclass(frozen=True)
class Rung:
    """A way of training on a card.

    Attributes
    ----------
    title
        What it adds to the one before.
    precision, compile
        As for `ccvae.numerics.Numerics`.
    waits
        Whether the host waits for the card at every step.
    trainings
        How many processes train side by side.
    mps
        Whether they share the card through the multi-process service, instead of taking turns.
    """

    title: str
    precision: str = "fp32"
    compile: str = "eager"
    waits: bool = False
    trainings: int = 1
    mps: bool = False


LADDER = (
    Rung("eager: the host waits for every step", waits=True),
    Rung("no wait within an interval"),
    Rung("+ TF32", "tf32"),
    Rung("+ the step captured", "tf32", "none"),
    *(Rung(f"+ {n} trainings at once", "tf32", "none", trainings=n) for n in (2, 4, 8)),
    *(Rung(f"+ {n} at once, with MPS", "tf32", "none", trainings=n, mps=True) for n in (2, 4, 8)),
)


@dataclass(frozen=True)
class Found:
    """What a rung reached.

    Attributes
    ----------
    steps_per_s
        Of all trainings together.
    peak_mb
        What torch held of the card at most, in all trainings together.
    """

    steps_per_s: float
    peak_mb: float


class UnavailableError(Exception):
    """A rung that cannot be measured here; says why."""


@dataclass(frozen=True)
class Climb:
    """What was measured on one card.

    Attributes
    ----------
    card
        Its name, as CUDA has it.
    machine
        A sentence about what it is in.
    found
        By title of the rung and batch size: what was reached, or why it could not be measured.
    """

    card: str
    machine: str
    found: dict[tuple[str, int], Found | str]


def read(kept: Path) -> Climb | None:
    """Read what was measured so far; None if nothing was.

    Parameters
    ----------
    kept
        A line of JSON about the machine, and one for each rung.
    """
    if not kept.exists():
        return None
    about, *lines = map(json.loads, kept.read_text(encoding="utf-8").splitlines())
    found = {
        (line["rung"], line["batch"]): (
            line["found"] if isinstance(line["found"], str) else Found(**line["found"])
        )
        for line in lines
    }
    return Climb(about["card"], about["machine"], found)


def training(rung: Rung, batch: int, device: torch.device) -> Trainer:
    """A training on noise, half of each step labelled."""
    numerics = Numerics(rung.precision, rung.compile)
    numerics.allow_tf32()
    half = batch // 2
    schedule = Schedule(
        "mixed", 1e-4, steps=INTERVAL * INTERVALS, labelled_batch=half, unlabelled_batch=half
    )
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(
        256, (IMAGES, *IMAGE_SHAPES["attributes"]), dtype=torch.uint8, generator=generator
    )
    labels = torch.randint(2, (IMAGES, N_LABELS), generator=generator)
    batches = Batches(schedule, *torch.arange(IMAGES).chunk(2), seed=0)
    model = build(CONTESTANTS[0]).to(device)
    made = Trainer(
        model, images.to(device), labels, batches, schedule, INTERVALS, numerics.captures
    )
    if rung.waits:
        made.after_backward = lambda step: _wait(device)
    return made


def work(task: dict[str, Any]) -> dict[str, float]:
    """Train in this process for `seconds` from the moment when all of its kind are ready.

    `rung` and `batch` say how, `device` where, `place` and `name` where the processes meet.
    """
    device = start_computing(task["device"], 1)
    made = training(Rung(**task["rung"]), task["batch"], device)
    made.run_interval()
    _wait(device)
    place = Path(task["place"])
    (place / task["name"]).touch()
    while not (place / "go").exists():
        time.sleep(0.001)
    first, begin = made.step, time.perf_counter()
    while time.perf_counter() - begin < task["seconds"]:
        made.run_interval()
    _wait(device)
    rate = (made.step - first) / (time.perf_counter() - begin)
    held = torch.cuda.max_memory_reserved(device) / 2**20 if device.type == "cuda" else peak_mb()
    return {"steps_per_s": rate, "peak_mb": held}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(rung: Rung, batch: int, device: str = "cuda", seconds: float = SECONDS) -> Found:
    """Run one rung in processes of its own, which begin together.

    Raises
    ------
    UnavailableError
        If one of them fails, for want of memory for example, or MPS is not there.
    """
    with tempfile.TemporaryDirectory() as place, shared() if rung.mps else nullcontext():
        task = {"rung": vars(rung), "batch": batch, "device": device, "seconds": seconds}
        names = [str(number) for number in range(rung.trainings)]
        processes = [
            worker("benchmarks.gpu_ladder", {**task, "place": place, "name": name})
            for name in names
        ]
        try:
            while not all(Path(place, name).exists() for name in names):
                if any(process.poll() for process in processes):
                    raise UnavailableError("a training ended with an error")
                time.sleep(0.01)
            Path(place, "go").touch()
            found = [answer(process) for process in processes]
        except RuntimeError as error:
            raise UnavailableError("a training ended with an error") from error
        finally:
            for process in processes:
                process.kill()
                process.wait()
                process.stdout.close()
    return Found(sum(each["steps_per_s"] for each in found), sum(each["peak_mb"] for each in found))


@contextmanager
def shared() -> Iterator[None]:
    """Let processes that are started inside compute on a card at the same time.

    Raises
    ------
    UnavailableError
        If NVIDIA's multi-process service is not installed, or does not start.
    """
    if shutil.which(CONTROL) is None:
        raise UnavailableError(f"{CONTROL} is not installed")
    with tempfile.TemporaryDirectory() as folder:
        places = dict.fromkeys(("CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"), folder)
        os.environ.update(places)
        # It counts the cards that it sees anew, and its clients choose among those.
        every_card = {name: value for name, value in os.environ.items() if name != VISIBLE}
        try:
            if subprocess.run([CONTROL, "-d"], env=every_card, check=False).returncode:
                raise UnavailableError(f"{CONTROL} does not start")
            try:
                yield
            finally:
                subprocess.run([CONTROL], input="quit\n", text=True, env=every_card, check=False)
        finally:
            for name in places:
                del os.environ[name]


def climb(kept: Path, device: str = "cuda", seconds: float = SECONDS) -> None:
    """Measure every rung at every batch size.

    Parameters
    ----------
    kept
        Gets a line of JSON for each rung as soon as it is measured. What is there is not measured
        again: a climb that was cut off goes on.
    device, seconds
        As for `measure`.
    """
    known = read(kept)
    for batch in BATCHES:
        for rung in LADDER:
            if known and (rung.title, batch) in known.found:
                continue
            try:
                found: Any = vars(measure(rung, batch, device, seconds))
            except UnavailableError as error:
                found = str(error)
            _keep(kept, {"batch": batch, "rung": rung.title, "found": found})


def _keep(kept: Path, values: dict[str, Any]) -> None:
    line = json.dumps(values)
    with kept.open("a", encoding="utf-8") as file:
        print(line, file=file)
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measure if there is a card, and write the page."""
    from benchmarks.gpu_page import page

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, help="the page, as Markdown")
    parser.add_argument(
        "--kept",
        type=Path,
        default=Path("results/gpu_ladder.jsonl"),
        help="what was measured so far; remove it to measure anew",
    )
    parser.add_argument("--worker", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        print(json.dumps(work(given.worker)))
        return
    if given.out is None:
        parser.error("--out says where the page goes")
    cards = visible_cards()
    if cards and torch.cuda.is_available():
        # Its trainings share one card, also where there are several.
        os.environ[VISIBLE] = cards[0]
        known, card = read(given.kept), _name()
        if known is None:
            given.kept.parent.mkdir(parents=True, exist_ok=True)
            _keep(given.kept, {"card": card, "machine": machine()})
        elif known.card != card:
            parser.error(
                f"{given.kept} is of another card, {known.card}; remove it to measure anew"
            )
        climb(given.kept)
    write_text(given.out, page(read(given.kept)))


def _name() -> str:
    """Name of the card, asked for elsewhere: this process would take a part of the card itself."""
    code = "import torch; print(torch.cuda.get_device_name(0))"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
