"""Lower precision and compilation: of trunks and decoders, in training, and of nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ccvae.batches import Schedule
from ccvae.errors import InputError
from ccvae.networks import Table3
from ccvae.numerics import Numerics
from ccvae.training import read_training
from tests.noise import same_noise, switches_kept
from tests.test_devices import CASES, Small, make

BF16 = Numerics(precision="bf16")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"precision": "fp16"}, "precision is 'fp16'"), ({"compile": "off"}, "compile is 'off'")],
)
def test_unknown_values_are_named(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Numerics(**options)


def test_settings_of_a_training_are_told_apart() -> None:
    schedule, numerics = read_training({"kind": "mixed", "learning_rate": 1, "precision": "bf16"})
    assert schedule == Schedule("mixed", 1)
    assert numerics == BF16
    assert read_training({"kind": "mixed", "learning_rate": 1})[1] == Numerics("fp32", "none")


@pytest.mark.parametrize("precision", ["fp32", "tf32"])
def test_nothing_is_wrapped_without_need(precision: str) -> None:
    architecture = Table3()
    assert Numerics(precision).apply(architecture) is architecture


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_tf32_only_where_asked_for(precision: str) -> None:
    with switches_kept():
        Numerics(precision).allow_tf32()
        backends = (torch.backends.cudnn, torch.backends.cuda.matmul)
        assert [backend.allow_tf32 for backend in backends] == [precision == "tf32"] * 2


# A classifier alone has neither a decoder nor a bound of images without labels.
@pytest.mark.parametrize(("space", "variant"), [c for c in CASES if c[1] != "supervised"])
def test_bf16_is_for_networks_and_training(space: str, variant: str) -> None:
    plain, fast = make(space, variant), make(space, variant, BF16.apply(Small()))
    assert fast.state_dict().keys() == plain.state_dict().keys()
    x, y = torch.rand(8, *Small.image_shape), plain.labels.sample_prior(8)
    seen: dict[str, set[torch.dtype]] = {"inside": set(), "outside": set()}
    for name in ("decoder.0", "decoder"):
        where = "inside" if "." in name else "outside"
        fast.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, where=where: seen[where].add(output.dtype)
        )
    for labels in (y, None):
        with same_noise(2):
            expected = plain.bound(x, labels)
        with same_noise(2):
            found = fast.bound(x, labels)
        found.objective.mean().backward()
        assert {term.dtype for term in found.terms.values()} == {torch.float32}
        torch.testing.assert_close(found.objective, expected.objective, rtol=0.05, atol=0)
        assert not torch.equal(found.objective, expected.objective)
    assert seen == {"inside": {torch.bfloat16}, "outside": {torch.float32}}
    assert torch.equal(fast.eval().reconstruct(x), plain.eval().reconstruct(x))
    assert torch.equal(fast.classify(x), plain.classify(x))


def test_networks_are_compiled_for_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def compile_(function: Any, *, mode: str, dynamic: bool) -> Any:
        assert not dynamic

        def compiled(x: torch.Tensor) -> torch.Tensor:
            calls.append(mode)
            return function(x)

        return compiled

    monkeypatch.setattr(torch, "compile", compile_)
    numerics = Numerics(compile="reduce-overhead")
    model = make("multi_label", "ccvae", numerics.apply(Small()))
    x = torch.rand(4, *Small.image_shape)
    model.bound(x)
    assert calls == ["reduce-overhead"] * 2
    model.eval().reconstruct(x)
    assert len(calls) == 2


@pytest.mark.slow
# The compiler looks at `.grad` of what is no leaf.
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")
def test_compiled_networks_compute_the_same() -> None:
    numerics = Numerics(compile="default")
    plain, compiled = (
        make("multi_class", "ccvae", n.apply(Small())) for n in (Numerics(), numerics)
    )
    x = torch.rand(4, *Small.image_shape)
    gradients = []
    for model in (plain, compiled):
        with same_noise(2):
            objective = model.bound(x).objective
        objective.sum().backward()
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    torch.testing.assert_close(*gradients)
