"""A configuration as Snakemake would merge it, for commands that run without Snakemake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ccvae.errors import InputError
from workflow.schema import read_yaml

DEFAULT = Path(__file__).resolve().parents[2] / "config" / "config.yaml"


def with_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a configuration over the default one, which lies beside the suite.

    Raises
    ------
    InputError
        If the default configuration cannot be read.
    """
    return _laid_over(_read(DEFAULT), values)


def merged_config(overlays: Iterable[Path], settings: Iterable[str]) -> dict[str, Any]:
    """Read the default configuration and lay files and single settings over it.

    Parameters
    ----------
    overlays
        As for Snakemake's `--configfile`, the last one on top.
    settings
        As for `--config`: `key=value`, the value in YAML; on top of all files.

    Raises
    ------
    InputError
        If a file cannot be read, is no mapping, or a setting is not `key=value`.
    """
    overlays, settings, values = list(overlays), list(settings), with_defaults({})
    for path in overlays:
        values = _laid_over(values, _read(path))
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator or not key.isidentifier():
            raise InputError(f"--config takes key=value, but was given '{setting}'")
        values = _laid_over(values, {key: _value(text)})
    return with_preset_as_written(values, overlays, settings)


def with_preset_as_written(
    values: Mapping[str, Any], overlays: Iterable[Path], settings: Iterable[str]
) -> dict[str, Any]:
    """Put back the text of a preset that was taken for a number, a date or a truth value.

    `2024_11_25` names a folder, and is an integer to YAML and to Snakemake.

    Parameters
    ----------
    values
        The merged configuration.
    overlays, settings
        What it was merged from, as for `merged_config`.

    Raises
    ------
    InputError
        If the text is not in them: another workflow, of which the suite is a module, read it.
    """
    if isinstance(values.get("preset"), str):
        return dict(values)
    texts = [_read(path, as_text=True).get("preset") for path in (DEFAULT, *overlays)]
    texts += [text for key, _, text in (s.partition("=") for s in settings) if key == "preset"]
    written = [text for text in texts if text is not None][-1]
    # By what they look like, since no nan equals another.
    read = (yaml.safe_load(written), _value(written)) if isinstance(written, str) else ()
    if repr(values.get("preset")) not in map(repr, read):
        raise InputError(
            f"configuration: the preset {values.get('preset')} is no text; write it in quotes"
        )
    return {**values, "preset": written}


def _read(path: Path, as_text: bool = False) -> dict[str, Any]:
    """Read a file; `as_text` leaves every value in it a string."""
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text, Loader=yaml.BaseLoader) if as_text else read_yaml(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the configuration {path} cannot be read ({error})") from error
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        raise InputError(f"the configuration {path} is not YAML ({where})") from error
    if not isinstance(content, dict):
        raise InputError(f"the configuration {path} holds no keys; see config/config.yaml")
    return content


def _laid_over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merge key by key, everything else is replaced."""
    result = dict(below)
    for key, value in above.items():
        if isinstance(value, dict):
            under = below.get(key)
            result[key] = _laid_over(under if isinstance(under, dict) else {}, value)
        else:
            result[key] = value
    return result


def _value(text: str) -> Any:
    """Read a number or a truth value as one; inside lists and mappings all stay strings."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if text in ("True", "False"):
        return text == "True"
    try:
        # The base loader makes nothing but strings, lists and mappings.
        return yaml.load(text, Loader=yaml.BaseLoader) if text else None
    except yaml.YAMLError:
        return text
