"""Write a trained model for other runtimes: encoder, decoder, classifier, prior, a model card.

python -m workflow.steps.export results/default/runs/mnist/ccvae/f=1.0/seed=0 --to onnx
"""

from __future__ import annotations

import importlib
import logging
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccvae.errors import InputError
from ccvae.files import atomic_path, read_json, write_text
from workflow.reporting.names import dataset_name, original_name
from workflow.steps.command import LOG, run

if TYPE_CHECKING:
    from datasets.store import Store
    from workflow.export import Exported

OPSET = 18
"""Operator set of ONNX; 18 is the first that torch's exporter writes."""


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("run", type=Path, help="the run's folder, in its preset's folder")
    parser.add_argument("--to", choices=["onnx"], default="onnx", help="format")
    parser.add_argument("--out", type=Path, help="folder of the files; RUN/onnx if unset")


def work(given: Namespace) -> None:
    """Write one file per part, and README.md, the model card.

    Raises
    ------
    InputError
        If the packages that write ONNX are missing, or `run` is no run.
    """
    import torch

    from evaluators.images import ImageSet, to_unit
    from workflow.export import parts
    from workflow.load import load_model, store_of

    store = store_of(given.run)
    for package in ("onnx", "onnxscript"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise InputError(
                f"writing ONNX needs the package {package}, which is not installed; "
                "pip install -e .[onnx] brings what it takes"
            ) from error
    model = load_model(given.run, store, torch.device("cpu"))
    x = to_unit(ImageSet.read(store, "test").images[:2])
    out = given.out or given.run / given.to
    written = list(parts(model, x))
    for part in written:
        write_onnx(model, part, out / f"{part.name}.onnx")
    write_text(out / "README.md", card(given.run, store, written))
    LOG.info("%s: %s", out, ", ".join(part.name for part in written))


def write_onnx(model: Any, part: Exported, path: Path) -> None:
    """Write one part; the number of rows is free."""
    import torch

    from workflow.export import Function

    for chatty in ("onnxscript", "onnx_ir"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    rows = torch.export.Dim("rows", min=1)
    with warnings.catch_warnings(), atomic_path(path) as temporary:
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Function(model, part),
            part.examples,
            dynamo=True,
            input_names=list(part.inputs),
            output_names=list(part.outputs),
            dynamic_shapes=(tuple({0: rows} for _ in part.examples),),
            opset_version=OPSET,
            verbose=False,
        )
        assert program is not None
        # One file: what lies beside it would be lost when it is renamed.
        program.save(temporary, external_data=False)


def card(folder: Path, store: Store, written: Sequence[Exported]) -> str:
    """Model card: what it is, what it was trained on, and what was measured."""
    record = read_json(folder / "run.json")
    settings = record["settings"]
    title = f"{settings['system']} on {dataset_name(settings['dataset'])}"
    lines = [f"# {title}", "", *_about(record, settings, store), "", "## Files", ""]
    lines += ["| file | computes | inputs | outputs |", "|---|---|---|---|"]
    for part in written:
        shapes = [
            f"{name} (B, {', '.join(map(str, example.shape[1:]))})"
            for name, example in zip(part.inputs, part.examples, strict=True)
        ]
        outputs = ", ".join(part.outputs)
        says = part.says.replace("|", "\\|")
        lines.append(f"| {part.name}.onnx | {says} | {', '.join(shapes)} | {outputs} |")
    lines += [
        "",
        f"ONNX, operator set {OPSET}, float32, any number of rows B. Images are in [0, 1]. Labels "
        "y are binary labels as 0 and 1, or one class as an indicator, in this order: "
        f"{', '.join(store.label_names)}. Latents that no file draws have the prior N(0, I).",
    ]
    metrics = folder / "metrics.json"
    if metrics.exists():
        values = read_json(metrics)["metrics"]
        lines += ["", "## Measured on test images", "", "| metric | value |", "|---|---|"]
        lines += [f"| {k} | {v:.4g} |" for k, v in sorted(values.items()) if "/" not in k]
    return "\n".join(lines) + "\n"


def _about(record: Mapping[str, Any], settings: Mapping[str, Any], store: Store) -> list[str]:
    training = ", ".join(f"{key} {value}" for key, value in settings["training"].items())
    options = ", ".join(f"{key} {value}" for key, value in settings["options"].items())
    data = f"{store.meta['source']}."
    if store.stand_in:
        original = original_name(store.name)
        data += f" Drawn in place of {original}; nothing was computed from {original}."
    if store.name in ("chexpert", "synthetic_xrays"):
        data += " Not for clinical use."
    return [
        f"* Data: {data}",
        "* Licence: the weights have that of the suite, MIT; what may be done with what was learnt "
        "from images, their owners decide.",
        f"* f = {settings['supervision_rate']} ({record['labelled_images']:,} labelled images), "
        f"seed {settings['seed']}.",
        f"* Training: {training}. Model: {options}.",
        f"* Code: {record['code']['commit'] or 'outside of a checkout'}; torch "
        f"{record['versions']['torch']}.",
    ]


if __name__ == "__main__":
    run(str(__doc__).partition("\n")[0], arguments, work)
