from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ccvae.errors import InputError
from workflow.config import Config
from workflow.planning.overlay import DEFAULT, merged_config

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["smoke.yaml", "paper.yaml"])
def test_overlays_merge_as_snakemake_merges_them(name):
    from snakemake.cli import parse_config
    from snakemake.utils import update_config

    overlay = ROOT / "config" / name
    settings = [
        "seeds=3",
        "device=cpu",
        "supervision_rates=0.06",
        "models=[m2, 'ccvae']",
        "settings={classes: {training: {steps: 7, one_cycle: false}}}",
        "folders={celeba: /data/celeba}",
        "inception_weights=",
        "preset=mine",
    ]
    expected = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))
    update_config(expected, yaml.safe_load(overlay.read_text(encoding="utf-8")))
    update_config(expected, parse_config(settings))
    assert merged_config([overlay], settings) == expected


@pytest.mark.parametrize(
    ("content", "settings", "words"),
    [
        (None, [], "cannot be read"),
        ("a: [", [], "is not YAML"),
        ("- 1", [], "holds no keys"),
        ("", [], "holds no keys"),
        ("seeds: 1", ["seeds"], "key=value"),
        ("seeds: 1", ["no key=1"], "key=value"),
    ],
)
def test_an_unusable_overlay_is_named(content, settings, words, tmp_path):
    path = tmp_path / "overlay.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        merged_config([path], settings)
    assert "\n" not in str(caught.value)


TEXTS = [
    "2024_11_25",
    "2024-11-25",
    "20241125",
    "007",
    "0x10",
    "1e5",
    "1_0",
    "on",
    "yes",
    "True",
    "false",
    "null",
    "nan",
    "mine",
]
"""Names of presets, most of which YAML or Snakemake takes for something else than text."""


def planned(*arguments: object) -> str:
    """Where Snakemake would write results; what it says where it would not."""
    targets = ["--config", "datasets=[synthetic_xrays]", "models=[m2]"]
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "progress", "host"]
    done = subprocess.run(
        [*command, *map(str, arguments), *(targets if "--config" not in arguments else [])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    found = set(re.findall(r"results/([^/\s]+)/data", output))
    return found.pop() if len(found) == 1 and done.returncode == 0 else output


@pytest.mark.parametrize("quote", ["{}", "'{}'", '"{}"'])
@pytest.mark.parametrize("text", TEXTS)
def test_a_preset_is_the_text_that_was_written(text, quote, tmp_path):
    written = quote.format(text)
    path = tmp_path / "mine.yaml"
    path.write_text(f"preset: {written}\nseeds: 2\n")
    assert Config(merged_config([path], [])).preset == text
    assert Config(merged_config([], [f"preset={written}"])).preset == text
    assert Config(merged_config([path], ["preset=other"])).preset == "other"


@pytest.mark.slow
def test_snakemake_and_doctor_agree_on_the_preset(tmp_path):
    below, path = tmp_path / "below.yaml", tmp_path / "mine.yaml"
    below.write_text("preset: 2024_11_24\n")
    path.write_text("preset: 2024-11-25\nsupervision_rates: [0.06]\n")
    assert planned("--configfile", below, path) == "2024-11-25"
    assert planned("--configfile", path, "--config", "preset=2024_11_25") == "2024_11_25"
    assert planned("--configfile", path, "--config", "preset=1e5", "seeds=1") == "1e5"


@pytest.mark.parametrize("text", ["", "~", "a/b", "..", "a b", "[a]", "2024.5"])
def test_a_preset_that_names_no_folder_is_refused(text, tmp_path):
    with pytest.raises(InputError, match="configuration: preset: ") as caught:
        Config(merged_config([], [f"preset={text}"]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("folders={celeba: ~/faces}", "HOME/faces"),
        ("folders={celeba: $SCRATCH/faces}", "SCRATCH/faces"),
        ("folders={celeba: '${SCRATCH}/faces'}", "SCRATCH/faces"),
        ("folders={celeba: /data/faces}", "/data/faces"),
        ("data={celeba: {options: {folder: ~/faces}}}", "HOME/faces"),
    ],
)
def test_paths_are_expanded(setting, found, tmp_path, monkeypatch):
    places = {"HOME": str(tmp_path / "home"), "SCRATCH": str(tmp_path / "scratch")}
    for name, place in places.items():
        monkeypatch.setenv(name, place)
        found = found.replace(name, place)
    config = Config(merged_config([], [setting, "raw_data=$SCRATCH/raw", "inception_weights=~/w"]))
    assert config.data_settings("celeba")["options"]["folder"] == found
    assert config.values["raw_data"] == f"{places['SCRATCH']}/raw"
    assert config.values["inception_weights"] == f"{places['HOME']}/w"
    # Steps read the checked values again.
    assert Config(config.values).values == config.values


@pytest.mark.parametrize("path", ["$NOT_SET/faces", "${NOT_SET}/faces", "~no-such-user/faces"])
def test_a_path_that_cannot_be_expanded_is_named(path, tmp_path):
    with pytest.raises(InputError, match="write the path out"):
        Config(merged_config([], [f"inception_weights={path}"]))
    literal = tmp_path / "$NOT_SET"
    literal.touch()
    config = Config(merged_config([], [f"inception_weights={literal}"]))
    assert config.values["inception_weights"] == str(literal)
