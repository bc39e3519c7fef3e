"""A tidy table as Markdown and as LaTeX, with its paper values and the decisions behind it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from workflow.reporting.judges import first_lines, rests_on_judge
from workflow.reporting.names import STAND_INS, dataset_name, original_name
from workflow.reporting.paper import Metric, Table
from workflow.reporting.records import REFERENCES, Plan
from workflow.reporting.register import deviations_of
from workflow.reporting.statistics import ALPHA, ENOUGH
from workflow.reporting.tex import inline

PAPER, PAPER_ALONE = "the paper's value, and obtained minus paper", "the paper's value"
MISSING, NOT_APPLICABLE = "missing", "n/a"
"""A run is not there; it is, and its model has no such figure."""
BOLD = (
    "A row in bold: the best model over all f together, if it differs from every other one at "
    f"{ALPHA:.0%} (exact test of differences paired by f and seed, corrected over the blocks of "
    "the table; verdicts on claims are corrected over more); rows with fewer than "
    f"{ENOUGH} seeds do not compete."
)


def row_name(model: str, plan: Plan) -> str:
    """Name of a table row for readers."""
    return REFERENCES[model] if model in REFERENCES else plan.models[model]["title"]


def _heading(model: str, row: pd.DataFrame, plan: Plan) -> str:
    """Name of a row; that of a judge says where it failed its gate."""
    failed = model == "judge" and (row["judge_failed"] != "").any()
    return row_name(model, plan) + (" (failed its gate)" if failed else "")


def _datasets(frame: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(frame["dataset"]))


def caption(table: Table, frame: pd.DataFrame, plan: Plan, brackets: str = PAPER) -> str:
    """One paragraph: what the table is, on which data, and what stands in brackets."""
    seeds = plan.seeds_in_words(_datasets(frame))
    if frame["std"].notna().any():
        seeds = f"mean ± standard deviation of {seeds}"
    sentences = [f"{table.title}; {seeds}, preset `{plan.preset}`.", table.note]
    drawn = [name for name in _datasets(frame) if name in STAND_INS]
    if drawn:
        pairs = " and ".join(f"`{name}` in place of {original_name(name)}" for name in drawn)
        sentences.append(
            f"Drawn stand-ins, {pairs}: their numbers are not comparable with the paper's, "
            "so no paper value stands beside them."
        )
    if frame["paper"].notna().any():
        sentences.append(f"In brackets: {brackets}.")
    sentences.append(BOLD)
    return " ".join(sentence for sentence in sentences if sentence)


def reservations(frame: pd.DataFrame) -> list[str]:
    """Sentences on judges that failed their gate, where a block of the table rests on them."""
    blocks = frame[frame["metric"].map(rests_on_judge).astype(bool)]
    return [sentence for sentence in blocks["judge_failed"].unique() if sentence]


def markdown(table: Table, frame: pd.DataFrame, plan: Plan, terms: str = "") -> str:
    """Render a tidy table as Markdown, one block per metric and data set.

    `terms`, from `workflow.reporting.terms`, stands below the numbers.
    """
    lines = [f"# {table.heading}", "", *first_lines(reservations(frame))]
    lines += [caption(table, frame, plan), ""]
    for dataset in _datasets(frame):
        for metric in table.metrics:
            block = frame[(frame["metric"] == metric.name) & (frame["dataset"] == dataset)]
            if block.empty:
                continue
            lines += [f"**{dataset_name(dataset)}, {metric.heading}**{_direction(metric)}", ""]
            lines += _markdown_block(block, plan)
            lines.append("")
    lines += [" ".join(filter(None, [terms, _origin(frame)])), "", *_decisions(table, frame, plan)]
    return "\n".join(lines).rstrip() + "\n"


def _direction(metric: Metric) -> str:
    """Which end is the good one, to stand behind a heading."""
    return f", {metric.better} is better" if metric.better else ""


def _origin(frame: pd.DataFrame) -> str:
    """One sentence: how many runs, and where to follow them to."""
    trained = frame[frame["supervision_rate"] != ""]
    runs = int(trained.groupby(["dataset", "model", "supervision_rate"])["n"].max().sum())
    return (
        f"From {runs} runs; [records.csv](../records.csv) has the seed, settings, data checksum, "
        "commit, versions, device, time and memory of each."
    )


def _markdown_block(block: pd.DataFrame, plan: Plan) -> list[str]:
    header = "| | " + " | ".join(f"f = {rate}" for rate in plan.rates) + " |"
    lines = [header, "|---" * (len(plan.rates) + 1) + "|"]
    for model, row in block.groupby("model", sort=False):
        cells = []
        for rate in plan.rates:
            cell = cell_at(row, rate)
            text = "" if cell is None else cell_text(cell, plan, " ± ")
            if cell is not None and cell.bold:
                text = f"**{text}**"
            cells.append(text + ("" if cell is None else _paper(cell)))
        lines.append(f"| {_heading(str(model), row, plan)} | " + " | ".join(cells) + " |")
    return lines


def cell_at(row: pd.DataFrame, rate: str) -> Any:
    """The cell of one rate; a reference row has one cell for all rates."""
    found = row[row["supervision_rate"].isin([rate, ""])]
    return None if found.empty else next(found.itertuples())


def cell_text(cell: Any, plan: Plan, plus_minus: str) -> str:
    """Mean and standard deviation of a cell, or why there are none."""
    if pd.isna(cell.mean):
        if cell.n == 0 and cell.runs:
            return NOT_APPLICABLE
        have = f" ({cell.n} of {plan.seeds_of(cell.dataset, cell.model)} seeds)" if cell.n else ""
        return MISSING + have
    text = number(cell.mean)
    if pd.isna(cell.std):
        return text
    decimals = len(text.partition(".")[2])
    return f"{text}{plus_minus}{cell.std:.{decimals}f}"


def number(value: float) -> str:
    """Three decimals, as the paper prints; four where they would leave fewer than two digits."""
    return f"{value:.4f}" if 0 < abs(value) < 0.01 else f"{value:.3f}"


def _paper(cell: Any) -> str:
    if pd.isna(cell.paper):
        return ""
    difference = "" if pd.isna(cell.difference) else f", {cell.difference:+z.3f}"
    return f" ({number(cell.paper)}{difference})"


def _decisions(table: Table, frame: pd.DataFrame, plan: Plan) -> list[str]:
    systems = {plan.models[name]["system"] for name in set(frame["model"]) & set(plan.models)}
    entries = deviations_of(table, _datasets(frame), systems)
    if not entries:
        return []
    lines = [
        "Decisions that the paper does not make, and corrections of it, that touch this table:"
    ]
    lines += ["", *(f"* `{e['id']}`: {e['ours']} {e['reason']}" for e in entries)]
    return lines


def latex(table: Table, frame: pd.DataFrame, plan: Plan) -> str:
    """Render a tidy table as LaTeX with booktabs; the paper's value in brackets."""
    datasets, rates = _datasets(frame), plan.rates
    words = " ".join([*reservations(frame), caption(table, frame, plan, PAPER_ALONE)])
    columns = "ll" + "r" * (len(datasets) * len(rates))
    spans = " & ".join(
        rf"\multicolumn{{{len(rates)}}}{{c}}{{{inline(dataset_name(name))}}}" for name in datasets
    )
    rules = "".join(
        rf"\cmidrule(lr){{{3 + i * len(rates)}-{2 + (i + 1) * len(rates)}}}"
        for i in range(len(datasets))
    )
    heads = " & ".join([f"$f={rate}$" for rate in rates] * len(datasets))
    lines = [
        r"% Needs \usepackage{booktabs} and \usepackage{graphicx}.",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{inline(words)}}}",
        rf"\label{{tab:{table.name}}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        rf" & & {spans} \\",
        rules,
        rf" & & {heads} \\",
    ]
    for metric in table.metrics:
        block = frame[frame["metric"] == metric.name]
        if block.empty:
            continue
        lines.append(r"\midrule")
        for index, (model, row) in enumerate(block.groupby("model", sort=False)):
            cells = [
                _latex_cell(row[row["dataset"] == name], rate, plan)
                for name in datasets
                for rate in rates
            ]
            first = inline(metric.heading + _direction(metric)) if index == 0 else ""
            name = inline(_heading(str(model), row, plan))
            lines.append(f"{first} & {name} & " + " & ".join(cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _latex_cell(row: pd.DataFrame, rate: str, plan: Plan) -> str:
    cell = cell_at(row, rate)
    if cell is None:
        return ""
    text = cell_text(cell, plan, r" $\pm$ ")
    if cell.bold:
        text = rf"\textbf{{{text}}}"
    return text if pd.isna(cell.paper) else f"{text} ({number(cell.paper)})"
