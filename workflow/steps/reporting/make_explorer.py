"""Write the explorer: one page on which a reader moves characteristics by hand."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccvae.errors import InputError
from ccvae.files import read_json, write_text
from datasets.readers import READERS
from workflow.explorer.assemble import Part, assembled
from workflow.identity import Run
from workflow.reporting.judges import failed_judges, unreadable_labels
from workflow.reporting.names import dataset_name, original_name, readable
from workflow.reporting.records import judge_records
from workflow.steps.command import LOG, add_settings_argument, run

if TYPE_CHECKING:
    from datasets.store import Store
    from evaluators.classifier import Judge
    from evaluators.images import ImageSet
    from workflow.explorer.arrays import Blob

SENTENCES = 10_000
"""Bytes that are kept free for what the page says of itself."""

STYLE_IMAGES = 500
"""Test images of which directions of style are made."""


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_settings_argument(parser)
    parser.add_argument("--results", required=True, type=Path, help="folder of the preset")
    parser.add_argument("--out", required=True, type=Path, help="the page, as .html")


def work(given: Namespace) -> None:
    """Pack models in their order until the page is full, and write it.

    Settings: `preset`; `runs`, the models as [data set, model, rate, seed]; `titles` of models;
    and the section `explorer` of the configuration as `options`.
    """
    import torch

    # The same page wherever it is made.
    torch.set_num_threads(1)
    settings, options = given.settings, given.settings["options"]
    packer = Packer(given.results, settings["titles"], options)
    room = options["most_mb"] * 1e6 - len(assembled({}, {}, []).encode()) - SENTENCES
    data: dict[str, Part] = {}
    models: list[Part] = []
    left_out: list[str] = []
    for one in (Run(*identity) for identity in settings["runs"]):
        title = f"{settings['titles'][one.model]} on {dataset_name(one.dataset)}, f = {one.rate}"
        try:
            model = packer.model(one)
        except InputError as error:
            left_out.append(f"{title}, because {error}")
            continue
        frame = data.get(one.dataset) or packer.data(one.dataset)
        size = model.size + (0 if one.dataset in data else frame.size)
        if size > room:
            left_out.append(f"{title}, because the page has room for {options['most_mb']:g} MB")
            continue
        room -= size
        data[one.dataset] = frame
        models.append(model)
    about = {"preset": settings["preset"], "left_out": left_out, "rounding": options["weights"]}
    text = assembled(about, data, models)
    write_text(given.out, text)
    LOG.info("%s: %d models, %.2f MB", given.out, len(models), len(text.encode()) / 1e6)
    for sentence in left_out:
        LOG.info("left out: %s", sentence)


class Packer:
    """Reads the results of a preset and packs them.

    Parameters
    ----------
    results
        Folder of the preset.
    titles
        Of models, by name.
    options
        The section `explorer` of the configuration.
    """

    def __init__(
        self, results: Path, titles: Mapping[str, str], options: Mapping[str, Any]
    ) -> None:
        self.results, self.titles, self.options = results, titles, options
        self._opened: dict[str, tuple[Store, ImageSet]] = {}

    def model(self, one: Run) -> Part:
        """Pack a trained model.

        Raises
        ------
        InputError
            If the page cannot compute its pictures.
        """
        import torch

        from evaluators.images import to_unit
        from workflow.explorer.arrays import Blob
        from workflow.explorer.models import describe_model
        from workflow.load import load_model

        store, images = self._open(one.dataset)
        folder, blob = self.results / one.folder, Blob()
        x = to_unit(images.images)
        described = describe_model(
            load_model(folder, store, torch.device("cpu")),
            x[: self.options["images"]],
            x,
            blob,
            rounding=self.options["weights"],
            seed=one.seed,
            judge=None if self._computable(one.dataset) else self._judge(one.dataset),
        )
        facts = trained(read_json(folder / "run.json"))
        identity = {"data": one.dataset, "model": one.model, "rate": one.rate, "seed": one.seed}
        return Part(
            {**identity, "title": self.titles[one.model], "facts": facts, **described}, blob.text()
        )

    def data(self, dataset: str) -> Part:
        """Pack the images of a data set, and its judge."""
        import torch

        from workflow.explorer.arrays import Blob
        from workflow.explorer.images import describe_images

        store, images = self._open(dataset)
        shown, blob = images.take(torch.arange(min(self.options["images"], len(images)))), Blob()
        records = judge_records(self.results, [dataset])
        reservations = [
            found[dataset]
            for found in (failed_judges(records), unreadable_labels(records))
            if dataset in found
        ]
        if fetched_by_its_user(store.name):
            reservations.append(
                f"This page holds {len(shown)} test images of {dataset_name(dataset)}, which its "
                "owners let nobody else pass on: do not publish it."
            )
        described = {
            "title": dataset_name(dataset),
            "kind": store.kind,
            "names": [readable(name) for name in store.label_names],
            "shape": list(store.image_shape),
            "labels": shown.labels.tolist(),
            "stands_for": original_name(dataset) if store.stand_in else None,
            "reservations": reservations,
            "judge": self._described_judge(dataset, shown, blob),
            **describe_images(store, shown),
        }
        return Part(described, blob.text())

    def _described_judge(self, dataset: str, shown: ImageSet, blob: Blob) -> dict[str, Any]:
        """Layers of a judge; or what it says of the images, and why there are no layers."""
        import torch

        from evaluators.images import to_unit
        from evaluators.measuring import output_log_probs
        from workflow.explorer.networks import judge_layers

        judge = self._judge(dataset)
        try:
            return {"layers": judge_layers(judge, blob, self.options["weights"])}
        except InputError as error:
            with torch.no_grad():
                said = output_log_probs(judge.log_probs(to_unit(shown.images)), judge.labels)
            return {"missing": str(error), "asked": blob.add(said.numpy())}

    def _computable(self, dataset: str) -> bool:
        """Whether the page can compute a judge itself."""
        from workflow.explorer.arrays import Blob
        from workflow.explorer.networks import judge_layers

        try:
            judge_layers(self._judge(dataset), Blob(), "float16")
        except InputError:
            return False
        return True

    def _judge(self, dataset: str) -> Judge:
        import torch

        from workflow.load import load_judge

        folder = self.results / "judges" / dataset
        return load_judge(folder, self._open(dataset)[0], torch.device("cpu"))

    def _open(self, dataset: str) -> tuple[Store, ImageSet]:
        """A data set's store, and its first test images."""
        import torch

        from datasets.store import Store
        from evaluators.images import ImageSet

        if dataset not in self._opened:
            store = Store.open(self.results / "data" / dataset)
            test = ImageSet.read(store, "test")
            first = torch.arange(min(max(STYLE_IMAGES, self.options["images"]), len(test)))
            self._opened[dataset] = store, test.take(first)
        return self._opened[dataset]


def fetched_by_its_user(dataset: str) -> bool:
    """Whether a data set has no source but its owners, who let each user fetch it."""
    reader = READERS.get(dataset)
    return reader is not None and reader.options().get("folder") is Parameter.empty


def trained(record: Mapping[str, Any]) -> str:
    """Say how long a model was trained on how many labelled images, and with which code."""
    training = record["settings"]["training"]
    length = f"{training['epochs']} epochs" if "epochs" in training else f"{record['steps']} steps"
    commit = record["code"]["commit"]
    code = f", code {commit[:10]}" if commit else ""
    return f"{length}, {record['labelled_images']:,} labelled images{code}"


if __name__ == "__main__":
    run(__doc__, arguments, work, lambda given: given.out.with_suffix(".settings.json"))
