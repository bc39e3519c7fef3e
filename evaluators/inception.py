"""InceptionV3 for FID: which file of weights is wanted, and whether a file is that one.

FID's network is not named in the paper (deviation: inception-weights). This module is cheap to
import: the file is looked at before anything is trained, torch only reads it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccvae.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PUBLISHED = "6726825d"
"""First digits of the SHA-256 of the published file, as its name has them."""
WANTED = (
    f"FID wants weights-inception-2015-12-05-{PUBLISHED}.pth, which torch-fidelity publishes at "
    f"github.com/toshas/torch-fidelity/releases/tag/v0.2.0"
)
TORCHVISION = ("0cc3c7bd", "1a9a5a14")
"""The same of torchvision's `inception_v3_google`, another training of almost the same network."""
CLASSIFIER = "is torchvision's classifier of ImageNet, whose features are not those of FID"

# How torch's files begin: a zip archive since version 1.6, a pickled number before.
_MAGIC = (b"PK\x03\x04", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")
_LAST, _LAYER, _AUXILIARY = "fc.weight", "Conv2d_1a_3x3.conv.weight", "AuxLogits."


def look_at(path: Path) -> None:
    """Look at a file of weights without reading it.

    Raises
    ------
    InputError
        If it is not there, or no file of torch.
    """
    if not path.is_file():
        raise _refused(path, "is a folder" if path.is_dir() else "does not exist")
    try:
        with path.open("rb") as stream:
            begin = stream.read(max(map(len, _MAGIC)))
    except OSError as error:
        raise _refused(path, f"cannot be read ({error.strerror})") from error
    if not begin:
        raise _refused(path, "is empty")
    if not begin.startswith(_MAGIC):
        raise _refused(path, "is no file of torch's, perhaps the page that a download led to")


def verify(path: Path) -> str:
    """Check a file of weights, and say in a sentence what it is.

    Parameters
    ----------
    path
        The published file; or InceptionV3's tensors under the same names in another one, also
        wrapped in another dictionary, or with a prefix such as `module.` before every name.

    Raises
    ------
    InputError
        If it holds anything else.
    """
    look_at(path)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if is_published(digest):
        return f"InceptionV3 from {path}, the published file"
    if digest.startswith(TORCHVISION):
        raise _refused(path, CLASSIFIER)
    _network(path, "2048")
    return (
        f"InceptionV3's tensors from {path}, which is not the published file (SHA-256 "
        f"{digest[:8]}… where {PUBLISHED}… was expected): compare its FID with no other's"
    )


def is_published(digest: str) -> bool:
    """Whether a SHA-256 is that of the published file."""
    return digest.startswith(PUBLISHED)


def load(path: Path, layer: str, device: torch.device | str) -> Callable[[Tensor], Tensor]:
    """Load torch-fidelity's InceptionV3: uint8 (B, 3, H, W) -> features float32 (B, D).

    The network runs in float32. torch-fidelity 0.4 also takes a request for float64 but computes
    in float32 all the same, hence there is no such option here.

    Parameters
    ----------
    path
        See `verify`.
    layer
        Which features: `2048` for FID.
    device
        Where to run it.

    Raises
    ------
    InputError
        See `verify`.
    """
    network = _network(path, layer).to(device)
    return lambda batch: network(batch.to(device))[0]


def _network(path: Path, layer: str) -> torch.nn.Module:
    import torch

    # Takes seconds, and only FID needs it.
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Empty(FeatureExtractorInceptionV3):
        def load_state_dict(self, *_: Any, **__: Any) -> None:
            """Load nothing: the constructor insists on unpickling a file."""

    look_at(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise _refused(path, "is cut off, damaged, or holds more than tensors") from error
    found = _tensors(content)
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    network = Empty("inception-v3-compat", [layer], feature_extractor_weights_path=nothing)
    expected = network.state_dict()
    if (mismatch := _mismatch(found, expected)) is not None:
        raise _refused(path, mismatch)
    given = {name: found.get(name, value) for name, value in expected.items()}
    torch.nn.Module.load_state_dict(network, given)
    return network


def _mismatch(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str | None:
    """Say in what tensors differ from the expected ones; None if they do not."""
    if any(name.startswith(_AUXILIARY) for name in found):
        return CLASSIFIER
    for name, value in expected.items():
        # Counters of the normalisation, which nothing reads here, are not in every file.
        if name.endswith("num_batches_tracked"):
            continue
        if name not in found:
            return f"holds no InceptionV3, for it has no tensor '{name}'"
        if found[name].shape != value.shape:
            shapes = tuple(found[name].shape), tuple(value.shape)
            if name == _LAST and shapes[0][0] == 1000:
                return CLASSIFIER
            return f"holds another network, whose '{name}' is {shapes[0]} and not {shapes[1]}"
    return None


def _tensors(content: Any) -> dict[str, Tensor]:
    """Tensors by name, out of a dictionary in a dictionary, and without a common prefix."""
    import torch

    if not isinstance(content, Mapping):
        return {}
    if not any(isinstance(value, torch.Tensor) for value in content.values()):
        found = (_tensors(value) for value in content.values())
        return next((tensors for tensors in found if tensors), {})
    names = {str(name): v for name, v in content.items() if isinstance(v, torch.Tensor)}
    first = next((name for name in names if name.endswith(_LAYER)), _LAYER)
    prefix = first.removesuffix(_LAYER)
    return {name.removeprefix(prefix): v for name, v in names.items() if name.startswith(prefix)}


def _refused(path: Path, what: str) -> InputError:
    return InputError(f"inception_weights: {path} {what}; {WANTED}")
