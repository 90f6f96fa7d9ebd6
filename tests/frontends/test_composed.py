"""Operators made of others, from torch and from ONNX: differences, extremes, sums, powers, moved pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx_files import integers, saved, weights
from torch import nn
from torch.nn import functional as F

from hotnas_hls.errors import UnsupportedNetwork
from hotnas_hls.frontends.source import load_model, load_module
from hotnas_hls.network.graph import OpKind

SHAPE = (3, 12, 12)


class Net(nn.Module):
    """A function of two convolutions' maps of 8 channels, and of itself for more layers."""

    def __init__(self, function: Any, **layers: nn.Module) -> None:
        super().__init__()
        self.one, self.other, self.function = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3), function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self, self.one(x), self.other(x))


def response(x: torch.Tensor) -> torch.Tensor:
    """Global response normalisation of ConvNeXt v2, channels last."""
    length = x.norm(p=2, dim=(1, 2), keepdim=True)
    scale = length / (length.mean(dim=-1, keepdim=True) + 1e-6)
    return x + torch.addcmul(torch.ones(8) / 3, torch.arange(8.0), x * scale)


TORCH = {
    "a difference": lambda net, a, b: a - F.relu(b),
    "a difference of means": lambda net, a, b: 1 - a.mean((2, 3), keepdim=True) - b,
    "the larger": lambda net, a, b: torch.maximum(a, b),
    "the smaller": lambda net, a, b: torch.minimum(a, b),
    "magnitude": lambda net, a, b: a.abs() + b,
    "gated": lambda net, a, b: F.glu(a, 1),
    "log of a sigmoid": lambda net, a, b: F.logsigmoid(a),
    "global maximum": lambda net, a, b: a.amax((2, 3)),
    "maxima of blocks": lambda net, a, b: F.adaptive_max_pool2d(a, 5),
    "maxima of windows that overlap": lambda net, a, b: F.adaptive_max_pool2d(a, (4, 3)),
    "maxima along a row": lambda net, a, b: F.adaptive_max_pool1d(a.mean(2), 4),
    "channel attention": lambda net, a, b: (
        a * torch.sigmoid(net.c(F.adaptive_max_pool2d(a, 1)) + net.c(a.mean((2, 3), True)))
    ),
    "a sum over pixels": lambda net, a, b: a.sum((2, 3)),
    "a sum over rows": lambda net, a, b: a.sum(2, keepdim=True),
    "a constant by a map": lambda net, a, b: 2 / (F.relu(a) + 1),
    "lengths": lambda net, a, b: a.norm(p=2, dim=(2, 3), keepdim=True) * b,
    "a product added": lambda net, a, b: torch.addcmul(b, torch.ones(8, 1, 1) / 3, a, value=2),
    "global response norm": lambda net, a, b: response(a.permute(0, 2, 3, 1)),
    "unit vectors": lambda net, a, b: F.normalize(a),
    "unit vector": lambda net, a, b: F.normalize(a.mean((2, 3)), dim=1),
    "flipped channels": lambda net, a, b: net.c(a.flip(1)),
    "flipped at the end": lambda net, a, b: a.flip(3),
    "rolled at the end": lambda net, a, b: a.roll((1, 2), (2, 3)),
    "repeated": lambda net, a, b: net.c(a[:, :2].repeat(1, 4, 1, 1)),
    "columns as a sequence": lambda net, a, b: net.fc(a.mean(2).permute(0, 2, 1)),
    "blocks beside each other": lambda net, a, b: net.wide(
        torch.cat([a[..., ::2, ::2], a[..., 1::2, ::2], a[..., ::2, 1::2], a[..., 1::2, 1::2]], 1)
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_a_module_is_proven(name: str) -> None:
    torch.manual_seed(0)
    layers = {"c": nn.Conv2d(8, 8, 1), "fc": nn.Linear(8, 5), "wide": nn.Conv2d(32, 4, 3, 2, 1)}
    loaded = load_module(Net(TORCH[name], **layers).eval(), SHAPE)
    assert loaded.proof is not None and loaded.proof.difference < 2e-5


def test_blocks_beside_each_other_are_a_larger_stride() -> None:
    """Focus of YOLOv5."""
    loaded = load_module(Net(TORCH["blocks beside each other"], wide=nn.Conv2d(32, 4, 3, 2, 1)).eval(), SHAPE)
    last = loaded.graph.outputs[0]
    assert (len(loaded.graph), last.kernel, last.stride, last.padding) == (3, (6, 6), (4, 4), (2, 2, 2, 2))


def test_every_second_pixel_of_all_channels_is_left_out_before_a_convolution() -> None:
    net = Net(lambda net, a, b: net.c(a[..., ::2, ::2]), c=nn.Conv2d(8, 4, 3))
    kinds = [node.kind for node in load_module(net.eval(), SHAPE).graph]
    assert kinds == [OpKind.INPUT, OpKind.CONV, OpKind.SUBSAMPLE, OpKind.CONV]


START = ("Conv", weights(4, 3, 3, 3))
ONNX = {
    "a difference": [START, ("Relu",), ("Sub", "y0")],
    "a quotient": [START, ("Softplus",), ("Add", np.float32(0.5)), ("Div", "y0", "y2", {"chained": False})],
    "a constant by a map": [
        START,
        ("Relu",),
        ("Add", np.float32(1)),
        ("Div", np.float32(3), "y2", {"chained": False}),
    ],
    "GlobalMaxPool": [START, ("GlobalMaxPool",)],
    "ReduceMax": [START, ("ReduceMax", integers(2, 3), {"keepdims": 0})],
    "ReduceSum": [START, ("ReduceSum", integers(2, 3))],
    "ReduceSum of channels": [START, ("ReduceSum", integers(1))],
    "ReduceL2": [START, ("ReduceL2", integers(2, 3))],
    "bounds": [START, ("Max", np.float32(0)), ("Min", np.float32(6))],
    "the larger of three": [START, ("Relu",), ("Neg",), ("Max", "y0", "y1")],
    "the smaller": [START, ("Relu",), ("Min", "y0")],
    "Abs": [START, ("Abs",)],
    "Pow": [START, ("Pow", np.float32(2))],
    "Sqrt": [START, ("Relu",), ("Sqrt",)],
    "Reciprocal": [START, ("Relu",), ("Add", np.float32(1)), ("Reciprocal",)],
    "LpNormalization": [START, ("LpNormalization", {"axis": 1})],
    "Tile": [START, ("Tile", integers(1, 2, 1, 1)), ("Conv", weights(4, 8, 3, 3))],
    "layer norm written out": [
        START,
        ("ReduceMean", {"axes": [1]}),
        ("Sub", "y0", "y1", {"chained": False}),
        ("Pow", np.float32(2)),
        ("ReduceMean", {"axes": [1]}),
        ("Add", np.float32(1e-5)),
        ("Sqrt",),
        ("Div", "y2", "y6", {"chained": False}),
        ("Mul", weights(4, 1, 1)),
    ],
}


@pytest.mark.parametrize("name", ONNX)
def test_a_file_is_proven(name: str, tmp_path: Path) -> None:
    opset = 13 if "norm" in name else 18
    loaded = load_model(str(saved(tmp_path / "net.onnx", *ONNX[name], opset=opset)))
    assert loaded.proof is not None and loaded.proof.difference < 2e-5


@pytest.mark.parametrize(
    ("model", "shape", "convolutions"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10)), (1, 28, 28), 1),
        (nn.Sequential(nn.Flatten(), nn.Linear(3 * 17 * 40, 6)), (3, 17, 40), 1),
        (nn.Sequential(nn.Conv1d(2, 4, 5), nn.Flatten(), nn.Linear(4 * 300, 6)), (2, 304), 3),
        (nn.Sequential(nn.Conv2d(1, 4, 5), nn.Flatten(), nn.Linear(4 * 15 * 15, 6)), (1, 19, 19), 1),
    ],
)
def test_linear_layers_read_maps_larger_than_a_kernel(
    model: nn.Module, shape: tuple[int, ...], convolutions: int
) -> None:
    """Blocks of pixels become channels first: a vector of an image, a row of 300 in two steps."""
    loaded = load_module(model.eval(), shape)
    assert loaded.proof is not None and loaded.proof.difference < 1e-5
    assert [node.kind for node in loaded.graph].count(OpKind.CONV) == convolutions


REFUSED = {
    "another order": (
        lambda net, a, b: F.normalize(a, p=1),
        "normalize: it takes the norm of order 1; take that of order 2",
    ),
    "along rows": (
        lambda net, a, b: F.normalize(a, dim=2),
        "normalize: it scales vectors along axis 2; take the channels: axis 1",
    ),
    "some pixels": (
        lambda net, a, b: a.amax(3),
        "amax: maximum over axes [3]; take it over rows and columns: axes 2 and 3",
    ),
    "all axes as one": (lambda net, a, b: a.roll(1), "roll: it rolls all axes as one; name the axes"),
    "a factor": (lambda net, a, b: torch.sub(a, b, alpha=2), "sub: alpha=2; subtract without a factor"),
    "rounded": (
        lambda net, a, b: torch.div(a, 2, rounding_mode="floor"),
        "div: it rounds what it divides; do not round",
    ),
    "the best": (
        lambda net, a, b: a.mean((2, 3)).topk(2),
        "topk: not an operator of the accelerator; end the network before it, and let the program that reads "
        "the outputs do it",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    model, line = REFUSED[name]
    with pytest.raises(UnsupportedNetwork) as error:
        load_module(Net(model).eval(), SHAPE, name="net")
    assert str(error.value) == f"net: the accelerator cannot run this network\n  - {line}"
