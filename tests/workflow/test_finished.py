"""What a reference that was stopped has of what was asked for."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ccvae.errors import InputError
from ccvae.files import write_json
from tests.workflow import fabricated
from workflow.config import Config
from workflow.figures.gallery import Gallery
from workflow.planning.finished import finished
from workflow.planning.job_settings import JobSettings
from workflow.planning.order import AHEAD, priority
from workflow.planning.overlay import merged_config
from workflow.planning.studies import Studies
from workflow.reporting.records import Plan
from workflow.steps import finished as step
from workflow.studies.plan import named_variants

ROOT = Path(__file__).parents[2]
SETTINGS = [
    "preset=made_up",
    "datasets=[mnist, synthetic_faces]",
    "models=[ccvae, m2, mvae]",
    "supervision_rates=['0.06', '1.0']",
    "seeds=3",
]


def asked(*more: str) -> Config:
    return Config(merged_config([], [*SETTINGS, *more]))


def there(tmp_path: Path, config: Config, *missing: str) -> Path:
    """Invented records of every run and judge but those whose path has one of these words."""
    return fabricated.records_without(config, tmp_path / config.preset, *missing)


def laid_over(tmp_path: Path, overlay: dict[str, Any]) -> Config:
    path = tmp_path / "finished.yaml"
    path.write_text(yaml.safe_dump(overlay))
    return Config(merged_config([path], SETTINGS[3:4] + SETTINGS[:1]))


def test_nothing_is_left_out_where_all_is_there(tmp_path: Path) -> None:
    config = asked()
    overlay = finished(config, there(tmp_path, config))
    assert overlay["reference"]["not_run"] == []
    assert set(laid_over(tmp_path, overlay).runs()) == set(config.runs())


def test_seeds_that_are_not_at_every_f_are_not_asked_for(tmp_path: Path) -> None:
    config = asked()
    folder = there(
        tmp_path, config, "faces/m2/f=1.0/seed=2", "mnist/m2/f=0.06/seed=0", "mvae/f=0.06/seed=1"
    )
    overlay = finished(config, folder)
    left = laid_over(tmp_path, overlay)
    runs = {(run.dataset, run.model, run.seed) for run in left.runs()}
    assert runs == {
        *(("mnist", "ccvae", seed) for seed in range(3)),
        *(("synthetic_faces", "ccvae", seed) for seed in range(3)),
        *(("synthetic_faces", "m2", seed) for seed in range(2)),
        ("synthetic_faces", "mvae", 0),
    }
    assert all((folder / run.folder / "metrics.json").exists() for run in left.runs())
    assert overlay["reference"]["not_run"] == [
        "on MNIST 3 of 3 seeds of M2",
        "on synthetic_faces (drawn) 1 of 3 seeds of M2, 2 of 3 seeds of MVAE",
    ]
    words = Plan(**left.plan()).seeds_in_words()
    assert words == (
        "3 seeds (at most 2 seeds of M2 on synthetic_faces (drawn); at most one seed of MVAE on "
        "synthetic_faces (drawn))"
    )
    Gallery(left)


def test_a_data_set_without_its_judge_waits(tmp_path: Path) -> None:
    config = asked()
    left = laid_over(tmp_path, finished(config, there(tmp_path, config, "judges/mnist")))
    assert left.datasets == ["synthetic_faces"]


def test_no_study_is_trained_to_be_gathered(tmp_path: Path) -> None:
    config = asked()
    folder = there(tmp_path, config)
    left = laid_over(tmp_path, finished(config, folder))
    assert Studies(left, JobSettings(left, lambda: False)).wanted() == []
    assert not any("figure8" in name for name in left.values["reference"]["figures"])
    (folder / "studies").mkdir()
    (folder / "studies" / "gradients_summary.csv").touch()
    assert "figure8/*" in finished(config, folder)["reference"]["figures"]


def test_a_study_that_was_begun_is_gathered_as_it_is(tmp_path: Path) -> None:
    few = "studies={variants: {warm_up: {supervision_rates: ['0.06']}}}"
    config = asked(few)
    folder = there(tmp_path, config)
    done, absent = (variant.folder for variant in named_variants(config, "warm_up"))
    write_json(folder / done / "run.json", {})
    overlay = finished(config, folder)
    assert overlay["reference"]["not_run"] == ["1 of 2 trainings of study_warm_up"]
    assert overlay["studies"]["variants"]["warm_up"]["not_run"] == [absent]
    assert "not_run" not in overlay["studies"]["variants"]["annealing"]
    path = tmp_path / "finished.yaml"
    path.write_text(yaml.safe_dump(overlay))
    left = Config(merged_config([path], [*SETTINGS[:1], few]))
    studies = Studies(left, JobSettings(left, lambda: False))
    assert studies.wanted() == ["studies/warm_up.md", "studies/warm_up.csv"]
    assert studies.awaited("warm_up") == [done]
    write_json(folder / absent / "run.json", {})
    assert finished(config, folder)["studies"]["variants"]["warm_up"]["not_run"] == []


def test_judges_that_have_not_seen_all_are_not_asked_for(tmp_path: Path) -> None:
    config = asked("judges=2")
    folder = there(tmp_path, config)
    other = [f"judges/{d}/seed=1/{name}.json" for d in config.datasets for name in ("judge", "gp")]
    other += [f"{run.folder}/judge={judge}.json" for run, judge in config.judged_again()]
    for path in other:
        write_json(folder / path, {})
    overlay = finished(config, folder)
    assert overlay["reference"]["not_run"] == []
    assert list(laid_over(tmp_path, overlay).judged_again()) == list(config.judged_again())
    (folder / "runs/mnist/m2/f=0.06/seed=0/judge=1.json").unlink()
    overlay = finished(config, folder)
    assert overlay["reference"]["not_run"] == ["on MNIST 1 of 2 judges"]
    left = laid_over(tmp_path, overlay)
    assert {run.dataset for run, _ in left.judged_again()} == {"synthetic_faces"}


def test_where_nothing_was_run_nothing_can_be_gathered(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to gather"):
        finished(asked(), tmp_path)


def test_the_step_says_what_it_leaves_out(tmp_path: Path, capsys) -> None:
    config = asked()
    there(tmp_path, config, "mnist/m2/f=0.06/seed=2")
    given = Namespace(configfile=[], config=SETTINGS, results=tmp_path, out=None)
    step.work(given)
    assert "on MNIST 1 of 3 seeds of M2" in capsys.readouterr().out
    assert yaml.safe_load((tmp_path / "made_up" / "finished.yaml").read_text())["models"]


def test_the_pages_say_what_was_asked_for_and_how_far_off_the_plan_was(tmp_path: Path) -> None:
    values = fabricated.configuration()
    values["reference"]["not_run"] = ["on MNIST 2 of 5 seeds of M2"]
    folder = tmp_path / "made_up"
    files = fabricated.results(folder, values)
    # The jobs of which there are benchmark records took 7200 s each.
    names = [f"runs/mnist/m2/f=1.0/seed={seed}" for seed in (0, 1)]
    write_json(folder / "plan.json", {f"{names[0]}/run.json": 6000.0})
    write_json(folder / names[0] / "run.json", {})
    out = fabricated.reference(folder, tmp_path / "out", values, files)
    page = (out / "README.md").read_text()
    assert "* Asked for, and not run: on MNIST 2 of 5 seeds of M2." in page
    assert "had said 1.7 hours for 1 of the jobs, one at a time; they took 2.0 hours (+20%)" in page


def test_seeds_can_differ_by_kind_of_data() -> None:
    few = "model_settings={m2: {seeds: {classes: 2, synthetic_faces: 1}}}"
    config = asked(few, "datasets=[mnist, synthetic_faces, synthetic_xrays]")
    found = {d: config.seeds_of(d, "m2") for d in config.datasets}
    assert found == {"mnist": 2, "synthetic_faces": 1, "synthetic_xrays": 3}
    plan = Plan(**config.plan())
    assert {d: plan.seeds_of(d, "m2") for d in config.datasets} == found
    assert plan.seeds_in_words(["mnist"]) == "3 seeds (at most 2 seeds of M2)"
    assert config.most_seeds == 3
    with pytest.raises(InputError, match=r"m2\.seeds names 'digits'"):
        asked("model_settings={m2: {seeds: {digits: 2}}}")


def test_the_first_seed_of_everything_comes_before_the_second_of_anything() -> None:
    datasets = ["mnist", "synthetic_faces"]

    def of(rule: str, dataset: str, seed: int) -> float:
        return priority(rule, dataset, datasets, seed, 3)

    for seed in (0, 1):
        least = min(of(rule, dataset, seed) for rule in AHEAD for dataset in datasets)
        assert least > max(of(rule, d, seed + 1) for rule in AHEAD for d in datasets)
        assert of("train", "mnist", seed) > of("evaluate", "synthetic_faces", seed)
    assert of("train", "synthetic_faces", 2) >= 1


def test_the_reference_has_the_seeds_that_it_says() -> None:
    config = Config(merged_config([ROOT / "config" / "reference.yaml"], []))
    counts = {(r.dataset, r.model): r.seed + 1 for r in config.runs()}
    digits, drawn = ("mnist", "fashion_mnist"), ("synthetic_faces", "synthetic_xrays")
    for dataset in digits:
        for model in ("ccvae", "ccvae_ten", "ccvae_detached", "m2", "supervised"):
            assert counts[dataset, model] == 5
    for dataset in drawn:
        own = {model: n for (d, model), n in counts.items() if d == dataset}
        assert {m for m, n in own.items() if n == 3} == {
            *("ccvae", "ccvae_detached", "m2", "mvae", "diva", "vae_classifier", "supervised")
        }
    relatives = ("csvae", "meme", "mopoe", "adgm")
    assert {counts[d, m] for d in digits for m in relatives} == {3}
    assert {counts[d, m] for d in drawn for m in relatives} == {1}
