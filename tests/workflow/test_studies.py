from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from ccvae.batches import Batches, Schedule
from ccvae.errors import InputError
from ccvae.files import read_json
from ccvae.model import CCVAE, SUPERVISED_GRADIENTS
from ccvae.training import Trainer
from datasets.spec import StoreSpec
from datasets.writer import StoreWriter
from tests.tiny import Tiny, binary_labels, scramble
from workflow.config import Config
from workflow.steps.studies import study_alpha, study_draws, study_gradients, study_train
from workflow.studies.gradients import GradientRecorder, gradient_norm, gradients_of_draws
from workflow.studies.plan import alpha_variants, gradient_variants, images_per_step
from workflow.studies.seeds import in_words, read_studies
from workflow.studies.summary import (
    alpha_markdown,
    gradients_markdown,
    summarise_alpha,
    summarise_gradients,
)

ROOT = Path(__file__).parents[2]
READINGS = list(SUPERVISED_GRADIENTS)


def raw() -> dict:
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


def tiny_model(**options: object) -> CCVAE:
    torch.manual_seed(0)
    model = CCVAE(
        binary_labels(2),
        Tiny(),
        latents=3,
        latents_per_label=1,
        likelihood="laplace",
        label_samples=5,
        **options,
    )
    scramble(model, 3)
    return model


def tiny_trainer(clip: float = 0.0) -> Trainer:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (20, 1, 2, 2), generator=generator, dtype=torch.uint8)
    labels = torch.randint(2, (20, 2), generator=generator)
    schedule = Schedule("mixed", 1e-3, steps=6, labelled_batch=4, gradient_clip=clip)
    nobody = torch.arange(0)
    torch.manual_seed(1)
    return Trainer(
        tiny_model(), images, labels, Batches(schedule, torch.arange(20), nobody, 0), schedule
    )


def test_settings_of_the_readings_differ_in_the_reading_only() -> None:
    values = raw()
    values["studies"]["gradients"].update(seeds=2)
    variants = gradient_variants(Config(values))
    assert len(variants) == 10
    of_first_seed = [copy.deepcopy(v.settings) for v in variants if v.run.seed == 0]
    readings = [settings["options"].pop("supervised") for settings in of_first_seed]
    assert readings == READINGS or set(readings) == set(READINGS)
    assert all(settings == of_first_seed[0] for settings in of_first_seed)
    assert len({variant.settings["torch_seed"] for variant in variants}) == 2
    assert len({variant.folder for variant in variants}) == 10


@pytest.mark.parametrize(
    ("model", "option"),
    [("ccvae", "classifier_weight"), ("diva", "classifier_weight"), ("mvae", "label_weight")],
)
def test_weights_of_a_study_share_everything_else(model: str, option: str) -> None:
    values = raw()
    weighed = {model: [1, 10, "kingma"]}
    values["studies"]["alpha"].update(datasets=["mnist"], weights=weighed)
    variants = alpha_variants(Config(values))
    settings = [copy.deepcopy(variant.settings) for variant in variants]
    weights = [s["options"].pop(option) for s in settings]
    # A third of the images of a step has labels.
    assert weights == pytest.approx([1, 10, 0.3])
    assert settings[0] == settings[1] == settings[2]
    assert settings[0]["training"]["steps"] == values["studies"]["alpha"]["training"]["steps"]
    assert variants[2].described()["value"] == "kingma"


def test_step_sizes_of_both_schedules() -> None:
    mixed = {"kind": "mixed", "labelled_batch": 3, "unlabelled_batch": 4, "batch_size": 9}
    assert images_per_step(mixed) == 7
    assert images_per_step({**mixed, "kind": "interleaved"}) == 9


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "m2"}, "only a model of the system ccvae"),
        ({"model": "gan"}, "'gan', which is not known"),
        ({"dataset": "imagenet"}, "'imagenet', which is not known"),
        ({"supervision_rate": "2"}, "not a number in (0, 1]"),
        ({"readings": ["eq9"]}, "eq9"),
    ],
)
def test_mistakes_in_a_study_are_named(change: dict, words: str) -> None:
    values = raw()
    values["studies"]["gradients"].update(change)
    with pytest.raises(InputError) as caught:
        gradient_variants(Config(values))
    assert words in str(caught.value)


def test_schema_and_model_know_the_same_readings() -> None:
    schema = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
    items = schema["$defs"]["gradient_study"]["properties"]["readings"]["items"]
    assert set(items["enum"]) == set(SUPERVISED_GRADIENTS)


def test_gradient_norm_is_over_all_entries() -> None:
    assert gradient_norm([torch.tensor([3.0]), None, torch.tensor([[4.0]])]) == pytest.approx(5)
    assert gradient_norm([None]) == 0


def test_recording_changes_nothing_and_sees_gradients_before_they_are_clipped() -> None:
    plain, recorded, clipped = tiny_trainer(), tiny_trainer(), tiny_trainer(clip=1e-6)
    recorder = GradientRecorder(recorded.model)
    recorded.after_backward = recorder
    clipped.after_backward = GradientRecorder(clipped.model)
    for trainer in (plain, recorded, clipped):
        torch.manual_seed(2)
        while not trainer.finished:
            trainer.run_interval()
    for a, b in zip(plain.model.parameters(), recorded.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert [row["step"] for row in recorder.rows] == [1, 2, 3, 4, 5, 6]
    assert recorder.rows[0] == clipped.after_backward.rows[0]
    last = [p.grad for p in recorded.model.classifier.parameters()]
    assert recorder.rows[-1]["gradient_norm"] == pytest.approx(gradient_norm(last))


def test_classifier_sees_the_same_gradient_under_equations_4_and_8_and_the_encoder_does_not():
    model = tiny_model(supervised="detached")
    before = [p.clone() for p in model.parameters()]
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(6, 1, 2, 2, generator=generator)
    y = torch.randint(2, (6, 2), generator=generator)
    state = torch.get_rng_state()
    frame = gradients_of_draws(model, x, y, ["eq4", "paper_eq8", "detached"], 20, seed=0)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert model.gradient == SUPERVISED_GRADIENTS["detached"]

    assert frame.groupby("reading").size().tolist() == [20, 20, 20]
    by_reading = {name: rows.set_index("draw") for name, rows in frame.groupby("reading")}
    eq4, eq8, detached = (by_reading[name] for name in ("eq4", "paper_eq8", "detached"))
    assert eq8["difference"].max() < 1e-5
    assert detached["difference"].min() > 1e-3
    np.testing.assert_allclose(eq4["gradient_norm"], eq8["gradient_norm"], rtol=1e-5)
    assert eq4["gradient_norm"].std() > 0
    apart = (eq4["encoder_gradient_norm"] / eq8["encoder_gradient_norm"] - 1).abs()
    assert apart.min() > 1e-4


def steps_of(reading: str, late: list[float], seed: int = 0) -> pd.DataFrame:
    norms = [100.0] * 12 + late
    return pd.DataFrame(
        {
            "reading": reading,
            "seed": seed,
            "step": range(1, 17),
            "gradient_norm": norms,
            "encoder_gradient_norm": [2 * norm for norm in norms],
        }
    )


def gradients_summary() -> pd.DataFrame:
    steps = pd.concat(
        [
            steps_of("eq4", [1, 3, 5, 7]),
            steps_of("eq4", [2, 2, 2, 2], seed=1),
            steps_of("paper_eq8", [1, 1, 1, 5]),
        ]
    )
    scores = pd.DataFrame(
        {
            "reading": ["eq4", "eq4", "paper_eq8"],
            "seed": [0, 1, 0],
            "accuracy": [0.6, 0.8, 0.9],
            "balanced_accuracy": [0.5, 0.5, 0.75],
        }
    )
    draws = pd.DataFrame(
        {
            "reading": ["eq4", "eq4", "paper_eq8", "paper_eq8"],
            "draw": [0, 1, 0, 1],
            "gradient_norm": [1.0, 3.0, 1.0, 3.0],
            "encoder_gradient_norm": [4.0, 4.0, 6.0, 8.0],
            "difference": [0.0, 0.0, 1e-7, 3e-7],
        }
    )
    return summarise_gradients(steps, scores, draws)


def test_summary_looks_at_the_last_quarter_seed_by_seed() -> None:
    row = gradients_summary().set_index("reading").loc["eq4"]
    assert row["seeds"] == 2
    assert row["late_mean"] == pytest.approx((4 + 2) / 2)
    assert row["late_std"] == pytest.approx(math.sqrt(20 / 3) / 2)
    assert row["encoder_late_mean"] == pytest.approx(6)
    assert row["accuracy"] == pytest.approx(0.7)
    assert row["fixed_std"] == pytest.approx(math.sqrt(2))


def test_page_reports_both_comparisons() -> None:
    study = {
        "dataset": "mnist",
        "supervision_rate": "1.0",
        "steps": 16,
        "classifier_weight": 1.0,
        "draws": 2,
        "fixed": "eq4",
    }
    majority = {"accuracy": 0.8, "balanced_accuracy": 0.5}
    page = gradients_markdown(gradients_summary(), majority, study)
    assert "| eq4 | 3 ± 1.3 | 0.43 | 6 ± 2.6 | 0.700 | 0.500 |" in page
    assert "differ by at most 3.0e-07" in page
    assert "is larger under paper_eq8 (2 against 1.3)" in page
    only = gradients_summary().iloc[:1]
    assert "C.3.1" not in gradients_markdown(only, majority, study)


def test_alpha_table_averages_seeds_and_spells_out_kingma() -> None:
    common = {"dataset": "mnist", "model": "m2", "supervision_rate": "0.06", "images_seen": 50}
    rows = [
        {**common, "value": "1", "classifier_weight": 1.0, "seed": seed, "accuracy": accuracy}
        for seed, accuracy in ((0, 0.8), (1, 0.9))
    ]
    rows += [{**row, "value": "kingma", "classifier_weight": 5 / 3} for row in rows]
    frame = pd.DataFrame(rows).assign(balanced_accuracy=0.5, reconstruction_l1=0.01)
    summary = summarise_alpha(frame)
    accuracy = summary[(summary["metric"] == "accuracy") & (summary["value"] == "1")].iloc[0]
    assert (accuracy["mean"], accuracy["n"]) == (pytest.approx(0.85), 2)
    assert accuracy["std"] == pytest.approx(0.1 / math.sqrt(2))
    assert accuracy["values"] == "0.8 0.9"
    page = alpha_markdown(summary, {"m2": "M2"}, [5, 5])
    assert "| M2 | 1 | 0.850 ± 0.071 | 0.500 ± 0 | 0.0100 ± 0 |" in page
    assert "| M2 | kingma (1.67) |" in page


def test_tables_keep_every_seed_of_a_study(tmp_path: Path) -> None:
    gradients_summary().assign(dataset="mnist", supervision_rate="1.0").to_csv(
        tmp_path / "gradients_summary.csv", index=False
    )
    seeds = read_studies(tmp_path)
    late = seeds[(seeds["model"] == "eq4") & (seeds["metric"] == "late_std")]
    assert in_words(late["value"]) == gradients_summary().iloc[0]["late_std_values"]
    assert late["value"].mean() == pytest.approx(gradients_summary().iloc[0]["late_std"], rel=1e-6)
    assert late["seed"].tolist() == list(range(len(late)))
    assert read_studies(tmp_path / "nothing").empty


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "tiny"
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, (80, 2)).astype(np.uint8)
    images = generator.integers(0, 256, (80, 1, 28, 28)).astype(np.uint8)
    spec = StoreSpec(
        name="tiny",
        kind="multi_label",
        labels=("a", "b"),
        image_shape=(1, 28, 28),
        counts={"train": 40, "validation": 20, "test": 20},
        source="test",
    )
    with StoreWriter(folder, spec) as writer:
        writer.write(images, labels)
    np.save(folder / "labelled.npy", np.arange(40))
    return folder


def settings(reading: str) -> dict:
    return {
        "dataset": "tiny",
        "model": "ccvae",
        "system": "ccvae",
        "torch_seed": 5,
        "architecture": {"name": "mlp28"},
        "options": {
            "likelihood": "laplace",
            "latents": 4,
            "latents_per_label": 1,
            "supervised": reading,
            "classifier_weight": 2.0,
        },
        "training": {
            "kind": "mixed",
            "steps": 4,
            "labelled_batch": 4,
            "unlabelled_batch": 4,
            "learning_rate": 1e-4,
        },
    }


def call(step: object, **options: object) -> None:
    """Run a step in this process, as its command line would."""
    from argparse import ArgumentParser

    parser = ArgumentParser()
    step.arguments(parser)  # type: ignore[attr-defined]
    words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
    step.work(parser.parse_args(words))  # type: ignore[attr-defined]


def test_steps_of_both_studies_on_tiny_data(store: Path, tmp_path: Path) -> None:
    where = {"store": store, "labelled": store / "labelled.npy"}
    variants = []
    for reading in ("eq4", "paper_eq8"):
        out = tmp_path / "studies" / reading
        text = json.dumps(settings(reading))
        call(
            study_train,
            settings=text,
            gradients=out / "gradients.csv",
            out=out,
            device="cpu",
            **where,
        )
        variants.append(
            {
                "folder": f"studies/{reading}",
                "value": reading,
                "dataset": "tiny",
                "model": "ccvae",
                "supervision_rate": "1.0",
                "seed": 0,
            }
        )
    record = read_json(out / "run.json")
    assert {"accuracy", "balanced_accuracy", "reconstruction_l1"} <= set(record["validation"])
    assert record["majority"]["balanced_accuracy"] == 0.5

    draws = tmp_path / "studies" / "draws.csv"
    asked = {"readings": ["eq4", "paper_eq8"], "draws": 3, "seed": 0, "images": 8}
    call(study_draws, settings=json.dumps(asked), run=out, out=draws, device="cpu", **where)
    plan = json.dumps({"variants": variants, "titles": {"ccvae": "CCVAE"}})
    call(study_gradients, settings=plan, results=tmp_path, draws=draws, out=tmp_path / "studies")
    steps = pd.read_csv(tmp_path / "studies" / "gradients.csv")
    assert list(steps.columns) == [
        *("reading", "seed", "step", "gradient_norm", "encoder_gradient_norm")
    ]
    # Both start at the same parameters with the same noise.
    first = steps[steps["step"] == 1]
    assert len(steps) == 8
    assert first["gradient_norm"].iloc[0] == pytest.approx(first["gradient_norm"].iloc[1], rel=1e-4)
    assert first["encoder_gradient_norm"].nunique() == 2
    assert "4 steps" in (tmp_path / "studies" / "gradients_summary.md").read_text()

    call(study_alpha, settings=plan, results=tmp_path, out=tmp_path / "studies")
    table = pd.read_csv(tmp_path / "studies" / "alpha.csv")
    assert set(table["classifier_weight"]) == {2.0}
    assert len(table) == 6

    seeds = read_studies(tmp_path / "studies")
    assert set(seeds["study"]) == {"gradients", "alpha"}
    assert (seeds["images_seen"] == 4 * 8).all()
    spread = seeds[(seeds["metric"] == "late_std") & (seeds["model"] == "eq4")]
    assert (spread["dataset"].item(), spread["supervision_rate"].item()) == ("tiny", "1.0")
    weights = seeds[seeds["study"] == "alpha"]
    assert set(weights["model"]) == {"ccvae=eq4", "ccvae=paper_eq8"}
    accuracy = weights[(weights["metric"] == "accuracy") & (weights["model"] == "ccvae=paper_eq8")]
    assert accuracy["value"].item() == pytest.approx(record["validation"]["accuracy"])
