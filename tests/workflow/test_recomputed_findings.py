"""The other sentences of docs/findings.md, from the committed records alone."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from statistics import StatisticsError, fmean, stdev

import pandas as pd
import pytest
import yaml
from scipy import stats

from tests.workflow.recomputing import NAMES, RATE, REFERENCE, RESOURCES, ROOT, titles, values
from workflow.reporting.gathered import Gathered
from workflow.reporting.names import readable

pytestmark = pytest.mark.skipif(not REFERENCE.exists(), reason="no result is committed yet")


@pytest.fixture(scope="module")
def text() -> str:
    return (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def cells() -> dict:
    return values(readable=False)


def part(text: str, heading: str) -> str:
    return re.split(r"\n#+ ", text.split(f"# {heading}\n")[1])[0]


def dataset_of(words: str) -> str:
    return NAMES.get(words, words.removesuffix(" (drawn)"))


def published() -> pd.Series:
    paper = pd.read_csv(RESOURCES / "paper_tables.csv", dtype=RATE)
    keys = ["metric", "dataset", "model", "supervision_rate"]
    return paper[paper["table"].isin([6, 7])].set_index(["table", *keys])["value"]


def is_measured(name: str, cells: dict) -> bool:
    """Whether the runs that a fact is about are there."""
    try:
        return math.isfinite(fact(name, cells))
    except StatisticsError:
        return False


def fact(name: str, cells: dict) -> float:
    """What a remark's fact is, see workflow/resources/remarks.yaml."""
    kind, *rest = name.split("/")
    if kind == "study":
        study, dataset, rate, variant, metric = rest
        return fmean(cells[study, metric, dataset, variant, rate])
    dataset, model, rate, metric = rest
    if kind == "run":
        return fmean(cells["", metric, dataset, model, rate])
    found = published().xs((metric, dataset, model, rate), level=(1, 2, 3, 4))
    return float(found.iloc[0])


def test_every_number_of_a_remark(text, cells) -> None:
    remarks = yaml.safe_load((RESOURCES / "remarks.yaml").read_text(encoding="utf-8"))
    shown, unmeasured = 0, 0
    for remark in remarks:
        words = " ".join(remark["text"].split())
        ends = [r[end] for r in remark["requires"] for end in ("higher", "lower")]
        names = [*re.findall(r"\{([^{}]+)\}", words), *(e for e in ends if isinstance(e, str))]
        if not all(is_measured(name, cells) for name in names):
            assert words.partition("{")[0] not in text, remark["id"]
            unmeasured += 1
            continue
        filled = re.sub(r"\{([^{}]+)\}", lambda m: f"{fact(m[1], cells):.3f}", words)
        shown += f"* {filled}\n" in text
        ends = [
            [fact(end, cells) if isinstance(end, str) else end for end in (r["higher"], r["lower"])]
            for r in remark["requires"]
        ]
        stands = all(
            high - low > r.get("by", 0)
            for (high, low), r in zip(ends, remark["requires"], strict=True)
        )
        assert stands == (f"* {filled}\n" in text), remark["id"]
    assert shown + unmeasured > 5
    assert shown > 1


MOVED = {
    "Accuracy": "accuracy",
    "Generation accuracy": "generation_accuracy",
    "Swap, normalised": "swap_normalised",
    "Labels from z without z_c": "leakage_rest",
    "Style kept by interventions": "style_kept_interventions",
}


def test_every_change_that_a_study_made(text, cells, config) -> None:
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in part(text, "What every other open choice moves").splitlines()
        if line.startswith("|")
    ]
    head, _, *rows = rows
    metrics = [MOVED[heading] for heading in head[2:]]
    study, seen = "", set()
    for title, place, *words in rows:
        study = study if not title else re.search(r"\[(\w+)\]\(", title)[1]
        dataset, rate = dataset_of(place.rpartition(", f = ")[0]), place.rpartition(" = ")[2]
        seen.add(study)
        for metric, said in zip(metrics, words, strict=True):
            assert said == furthest(config, cells, study, metric, dataset, rate), (study, place)
    told = {
        name
        for name, each in config["studies"]["variants"].items()
        if (REFERENCE / "studies" / f"{name}.csv").exists()
        and not {"budgets", "beside_paper"} & each.keys()
    }
    assert seen == told
    assert len(rows) > len(told) > 9


def furthest(config, cells, study: str, metric: str, dataset: str, rate: str) -> str:
    """The cell of the table of open choices: what moves a measure most among like models."""
    described = config["studies"]["variants"][study]
    model = {v: c.get("model", described["model"]) for v, c in described["variants"].items()}
    moved = {}
    frame = pd.read_csv(REFERENCE / "studies" / f"{study}.csv", dtype=RATE)
    here = frame[(frame["dataset"] == dataset) & (frame["supervision_rate"] == rate)]
    for variant, base in here[["variant", "against"]].drop_duplicates().to_numpy():
        one, other = (cells.get((study, metric, dataset, v, rate)) for v in (variant, base))
        systems = {config["model_settings"][model[v]]["system"] for v in (variant, base)}
        whole = model[variant] == variant
        if variant != base and len(systems) == 1 and not whole and one and other:
            moved[variant, base] = fmean(one) - fmean(other)
    moved = {pair: change for pair, change in moved.items() if math.isfinite(change)}
    if not moved:
        return ""
    (variant, base), change = max(moved.items(), key=lambda item: abs(item[1]))
    if abs(change) < 5e-4:
        return "none"
    words = f"`{variant}` {change:+.3f}"
    words += "" if base == described["baseline"] else f" against `{base}`"
    runs = cells.get(("", metric, dataset, model[variant], rate), [])
    return f"({words})" if no_more_than_seeds(change, runs) else words


def no_more_than_seeds(change: float, runs: list[float]) -> bool:
    return len(runs) >= 3 and abs(change) <= 2 * stdev(runs)


def told_of_decisions() -> Iterator[tuple[str, str, str, str, str, str]]:
    """Decision, study, heading, data set, f and words of each change in docs/decisions.md."""
    page = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    studies = r"\[(\w+)\]\(\S*/studies/\w+\.md\)(?:, ([^:]*?))?: (.*?)\.(?=<br>| \|)"
    for decision, row in re.findall(r'^\| <a id="([\w-]+)"></a>(.*)$', page, re.MULTILINE):
        for study, place, words in re.findall(studies, row):
            for heading, said in (each.split(": ") for each in words.split("; ")):
                change, _, where = said.partition(" on ")
                dataset, _, rate = (where or place).rpartition(", f = ")
                yield decision, study, heading, dataset_of(dataset), rate, change


def test_every_change_that_a_decision_is_told(cells, config) -> None:
    told = [each for each in told_of_decisions() if each[-1] != "none"]
    for decision, study, heading, dataset, rate, words in told:
        name, change, base = re.fullmatch(
            r"\(?`([^`]+)` ([-+][\d.]+)(?: against `(\w+)`)?\)?", words
        ).groups()
        if study == "alpha":
            # A weight of the model that the decision is about, against the first of them.
            model = decision.removesuffix("-alpha")
            first = config["studies"]["alpha"]["weights"][model][0]
            variant, base = f"{model}={name.removeprefix('alpha = ')}", f"{model}={first}"
        else:
            described = config["studies"]["variants"][study]
            variant, base = name, base or described["baseline"]
            model = described["variants"][name].get("model", described["model"])
        one, other = (
            fmean(cells[study, MOVED[heading], dataset, v, rate]) for v in (variant, base)
        )
        assert float(change) == pytest.approx(one - other, abs=5.1e-4), (decision, study, words)
        runs = cells.get(("", MOVED[heading], dataset, model, rate), [])
        assert words.startswith("(") == no_more_than_seeds(one - other, runs), (decision, words)
    assert len(told) > 100


def test_every_count_against_the_paper(text, cells, config) -> None:
    section = part(text, "Against the paper's numbers")
    paper, metrics = published(), {6: "accuracy", 7: "generation_accuracy"}
    rows = re.findall(
        r"\| Table (\d), accuracy: (.+?) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (.*?) \|", section
    )
    systems = {model: config["model_settings"][model]["system"] for model in config["models"]}
    measured = {
        key[3] for key, found in cells.items() if found and key[:3] == ("", "accuracy", "mnist")
    }
    reported = {whose for _, _, _, whose, _ in paper.index}
    assert {(number, titles(config)[title]) for number, title, *_ in rows} == {
        (str(number), model)
        for number in metrics
        for model, system in systems.items()
        if system in reported and model in measured
    }
    for number, title, *counts, largest in rows:
        model, metric = titles(config)[title], metrics[int(number)]
        system = config["model_settings"][model]["system"]
        found: dict[str, int] = defaultdict(int)
        short = {}
        for (table, name, dataset, whose, rate), value in paper.items():
            if (table, name, whose) != (int(number), metric, system):
                continue
            scores = cells["", metric, dataset, model, rate]
            n = len(scores)
            short[dataset, rate] = value - fmean(scores)
            if n < 3:
                found["too few"] += 1
                continue
            t = stats.t.ppf(0.975, n - 1)
            reach = t * stdev(scores) * math.sqrt(1 + 1 / n) + 0.0005
            gap = short[dataset, rate]
            found["worse" if gap > reach else "better" if gap < -reach else "not told apart"] += 1
        order = ("better", "not told apart", "worse", "too few")
        assert [int(c) for c in counts] == [found[word] for word in order]
        if largest == "None.":
            assert max(short.values()) <= 0
        else:
            gap, mean, std, value, data, rate = re.fullmatch(
                r"([\d.]+): ([\d.]+) ± ([\d.]+) against the paper's ([\d.]+), (\w+), f = ([\d.]+)",
                largest,
            ).groups()
            where = NAMES[data], rate
            scores = cells["", metric, where[0], model, rate]
            assert short[where] == max(short.values())
            assert [gap, mean, std, value] == [
                f"{number:.3f}"
                for number in (
                    short[where],
                    fmean(scores),
                    stdev(scores),
                    paper[int(number), metric, where[0], system, rate],
                )
            ]


def test_every_number_beside_what_other_papers_report(text, cells, config) -> None:
    section = part(text, "Beside what other papers report of the same models")
    entries = yaml.safe_load((RESOURCES / "published.yaml").read_text(encoding="utf-8"))
    rows = re.findall(
        r"\| ([^|]+?) \| (\w+) \| ([\d.]+) ± [\d.]+, ([\d,]+) \(([^)]+)\) \| "
        r"([\d.]+)[^|]*, ([\d,]+) \(f = ([\d.]+)\) \| (.*?) \|",
        section,
    )
    assert rows
    for title, data, reported, labels, source, here, ours, rate, words in rows:
        model, count = titles(config)[title], int(labels.replace(",", ""))
        (entry,) = [
            e
            for e in entries
            if (e["system"], e["dataset"], e["labels"], e["source"])
            == (config["model_settings"][model]["system"], NAMES[data], count, source)
        ]
        mean = fmean(cells["", "accuracy", NAMES[data], model, rate])
        assert (reported, here) == (f"{1 - entry['error'] / 100:.3f}", f"{mean:.3f}")
        assert int(ours.replace(",", "")) == round(float(rate) * 50_000)
        apart = mean - 1 + entry["error"] / 100
        if words == "within 0.01":
            assert abs(apart) <= 0.01
        else:
            way, amount = words.split(" by ")
            assert float(amount) == pytest.approx(abs(apart), abs=5.1e-4)
            assert (apart > 0.01, apart < -0.01) == (way == "higher", way == "lower")


def test_the_page_on_the_models_says_what_is_reported() -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    for entry in yaml.safe_load((RESOURCES / "published.yaml").read_text(encoding="utf-8")):
        (row,) = [r for r in text.splitlines() if r.startswith(f"| {entry['system'].upper()} | M")]
        assert re.search(rf"{entry['error']:.2f} %( with {entry['labels']:,})", row)
        assert entry["source"].partition(",")[0] in row


@pytest.mark.parametrize("page", ["findings", "summary"])
def test_every_number_of_the_scope(page) -> None:
    records = pd.read_csv(REFERENCE / "records.csv.gz", dtype=RATE)
    runs = pd.read_csv(REFERENCE / "runs.csv")
    rows = re.findall(
        r"\| (\S+(?: \(drawn\))?) \| (\d+) \| (one|\d+) seeds?[^|]* \| "
        r"([\d,]+)(?: to ([\d,]+))? \| (.*) \|",
        part((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"), "Scope"),
    )
    assert len(rows) == records["dataset"].nunique()
    for data, models, seeds, least, most, judge in rows:
        dataset = dataset_of(data)
        own = records[(records["dataset"] == dataset) & records["seed"].notna()]
        assert int(models) == own["model"].nunique()
        assert seeds.replace("one", "1") == str(own["seed"].nunique())
        seen = runs[runs["run"].str.startswith(f"runs/{dataset}/")]["images_seen"].dropna()
        assert least == f"{seen.min():,.0f}"
        assert (most or least) == f"{seen.max():,.0f}"
        of_judge = records[(records["dataset"] == dataset) & (records["model"] == "judge")]
        scores = of_judge.set_index("metric")["value"]
        for name, value in re.findall(r"((?:balanced )?accuracy) ([\d.]+)", judge):
            assert value == f"{scores[name.replace(' ', '_')]:.3f}"
        lost = re.search(r"claims leave out (.+), which it cannot read", judge)
        weak = Gathered(REFERENCE).weak.get(dataset, [])
        assert (lost[1] if lost else "") == ", ".join(map(readable, weak))


def test_which_model_each_definition_of_the_swap_score_puts_first(text, cells, config) -> None:
    section = part(text, 'What "difference in log-probabilities" of swaps means')
    by_title = titles(config)
    pattern = r"^\* (.+?), f = ([\d.]+), models with at least 3 seeds: (.*)$"
    stated = re.findall(pattern, section, re.MULTILINE)
    assert len(stated) == 2
    for data, rate, words in stated:
        found: dict[str, set[str]] = defaultdict(set)
        for metric in {k[1] for k in cells if k[1].startswith("swap") and k[0] == ""}:
            scores = {
                model: fmean(cells["", metric, dataset_of(data), model, rate])
                for model in by_title.values()
                if len(cells.get(("", metric, dataset_of(data), model, rate), ())) >= 3
            }
            if scores:
                found[metric].add(min(scores, key=scores.__getitem__))
        if said := re.match(r"All definitions have (.+?) first;", words):
            assert found["swap"] == {by_title[said[1]]}
        for title, metrics in re.findall(r"(?:: |; )(.+?) by ((?:`\w+`(?:, )?)+)", words):
            for metric in re.findall(r"`(\w+)`", metrics):
                assert found[metric] == {by_title[title]}


def test_which_orders_change_with_the_budget(text, config) -> None:
    section = part(text, "How long one must train")
    path = REFERENCE / "studies" / "budget_orders.csv"
    if not path.exists():
        assert section.strip() == "Not run."
        return
    orders = pd.read_csv(path, dtype=RATE)
    lower = orders["metric"] == "swap_truth_normalised"
    apart = orders["difference"].abs() > 2 * orders["standard_error"]
    orders["ahead"] = (orders["difference"] * (1 - 2 * lower)).where(apart)
    pairs = orders.groupby(["dataset", "supervision_rate", "metric", "first", "second"])
    stands = pairs["ahead"].ffill()
    before = stands.groupby([orders[name] for name in pairs.keys]).shift()
    orders["turned"] = orders["ahead"] * before < 0
    words = {"once": 1, "twice": 2}
    seen = re.findall(
        r"to (\w+)(?: times)? the images: (\d+) of the (\d+) orders that are seen there were seen "
        r"before, and (none|\d+) of those",
        section,
    )
    for budget, both, told, turned in seen:
        here = orders[orders["budget"] == words.get(budget, int(re.sub(r"\D", "", budget) or 0))]
        assert int(turned.replace("none", "0")) == here["turned"].sum()
        assert int(told) == here["ahead"].notna().sum()
        assert int(both) == (here["ahead"].notna() & before[here.index].notna()).sum()
    assert (
        len(seen) + section.count("not run")
        == len(config["studies"]["variants"]["budget"]["budgets"]) - 1
    )


def test_how_much_of_the_paper_its_schedule_gives(text) -> None:
    section = part(text, "The schedule of the paper preset")
    path = REFERENCE / "studies" / "protocol_paper.csv"
    if not path.exists():
        assert section.strip() == "Not run."
        return
    frame = pd.read_csv(path, dtype=RATE)
    stated = re.findall(
        r"\* Table (\d), [^:]+: the paper preset's schedule reaches (\d+) of (\d+) numbers", section
    )
    groups = frame.groupby(["table", "model"], sort=False)
    assert len(stated) == len(groups)
    for (table, near, n), (key, rows) in zip(stated, groups, strict=True):
        assert (int(table), int(n)) == (key[0], len(rows))
        assert int(near) == (rows["paper"] - rows["study"] <= 0.01).sum()
