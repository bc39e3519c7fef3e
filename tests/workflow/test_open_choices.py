"""What open choices move, on studies whose numbers are known."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.workflow import fabricated
from workflow.config import Config
from workflow.reporting.open_choices import measured, spreads_of, studies_block
from workflow.reporting.record_files import COLUMNS
from workflow.steps.studies.study_variants import missing_in_words
from workflow.studies.plan import described_changes
from workflow.studies.variants import summarise_variants, variants_markdown


def test_changes_are_against_the_first_variant():
    rows = [
        {"dataset": "mnist", "supervision_rate": "0.06", "value": value, "seed": seed}
        | {"metric": "accuracy", "score": score}
        for value, scores in (("first", (0.5, 0.7)), ("up", (0.9, 0.9)), ("down", (0.1, 0.3)))
        for seed, score in enumerate(scores)
    ]
    summary = summarise_variants(pd.DataFrame(rows))
    assert summary["change"].tolist() == pytest.approx([0, 0.3, -0.4])
    assert summary["n"].tolist() == [2, 2, 2]
    text = variants_markdown(summary, {"name": "s", "title": "T", "steps": 3, "deviations": ["x"]})
    assert "| first | 0.600 ± 0.141 |" in text
    assert "| up | 0.900 ± 0.000 (+0.300) |" in text
    assert "mean of 2 seeds" in text


def test_a_page_says_what_rows_change_and_which_saw_other_images():
    images = {"first": 320, "longer": 960, "as_long": 320, "longest": 960}
    rows = [
        {"dataset": "mnist", "supervision_rate": "0.06", "value": value, "seed": 0}
        | {"images_seen": seen, "metric": "accuracy", "score": 0.5}
        for value, seen in images.items()
    ]
    study = {
        "model": "ccvae",
        "baseline": "first",
        "training": {},
        "variants": {
            "first": {},
            "longer": {"training": {"steps": 30, "one_cycle": False}, "beta": 2},
            "as_long": {"model": "m2", "against": "first", "architecture": {"scale": None}},
            "longest": {"against": "longer", "training": {"steps": 30, "one_cycle": True}},
            "not_run": {"beta": 3},
        },
    }
    about = {"name": "s", "title": "T", "steps": "10", "changes": described_changes(study)}
    about |= {"shared": {"training.kind": "interleaved"}, "epochs": True}
    about |= {"varied": {"mnist": {"beta": 1}, "synthetic_faces": {"beta": 7}}}
    text = variants_markdown(summarise_variants(pd.DataFrame(rows)), about)
    assert "Validation images, 10 steps of the first row, one seed" in text
    assert "* `longer`: beta 2, training.steps 30, training.one_cycle false." in text
    assert "* `as_long`: model m2, architecture.scale null." in text
    assert "* `longest`: training.one_cycle true, beta as configured." in text
    assert "* All rows, unless named below: training.kind interleaved." in text
    assert (
        "* The first row (MNIST): beta 1.\n* The first row (synthetic_faces (drawn)): beta 7."
        in text
    )
    assert "\nImages seen count the last, smaller batches of an epoch in full.\n" in text
    assert "not_run" not in text
    assert "| | images seen | accuracy |" in text
    assert "| longer | 960 | 0.500 (+0.000) |" in text
    alike = pd.DataFrame([row | {"images_seen": 320} for row in rows])
    text = variants_markdown(summarise_variants(alike), about)
    assert "Validation images, 10 steps, one seed" in text
    assert "Images seen" not in text
    assert "| | accuracy |" in text


def test_a_variant_can_be_compared_with_another_than_the_first():
    scores = {"first": 0.5, "m2": 0.8, "m2_fast": 0.9, "m2_slow": 0.7}
    rows = [
        {"dataset": "mnist", "supervision_rate": "0.06", "value": value, "seed": 0}
        | {"against": "m2" if value.startswith("m2_") else "first"}
        | {"metric": "accuracy", "score": score}
        for value, score in scores.items()
    ]
    summary = summarise_variants(pd.DataFrame(rows))
    assert summary["change"].tolist() == pytest.approx([0, 0.3, 0.1, -0.1])
    about = {"name": "s", "title": "T", "steps": "3", "varied": {"mnist": {"rate": 1, "beta": 2}}}
    text = variants_markdown(summary, about)
    assert "* The first row: rate 1, beta 2." in text
    assert "| first | 0.500 |" in text
    assert "| m2 | 0.800 (+0.300) |" in text
    assert "| m2_fast (against m2) | 0.900 (+0.100) |" in text


@pytest.mark.parametrize(
    ("seeds", "fast", "cell"),
    [
        ((0.7, 0.8, 0.9), 0.95, "(`m2_fast` +0.150 against `m2`)"),
        ((0.7, 0.8, 0.9), 0.55, "`m2_fast` -0.250 against `m2`"),
        ((0.7, 0.9), 0.95, "`m2_fast` +0.150 against `m2`"),
        ((0.7, 0.8, 0.9), 0.85, "`up` +0.100"),
    ],
)
def test_open_choices_tell_what_moves_most_among_like_models(seeds, fast, cell):
    values = fabricated.configuration()
    variants = {"first": {}, "up": {}, "m2": {"model": "m2"}}
    variants["ccvae_detached"] = {"model": "ccvae_detached"}
    variants["m2_fast"] = {"model": "m2", "against": "m2"}
    study = {**values["studies"]["variants"]["choices"], "model": "ccvae", "baseline": "first"}
    values["studies"]["variants"] = {"choices": {**study, "variants": variants}}
    place = {"dataset": "mnist", "supervision_rate": "0.06", "metric": "accuracy"}
    # That M2 is the best by far, or another reading, is nothing that a choice moved.
    scores = {"first": 0.3, "up": 0.4, "m2": 0.8, "m2_fast": fast, "ccvae_detached": 0.9}
    frame = summarise_variants(
        pd.DataFrame(
            [
                {**place, "value": value, "seed": 0, "score": score}
                | {"against": variants[value].get("against", "first")}
                for value, score in scores.items()
            ]
        )
    )
    records = pd.DataFrame([{**place, "model": "m2", "value": value} for value in seeds])
    lines = studies_block(Config(values), {"choices": frame}, spreads_of(records), "..")
    assert lines[0].startswith("| study | data | Accuracy |")
    assert len(lines) == 3
    assert lines[2].endswith(f"](../studies/choices.md)) | MNIST, f = 0.06 | {cell} |  |  |  |  |")


def test_what_no_variant_moves_is_none():
    config = Config(fabricated.configuration())
    place = {"dataset": "mnist", "supervision_rate": "0.06", "metric": "accuracy", "seed": 0}
    scores = {"paper_eq8": 0.3, "eq4": 0.30001}
    frame = pd.DataFrame([{**place, "value": v, "score": score} for v, score in scores.items()])
    lines = studies_block(config, {"readings": summarise_variants(frame)}, {}, "..")
    assert lines[2].endswith("| MNIST, f = 0.06 | none |  |  |  |  |")


def test_without_studies_nothing_is_said_of_open_choices():
    config = Config(fabricated.configuration())
    spreads = spreads_of(pd.DataFrame(columns=COLUMNS))
    assert studies_block(config, {}, spreads, "..") == ["None."]


def test_what_the_first_variant_lacks_has_no_change():
    rows = [
        {"dataset": "mnist", "supervision_rate": "0.06", "value": value, "seed": 0}
        | {"metric": metric, "score": score}
        for value, metric, score in (
            ("first", "accuracy", 0.5),
            ("second", "accuracy", 0.6),
            ("second", "swap", 2.0),
            ("third", "swap", 3.0),
        )
    ]
    summary = summarise_variants(pd.DataFrame(rows))
    assert summary["change"].tolist()[:2] == pytest.approx([0, 0.1])
    assert summary["change"].isna().tolist() == [False, False, True, True]
    text = variants_markdown(summary, {"name": "s", "title": "T", "steps": 3})
    assert "| first | 0.500 | n/a |" in text
    assert "| second | 0.600 (+0.100) | 2.000 |" in text


def test_a_decision_is_told_what_its_own_settings_moved(tmp_path):
    study = {
        "model": "csvae",
        "baseline": "as_configured",
        "deviations": ["weights", "likelihood", "both"],
        "variants": {
            "as_configured": {},
            "no_adversary": {"adversary_weight": 0},
            "bernoulli": {"likelihood": "bernoulli"},
            "longer": {"training": {"steps": 9}},
        },
    }
    scores = {"as_configured": 0.9, "no_adversary": 0.95, "bernoulli": 0.8, "longer": 0.7}
    rows = [
        {"dataset": "mnist", "supervision_rate": "0.06", "value": name, "metric": "accuracy"}
        | {"seed": 0, "score": score}
        for name, score in scores.items()
    ]
    studies = {"csvae": summarise_variants(pd.DataFrame(rows))}

    values = {"studies": {"variants": {"csvae": study}}}
    spreads = {("mnist", "0.06", "csvae", "accuracy"): 0.03}

    def effect(name: str, *settings: str) -> str:
        entry = {"id": name, "settings": settings}
        return measured(entry, values, studies, spreads, "there", Path())

    assert effect("weights", "csvae.*.*_weight") == (
        "[csvae](there/studies/csvae.md), MNIST, f = 0.06: Accuracy: (`no_adversary` +0.050)."
    ), "no more than seeds move"
    assert effect("likelihood", "all.classes.likelihood").endswith("Accuracy: `bernoulli` -0.100.")
    assert effect("likelihood", "all.*.training.steps").endswith("Accuracy: `longer` -0.200.")
    whole = effect("both", "csvae.*.*_weight", "all.*.training.steps")
    assert whole.endswith("Accuracy: `longer` -0.200."), "the furthest"
    assert effect("both") == "", "nothing that it is about is varied"
    named = {"id": "both", "variants": {"csvae": ["bernoulli"]}, "shown_in": "tables/a.md"}
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "a.md").touch()
    assert "[a]" not in measured(named, values, studies, spreads, "there", Path())
    assert measured(named, values, studies, spreads, "there", tmp_path) == (
        "[a](there/tables/a.md)<br>[csvae](there/studies/csvae.md), MNIST, f = 0.06: "
        "Accuracy: `bernoulli` -0.100."
    )
    assert effect("another", "csvae.*.*") == ""
    study["variants"]["longer"]["architecture"] = {"posterior_scale": None}
    assert effect("both", "all.*.architecture.*").endswith("Accuracy: `longer` -0.200.")
    # What a variant shares with the one that it is compared with is no change of it.
    study["variants"]["bernoulli"] |= {"training": {"steps": 9}, "against": "longer"}
    assert effect("likelihood", "all.*.training.steps").endswith("Accuracy: `longer` -0.200.")
    assert "bernoulli" not in effect("likelihood", "all.*.training.steps")
    # The most of all places, wherever it was.
    elsewhere = [{**row, "dataset": "fashion_mnist", "score": 0.9} for row in rows]
    elsewhere[1]["score"] = 0.84
    studies["csvae"] = summarise_variants(pd.DataFrame(rows + elsewhere))
    assert effect("weights", "csvae.*.*_weight") == (
        "[csvae](there/studies/csvae.md): "
        "Accuracy: `no_adversary` -0.060 on FashionMNIST, f = 0.06."
    )
    study["budgets"] = [1, 2]
    assert effect("both", "all.*.training.steps") == "", "orders have a page of their own"


def test_a_decision_on_a_weight_is_told_what_the_study_of_alpha_moved():
    accuracy = {"1": 0.91, "46": 0.95, "1000": 0.972}
    common = {"dataset": "mnist", "model": "m2", "supervision_rate": "0.06", "metric": "accuracy"}
    rows = [{**common, "alpha": alpha, "mean": mean} for alpha, mean in accuracy.items()]
    studies = {"alpha": pd.DataFrame(rows)}
    text = measured({"id": "m2-alpha"}, {}, studies, {}, "there", Path())
    rows = studies["alpha"].query("model == 'm2' and metric == 'accuracy' and dataset == 'mnist'")
    means = rows.set_index("alpha")["mean"]
    assert f"Accuracy: `alpha = 1000` {means['1000'] - means['1']:+.3f}." in text
    assert measured({"id": "prior-rate"}, {}, studies, {}, "there", Path()) == ""


def test_missing_trainings_are_named_with_their_seeds():
    place = {"dataset": "mnist", "supervision_rate": "0.06"}
    a, b = ([{**place, "value": v, "seed": seed} for seed in range(3)] for v in "ab")
    other = [{**place, "supervision_rate": "1.0", "value": "a", "seed": 0, "budget": 4}]
    every = [*a, *b, *other]
    assert missing_in_words([*a, *b], every) == "MNIST, f = 0.06: all"
    assert missing_in_words(a, every) == "MNIST, f = 0.06: `a`"
    assert missing_in_words([a[2], b[0], b[2]], every) == (
        "MNIST, f = 0.06: `a` (seed 2), `b` (seed 0 and 2)"
    )
    assert missing_in_words(other, every) == "MNIST, f = 1.0, 4 times the images: all"
    assert missing_in_words([], every) == ""
