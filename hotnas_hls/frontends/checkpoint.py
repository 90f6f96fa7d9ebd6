"""Weights from a file into a torch module, without ever running code that the file carries."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from hotnas_hls.errors import CheckpointError, raise_all

TORCH_SUFFIXES = (".pth", ".pt", ".th", ".tar", ".bin", ".ckpt")
WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys under which training scripts put the weights
COMPILED = "_orig_mod."  # left by torch.compile around any module
OPTIONAL_SUFFIX = "num_batches_tracked"  # absent from checkpoints older than torch 0.4.1, unused in inference


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Copy the weights in ``path`` (.safetensors, or a torch checkpoint) into ``model``, in place.

    CheckpointError names every missing, unexpected, mis-shaped and non-finite entry at once; ``model`` is
    then unchanged.
    """
    path, expected = Path(path), model.state_dict()
    state = _without_wrappers(read_state(path), expected)
    raise_all(CheckpointError, f"{path}: these weights do not fit the network", _misfits(expected, state))
    model.load_state_dict(state, strict=False)


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The named tensors of a checkpoint, as they are called there."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; name a .safetensors file or a torch checkpoint")
    if path.suffix == ".safetensors":
        try:
            state = safetensors.torch.load_file(path)
        except safetensors.SafetensorError as error:
            raise CheckpointError(f"{path}: not a safetensors file ({error})") from error
    elif path.suffix in TORCH_SUFFIXES:
        state = _unwrapped(_torch_load(path), path)
    else:
        known = ", ".join((".safetensors", *TORCH_SUFFIXES))
        raise CheckpointError(f"{path}: unknown kind of checkpoint {path.suffix!r}; expected one of {known}")
    return state


def _without_wrappers(state: dict[str, Tensor], expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """``state`` by the network's own names, without torch.compile, DataParallel or Lightning around it."""
    state = {key.replace(COMPILED, ""): tensor for key, tensor in state.items()}
    while not state.keys() & expected.keys():
        heads = {key.partition(".")[0] for key in state}
        if len(heads) != 1 or not all("." in key for key in state):
            break
        state = {key.partition(".")[2]: tensor for key, tensor in state.items()}
    return state


def _torch_load(path: Path) -> object:
    if _is_torchscript(path):
        raise CheckpointError(
            f"{path}: a TorchScript archive, which is a program; "
            "save only the weights: torch.save(model.state_dict(), path)"
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "unsupported global" not in str(error).lower():
            raise CheckpointError(f"{path}: not a torch checkpoint, or damaged; save it again") from error
        raise CheckpointError(
            f"{path}: holds pickled Python objects, which could run code when loaded; "
            "save only the weights: torch.save(model.state_dict(), path)"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: not a torch checkpoint, or damaged; save it again") from error


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _unwrapped(content: object, path: Path) -> dict[str, Tensor]:
    """The state dict of a loaded torch checkpoint, from under the wrapper key if there is one."""
    if isinstance(content, dict):
        wrapped = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), content)
        if wrapped and all(
            isinstance(key, str) and isinstance(value, Tensor) for key, value in wrapped.items()
        ):
            return dict(wrapped)
    raise CheckpointError(
        f"{path}: no state dict in it; expected names to tensors, "
        f"at the top or under one of {', '.join(WRAPPERS)}"
    )


def _misfits(expected: dict[str, Tensor], found: dict[str, Tensor]) -> list[str]:
    """Every way in which ``found`` is not a state of the network that has the state ``expected``."""
    missing = [key for key in expected if key not in found and not key.endswith(OPTIONAL_SUFFIX)]
    violations = [f"missing: {key} {_shape(expected[key])}" for key in missing]
    violations += [f"unexpected: {key} {_shape(found[key])}" for key in found if key not in expected]
    for key in (key for key in expected if key in found):
        if expected[key].shape != found[key].shape:
            violations.append(
                f"shape of {key}: {_shape(found[key])}, the network has {_shape(expected[key])}"
            )
        elif found[key].is_floating_point() and not bool(torch.isfinite(found[key]).all()):
            violations.append(f"values of {key}: not all are finite")
    return violations


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
