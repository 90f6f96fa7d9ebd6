"""Loading weights: formats, wrappers, refusal of code, and the full list of misfits."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from hotnas_hls.errors import CheckpointError
from hotnas_hls.frontends.checkpoint import load_weights, read_state


def small() -> nn.Module:
    return nn.Sequential(
        OrderedDict(conv=nn.Conv2d(3, 4, 3), bn=nn.BatchNorm2d(4), flat=nn.Flatten(), fc=nn.Linear(4, 2))
    )


def assert_same_state(one: nn.Module, other: nn.Module) -> None:
    for (name, left), right in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(left, right), name


@pytest.mark.parametrize(
    "wrap", [dict, lambda s: {"state_dict": s, "best_prec1": 9.0}, lambda s: {"model": s}]
)
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "model.net."])
@pytest.mark.parametrize("suffix", [".pth", ".th"])
def test_torch_checkpoints(tmp_path: Path, wrap, prefix: str, suffix: str) -> None:
    source, target = small(), small()
    path = tmp_path / f"weights{suffix}"
    torch.save(wrap({prefix + key: value for key, value in source.state_dict().items()}), path)
    load_weights(target, path)
    assert_same_state(source, target)


def test_safetensors(tmp_path: Path) -> None:
    source, target = small(), small()
    safetensors.torch.save_file(source.state_dict(), tmp_path / "weights.safetensors")
    load_weights(target, tmp_path / "weights.safetensors")
    assert_same_state(source, target)


def test_parts_that_were_compiled(tmp_path: Path) -> None:
    source, target = small(), small()
    state = {key.replace(".", "._orig_mod."): tensor for key, tensor in source.state_dict().items()}
    torch.save({"state_dict": state, "pytorch-lightning_version": "2.4.0", "epoch": 3}, tmp_path / "net.ckpt")
    load_weights(target, tmp_path / "net.ckpt")
    assert_same_state(source, target)


def test_torchscript_is_called_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.jit.script(small()).save(path)
    with pytest.raises(CheckpointError) as caught:
        read_state(path)
    assert str(caught.value) == (
        f"{path}: a TorchScript archive, which is a program; "
        "save only the weights: torch.save(model.state_dict(), path)"
    )


def test_batch_counter_may_be_absent(tmp_path: Path) -> None:
    state = small().state_dict()
    del state["bn.num_batches_tracked"]
    torch.save(state, tmp_path / "old.pth")
    load_weights(small(), tmp_path / "old.pth")


def test_every_misfit_is_listed_and_nothing_is_loaded(tmp_path: Path) -> None:
    state = small().state_dict()
    del state["conv.bias"]
    state["fc.weight"] = torch.zeros(10, 4)
    state["bn.running_var"] = torch.full((4,), float("nan"))
    state["extra"] = torch.tensor(1.0)
    path = tmp_path / "other.pth"
    torch.save(state, path)
    model = small()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, path)
    assert str(caught.value) == (
        f"{path}: these weights do not fit the network\n"
        "  - missing: conv.bias 4\n"
        "  - unexpected: extra scalar\n"
        "  - values of bn.running_var: not all are finite\n"
        "  - shape of fc.weight: 10x4, the network has 2x4"
    )
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


class Trap:
    """Unpickling this would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickled_code_is_refused_and_not_run(tmp_path: Path) -> None:
    path, victim = tmp_path / "trap.pth", tmp_path / "victim"
    torch.save({"state_dict": {"x": Trap(victim)}}, path)
    with pytest.raises(CheckpointError) as caught:
        read_state(path)
    assert str(caught.value) == (
        f"{path}: holds pickled Python objects, which could run code when loaded; "
        "save only the weights: torch.save(model.state_dict(), path)"
    )
    assert not victim.exists()


def test_whole_module_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "module.pth"
    torch.save(small(), path)
    with pytest.raises(CheckpointError, match="holds pickled Python objects"):
        read_state(path)


@pytest.mark.parametrize("content", [b"", b"hello, this is text", bytes(64)])
def test_not_a_checkpoint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_state(path)
    assert str(caught.value) == f"{path}: not a torch checkpoint, or damaged; save it again"


def test_damaged_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"hello")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        read_state(path)


def test_no_state_dict_inside(tmp_path: Path) -> None:
    path = tmp_path / "epoch.pth"
    torch.save({"epoch": 3}, path)
    with pytest.raises(CheckpointError) as caught:
        read_state(path)
    assert str(caught.value) == (
        f"{path}: no state dict in it; expected names to tensors, at the top or under one of "
        "state_dict, model_state_dict, model"
    )


def test_unknown_suffix_and_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    path.touch()
    with pytest.raises(CheckpointError) as caught:
        read_state(path)
    assert str(caught.value) == (
        f"{path}: unknown kind of checkpoint '.h5'; expected one of .safetensors, .pth, .pt, .th, .tar, "
        ".bin, .ckpt"
    )
    with pytest.raises(CheckpointError) as caught:
        read_state(tmp_path / "none.pth")
    assert str(caught.value) == (
        f"{tmp_path / 'none.pth'}: no such file; name a .safetensors file or a torch checkpoint"
    )
