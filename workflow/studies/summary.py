"""What the studies found, as frames and as Markdown pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from workflow.reporting.names import dataset_name
from workflow.studies.plan import KINGMA
from workflow.studies.seeds import in_words

LATE_SHARE = 0.25
"""Share of a training's steps, the last ones, that counts as late."""

SCORES = ("accuracy", "balanced_accuracy")
FIGURE_8 = ("eq4", "paper_eq8")
"""The two curves of the paper's Figure 8: z_c reparameterised, and not."""

ALPHA_METRICS = ("accuracy", "balanced_accuracy", "reconstruction_l1")
ALPHA_KEYS = [
    *("dataset", "model", "value", "classifier_weight", "supervision_rate", "images_seen"),
]


def summarise_gradients(
    steps: pd.DataFrame, scores: pd.DataFrame, draws: pd.DataFrame
) -> pd.DataFrame:
    """Sum up each reading in one row.

    Parameters
    ----------
    steps
        `reading`, `seed`, `step`, `gradient_norm`, `encoder_gradient_norm`.
    scores
        `reading`, `seed`, and the columns `SCORES`, on validation images.
    draws
        From `workflow.studies.gradients.gradients_of_draws`: at one set of parameters.

    Returns
    -------
    pandas.DataFrame
        `reading`, `seeds`; `late_mean`, `late_std` (ddof = 1) of the classifier's gradient norm
        over the last `LATE_SHARE` of the steps, and the same for the encoder, averaged over seeds;
        the scores, averaged over seeds; `late_std_values` of each seed, see
        `workflow.studies.seeds`; `fixed_...`: mean and standard deviation at the same
        parameters, and `fixed_difference`, the largest distance of the classifier's gradient from
        equation (4)'s.
    """
    late = steps[steps["step"] > steps["step"].max() * (1 - LATE_SHARE)]
    rows = []
    for reading in dict.fromkeys(steps["reading"]):
        of_seeds = late[late["reading"] == reading].groupby("seed")
        fixed = draws[draws["reading"] == reading]
        norms = {"": "gradient_norm", "encoder_": "encoder_gradient_norm"}
        row: dict[str, Any] = {"reading": reading, "seeds": of_seeds.ngroups}
        for prefix, column in norms.items():
            row[f"{prefix}late_mean"] = of_seeds[column].mean().mean()
            row[f"{prefix}late_std"] = of_seeds[column].std(ddof=1).mean()
        row["late_std_values"] = in_words(of_seeds["gradient_norm"].std(ddof=1))
        row |= scores.loc[scores["reading"] == reading, list(SCORES)].mean().to_dict()
        for prefix, column in norms.items():
            row[f"fixed_{prefix}mean"] = fixed[column].mean()
            row[f"fixed_{prefix}std"] = fixed[column].std(ddof=1)
        row["fixed_difference"] = fixed["difference"].max()
        rows.append(row)
    return pd.DataFrame(rows)


def gradients_markdown(
    summary: pd.DataFrame, majority: dict[str, float], study: dict[str, Any]
) -> str:
    """Page of the study of gradients.

    Parameters
    ----------
    summary
        From `summarise_gradients`.
    majority
        Scores of the best constant answer.
    study
        `dataset`, `supervision_rate`, `steps`, `classifier_weight`, `draws`, and
        `fixed`: the reading whose parameters `draws` of `summarise_gradients` is at.
    """
    lines = [
        "# Readings of equation (4): gradients of the classifier",
        "",
        f"CCVAE on {dataset_name(study['dataset'])} at f = {study['supervision_rate']}, "
        f"{study['steps']} steps, {_seeds(int(summary['seeds'].min()))}, every reading with the "
        f"weight {study['classifier_weight']:g} of log q(y|x), the same initial parameters, images "
        "and noise. Scores are on validation images.",
        "",
        f"**Training: gradient norm in the last {LATE_SHARE:.0%} of the steps, mean ± standard "
        "deviation**",
        "",
        "| reading | classifier | std / mean | encoder | accuracy | balanced accuracy |",
        "|---|---|---|---|---|---|",
    ]
    for row in summary.to_dict("records"):
        lines.append(
            f"| {row['reading']} | {row['late_mean']:.3g} ± {row['late_std']:.2g} "
            f"| {row['late_std'] / row['late_mean']:.2f} "
            f"| {row['encoder_late_mean']:.3g} ± {row['encoder_late_std']:.2g} "
            f"| {row['accuracy']:.3f} | {row['balanced_accuracy']:.3f} |"
        )
    lines += [
        f"| majority class | | | | {majority['accuracy']:.3f} "
        f"| {majority['balanced_accuracy']:.3f} |",
        "",
        f"**The same parameters for all readings, those that {study['fixed']} was trained to: "
        f"gradient norm over {study['draws']} draws of the noise, mean ± standard deviation**",
        "",
        "| reading | classifier | encoder | largest difference of the classifier's gradient from "
        "eq4's |",
        "|---|---|---|---|",
    ]
    for row in summary.to_dict("records"):
        lines.append(
            f"| {row['reading']} | {row['fixed_mean']:.3g} ± {row['fixed_std']:.2g} "
            f"| {row['fixed_encoder_mean']:.3g} ± {row['fixed_encoder_std']:.2g} "
            f"| {row['fixed_difference']:.1e} |"
        )
    return "\n".join([*lines, *_verdict(summary)]) + "\n"


def _verdict(summary: pd.DataFrame) -> list[str]:
    """What the figures say about Appendix C.3.1."""
    rows = summary.set_index("reading")
    if not set(FIGURE_8) <= set(rows.index):
        return []
    attached, stopped = (rows.loc[name] for name in FIGURE_8)
    change = "smaller" if stopped["late_std"] < attached["late_std"] else "larger"
    relative = [row["late_std"] / row["late_mean"] for row in (attached, stopped)]
    return [
        "",
        "Appendix C.3.1 says that not reparameterising z_c (paper_eq8) lowers the variance of the "
        "classifier's gradient norm against reparameterising it (eq4). The classifier's parameters "
        "do not act through z, so at the same parameters the two gradients are equal draw by draw; "
        f"here they differ by at most {stopped['fixed_difference']:.1e} of their norm. The "
        f"encoder's gradient does change: its norm is {attached['fixed_encoder_mean']:.3g} on "
        f"average under eq4 and {stopped['fixed_encoder_mean']:.3g} under paper_eq8. Any "
        "difference between the curves comes from where that leads the training: late in "
        f"training the standard deviation of the classifier's gradient norm is {change} under "
        f"paper_eq8 ({stopped['late_std']:.2g} against {attached['late_std']:.2g}), and relative "
        f"to its mean {relative[1]:.2f} against {relative[0]:.2f}.",
    ]


def summarise_alpha(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard deviation (ddof = 1) and number of seeds of every metric and weight.

    Parameters
    ----------
    scores
        One row per training: the columns `ALPHA_KEYS`, `seed` (in order) and the metrics.

    Returns
    -------
    pandas.DataFrame
        `ALPHA_KEYS`, `metric`, `mean`, `std`, `n`, and `values` (of each seed, see
        `workflow.studies.seeds`).
    """
    long = scores.melt(
        [*ALPHA_KEYS, "seed"], list(ALPHA_METRICS), var_name="metric", value_name="score"
    )
    groups = long.groupby([*ALPHA_KEYS, "metric"], sort=False, dropna=False)["score"]
    return groups.agg(mean="mean", std="std", n="count", values=in_words).reset_index()


def alpha_markdown(summary: pd.DataFrame, titles: dict[str, str], steps: Sequence[int]) -> str:
    """Page of the study of classifier weights.

    Parameters
    ----------
    summary
        From `summarise_alpha`.
    titles
        Of the models, by name.
    steps
        Numbers of steps that the trainings had.
    """
    lengths = " or ".join(map(str, sorted(set(steps))))
    lines = [
        "# Weight of the classifier",
        "",
        f"Validation images, {lengths} steps, {_seeds(int(summary['n'].min()))}. alpha multiplies "
        "log q(y|x) on labelled images, or MVAE's log p(y|z), relative to a bound per image; "
        "kingma is the weight of arXiv:1406.5298, 0.1 / f, or 0.1 / rho where steps show a share "
        "rho of labelled images.",
    ]
    for (dataset, rate), block in summary.groupby(["dataset", "supervision_rate"], sort=False):
        lines += ["", f"**{dataset_name(str(dataset))}, f = {rate}**", ""]
        lines += ["| | alpha | accuracy | balanced accuracy | reconstruction, L1 |"]
        lines += ["|---" * 5 + "|"]
        for (model, value), row in block.groupby(["model", "value"], sort=False):
            means, stds = (row.set_index("metric")[name].to_dict() for name in ("mean", "std"))
            cells = " | ".join(_score(name, means[name], stds[name]) for name in ALPHA_METRICS)
            weight = row["classifier_weight"].iloc[0]
            text = f"{value} ({weight:.3g})" if value == KINGMA else value
            lines.append(f"| {titles[str(model)]} | {text} | {cells} |")
    return "\n".join(lines) + "\n"


def _score(metric: str, mean: float, std: float) -> str:
    text = f"{mean:.4f}" if metric == "reconstruction_l1" else f"{mean:.3f}"
    return text if pd.isna(std) else f"{text} ± {std:.2g}"


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"mean of {count} seeds"
