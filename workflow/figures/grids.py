"""The one place that lays pictures out: grids of images.

A figure is made of blocks. A block is a grid of images of one size with names for its rows and
columns; blocks stand side by side and break into several lines where the page ends.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from workflow.figures.style import (
    CHARACTER,
    STYLE,
    TITLE_CHARACTER,
    WIDTH,
    name_colour,
    new_figure,
    wrap,
)

NARROWEST = 3.0
"""Width in inches that leaves room for a title."""

LARGEST_TILE = 0.62
"""Largest side of an image in inches."""

FRAMES = ((0.0, 0.447, 0.698), (0.835, 0.369, 0.0))
"""Colours of frames 1 and 2: blue, and orange."""

GAP = 2
LINE = 0.125
MOST_LINES = 4
SLANTED_LINE = 24
"""Characters of a line of a slanted name."""


@dataclass(frozen=True)
class Block:
    """A grid of images.

    Attributes
    ----------
    images
        Floats in [0, 1], (R, C, channels, H, W), grey or colour; a tile of NaN stays empty.
    title
        Above the block.
    rows, columns
        R and C names, or none.
    x_label, y_label
        What changes along the columns, and along the rows.
    below
        C names below the columns, or none.
    frames
        Numbers of frames to put around tiles, 0 for none: int (R, C), or None.
    """

    images: Tensor
    title: str = ""
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()
    x_label: str = ""
    y_label: str = ""
    below: Sequence[str] = ()
    frames: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.images.shape[0], self.images.shape[1]


def tile(images: Tensor, frames: Tensor | None = None) -> np.ndarray:
    """Put a grid of images on one white canvas.

    Parameters
    ----------
    images
        (R, C, channels, H, W) in [0, 1], with 1 or 3 channels; NaN becomes white.
    frames
        Numbers of frames of one gap's width to put around tiles, 0 for none: int (R, C), or None.

    Returns
    -------
    numpy.ndarray
        float32 (R (H + GAP) + GAP, C (W + GAP) + GAP, 3).
    """
    rows, columns, _, height, width = images.shape
    colours = images.detach().cpu().float().nan_to_num(1.0).clamp(0, 1)
    colours = colours.expand(-1, -1, 3, -1, -1).permute(0, 1, 3, 4, 2)
    canvas = torch.ones(rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3)
    for row in range(rows):
        for column in range(columns):
            top, left = row * (height + GAP), column * (width + GAP)
            if frames is not None and frames[row, column]:
                frame = canvas[top : top + height + 2 * GAP, left : left + width + 2 * GAP]
                frame[:] = torch.tensor(FRAMES[int(frames[row, column]) - 1])
            inside = canvas[top + GAP : top + GAP + height, left + GAP : left + GAP + width]
            inside[:] = colours[row, column]
    return canvas.numpy()


def draw_blocks(
    blocks: Sequence[Block],
    *,
    title: str,
    per_line: int = 1,
    largest_tile: float = LARGEST_TILE,
    unreadable: Collection[str] = (),
) -> Figure:
    """Lay blocks out on a page.

    Parameters
    ----------
    blocks
        The blocks, in reading order.
    title
        Above all of them.
    per_line
        Blocks side by side.
    largest_tile
        Largest side of an image in inches; images are smaller where the page is full.
    unreadable
        Labels that the judge cannot be relied on to read: their names are grey, wherever they are.

    Returns
    -------
    matplotlib.figure.Figure
        With one axes per block.
    """
    per_line = min(per_line, len(blocks))
    columns = max(block.size[1] for block in blocks)
    left = max(_left(block) for block in blocks)
    side = min(largest_tile, (WIDTH / per_line - left - 0.1) / columns)
    cell = columns * side + left + 0.1
    bottom = LINE if any(block.x_label or block.below for block in blocks) else 0.0
    lines = [blocks[i : i + per_line] for i in range(0, len(blocks), per_line)]
    tops = [max(_top(block, side) for block in line) for line in lines]
    heights = [
        max(_height(block, side) for block in line) + top + bottom + 0.08
        for line, top in zip(lines, tops, strict=True)
    ]
    width = max(cell * per_line, NARROWEST)
    title_lines = wrap(title, int(width / TITLE_CHARACTER))
    head = 0.14 * len(title_lines) + 0.08
    height = sum(heights) + head
    figure = new_figure(width, height)
    figure.text(0, 1, "\n".join(title_lines), va="top", fontsize=STYLE["figure.titlesize"])
    down = head
    for line, line_height, top in zip(lines, heights, tops, strict=True):
        for position, block in enumerate(line):
            block_height = _height(block, side)
            x, y = position * cell + left, height - down - top - block_height
            box = (x / width, y / height, block.size[1] * side / width, block_height / height)
            _draw_block(figure, box, block, side, unreadable)
        down += line_height
    return figure


def _left(block: Block) -> float:
    """Inches for the names of rows."""
    longest = max((len(line) for name in block.rows for line in name.split("\n")), default=0)
    return (longest * CHARACTER + 0.06) + (LINE + 0.03 if block.y_label else 0.0)


def _above(block: Block, side: float) -> list[list[str] | None]:
    """Lines of each column's name that stand above the column; None for slanted names.

    When one name is too long all are slanted, except for numbers, as the classes of digits are.
    """
    names = [wrap(name, int(side / CHARACTER)) for name in block.columns]
    fit = all(
        len(lines) <= MOST_LINES and all(len(line) * CHARACTER <= side for line in lines)
        for lines in names
    )
    # Names with nothing beside them have room to both sides.
    fit |= 3 * sum(map(bool, names)) <= len(names)
    return [
        lines if fit or name.isdigit() or not name else None
        for name, lines in zip(block.columns, names, strict=True)
    ]


def _names_height(block: Block, side: float) -> float:
    """Inches for the names of columns."""
    heights = [0.0]
    for name, lines in zip(block.columns, _above(block, side), strict=True):
        if lines is None:
            slanted = _slanted(name)
            longest = max(map(len, slanted))
            heights.append(0.71 * (CHARACTER * longest + LINE * (len(slanted) - 1)) + 0.08)
        else:
            heights.append(LINE * len(lines))
    return max(heights)


def _slanted(name: str) -> list[str]:
    """Lines of a slanted name, in which sums and equations stay whole."""
    for sign in "+=":
        name = name.replace(f" {sign} ", f"\u00a0{sign}\u00a0")
    return wrap(name, SLANTED_LINE)


def _top(block: Block, side: float) -> float:
    """Inches above a block for its title and the names of columns."""
    lines = _title_lines(block, side)
    return (LINE * len(lines) + 0.07 if lines else 0.0) + _names_height(block, side)


def _title_lines(block: Block, side: float) -> list[str]:
    """Title of a block, no wider than the block."""
    return wrap(block.title, int(block.size[1] * side / TITLE_CHARACTER))


def _height(block: Block, side: float) -> float:
    """Inches of a block's images."""
    height, width = block.images.shape[-2:]
    return block.size[0] * side * height / width


def _draw_block(
    figure: Figure,
    box: tuple[float, float, float, float],
    block: Block,
    side: float,
    unreadable: Collection[str],
) -> None:
    axes = figure.add_axes(box)
    axes.imshow(tile(block.images, block.frames), aspect="auto")
    axes.set_axis_off()
    height, width = block.images.shape[-2:]
    for column, (name, lines) in enumerate(zip(block.columns, _above(block, side), strict=True)):
        x, colour = _centre(column, width), name_colour(name, unreadable)
        if lines is None:
            slant: dict[str, Any] = {"rotation": 45, "rotation_mode": "anchor", "ha": "left"}
            slanted = "\n".join(_slanted(name))
            axes.text(x - 0.2 * width, -0.04 * height, slanted, va="bottom", color=colour, **slant)
        else:
            words = "\n".join(lines)
            axes.text(x, -0.04 * height, words, va="bottom", ha="center", color=colour)
    for column, name in enumerate(block.below):
        axes.text(_centre(column, width), axes.get_ylim()[0], name, va="top", ha="center")
    for row, name in enumerate(block.rows):
        colour = name_colour(name, unreadable)
        axes.text(-0.1 * width, _centre(row, height), name, ha="right", va="center", color=colour)
    if block.title:
        lift = 72 * _names_height(block, side) + 4
        axes.annotate(
            "\n".join(_title_lines(block, side)),
            (0, 1),
            (0, lift),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=STYLE["axes.titlesize"],
            va="bottom",
            color=name_colour(block.title, unreadable),
        )
    for label, at, turn in (
        (block.x_label, (0.5, 0.0), 0),
        (block.y_label, (0.0, 0.5), 90),
    ):
        if label:
            axes.annotate(
                label,
                at,
                (0, -2) if turn == 0 else (-3, 0),
                xycoords="axes fraction",
                textcoords="offset points",
                ha="right" if turn else "center",
                va="center" if turn else "top",
                rotation=turn,
                color=name_colour(label, unreadable),
            )


def _centre(index: int, size: int) -> float:
    """Pixel on the canvas that is the middle of tile number `index`."""
    return GAP + index * (size + GAP) + size / 2 - 0.5
