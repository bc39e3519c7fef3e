from __future__ import annotations

import pytest

from tests.workflow.test_figures import class_model, scene
from workflow.figures import digits


@pytest.mark.parametrize("draw", [digits.draw_generations, digits.draw_interventions])
def test_a_figure_says_where_there_is_no_style_to_keep(draw):
    def words(style):
        figure = draw(scene(class_model(style=style)))
        return {t.get_text() for part in (figure, *figure.axes) for t in part.texts} | {
            axes.get_title(loc) for axes in figure.axes for loc in ("left", "center")
        }

    assert any(digits.NOTHING_KEPT in text.replace("\n", " ") for text in words(0))
    assert not any(digits.NOTHING_KEPT in text.replace("\n", " ") for text in words(2))
