"""The table of judge seeds for readers: Markdown, LaTeX, and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from workflow.reporting.judge_seeds import judges_of
from workflow.reporting.judges import (
    NOISE,
    TEST,
    credentials,
    failed_judges,
    first_lines,
    information_gates,
    why_failed,
)
from workflow.reporting.names import dataset_name
from workflow.reporting.records import Plan
from workflow.reporting.tex import escaped
from workflow.reporting.wording import title_of

ABOUT = (
    "How far another judge of the same data, trained from another seed, moves what is measured of "
    "the models of the first seed. Both see the same swaps, generations and interventions. Changes "
    "are absolute, over all models and f, of means over the labels that the first judge can read; "
    "beside them the mean standard deviation between seeds of training, where there are several. "
    "Orders: of two models at one f that a claim compares."
)
NOT_RUN = "Not run with a second judge."
HEAD = (
    "measure",
    "mean by the first judge",
    "mean change",
    "largest change",
    "spread over seeds of training",
    "orders turned round",
)
NONE = "none"
SHOWN = 3
"""Orders that a sentence names before it only counts them."""


def judge_seeds_markdown(
    summary: pd.DataFrame, cells: pd.DataFrame, judges: Mapping[int, pd.DataFrame], plan: Plan
) -> str:
    """Page of the table.

    Parameters
    ----------
    summary
        From `workflow.reporting.judge_seeds.summary`.
    cells
        From `workflow.reporting.judge_seeds.compared_cells`.
    judges
        Judge -> `workflow.reporting.records.judge_records`.
    plan
        What was run.
    """
    failed = failed_judges(judges[0]).values()
    lines = ["# Judge seeds", "", *first_lines(failed), ABOUT, ""]
    lines += ["| data | judge | how good | mutual information, in nats |", "|---|---|---|---|"]
    words = {judge: (credentials(f), information_gates(f)) for judge, f in judges.items()}
    for data in plan.datasets:
        for judge, (good, gates) in words.items():
            if data in good:
                gate = gates.get(data, "not recorded")
                lines.append(f"| {dataset_name(data)} | {judge} | {good[data]} | {gate} |")
    said = [f"* {sentence}" for sentence in (*others_failed(judges), *information_apart(cells))]
    lines += ["", *said] if said else []
    for dataset, block in summary.groupby("dataset", sort=False):
        lines += ["", f"**{dataset_name(str(dataset))}**", ""]
        lines += [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
        lines += [f"| {' | '.join(_cells(row, plan))} |" for row in block.to_dict("records")]
        turned = block[block["orders_changed"] > 0]
        lines += [""] * bool(len(turned))
        lines += [f"* {r['heading']}: {r['changed']}" for r in turned.to_dict("records")]
    lines += ["", "Cell by cell: [judge_seeds.csv](judge_seeds.csv)."]
    return "\n".join(lines) + "\n"


def judge_seeds_latex(summary: pd.DataFrame, plan: Plan) -> str:
    """Render the table as LaTeX with booktabs."""
    lines = [
        r"% Needs \usepackage{booktabs} and \usepackage{graphicx}.",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(ABOUT)}}}",
        r"\label{tab:judge_seeds}",
        r"\resizebox{\textwidth}{!}{%",
        r"\begin{tabular}{ll" + "r" * (len(HEAD) - 1) + "}",
        r"\toprule",
        "data & " + " & ".join(HEAD) + r" \\",
    ]
    for dataset, block in summary.groupby("dataset", sort=False):
        lines.append(r"\midrule")
        for index, row in enumerate(block.to_dict("records")):
            first = dataset_name(str(dataset)) if index == 0 else ""
            lines.append(" & ".join(map(escaped, (first, *_cells(row, plan)))) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table}"]) + "\n"


def _cells(row: Mapping[Any, Any], plan: Plan) -> list[str]:
    where = f"{title_of(row['largest_model'], plan)}, f = {row['largest_rate']}"
    orders = f"{row['orders_changed']} of {row['orders']}" if row["orders"] else NONE
    spread = "one seed" if pd.isna(row["seed_spread"]) else f"{row['seed_spread']:.3g}"
    numbers = [f"{row[key]:.3g}" for key in ("first_mean", "mean_change", "largest_change")]
    return [row["heading"], *numbers[:2], f"{numbers[2]} ({where})", spread, orders]


def others_failed(judges: Mapping[int, pd.DataFrame]) -> list[str]:
    """Sentences on judges but the first that failed their gate; `judges` as everywhere here."""
    return [
        f"Judge {judge} of {dataset_name(data)} failed its gate: {'; '.join(clauses)}."
        for judge, frame in judges.items()
        if judge > 0
        for data, clauses in why_failed(frame).items()
    ]


def information_apart(cells: pd.DataFrame) -> list[str]:
    """Sentences on data sets whose judges disagree in which is surer, noise or test images.

    Parameters
    ----------
    cells
        From `workflow.reporting.judge_seeds.compared_cells`.
    """
    own = cells[cells["model"] == "judge"]
    sentences = []
    for (dataset, judge), rows in own.groupby(["dataset", "judge"], sort=False):
        found = rows.set_index("metric")[["first", "value"]].to_dict()
        if not {NOISE, TEST} <= found["first"].keys():
            continue
        gaps = [found[whose][NOISE] - found[whose][TEST] for whose in ("first", "value")]
        if (gaps[0] > 0) != (gaps[1] > 0):
            sentences.append(
                f"Whether mutual information is higher on noise than on test images of "
                f"{dataset_name(str(dataset))} hangs on the judge's seed: "
                f"{found['first'][NOISE]:.2g} against {found['first'][TEST]:.2g} by the first "
                f"judge, {found['value'][NOISE]:.2g} against {found['value'][TEST]:.2g} by judge "
                f"{judge}. Low, it says that images are of a class for sure, and not that they are "
                "near to the data."
            )
    return sentences


def moved_by_judges(
    summary: pd.DataFrame | None, cells: pd.DataFrame | None, records: pd.DataFrame, link: str
) -> list[str]:
    """Sentences on how far a second judge moves what is measured, data set by data set.

    Parameters
    ----------
    summary
        From `workflow.reporting.judge_seeds.summary`; None where there was one judge.
    cells
        From `workflow.reporting.judge_seeds.compared_cells`; None as well.
    records
        Of the first judge.
    link
        Where the table is.
    """
    if summary is None or summary.empty:
        return [NOT_RUN]
    known = summary[summary["seed_spread"].notna()]
    less = int((known["mean_change"] < known["seed_spread"]).sum())
    head = (
        f"A [second judge]({link}) of another seed looked at what the models of the first seed "
        "make. Below is how far each measure moves, in the mean over models and f, and at most."
    )
    if len(known):
        head += (
            f" There are {len(known)} measures of a data set with several seeds of training; "
            f"{less} of them move less than these seeds spread."
        )
    lines = [head, ""]
    for dataset, block in summary.groupby("dataset", sort=False):
        rows = block.to_dict("records")
        words = "; ".join(
            f"{row['heading']} {row['mean_change']:.2g} (at most {row['largest_change']:.2g})"
            for row in rows
        )
        asked, turned = int(block["orders"].sum()), int(block["orders_changed"].sum())
        if asked:
            words += (
                f"; {turned} of the {asked} orders of two models that claims ask for turn round"
            )
        if 0 < turned <= SHOWN:
            named = [f"{row['heading']}: {row['changed']}" for row in rows if row["orders_changed"]]
            words += f" ({'; '.join(named)})"
        lines.append(f"* {dataset_name(str(dataset))}: {words}.")
    if cells is not None:
        more = (*others_failed(judges_of(cells, records)), *information_apart(cells))
        lines += [f"* {sentence}" for sentence in more]
    return lines
