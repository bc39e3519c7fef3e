"""What a step computes on: the device, one card of several, threads, and how exact a GPU is."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ccvae.allocator import keep_freed_memory
from ccvae.errors import InputError
from workflow.cards import use_one_card

if TYPE_CHECKING:
    import torch


def add_compute_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --device, --threads and --deterministic."""
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=1, help="processor threads to compute with")
    parser.add_argument(
        "--deterministic",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="on a GPU, use kernels that give the same bits again wherever there are any",
    )


def start_computing(device: str, threads: int, deterministic: bool = True) -> torch.device:
    """Choose the device (one card of several), the threads, and how exact a GPU has to be.

    Raises
    ------
    InputError
        If CUDA is asked for and there is none.
    """
    import torch

    keep_freed_memory()
    if device != "cpu":
        use_one_card()
    torch.set_num_threads(threads)
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise InputError("device 'cuda' was asked for, but torch sees no GPU; use auto or cpu")
    chosen = torch.device("cuda" if device != "cpu" and available else "cpu")
    if chosen.type == "cuda":
        _set_exactness(deterministic)
    return chosen


def _set_exactness(deterministic: bool) -> None:
    """Let float32 be float32 on a GPU, and choose its kernels by repeatability or by speed.

    torch rounds the factors of convolutions to TF32 unless told otherwise (deviation:
    gpu-precision). A few kernels have no deterministic version; they warn and run all the same.
    """
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cudnn.deterministic = deterministic
    if deterministic:
        # cuBLAS reads it when it is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Would write to all memory before it is used, for code that reads what it never wrote.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
