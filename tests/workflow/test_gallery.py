from __future__ import annotations

import copy
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
import yaml

from baselines.registry import SYSTEMS
from ccvae.errors import InputError
from workflow.config import Config
from workflow.figures import curves, gradients
from workflow.figures.catalogue import FIGURES, PAPER_SYSTEMS
from workflow.figures.gallery import OPTIONAL, Gallery, stem
from workflow.planning.drawing import Drawing
from workflow.reporting.page import html, inline, page
from workflow.reporting.record_files import COLUMNS
from workflow.reporting.records import Plan
from workflow.steps.reporting.make_figure import CAPTIONS, caption, title_of

ROOT = Path(__file__).parents[2]
WITHOUT_MODELS = 9
"""The figure of the paper that is a drawing of DIVA's graph; 1 and 2 introduce the method."""

SHOWN = (*PAPER_SYSTEMS, "vae_classifier")
"""Systems that the paper draws or describes."""


@cache
def default() -> dict:
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))


def raw() -> dict:
    return copy.deepcopy(default())


def gallery(**changes) -> Gallery:
    return Gallery(Config({**raw(), "models": [*SYSTEMS], **changes}))


def test_every_figure_of_the_paper_that_shows_results_is_there():
    numbers = {figure.number for figure in FIGURES.values()} - {None}
    assert numbers == set(range(3, 25)) - {WITHOUT_MODELS}


@pytest.mark.parametrize("figure", FIGURES.values(), ids=lambda figure: figure.name)
def test_a_figure_has_a_drawing_function_and_a_caption(figure):
    module, function = figure.drawn_by.split(":")
    assert callable(getattr(import_module(f"workflow.figures.{module}"), function))
    text = caption(figure, {"where": "Data: none.", "deviations": 5})
    assert text.startswith(f"{figure.heading}. ")
    assert text.endswith(" Data: none.\n")
    assert "{" not in text


def test_every_caption_belongs_to_a_figure():
    names = {path.stem for path in CAPTIONS.glob("*.rst")}
    assert names == {figure.caption for figure in FIGURES.values()}


def test_models_without_a_task_are_skipped_and_systems_go_to_their_own_figure():
    shown = gallery(datasets=["mnist", "synthetic_faces"], models=[*SHOWN, "csvae", "adgm"])
    assert "m2" not in shown.models_of(FIGURES["figure3"], "synthetic_faces")
    assert "m2" in shown.models_of(FIGURES["figure7"], "synthetic_faces")
    assert shown.models_of(FIGURES["figure12"], "synthetic_faces") == ["m2"]
    assert shown.models_of(FIGURES["figure16"], "synthetic_faces") == ["mvae"]
    assert shown.models_of(FIGURES["confusion"], "synthetic_faces") == [
        "vae_classifier",
        "csvae",
        "adgm",
    ]
    assert "csvae" in shown.models_of(FIGURES["figure3"], "synthetic_faces")
    assert shown.models_of(FIGURES["figure3"], "mnist") == []
    assert shown.stems(FIGURES["figure23"]) == [
        "figures/figure23/mnist_m2",
        "figures/figure23/mnist_adgm",
    ]


def test_models_without_a_background_have_no_swaps_and_the_caption_says_so():
    shown = gallery(datasets=["mnist", "synthetic_faces"], models=[*SHOWN])
    figure = FIGURES["figure6"]
    assert shown.models_of(figure, "mnist") == ["m2"]
    assert shown.models_of(figure, "synthetic_faces")[0] == "ccvae"
    where = shown.facts([figure], "mnist", ["m2"])["where"]
    assert f"Models not shown: {raw()['model_settings']['ccvae']['title']}. All of z is" in where
    assert "not shown" not in shown.facts([figure], "synthetic_faces", ["ccvae"])["where"]
    assert "not shown" not in shown.facts([FIGURES["figure24"]], "mnist", ["m2"])["where"]
    settings = raw()["model_settings"]
    settings["ccvae"]["classes"]["latents"] = 65
    assert "ccvae" in gallery(model_settings=settings).models_of(figure, "mnist")


def test_no_two_figures_write_the_same_file():
    shown = gallery()
    stems = [found for figure in FIGURES.values() for found in shown.stems(figure)]
    assert len(stems) == len(set(stems)) > 50


@pytest.mark.parametrize("corners", [{}, {"mnist": ["0", "1", "2", "3"]}])
def test_every_file_is_drawn_once(corners):
    shown = gallery(figures={**raw()["figures"], "corners": corners})
    made = [
        stem(figure, dataset, next(iter(models)))
        for needs in ("model", "metrics", "history", "records")
        for dataset in raw()["datasets"]
        for figures, models in shown.drawings(dataset, needs)
        for figure in figures
    ]
    of_a_study = [figure for figure in FIGURES.values() if figure.scope == "study"]
    wanted = {found for figure in FIGURES.values() for found in shown.stems(figure)}
    assert set(made) | {stem(figure, "", "") for figure in of_a_study} == wanted
    assert len(made) == len(set(made))


def test_a_model_is_loaded_once_for_all_figures_that_show_it_alone():
    drawings = gallery().drawings("synthetic_faces", "model")
    alone = [models for figures, models in drawings if figures[0].scope == "model"]
    assert len(alone) == len({*map(tuple, alone)}) > 3
    (several,) = [figures for figures, models in drawings if figures[0].scope == "models"]
    assert [figure.number for figure in several] == [6, 7]


def test_figures_that_name_labels_are_left_out_where_none_are_named():
    figures = raw()["figures"]
    figures["corners"] = {"mnist": ["0", "1", "2", "3"]}
    shown = gallery(figures=figures)
    assert shown.models_of(FIGURES["figure21"], "mnist")
    assert not shown.models_of(FIGURES["figure21"], "fashion_mnist")
    assert set(OPTIONAL.values()) <= set(figures)


def test_the_largest_rate_is_drawn_unless_another_is_named():
    assert gallery(supervision_rates=["0.06", "0.004"]).rate == "0.06"
    figures = {**raw()["figures"], "supervision_rate": "0.2"}
    assert gallery(figures=figures).rate == "0.2"
    with pytest.raises(InputError, match=r"0\.2, which is not run"):
        gallery(figures=figures, supervision_rates=["0.06"])
    with pytest.raises(InputError, match=r"figures\.seed is 3"):
        gallery(figures={**raw()["figures"], "seed": 3})


def test_the_study_is_left_out_where_its_data_are_not_asked_for():
    study = raw()["studies"]["gradients"]["dataset"]
    assert gallery(datasets=[study]).stems(FIGURES["figure8"])
    assert gallery(datasets=["fashion_mnist"]).stems(FIGURES["figure8"]) == []


def test_stand_ins_are_called_so_in_titles_and_captions():
    shown, figure = gallery(), FIGURES["figure3"]
    settings = shown.settings([figure], "synthetic_faces", ["ccvae"])
    words = title_of(figure, settings).replace("\u00a0", " ")
    title = raw()["model_settings"]["ccvae"]["title"]
    assert words == (
        f"Figure 3, traversals of label pairs: synthetic_faces (drawn), {title}, f = 1.0, seed 0"
    )
    text = caption(figure, settings["facts"])
    assert "a drawn stand-in for CelebA" in text
    assert f"Model: {title}. f = 1.0, seed 0." in text
    real = shown.facts([figure], "mnist", ["ccvae"])["where"]
    assert "Data: MNIST." in real
    assert "stand-in" not in real


def test_the_judge_is_asked_what_pictures_show_where_it_must_read_every_label():
    shown, figure = gallery(), FIGURES["figure11"]
    said = {
        dataset: caption(figure, shown.settings([figure], dataset, ["ccvae"])["facts"])
        for dataset in ("synthetic_faces", "mnist")
    }
    assert "A blue frame marks" in said["synthetic_faces"]
    assert "an orange one labels that the judge sees here" in said["synthetic_faces"]
    assert "A frame marks" in said["mnist"]
    assert "orange" not in said["mnist"]
    place = "<results>/judges/synthetic_faces"
    judge = {f"{place}/{name}" for name in ("judge.pt", "training.json", "judge.json")}
    assert judge < set(Drawing(shown, None, "synthetic_faces", "model").judge())
    assert Drawing(shown, None, "mnist", "model").judge() == []


def test_captions_name_the_budget_of_each_model():
    settings = raw()["settings"]
    settings["attributes"]["training"] |= {"steps": 900, "labelled_batch": 16}
    settings["attributes"]["training"]["unlabelled_batch"] = 16
    shown = gallery(settings=settings)
    one = shown.facts([FIGURES["figure3"]], "synthetic_faces", ["ccvae"])["where"]
    assert "Trained on 28,800 images (900 steps of 32)." in one
    models = raw()["model_settings"]
    models["m2"]["attributes"]["training"] = {"steps": 10}
    several = gallery(settings=settings, model_settings=models)
    where = several.facts([FIGURES["figure7"]], "synthetic_faces", ["ccvae", "m2"])["where"]
    assert f"Trained on 320 images (10 steps of 32): {models['m2']['title']}." in where
    assert "Trained on" not in shown.facts([FIGURES["figure8"]], "synthetic_faces", [])["where"]


def test_two_readings_of_a_model_share_the_papers_points():
    both = {
        name: {"system": "ccvae", "title": name, "datasets": None} for name in ("ccvae", "other")
    }
    frame = records("mnist", ("accuracy",))
    frame.loc[frame["model"] == "m2", "model"] = "other"
    shown = Plan("test", {"mnist": "classes"}, both, ["0.06", "1.0"], 2)
    figure = curves.against_f(frame, shown, "mnist", "title")
    hollow = [x for x in figure.axes[0].lines if x.get_markerfacecolor() == "none"]
    # One is drawn, one is the legend's.
    assert len(hollow) == 2


def plan(kind: str, dataset: str) -> Plan:
    models = {
        name: {"system": name, "title": name.upper(), "datasets": None} for name in ("ccvae", "m2")
    }
    return Plan("test", {dataset: kind}, models, ["0.06", "1.0"], 2)


def records(dataset: str, metrics: tuple[str, ...]) -> pd.DataFrame:
    rows = [
        {
            "run": f"{model}{rate}{seed}",
            "dataset": dataset,
            "model": model,
            "supervision_rate": rate,
            "seed": seed,
            "metric": metric,
            "value": 0.9 + 0.02 * seed,
        }
        for model in ("ccvae", "m2")
        for rate in ("0.06", "1.0")
        for seed in (0, 1)
        for metric in metrics
    ]
    rows.append({"dataset": dataset, "model": "majority", "metric": "accuracy", "value": 0.1})
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.mark.parametrize(("kind", "dataset"), [("classes", "mnist"), ("attributes", "celeba")])
def test_measures_have_means_bars_and_the_papers_points(kind, dataset):
    metrics = tuple(name for _, name, _ in curves.PANELS[kind])
    figure = curves.against_f(records(dataset, metrics), plan(kind, dataset), dataset, "title")
    assert len(figure.axes) == 3
    for axes in figure.axes:
        assert len(axes.containers) == 2
        for bar in axes.containers:
            assert bar[0].get_ydata().tolist() == pytest.approx([0.91, 0.91])
            low, high = bar[2][0].get_segments()[0][:, 1]
            assert high - low == pytest.approx(2 * 0.02 / 2**0.5)
        hollow = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
        # Of each model, and its mark in the legend.
        assert len(hollow) == 4
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert labels == {"CCVAE", "M2", "the paper's value"}
    assert [text.get_text() for text in figure.axes[0].texts] == ["↓ Majority class: 0.1"]


def test_one_seed_has_no_bar():
    frame = records("mnist", ("accuracy",))
    frame = frame[(frame["model"] != "m2") | (frame["seed"] == 0)]
    figure = curves.against_f(frame, plan("classes", "mnist"), "mnist", "title")
    assert [bar.has_yerr for bar in figure.axes[0].containers] == [True, False]


def test_style_has_a_panel_for_each_way_to_keep_it():
    metrics = tuple(name for _, name, _ in curves.STYLE_PANELS)
    figure = curves.style_kept(records("mnist", metrics), plan("classes", "mnist"), "mnist", "t")
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles[0] == "kept by interventions\nhigher is better"
    assert all(len(axes.containers) == 2 for axes in figure.axes)


@pytest.mark.parametrize(("majority", "noted"), [(0.9, False), (0.1, True), (2.0, True)])
def test_what_needs_no_training_never_hides_how_models_differ(majority, noted):
    frame = records("mnist", ("accuracy",))
    frame.loc[frame["model"] == "majority", "value"] = majority
    figure = curves.against_f(frame, plan("classes", "mnist"), "mnist", "title")
    low, high = figure.axes[0].get_ylim()
    assert 0.8 < low < 0.91 < high < 1.1
    texts = [text.get_text() for text in figure.axes[0].texts]
    arrow = "↓" if majority < 0.91 else "↑"
    assert texts == ([f"{arrow} Majority class: {majority:g}"] if noted else [])


def test_stand_ins_have_no_points_of_the_paper():
    metrics = tuple(name for _, name, _ in curves.PANELS["attributes"])
    dataset = "synthetic_faces"
    figure = curves.against_f(
        records(dataset, metrics), plan("attributes", dataset), dataset, "title"
    )
    lines = [line for axes in figure.axes for line in axes.lines]
    assert lines
    assert not any(line.get_markerfacecolor() == "none" for line in lines)


def test_training_has_a_panel_per_term_and_a_line_per_rate():
    terms = ["labelled_objective", "labelled_divergence", "unlabelled_objective"]
    steps = pd.DataFrame({"step": range(40), **{term: range(40) for term in terms}})
    steps.loc[0, terms] = -1e6
    only_labelled = steps.drop(columns=["unlabelled_objective"])
    figure = curves.training({"0.06": steps, "1.0": only_labelled}, "title")
    shown = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [len(axes.lines) for axes in shown] == [2, 2, 1]
    assert all(axes.get_ylim()[0] > -1e3 for axes in shown)


def test_terms_of_a_bound_have_the_papers_symbols_and_units():
    assert curves.term_name("joint_log_p_y_given_z") == "joint log p(y|z), nats"
    assert curves.term_name("label_divergence") == "label divergence, nats"
    assert curves.term_name("weight") == "weight w of equation (8)"


def test_gradients_have_a_line_per_reading_and_seed_and_a_box_per_reading():
    frame = pd.DataFrame(
        [
            {"reading": reading, "seed": seed, "step": step, "gradient_norm": 1.0 + step}
            for reading in ("a", "b")
            for seed in (0, 1)
            for step in range(5)
        ]
    )
    figure = gradients.draw_gradients(frame, "title")
    left, right = figure.axes
    assert len(left.lines) == 4
    assert len(right.patches) == 2
    assert [label.get_text() for label in right.get_xticklabels()] == ["a", "b"]
    assert right.yaxis.get_tick_params()["labelleft"]
    with pytest.raises(InputError, match="no column 'gradient_norm'"):
        gradients.draw_gradients(frame.drop(columns="gradient_norm"), "title")


def test_markdown_becomes_html():
    text = (
        "# A title\n\n**Bold** & `x < y`\n\n| a | b |\n|---|---:|\n| 1 | **2** |\n\n* one\n* two\n"
    )
    made = html(text)
    assert "<h2>A title</h2>" in made
    assert "<p><b>Bold</b> &amp; <code>x &lt; y</code></p>" in made
    assert "<th>a</th><th>b</th>" in made
    assert "<tr><td>1</td><td><b>2</b></td></tr>" in made
    assert "<ul><li>one</li><li>two</li></ul>" in made
    assert '<h3 id="a-claim">a-claim</h3>' in html("## a-claim")


def test_links_to_files_beside_the_page_become_their_names():
    assert inline("see [records.csv](../records.csv)") == "see records.csv"
    assert inline("[here](#table1)") == '<a href="#table1">here</a>'


def test_every_link_of_a_page_leads_somewhere():
    made = page("Title", ["[one](#table1)"], [("table1", "# Table 1\n\n[two](#deep)\n\n## deep")])
    targets = re.findall(r'href="#([^"]+)"', made)
    assert targets == ["table1", "deep"]
    assert all(f'id="{target}"' in made for target in targets)
