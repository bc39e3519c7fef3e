from __future__ import annotations

import pandas as pd
import pytest

from baselines.registry import SYSTEMS
from ccvae.tasks import TASKS
from workflow.config import Config
from workflow.planning.overlay import merged_config
from workflow.reporting.capabilities import (
    CRITERIA,
    FAILS,
    LEANS,
    WORKS,
    capabilities,
)
from workflow.reporting.capabilities_markdown import capabilities_markdown
from workflow.reporting.record_files import COLUMNS
from workflow.reporting.records import REFERENCES, Plan
from workflow.reporting.statistics import LEAST

FIGURES = {
    ("majority", "balanced_accuracy"): 0.5,
    ("judge", "balanced_accuracy"): 0.9,
    ("constant", "reconstruction_l1"): 0.2,
    ("constant", "fid"): 40.0,
    ("copy_characteristics", "fid"): 0.0,
    ("constant", "generation_accuracy"): 0.5,
    ("constant", "generation_data_balanced_accuracy"): 0.5,
    ("copy_characteristics", "intervention_success"): 0.1,
    ("true_redrawing", "intervention_success"): 0.9,
}
DONE = {
    "balanced_accuracy": 0.74,
    "reconstruction_l1": 0.08,
    "fid": 16.0,
    "generation_accuracy": 0.68,
    "generation_ceiling_accuracy": 0.8,
    "intervention_success": 0.58,
    "truth_r2_within_own": 0.54,
    "truth_r2_within_ceiling": 0.9,
    "swap_truth_l1": 0.14,
    "swap_truth_l1_no_transfer": 0.2,
    "swap_truth_l1_reconstruction": 0.1,
}
"""Six tenths of the way to everything."""
MODELS = {"able": "ccvae", "partly": "m2"}
UNMEASURED = {"traverse": "unmeasured"}


def plan(dataset: str = "synthetic_faces", seeds: int = LEAST) -> Plan:
    models = {
        name: {"system": system, "title": name.title(), "datasets": None}
        for name, system in MODELS.items()
    }
    return Plan("test", {dataset: "attributes"}, models, ["0.2", "1.0"], seeds)


def records(
    *,
    dataset: str = "synthetic_faces",
    rate: str = "1.0",
    seeds: int = LEAST,
    **changes: float | None,
) -> pd.DataFrame:
    """Every model six tenths of the way to everything, except for `changes`."""
    rows = [
        {"dataset": dataset, "model": row, "metric": metric, "value": value}
        for (row, metric), value in FIGURES.items()
    ]
    for model in MODELS:
        for seed in range(seeds):
            identity = {
                "dataset": dataset,
                "model": model,
                "supervision_rate": rate,
                "seed": seed,
            }
            rows += [
                {**identity, "metric": metric, "value": value + 1e-4 * seed}
                for metric, value in {**DONE, **changes}.items()
                if value is not None
            ]
    return pd.DataFrame(rows, columns=COLUMNS)


def verdicts(frame: pd.DataFrame, model: str = "able", rate: str = "1.0") -> dict[str, str]:
    rows = frame[(frame["model"] == model) & (frame["supervision_rate"] == rate)]
    return dict(zip(rows["task"], rows["verdict"], strict=True))


def test_the_share_is_of_the_way_from_floor_to_ceiling() -> None:
    frame = capabilities(records(), TASKS, plan())
    of_able = frame[(frame["model"] == "able") & (frame["supervision_rate"] == "1.0")]
    measured = of_able[of_able["metric"].notna()]
    assert measured["share"].tolist() == pytest.approx([0.6] * 7, abs=1e-2)
    assert (measured["low"] <= measured["share"]).all()
    assert verdicts(frame) == dict.fromkeys(TASKS, "works") | UNMEASURED


def test_structure_comes_before_any_figure() -> None:
    frame = capabilities(records(), TASKS, plan())
    assert verdicts(frame, "partly")["diversify"] == "cannot"
    assert verdicts(frame, "partly")["classify"] == "works"


@pytest.mark.parametrize(
    ("task", "change"),
    [
        ("classify", {"balanced_accuracy": 0.69}),
        ("reconstruct", {"reconstruction_l1": 0.11}),
        ("sample", {"fid": 21.0}),
        ("generate", {"generation_accuracy": 0.64}),
        ("intervene", {"intervention_success": 0.45}),
        ("swap", {"swap_truth_l1": 0.16}),
    ],
)
def test_nearer_to_the_floor_fails(task: str, change: dict[str, float]) -> None:
    found = verdicts(capabilities(records(**change), TASKS, plan()))
    assert found.pop(task) == "fails"
    assert "fails" not in found.values()


@pytest.mark.parametrize("seeds", [1, LEAST - 1])
def test_few_seeds_decide_nothing(seeds: int) -> None:
    few = capabilities(records(seeds=seeds, swap_truth_l1=0.2), TASKS, plan(seeds=seeds))
    assert verdicts(few)["classify"] == LEANS[WORKS]
    assert verdicts(few)["swap"] == LEANS[FAILS]
    assert few["low"].isna().all()


def test_seeds_on_both_sides_leave_it_open() -> None:
    frame = records(swap_truth_l1=None)
    spread = [0.10, 0.15, 0.19, 0.12, 0.18, 0.16]
    rows = frame[frame["metric"] == "fid"].dropna(subset="seed")
    own = rows.assign(metric="swap_truth_l1", value=[spread[int(s)] for s in rows["seed"]])
    found = capabilities(pd.concat([frame, own]), TASKS, plan())
    assert verdicts(found)["swap"] == "open"


def test_a_missing_seed_or_reference_is_missing_and_never_a_verdict() -> None:
    frame = capabilities(records(seeds=2), TASKS, plan())
    assert set(verdicts(frame).values()) == {"missing", "unmeasured"}
    without_judge = records()
    without_judge = without_judge[without_judge["model"] != "judge"]
    assert verdicts(capabilities(without_judge, TASKS, plan()))["classify"] == "missing"
    frame = capabilities(records(rate="0.2"), TASKS, plan())
    assert verdicts(frame, rate="0.2")["swap"] == "works"
    assert verdicts(frame, rate="1.0")["swap"] == "missing"


def test_without_judged_redrawings_pixels_say_whether_an_intervention_works() -> None:
    frame = records(counterfactual_inside_normalised=0.7)
    frame = frame[frame["model"] != "true_redrawing"]
    found = capabilities(frame, TASKS, plan())
    row = found[(found["task"] == "intervene") & (found["supervision_rate"] == "1.0")].iloc[0]
    assert (row["metric"], row["verdict"]) == ("counterfactual_inside_normalised", "fails")
    assert row["share"] == pytest.approx(0.3, abs=1e-3)


REAL = {
    "swap_truth_l1": None,
    "generation_ceiling_accuracy": None,
    "generation_real_accuracy": 0.98,
    "generation_real_balanced_accuracy": 0.9,
    "swap_normalised": 0.2,
    "swap_background_change": 0.4,
}


def test_real_data_are_judged_by_real_images_and_a_swap_keeps_the_background() -> None:
    frame = records(dataset="mnist", **REAL)
    frame = frame[frame["model"] != "true_redrawing"]
    found = capabilities(frame, TASKS, plan("mnist"))
    at = found[(found["model"] == "able") & (found["supervision_rate"] == "1.0")]
    shares = at.set_index("task")["share"]
    assert shares["generate"] == pytest.approx(0.18 / 0.48, abs=1e-2)
    assert shares["intervene"] == pytest.approx(0.48 / 0.8, abs=1e-2)
    assert shares["swap"] == pytest.approx(0.6, abs=1e-2), "of 0.8 and 0.6, the shorter way"
    whole = records(dataset="mnist", **{**REAL, "swap_background_change": 1.0})
    assert verdicts(capabilities(whole, TASKS, plan("mnist")))["swap"] == "fails"
    assert verdicts(capabilities(whole, TASKS, plan("mnist")))["diversify"] == "unmeasured"
    photographs = records(dataset="celeba", **REAL, generation_data_balanced_accuracy=0.74)
    found = capabilities(photographs, TASKS, plan("celeba"))
    row = found[(found["task"] == "generate") & (found["supervision_rate"] == "1.0")].iloc[0]
    assert (row["metric"], row["verdict"]) == ("generation_data_balanced_accuracy", "works")


def test_page_names_who_can_do_everything() -> None:
    titles = {name: name.title() for name in MODELS}
    page = capabilities_markdown(capabilities(records(), TASKS, plan()), TASKS, titles)
    assert "Every task: Able." in page
    assert "Every task that was measured: Able." in page
    assert "f = 1.0" in page
    assert "f = 0.2" not in page
    assert "| yes (0.60) |" in page
    worse = capabilities(records(swap_truth_l1=0.2), TASKS, plan())
    page = capabilities_markdown(worse, TASKS, titles)
    assert "Every task that was measured: none." in page
    assert "no (-0.00)" not in page
    unfinished = capabilities(records(fid=None), TASKS, plan())
    assert "| not measured |" in capabilities_markdown(unfinished, TASKS, titles)


def test_page_says_why_a_task_cannot_be_done_and_where() -> None:
    asked = Plan(
        "test",
        {"mnist": "classes", "synthetic_faces": "attributes"},
        {
            "able": {
                "system": "ccvae",
                "title": "Able",
                "datasets": None,
                "lacks": {"mnist": {"swap": "There is no background."}},
            },
            "partly": {"system": "m2", "title": "Partly", "datasets": None},
        },
        ["1.0"],
        1,
    )
    frame = capabilities(records(), TASKS, asked)
    whys = frame.set_index(["dataset", "model", "task"])["why_not"]
    assert whys["mnist", "able", "swap"] == "There is no background."
    assert whys["synthetic_faces", "able", "swap"] == ""
    page = capabilities_markdown(frame, TASKS, {"able": "Able", "partly": "Partly"})
    assert "* Able, swap on MNIST: There is no background.\n" in page
    assert f"* Partly, diversify: {SYSTEMS['m2'].lacks['diversify']}\n" in page
    assert "| Able | yes | yes | yes | yes | yes | on some data | yes | yes |" in page
    assert "| Partly | yes | yes | yes | yes | yes | yes | no | no |" in page
    assert "Every task: Able." in page


def test_criteria_speak_of_known_tasks_and_rows() -> None:
    assert {criterion.task for criterion in CRITERIA} <= set(TASKS)
    ways = [way for criterion in CRITERIA for way in criterion.ways]
    ends = [end for way in ways for end in (way.floor, way.ceiling) if isinstance(end, str)]
    assert all(end.startswith("own:") or end in REFERENCES for end in ends)


@pytest.mark.parametrize("dataset", ["synthetic_faces", "mnist"])
def test_every_configured_model_has_a_row_for_every_task(dataset: str) -> None:
    values = merged_config([], [])
    models = [
        name
        for name, entry in values["model_settings"].items()
        if dataset in entry.get("datasets", [dataset])
    ]
    config = Config({**values, "models": models, "datasets": [dataset]})
    whole = Plan(**config.plan())
    frame = capabilities(records(dataset=dataset), TASKS, whole)
    titles = {name: values["model_settings"][name]["title"] for name in models}
    page = capabilities_markdown(frame, TASKS, titles)
    for name in models:
        rows = frame[frame["model"] == name]
        cannot = rows[~rows["supported"]].groupby("task")["why_not"].first().to_dict()
        assert set(rows["task"]) == set(TASKS)
        assert cannot == config.lacking(name, dataset)
        assert f"| {values['model_settings'][name]['title']} |" in page
        assert all(sentence in page for sentence in cannot.values())
