from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ccvae.errors import InputError
from tests.workflow import fabricated
from workflow.config import Config
from workflow.identity import Run
from workflow.reporting.findings import against_paper
from workflow.reporting.gathered import Gathered
from workflow.reporting.pages import TEMPLATES
from workflow.reporting.register import DEVIATIONS
from workflow.reporting.remarks import (
    CONTRADICTED,
    OPEN,
    SECTIONS,
    STANDS,
    Remark,
    Requirement,
    load_remarks,
)
from workflow.steps.reporting import make_summary, update_readme
from workflow.steps.reporting.make_findings import DECISIONS, TEMPLATE, decisions, page
from workflow.studies.plan import named_variants

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"


def scored(swap_winner: str, generation: float, eq4: float):
    """Values whose conclusions are known: who wins which swap score, and by how much."""

    def value(run: Run, metric: str) -> float:
        if metric == "swap_logit":
            return 1.0 if run.model == swap_winner else 2.0
        if metric in ("swap", "swap_normalised"):
            return {"ccvae": 0.1, "ccvae_detached": 0.2, "m2": 0.9}[run.model]
        if metric == "generation_accuracy":
            return (generation if run.model == "m2" else 0.96) + 0.001 * run.seed
        return 0.975 if run.model == "ccvae" else 0.97

    studies = {"paper_eq8": {"accuracy": 0.95}, "eq4": {"accuracy": eq4}}
    return value, studies


def findings(tmp_path: Path, **case) -> str:
    value, readings = scored(**case)
    values = fabricated.configuration()
    folder = tmp_path / "results" / "made_up"
    files = fabricated.results(folder, values, value)
    files += fabricated.study(folder, "readings", readings, "mnist")
    out = fabricated.reference(folder, tmp_path / "results" / "reference", values, files)
    text = page(Gathered(out), tmp_path / "docs" / "findings.md")
    for link in re.findall(r"\]\((\.\./results[^)]+)\)", text):
        assert (tmp_path / "docs" / link.partition("#")[0]).resolve().exists(), link
    anchors = re.findall(r'<a id="([^"]+)"></a>', text)
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= set(anchors)
    return text


def part(text: str, heading: str) -> str:
    return re.split(r"\n#+ ", text.split(f"# {heading}\n")[1])[0]


def claim(text: str, name: str) -> str:
    return text.split(f'<a id="{name}"></a>')[1].split("<a id=")[0].split("\n## ")[0]


def test_sentences_follow_the_numbers(tmp_path):
    text = findings(tmp_path, swap_winner="ccvae", generation=0.5, eq4=0.4)
    classes = claim(text, "generation-classes")
    assert (
        "CCVAE, eq. (8) 0.9610 against M2 0.5010, higher by 0.46 [0.46, 0.46], 3 seeds" in classes
    )
    assert "better in 100% [54%, 100%] of 6 pairs of trainings" in classes
    assert "148 of the 160 cells of the paper's tables have no counterpart here" in text
    swaps = claim(text, "swap-smallest")
    assert "| **undecided**, every reading |" in swaps, "two rivals lack"
    assert "Not run: CelebA, CheXpert." in swaps
    assert "snakemake --cores all --configfile config/reference.yaml -- table2 " in text
    paper = part(text, "Against the paper's numbers")
    assert "| Table 7, accuracy: M2 | 0 | 0 | 2 | 0 | 0.447: 0.501 ± 0.001 against" in paper
    assert "utual information: " not in paper, "its size is one's own"
    assert "`eq4` -0.550 |" in part(text, "What every other open choice moves")
    assert "is 0.400 on MNIST" in part(text, "The hidden weight of equation (8)")
    swap = part(text, 'What "difference in log-probabilities" of swaps means')
    assert "All definitions put the models in the same order." in swap


def test_other_numbers_turn_the_sentences_around(tmp_path):
    text = findings(tmp_path, swap_winner="m2", generation=0.99, eq4=0.96)
    classes = claim(text, "generation-classes")
    assert (
        "CCVAE, eq. (8) 0.9610 against M2 0.9910, lower by 0.030 [0.030, 0.030], 3 seeds" in classes
    )
    paper = part(text, "Against the paper's numbers")
    assert "| Table 7, accuracy: M2 | 2 | 0 | 0 | 0 | None. |" in paper
    assert "`eq4` +0.010 |" in part(text, "What every other open choice moves")
    assert "hard to train" not in text
    swap = part(text, 'What "difference in log-probabilities" of swaps means')
    assert "Which model has the lowest mean depends on the definition" in swap
    assert "M2 by `swap_logit`" in swap


@pytest.mark.parametrize(
    ("mean", "std", "n", "verdict"),
    [
        (0.95, 0.001, 3, "better"),
        (0.9, 0.001, 3, "not told apart"),
        (0.9004, 0.0, 3, "not told apart"),
        (0.85, 0.001, 3, "worse"),
        (0.85, 0.02, 3, "not told apart"),
        (0.85, float("nan"), 1, "too few seeds"),
    ],
)
def test_the_papers_value_is_as_good_as_one_more_seed(mean, std, n, verdict):
    row = {"metric": "accuracy", "mean": mean, "std": std, "n": n, "paper": 0.9}
    cells = against_paper(pd.DataFrame([{**row, "difference": mean - 0.9}]))
    assert cells["verdict"].tolist() == [verdict]


@pytest.mark.parametrize("name", [TEMPLATE, DECISIONS, make_summary.TEMPLATE, "experience.md.j2"])
def test_templates_have_no_number_of_their_own(name):
    prose = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|ICLR 2021", "", template(name))
    assert re.findall(r"\d+\.\d+|\d+ ?%|\d{3,}", prose) == []


def template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def test_only_a_gathered_folder_is_read(tmp_path):
    with pytest.raises(InputError, match="was not gathered"):
        Gathered(tmp_path)


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"a": 0.9, "b": 0.5}, STANDS),
        ({"a": 0.9, "b": 0.85}, CONTRADICTED),
        ({"a": 0.4}, OPEN),
        ({}, OPEN),
    ],
)
def test_a_remark_stands_on_its_facts(facts, verdict):
    remark = Remark("r", "paper", "It is {a}.", (Requirement("a", "b", 0.1),))
    assert remark.check(facts) == verdict
    if verdict == STANDS:
        assert remark.written(facts) == "It is 0.900."


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"section": "weather"}, "not one of"),
        ({"requires": []}, "rests on nothing"),
        ({"text": "It is 0.93."}, "typed number"),
    ],
)
def test_a_remark_needs_a_place_and_something_to_rest_on(tmp_path, change, words):
    entry = {"id": "r", "section": "paper", "text": "At f = 1.0 so.", "requires": [{}]}
    entry["requires"] = [{"higher": "a", "lower": 0.5}]
    path = tmp_path / "remarks.yaml"
    path.write_text(yaml.safe_dump([{**entry}]))
    assert [remark.id for remark in load_remarks(path)] == ["r"]
    path.write_text(yaml.safe_dump([{**entry, **change}]))
    with pytest.raises(InputError, match=words):
        load_remarks(path)


def test_every_section_of_remarks_has_a_place_on_the_page():
    assert set(re.findall(r'remarks\("(\w+)"\)', template(TEMPLATE))) == set(SECTIONS)
    ids = [remark.id for remark in load_remarks()]
    assert len(ids) == len(set(ids))


def test_studies_name_decisions_of_the_register_and_their_baseline_comes_first():
    config = Config(fabricated.configuration())
    known = {entry["id"] for entry in yaml.safe_load(DEVIATIONS.read_text(encoding="utf-8"))}
    for name, study in config.values["studies"]["variants"].items():
        assert set(study["deviations"]) <= known
        variants = named_variants(config, name)
        assert variants[0].value == study["baseline"]
        assert len({v.folder for v in variants}) == len(variants)
        starts = {(v.run.dataset, v.run.rate, v.settings["torch_seed"]) for v in variants}
        assert len(starts) == len(study["datasets"]) * len(study["supervision_rates"])


def test_a_variant_changes_options_the_schedule_or_the_model():
    config = Config(fabricated.configuration())
    choices = {v.value: v.settings for v in named_variants(config, "choices")}
    assert choices["bernoulli"]["options"]["likelihood"] == "bernoulli"
    assert choices["interleaved"]["training"]["kind"] == "interleaved"
    assert choices["slow_prior"]["options"]["prior_rate"] == 1
    same = {**choices["slow_prior"], "options": choices["as_configured"]["options"]}
    assert same == choices["as_configured"]
    readings = named_variants(config, "readings")
    detached = {v.run.dataset: v.settings for v in readings if v.value == "detached"}
    configured = config.values["model_settings"]["ccvae_detached"]["classes"]
    assert detached["mnist"]["options"]["classifier_weight"] == configured["classifier_weight"]
    assert detached["synthetic_faces"]["options"]["classifier_weight"] == 1000


@pytest.mark.parametrize(
    "change",
    [
        {"baseline": "nobody"},
        {"model": "gan"},
        {"variants": {"as_configured": {"against": "none"}}},
    ],
)
def test_a_study_names_what_is_there(change):
    values = fabricated.configuration()
    values["studies"]["variants"]["choices"].update(change)
    with pytest.raises(InputError, match="which is not known"):
        Config(values)


@pytest.mark.skipif(not REFERENCE.exists(), reason="no result is committed yet")
def test_committed_prose_is_what_the_committed_records_say(caplog):
    found = Gathered(REFERENCE.relative_to(ROOT))
    for name, write in (
        ("findings", page),
        ("decisions", decisions),
        ("summary", make_summary.page),
    ):
        target = ROOT / "docs" / f"{name}.md"
        assert target.read_text(encoding="utf-8") == write(found, Path("docs/x")), name
    assert "contradict" not in caplog.text
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, shown in update_readme.blocks(found, Path()).items():
        begin = update_readme.BEGIN.format(name)
        assert f"{begin}\n\n{shown}\n\n{update_readme.END}" in readme
