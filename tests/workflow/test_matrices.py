"""Figures 10, 12, 14 and 16: matrices of single interventions."""

from __future__ import annotations

import numpy as np

from workflow.figures import matrices, style


def record(values: list[list[float | None]], condition: float | None) -> dict:
    names = [f"label_{i}" for i in range(len(values))]
    metrics = {} if condition is None else {"intervention_condition": condition}
    return {
        "metrics": metrics,
        "matrices": {"flip": {"rows": names, "columns": names, "values": values}},
    }


def test_confusion_matrices_of_every_model_share_one_scale_and_name_the_condition():
    records = {
        "0.06": record([[1.0, -3.0], [0.0, 2.0]], 4.25),
        "0.2": record([[0.5, 0.0], [None, None]], None),
        "0.5": record([[0.5, 0.0], [0.0, 0.1]], 1812.3),
        "1.0": None,
    }
    figure = matrices.draw_confusion(records, "title")
    assert len(figure.axes) == 5
    shown = [axes for axes in figure.axes if axes.images and axes.get_title(loc="left")]
    assert len(shown) == 3
    larger = matrices.draw_confusion({"1.0": record([[90.0, 0.0], [0.0, 90.0]], 1.0)}, "title")
    limits = {axes.images[0].get_clim() for axes in [*shown, larger.axes[0]]}
    assert limits == {(-matrices.LIMIT, matrices.LIMIT)}
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:4] == [
        "f = 0.06, condition number 4.25",
        "f = 0.2, condition number undefined",
        "f = 0.5, condition number 1,812",
        "f = 1.0: missing",
    ]
    assert shown[1].images[0].get_array().mask.tolist() == [[False, False], [True, True]]


def test_no_change_has_the_one_neutral_colour():
    figure = matrices.draw_confusion({"1.0": record([[0.0, 0.02], [-0.02, 4.0]], 1.0)}, "title")
    image = figure.axes[0].images[0]
    colours = image.to_rgba(image.get_array())[..., :3]
    red, green, blue = colours[0, 0]
    assert red == green == blue
    assert len(np.unique(colours.reshape(-1, 3), axis=0)) == 4
    # As much up as down is as far from it.
    assert colours[0, 1, 0] > colours[0, 1, 2]
    assert colours[1, 0, 2] > colours[1, 0, 0]


def test_labels_that_the_judge_cannot_read_are_left_out_and_named():
    figure = matrices.draw_confusion(
        {"1.0": record([[1.0, 2.0], [3.0, 4.0]], 1.0)}, "title", ["label_1"]
    )
    axes = figure.axes[0]
    assert axes.images[0].get_array().tolist() == [[1.0]]
    assert axes.get_title(loc="left") == "f = 1.0, condition number 1"
    assert figure.get_supxlabel().replace("\n", " ") == (
        "The condition number is that of all labels. Left out here, because the judge cannot be "
        "relied on to read them: label\N{NO-BREAK SPACE}1."
    )


def test_where_the_judge_can_read_nothing_all_is_shown_in_grey():
    names = ["label_0", "label_1"]
    figure = matrices.draw_confusion({"1.0": record([[1.0, 2.0], [3.0, 4.0]], 1.0)}, "title", names)
    axes = figure.axes[0]
    assert axes.images[0].get_array().shape == (2, 2)
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_color() for label in labels] == [style.UNREADABLE] * 2
    assert figure.get_supxlabel() == ""
