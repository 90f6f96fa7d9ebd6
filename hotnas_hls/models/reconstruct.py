"""What pruned kernels lost, put back into the weights that are left, by least squares on a few images.

Layer by layer, from the image on: the weights a pattern keeps are those under which the layer, reading what
the compressed network gives it, comes closest to the output it had in the original network. No training, a
second or two; fine-tuning starts from there.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from hotnas_hls.models.edits import PatternMask

RIDGE = 1e-2  # of the mean square of an input: how strongly weights are held where the images say little
SAMPLES = 1 << 14  # output pixels of a layer that are looked at
BATCH_PIXELS = 1 << 12  # of them at a time
STEPS = 50  # of conjugate gradients


@torch.no_grad()
def reconstruct(model: nn.Module, original: nn.Module, images: np.ndarray) -> None:
    """Refit the pattern-pruned convolutions of ``model`` in place; both networks in evaluation mode.

    images: float32 (B, C, H, W), of the training images.
    """
    for name, conv in model.named_modules():
        if not isinstance(conv, nn.Conv2d) or not parametrize.is_parametrized(conv, "weight"):
            continue
        before = original.get_submodule(name)
        assert isinstance(before, nn.Conv2d)
        parametrised = getattr(conv.parametrizations, "weight")  # noqa: B009 (known to torch only)
        for step in parametrised:
            if isinstance(step, PatternMask) and before.out_channels == conv.out_channels:
                inner, lacking = _normal_equations(model, original, conv, before, images)
                change = _solved(inner, lacking, step.mask.flatten(1))
                parametrised.original += change.reshape(step.mask.shape).to(step.mask.dtype)


def _normal_equations(
    model: nn.Module, original: nn.Module, conv: nn.Conv2d, before: nn.Conv2d, images: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Products of the inputs of ``conv`` with one another (K, K), and of what it lacks with them (M, K).

    ``before`` is what ``conv`` was in the original network.
    """
    seen: dict[str, Tensor] = {}
    assert not isinstance(conv.padding, str)
    hooks = [
        conv.register_forward_hook(lambda _, inputs, output: seen.update(input=inputs[0], output=output)),
        before.register_forward_hook(lambda _, inputs, output: seen.update(wanted=output)),
    ]
    model(torch.from_numpy(images[:1]))
    pixels = seen["output"][0, 0].numel()
    inner = torch.zeros((), dtype=torch.float64)
    lacking = torch.zeros((), dtype=torch.float64)
    some = torch.from_numpy(images[: -(-SAMPLES // pixels)])
    for batch in some.split(-(-BATCH_PIXELS // pixels)):
        model(batch)
        original(batch)
        columns = F.unfold(seen["input"], conv.kernel_size, conv.dilation, conv.padding, conv.stride)
        columns = columns.transpose(0, 1).flatten(1)  # (K, B * pixels)
        missing = (seen["wanted"] - seen["output"]).flatten(2).transpose(0, 1).flatten(1)  # (M, B * pixels)
        inner = inner + (columns @ columns.T).double()
        lacking = lacking + (missing @ columns.T).double()
    for hook in hooks:
        hook.remove()
    return inner, lacking


def _solved(inner: Tensor, lacking: Tensor, mask: Tensor) -> Tensor:
    """Changes (M, K) of the weights ``mask`` keeps that leave least lacking, by conjugate gradients."""
    held = RIDGE * inner.diagonal().mean()
    mask = mask.double()
    change, rest = torch.zeros_like(lacking), lacking * mask
    direction, square = rest, rest.square().sum(1, keepdim=True)
    for _ in range(STEPS):
        image = (direction @ inner + held * direction) * mask
        length = square / (direction * image).sum(1, keepdim=True).clamp_min(1e-300)
        change, rest = change + length * direction, rest - length * image
        square, previous = rest.square().sum(1, keepdim=True), square
        direction = rest + square / previous.clamp_min(1e-300) * direction
    return change
