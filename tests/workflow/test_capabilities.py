from __future__ import annotations

import pandas as pd
import pytest

from baselines.registry import SYSTEMS
from ccvae.tasks import TASKS
from workflow.reporting.capabilities import CRITERIA, capabilities, capabilities_markdown
from workflow.reporting.records import COLUMNS, REFERENCES, Plan

FIGURES = {
    ("majority", "balanced_accuracy"): 0.5,
    ("judge", "balanced_accuracy"): 0.9,
    ("constant", "reconstruction_l1"): 0.2,
    ("constant", "frechet_distance_judge"): 40.0,
    ("copy_characteristics", "frechet_distance_judge"): 0.0,
    ("constant", "generation_accuracy"): 0.5,
    ("copy_characteristics", "generation_accuracy"): 0.7,
}
DONE = {
    "balanced_accuracy": 0.7,
    "reconstruction_l1": 0.1,
    "frechet_distance_judge": 20.0,
    "generation_accuracy": 0.6,
    "intervention_diagonal": 0.5,
    "swap_normalised": 0.5,
    "truth_r2_own": 0.8,
    "truth_r2_label": 0.6,
}
MODELS = {"able": "ccvae", "partly": "m2"}


def plan(dataset: str = "synthetic_faces", seeds: int = 1) -> Plan:
    models = {
        name: {"system": system, "title": name.title(), "datasets": None}
        for name, system in MODELS.items()
    }
    return Plan("test", {dataset: "attributes"}, models, ["0.2", "1.0"], seeds)


def records(
    *, dataset: str = "synthetic_faces", rate: str = "1.0", seeds: int = 1, **changes: float
) -> pd.DataFrame:
    """Every model half way to the ceiling of everything, except for `changes`."""
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
                {**identity, "metric": metric, "value": value}
                for metric, value in {**DONE, **changes}.items()
                if value is not None
            ]
    return pd.DataFrame(rows, columns=COLUMNS)


def verdicts(frame: pd.DataFrame, model: str = "able", rate: str = "1.0") -> dict[str, str]:
    rows = frame[(frame["model"] == model) & (frame["supervision_rate"] == rate)]
    return dict(zip(rows["task"], rows["verdict"], strict=True))


def test_half_way_to_every_ceiling_is_a_share_of_a_half() -> None:
    frame = capabilities(records(), TASKS, plan())
    of_able = frame[(frame["model"] == "able") & (frame["supervision_rate"] == "1.0")]
    measured = of_able[of_able["metric"].notna()]
    assert measured["share"].tolist() == pytest.approx([0.5] * 7)
    expected = dict.fromkeys(TASKS, "works") | {"traverse": "unmeasured"}
    assert verdicts(frame) == expected


def test_structure_comes_before_any_figure() -> None:
    frame = capabilities(records(), TASKS, plan())
    assert verdicts(frame, "partly")["diversify"] == "cannot"
    assert verdicts(frame, "partly")["classify"] == "works"


@pytest.mark.parametrize(
    ("task", "change"),
    [
        ("classify", {"balanced_accuracy": 0.501}),
        ("reconstruct", {"reconstruction_l1": 0.21}),
        ("sample", {"frechet_distance_judge": 39.0}),
        ("generate", {"generation_accuracy": 0.5}),
        ("intervene", {"intervention_diagonal": -2.0}),
        ("swap", {"swap_normalised": 0.95}),
        ("diversify", {"truth_r2_own": 0.6}),
    ],
)
def test_no_better_than_the_floor_fails(task: str, change: dict[str, float]) -> None:
    found = verdicts(capabilities(records(**change), TASKS, plan()))
    assert found.pop(task) == "fails"
    assert "fails" not in found.values()


def test_a_missing_seed_or_reference_is_missing_and_never_a_verdict() -> None:
    frame = capabilities(records(seeds=1), TASKS, plan(seeds=2))
    assert set(verdicts(frame).values()) == {"missing", "unmeasured"}
    without_judge = records()
    without_judge = without_judge[without_judge["model"] != "judge"]
    assert verdicts(capabilities(without_judge, TASKS, plan()))["classify"] == "missing"
    frame = capabilities(records(rate="0.2"), TASKS, plan())
    assert verdicts(frame, rate="0.2")["swap"] == "works"
    assert verdicts(frame, rate="1.0")["swap"] == "missing"


def test_classes_are_judged_by_the_other_matrix_and_real_images_have_no_truth() -> None:
    changes = {
        "intervention_diagonal": None,
        "intervention_switch_on_diagonal": 0.05,
        "truth_r2_own": None,
        "truth_r2_label": None,
    }
    frame = capabilities(records(dataset="mnist", **changes), TASKS, plan("mnist"))
    assert verdicts(frame)["intervene"] == "fails"
    assert verdicts(frame)["diversify"] == "unmeasured"


def test_page_names_who_can_do_everything() -> None:
    titles = {name: name.title() for name in MODELS}
    page = capabilities_markdown(capabilities(records(), TASKS, plan()), TASKS, titles)
    assert "Every task: Able." in page
    assert "Every task that was measured: Able." in page
    assert "f = 1.0" in page
    assert "f = 0.2" not in page
    worse = capabilities(records(swap_normalised=1.0), TASKS, plan())
    page = capabilities_markdown(worse, TASKS, titles)
    assert "Every task that was measured: none." in page
    assert "no (0.00)" in page
    unfinished = capabilities(records(swap_normalised=None), TASKS, plan())
    assert "Undecided, because a figure is missing: Able." in capabilities_markdown(
        unfinished, TASKS, titles
    )


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
    ends = [end for c in CRITERIA for end in (c.floor, c.ceiling) if isinstance(end, str)]
    assert all(end.startswith("own:") or end in REFERENCES for end in ends)
