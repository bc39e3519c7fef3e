from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from workflow.figures import grids, style


def test_tiles_lie_where_they_should_and_have_a_gap_between_them():
    images = torch.arange(6).view(2, 3, 1, 1, 1).expand(-1, -1, 1, 4, 5) / 10
    canvas = grids.tile(images)
    gap = grids.GAP
    assert canvas.shape == (2 * (4 + gap) + gap, 3 * (5 + gap) + gap, 3)
    for row in range(2):
        for column in range(3):
            top, left = row * (4 + gap) + gap, column * (5 + gap) + gap
            inside = canvas[top : top + 4, left : left + 5]
            np.testing.assert_allclose(inside, (3 * row + column) / 10, rtol=1e-6)
            assert (canvas[top - 1, left] == 1).all()
    assert grids._centre(2, 5) == pytest.approx(2 * (5 + gap) + gap + 2)


def test_empty_tiles_are_white_and_frames_go_around_without_hiding_anything():
    images = torch.zeros(1, 2, 3, 4, 4)
    images[0, 1] = torch.nan
    canvas = grids.tile(images, torch.tensor([[1, 0]]))
    gap = grids.GAP
    assert (canvas[gap : gap + 4, gap : gap + 4] == 0).all()
    assert (canvas[gap : gap + 4, 2 * gap + 4 : 2 * gap + 8] == 1).all()
    np.testing.assert_allclose(canvas[0, 0], grids.FRAMES[0], rtol=1e-6)
    other = grids.tile(images, torch.tensor([[2, 0]]))
    np.testing.assert_allclose(other[0, 0], grids.FRAMES[1], rtol=1e-6)


def test_lines_are_broken_at_spaces_and_never_inside_a_no_break_space():
    assert style.wrap("one two three", 7) == ["one two", "three"]
    assert style.wrap("f\u00a0=\u00a01.0 seed", 4) == ["f\u00a0=\u00a01.0", "seed"]


@pytest.mark.parametrize("per_line", [1, 2, 3])
def test_blocks_stay_on_the_page_and_do_not_overlap(per_line):
    blocks = [
        grids.Block(
            torch.rand(2, 4, 3, 8, 8),
            title="a title",
            rows=["a row", "another one"],
            columns=["a long name of a column"] * 4,
            x_label="x",
            y_label="y",
        )
        for _ in range(3)
    ]
    figure = grids.draw_blocks(blocks, title="words " * 40, per_line=per_line)
    assert len(figure.axes) == 3
    assert figure.get_size_inches()[0] <= style.WIDTH + 1e-6
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    sizes = {(round(b.width, 6), round(b.height, 6)) for b in boxes}
    assert len(sizes) == 1


def test_pictures_are_written_as_png_and_pdf_and_show_something(tmp_path):
    block = grids.Block(torch.zeros(2, 2, 1, 4, 4))
    style.save(grids.draw_blocks([block], title="black"), tmp_path / "a.b" / "name=0.06")
    picture = np.asarray(Image.open(tmp_path / "a.b" / "name=0.06.png").convert("L"))
    assert picture.min() < 10 < 240 < picture.max()
    assert (tmp_path / "a.b" / "name=0.06.pdf").read_bytes().startswith(b"%PDF")
    assert len(list((tmp_path / "a.b").iterdir())) == 2


@pytest.mark.parametrize(("name", "upright"), [("7", True), ("M2", False)])
def test_short_names_slant_with_long_ones_unless_they_are_numbers(name, upright):
    block = grids.Block(torch.rand(1, 3, 1, 8, 8), columns=[name, "a" * 40, "b" * 40])
    figure = grids.draw_blocks([block], title="")
    (text,) = (text for text in figure.axes[0].texts if text.get_text() == name)
    assert (text.get_rotation() == 0) == upright
