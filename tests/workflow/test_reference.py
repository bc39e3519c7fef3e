from __future__ import annotations

import json
import os
import re
from argparse import Namespace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from ccvae.errors import InputError
from ccvae.files import read_json
from tests.workflow import fabricated
from workflow.config import Config
from workflow.figures.chosen import chosen
from workflow.figures.gallery import Gallery
from workflow.planning.overlay import merged_config
from workflow.reporting.gathered import Gathered
from workflow.reporting.pictures import shrink
from workflow.reporting.records import Plan
from workflow.reporting.reference import took
from workflow.reporting.timing import elapsed, elapsed_seconds, job_times
from workflow.steps.reporting import picture_explorer, update_readme
from workflow.steps.reporting.make_reference import replaced_folder, require_ours

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def preset(tmp_path_factory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("results") / "made_up"
    return folder, fabricated.results(folder, fabricated.configuration())


@pytest.fixture(scope="module")
def reference(preset, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("home") / "results" / "reference"
    return fabricated.reference(preset[0], out, fabricated.configuration(), preset[1])


def test_a_data_set_can_have_a_number_of_seeds_of_its_own():
    config = Config(fabricated.configuration())
    counts = {
        name: len([r for r in config.runs() if r.dataset == name]) for name in config.datasets
    }
    assert counts == {"mnist": 3 * 2 * 3, "synthetic_faces": 3 * 2}
    plan = Plan(**config.plan())
    assert [run.seed for run in plan.runs("mnist", "m2", "1.0")] == [0, 1, 2]
    assert plan.seeds_in_words() == "3 seeds (MNIST), one seed (synthetic_faces (drawn))"
    assert plan.seeds_in_words(["mnist"]) == "3 seeds"
    assert Plan("p", {"mnist": "classes"}, {}, [], 1).seeds_in_words() == "one seed"


def test_a_model_can_have_fewer_seeds_than_the_data_set():
    values = fabricated.configuration()
    values["model_settings"]["m2"]["seeds"] = 2
    config = Config(values)
    plan = Plan(**config.plan())
    assert [run.seed for run in plan.runs("mnist", "m2", "1.0")] == [0, 1]
    assert [run.seed for run in plan.runs("synthetic_faces", "m2", "1.0")] == [0]
    assert len(plan.runs("mnist", "ccvae", "1.0")) == 3
    for dataset, model, rate in product(config.datasets, config.models, config.rates):
        here = [r for r in config.runs() if (r.dataset, r.model, r.rate) == (dataset, model, rate)]
        assert here == plan.runs(dataset, model, rate)
    assert plan.seeds_in_words(["mnist"]) == "3 seeds (at most 2 seeds of M2)"
    assert plan.seeds_in_words(["synthetic_faces"]) == "one seed"
    values["model_settings"]["m2"]["title"] = "M2, z = 10"
    quoted = Plan(**Config(values).plan()).seeds_in_words(["mnist"])
    assert quoted == '3 seeds (at most 2 seeds of "M2, z = 10")'
    values["figures"]["seed"] = 2
    with pytest.raises(InputError, match="only seeds below 1 are run"):
        Gallery(Config(values))


def test_tables_wait_for_the_seeds_of_their_own_data_set(preset):
    folder, _ = preset
    table6 = pd.read_csv(folder / "tables" / "table6.csv")
    assert set(table6["n"]) == {3}
    assert table6["std"].tolist() == pytest.approx([0.001] * len(table6))
    assert set(pd.read_csv(folder / "tables" / "table1.csv")["n"]) == {1}
    page = (folder / "tables" / "table6.md").read_text()
    assert "mean ± standard deviation of 3 seeds" in page
    assert "; one seed, preset" in (folder / "tables" / "table1.md").read_text()


def test_figures_need_a_seed_that_every_data_set_has():
    values = fabricated.configuration()
    values["figures"]["seed"] = 1
    with pytest.raises(InputError, match="only seeds below 1 are run on every data set"):
        Gallery(Config(values))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"preset": "reference"}, "under version control"),
        ({"seeds": 0}, "seeds"),
    ],
)
def test_mistakes_are_named(change, words):
    with pytest.raises(InputError, match=words):
        Config(fabricated.configuration(**change))


def test_figures_are_chosen_by_pattern_and_unknown_ones_named():
    gallery = Gallery(Config(fabricated.configuration()))
    found = chosen(gallery, ["figure3/*_ccvae", "against_f/*", "figure3/*"])
    assert found == [
        *("figures/figure3/synthetic_faces_ccvae", "figures/against_f/mnist"),
        *("figures/against_f/synthetic_faces", "figures/figure3/synthetic_faces_ccvae_detached"),
    ]
    with pytest.raises(InputError, match="there is no figure 'figure99'"):
        chosen(gallery, ["figure99/*"])
    values = merged_config([ROOT / "config" / "reference.yaml"], [])
    gallery, patterns = Gallery(Config(values)), values["reference"]["figures"]
    assert [pattern for pattern in patterns if not chosen(gallery, [pattern])] == []
    shown = {f"figures/{name}" for name in update_readme.PICTURES}
    assert shown <= set(chosen(gallery, patterns)), "the README shows what is gathered"


def test_everything_is_gathered_and_linked(reference):
    index = (reference / "README.md").read_text()
    there = {p.relative_to(reference).as_posix() for p in reference.rglob("*") if p.is_file()}
    linked = set(re.findall(r"\]\(([^)]+)\)", index))
    assert linked == there - {"README.md"}
    assert "Caption of figures/against_f/mnist." in index
    assert (
        Config(yaml.safe_load((reference / "config.yaml").read_text())).values
        == Config(fabricated.configuration()).values
    )
    provenance = read_json(reference / "provenance.json")
    assert provenance["commits"] == ["0123456789abcdef"]
    assert provenance["runs"] == 24
    assert "* Trained were 24 models. 2 timed jobs took" in index
    with_studies = took({**provenance, "study_trainings": 5})
    assert with_studies.startswith("Trained were 24 models, and 5 more in studies. 2 timed jobs")
    assert with_studies.endswith(
        " Of the trainings in studies at least 5 are not among these jobs."
    )
    assert provenance["machine"]["cores"] >= 1
    assert {job["kind"]: job["cpu_s"] for job in provenance["jobs"]} == {
        "train": 3600,
        "evaluate": 3600,
    }


def test_records_of_labels_stand_apart_and_lose_no_value(reference, preset):
    all_of_them = pd.read_csv(preset[0] / "records.csv")
    whole = pd.read_csv(reference / "records.csv.gz")
    per_label = pd.read_csv(reference / "records_per_label.csv.gz")
    assert len(whole) + len(per_label) == len(all_of_them)
    assert set(per_label["metric"]) == {"accuracy/one label"}
    runs = pd.read_csv(reference / "runs.csv")
    assert not runs.duplicated(["run", "model"]).any()
    back = whole.merge(runs, on=["run", "model"])
    assert len(back) == len(whole)
    assert set(back.columns) == set(all_of_them.columns)


def test_pictures_come_along_with_a_palette(reference):
    with Image.open(reference / "figures/against_f/mnist.png") as picture:
        assert (picture.mode, picture.size) == ("P", (8, 6))


def test_a_wide_picture_is_shrunk(tmp_path):
    ramp = np.linspace(0, 255, 2000).astype(np.uint8)
    pixels = np.stack([ramp, ramp[::-1], np.full_like(ramp, 128)], -1)
    Image.fromarray(np.repeat(pixels[None], 40, 0)).save(tmp_path / "large.png")
    shrink(tmp_path / "large.png", tmp_path / "small.png")
    with Image.open(tmp_path / "small.png") as picture:
        assert (picture.mode, picture.size) == ("P", (800, 16))


def test_the_ends_of_a_colour_scale_keep_their_colours(tmp_path):
    ramp = np.linspace(0, 255, 250).astype(np.uint8)
    pixels = np.full((250, 250, 3), 255, dtype=np.uint8)
    pixels[:175] = np.stack([ramp, ramp[::-1], np.full_like(ramp, 128)], -1)
    pixels[:1, :4] = 100, 0, 30
    Image.fromarray(pixels).save(tmp_path / "large.png")
    shrink(tmp_path / "large.png", tmp_path / "small.png")
    with Image.open(tmp_path / "small.png") as picture:
        found = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(found - pixels).max() <= 12
    assert (found[-1] == 255).all()


def test_shades_do_not_turn_into_bands_beside_many_rare_colours(tmp_path):
    across, down = np.meshgrid(np.arange(250), np.arange(250))
    shades = np.stack([120 + across // 8, 100 + down // 8, 110 + (across + down) // 16], -1)
    shades[:20] = np.stack([across, 255 - across, np.full_like(across, 128)], -1)[:20]
    shades[20:30] = np.random.default_rng(0).integers(0, 256, (10, 250, 3))
    Image.fromarray(shades.astype(np.uint8)).save(tmp_path / "large.png")
    shrink(tmp_path / "large.png", tmp_path / "small.png")
    with Image.open(tmp_path / "small.png") as picture:
        found = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(found - shades)[30:].mean() < 4


def test_too_much_is_refused_and_leaves_what_was_there(preset, tmp_path):
    folder, files = preset
    out = tmp_path / "reference"
    out.mkdir()
    (out / "README.md").write_text("before")
    (out / "provenance.json").touch()
    values = fabricated.configuration()
    values["reference"]["most_mb"] = 0.05
    with pytest.raises(InputError, match=r"more than the 0\.05 MB of reference\.most_mb"):
        fabricated.reference(folder, out, values, files)
    assert [path.name for path in tmp_path.iterdir()] == ["reference"]
    assert (out / "README.md").read_text() == "before"


def test_a_folder_is_replaced_whole(tmp_path):
    out = tmp_path / "out"
    for content in ("old", "new"):
        with replaced_folder(out) as folder:
            (folder / content).touch()
    assert [path.name for path in out.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["docs", "file"])
def test_nothing_but_an_earlier_reference_is_replaced(tmp_path, name):
    (tmp_path / "docs").mkdir()
    for path in (tmp_path / "docs" / "page.md", tmp_path / "file"):
        path.write_text("mine")
    with pytest.raises(InputError, match=f"{name} holds something else"):
        require_ours(tmp_path / name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "docs" / "provenance.json").touch()
    for mine in ("empty", "new", "docs"):
        require_ours(tmp_path / mine)


def test_what_could_not_be_sampled_counts_nothing(tmp_path):
    (tmp_path / "a").mkdir()
    record = {"s": 3.0, "cpu_time": "NA", "max_rss": "NA"}
    (tmp_path / "a" / "1.jsonl").write_text(json.dumps(record) + "\n")
    assert job_times(tmp_path).iloc[0].tolist() == ["a", 1, 3.0, 0.0, 3.0, 0.0]


def test_times_add_up_and_jobs_side_by_side_count_once(tmp_path):
    for name, end, seconds in (("a/x/1", 1000, 100), ("a/2", 1000, 50), ("b/1", 2000, 10)):
        path = tmp_path / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"s": seconds, "cpu_time": 1.0, "max_rss": seconds}) + "\n")
        os.utime(path, (end, end))
    times = job_times(tmp_path).set_index("kind")
    assert times.loc["a"].to_dict() == {
        **{"jobs": 2, "wall_s": 150, "cpu_s": 2.0, "longest_s": 100, "peak_mb": 100}
    }
    assert elapsed_seconds(tmp_path) == pytest.approx(110)
    assert elapsed_seconds(tmp_path / "nothing") == 0


def test_waiting_between_jobs_takes_time_and_an_interruption_does_not():
    assert elapsed([(0, 10), (40, 50), (45, 48)]) == 50
    assert elapsed([(500, 510), (0, 10)]) == 20


def test_readme_shows_a_gathered_folder(reference):
    home = reference.parents[1]
    readme = home / "README.md"
    begins = [update_readme.BEGIN.format(name) for name in update_readme.BLOCKS]
    marks = [f"{begin}\nREPLACED\n{update_readme.END}" for begin in begins]
    readme.write_text("\nKEPT\n".join(["before", *marks, "after\n"]))
    update_readme.work(Namespace(reference=reference, readme=readme))
    text = readme.read_text()
    assert (text[:6], text[-6:]) == ("before", "after\n")
    assert (text.count("KEPT"), text.count("REPLACED")) == (3, 0)
    for link in re.findall(r"\]\((results[^)]+)\)", text):
        assert (home / link).exists(), link
    assert text.count("![") == 1
    assert "### Table 6" in text
    assert "| MNIST | f = 0.06, Acc | MI | f = 1.0, Acc | MI |" in text
    assert "| M2 | 0.501 ± 0.001 (0.962) | 0.501 ± 0.001 (0.981) |" in text
    assert "### Table 1" not in text
    assert "[Table 1](results/reference/tables/table1.md)" in text
    for begin in begins:
        readme.write_text(text.replace(begin, ""))
        with pytest.raises(InputError, match=f"has no marks {begin}"):
            update_readme.work(Namespace(reference=reference, readme=readme))


def test_readme_leads_to_the_explorer_where_page_and_picture_are(reference, tmp_path):
    found = Gathered(reference)
    page, picture = reference / "explorer.html", tmp_path / update_readme.EXPLORER
    picture.parent.mkdir()
    there = page.exists()
    page.touch()
    try:
        assert update_readme.EXPLORER not in update_readme.blocks(found, tmp_path)["results"]
        picture.touch()
        text = update_readme.blocks(found, tmp_path)["results"]
    finally:
        if not there:
            page.unlink()
    target = f"{found.link_from(tmp_path)}/explorer.html"
    assert f"]({update_readme.EXPLORER})]({target})" in text


def test_a_picture_of_no_explorer_is_refused(tmp_path):
    given = Namespace(page=tmp_path / "explorer.html", view="", out=tmp_path / "picture.png")
    with pytest.raises(InputError, match=r"there is no page .*; run `snakemake explorer`"):
        picture_explorer.work(given)


def test_readme_is_of_a_gathered_folder(preset):
    with pytest.raises(InputError, match="was not gathered"):
        Gathered(preset[0])
