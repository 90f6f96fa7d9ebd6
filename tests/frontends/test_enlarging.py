"""Maps that grow, windows of other sizes, norms by the image itself: made of what there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.accel.integers.reference_batch import run_batch
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.layer_checks import network_violations
from hotnas_hls.errors import UnsupportedNetwork
from hotnas_hls.frontends.source import load_module
from hotnas_hls.models.graph_module import GraphModule
from hotnas_hls.network.execute import run
from hotnas_hls.network.fold import fold_affine, fold_batchnorm
from hotnas_hls.network.graph import Graph, OpKind
from hotnas_hls.network.lower import lower
from hotnas_hls.network.quantise import dequantise, quantise, quantise_image

SHAPE = (3, 6, 8)


class Layers(nn.Module):
    """A function of the input and of layers given by name.

    Softmax and sigmoid of large values make small differences of sums large: ``std`` keeps those small.
    """

    def __init__(self, function: Callable[..., Any], std: float = 0.3, **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)
        drawn = torch.Generator().manual_seed(0)  # the same weights, whatever was drawn before
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=std, generator=drawn)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def conv(channels: int = 8) -> nn.Conv2d:
    return nn.Conv2d(3, channels, 3, padding=1)


def unet() -> Layers:
    """A small U-Net."""

    def forward(net: Any, x: Tensor) -> Tensor:
        high = F.relu(net.a(x))
        low = F.relu(net.b(F.max_pool2d(high, 2)))
        return net.head(F.relu(net.c(torch.cat([high, net.up(low)], 1))))

    return Layers(
        forward,
        a=conv(),
        b=nn.Conv2d(8, 16, 3, padding=1),
        up=nn.ConvTranspose2d(16, 8, 2, 2),
        c=nn.Conv2d(16, 8, 3, padding=1),
        head=nn.Conv2d(8, 2, 1),
    )


def pyramid() -> Layers:
    """Two heads of boxes and classes at two sizes, as YOLO's, over a pyramid of features."""

    def forward(net: Any, x: Tensor) -> dict[str, Tensor]:
        high = F.leaky_relu(net.a(x), 0.1)
        low = F.leaky_relu(net.b(high), 0.1)
        both = torch.cat([F.interpolate(net.lateral(low), scale_factor=2), high], 1)
        return {"small": net.small(both), "large": net.large(low)}

    return Layers(
        forward,
        a=conv(),
        b=nn.Conv2d(8, 16, 3, stride=2, padding=1),
        lateral=nn.Conv2d(16, 8, 1),
        small=nn.Conv2d(16, 14, 1),
        large=nn.Conv2d(16, 14, 1),
    )


def twice(net: Any, x: Tensor) -> Tensor:
    larger = F.interpolate(F.interpolate(net.c(x), size=(12, 16)), scale_factor=2)
    return F.relu(larger) + net.d(larger)


def shuffled_twice(net: Any, x: Tensor) -> Tensor:
    return net.d(F.pixel_unshuffle(F.pixel_shuffle(net.c(x), 2), 2))


def deviation(net: Any, x: Tensor) -> Tensor:
    features = net.c(x)
    return features / (features.var((2, 3), keepdim=True) + 0.1).sqrt()


def root_mean_square(net: Any, x: Tensor) -> Tensor:
    last = net.c(x).permute(0, 2, 3, 1)
    return (last * torch.rsqrt(last.pow(2).mean(-1, keepdim=True) + 1e-3)).permute(0, 3, 1, 2)


def channel_attention(net: Any, x: Tensor) -> Tensor:
    features = net.c(x)
    means = net.d(features.mean((2, 3)).view(len(x), 1, -1))
    return features * means.sigmoid().view(len(x), -1, 1, 1).expand_as(features)


def selective_kernels(net: Any, x: Tensor) -> Tensor:
    both = torch.stack([net.c(x), net.b(x)], 1)
    weights = net.d(both.sum(1).mean((2, 3), keepdim=True)).view(len(x), 2, 8, 1, 1)
    return (both * torch.softmax(weights, 1)).sum(1)


def last_channels(net: Any, x: Tensor) -> Tensor:
    return net.d(net.c(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def behind(layer: nn.Module, channels: int = 8) -> Layers:
    return Layers(lambda net, x: F.relu(net.d(net.c(x))), c=conv(channels), d=layer)


def made(change: Callable[[Tensor], Tensor], channels: int = 8) -> Layers:
    return Layers(lambda net, x: change(net.c(x)), c=conv(channels))


MODELS: dict[str, nn.Module] = {
    "unet": unet(),
    "pyramid": pyramid(),
    "nearest": behind(nn.Sequential(nn.Upsample(scale_factor=(3, 2)), nn.Conv2d(8, 4, 3))),
    "nearest, columns of joined maps": Layers(
        lambda net, x: net.d(F.interpolate(torch.cat([net.c(x), net.b(x)], 1), scale_factor=(1, 2))),
        c=conv(16),
        b=conv(16),
        d=nn.Conv2d(32, 4, 3),
    ),
    "nearest, columns": made(lambda x: F.interpolate(x, scale_factor=(1, 4))),
    "bilinear": behind(nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(8, 4, 3))),
    "bilinear, 3 and 4": made(lambda x: F.interpolate(x, scale_factor=(3, 4), mode="bilinear")),
    "bilinear, columns": made(lambda x: F.interpolate(x, size=(6, 16), mode="bilinear")),
    "bilinear, corners": behind(
        nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), nn.Conv2d(8, 4, 3))
    ),
    "bilinear, corners, columns": made(
        lambda x: F.interpolate(x, size=(6, 11), mode="bilinear", align_corners=True)
    ),
    "bilinear, one row of corners": made(
        lambda x: F.interpolate(x, size=(1, 8), mode="bilinear", align_corners=True)
    ),
    "bilinear, corners of a larger map": made(
        lambda x: F.interpolate(
            F.interpolate(x, scale_factor=3), (23, 30), mode="bilinear", align_corners=True
        )
    ),
    "bilinear by a part": made(lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear")),
    "bilinear by a part, recomputed": made(
        lambda x: F.interpolate(x, scale_factor=1.3, mode="bilinear", recompute_scale_factor=True)
    ),
    "bilinear to fewer": made(lambda x: F.interpolate(x, size=(4, 5), mode="bilinear")),
    "linear along a row": made(lambda x: F.interpolate(x.mean(2), scale_factor=2, mode="linear")),
    "linear along a row, corners": made(
        lambda x: F.interpolate(x.mean(2), size=11, mode="linear", align_corners=True)
    ),
    "pooled to other windows": behind(nn.Sequential(nn.AdaptiveAvgPool2d((4, 5)), nn.Conv2d(8, 4, 3))),
    "pooled to a larger map": behind(nn.Sequential(nn.AdaptiveAvgPool2d((6, 9)), nn.Conv2d(8, 4, 3))),
    "a vector as a map": behind(
        nn.Sequential(nn.AvgPool2d((6, 8)), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(72, 5))
    ),
    "partial windows": behind(nn.Sequential(nn.AvgPool2d(3, 2, ceil_mode=True), nn.Conv2d(8, 4, 1))),
    "nearest twice, read twice": Layers(twice, c=conv(), d=nn.Conv2d(8, 8, 1)),
    "repeated": made(lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3)),
    "transposed 2": behind(nn.ConvTranspose2d(8, 8, 2, 2)),
    "transposed 3": behind(nn.ConvTranspose2d(8, 8, 3, 2, 1, 1)),
    "transposed 4": behind(nn.ConvTranspose2d(8, 8, 4, 2, 1)),
    "transposed 5 / 3": behind(nn.ConvTranspose2d(8, 8, 5, 3, 1)),
    "transposed, groups": behind(nn.ConvTranspose2d(8, 8, 4, 2, 1, groups=4)),
    "transposed, depthwise": behind(nn.ConvTranspose2d(8, 8, 4, 2, 1, groups=8)),
    "transposed, dilated": behind(nn.ConvTranspose2d(8, 8, 3, 2, 2, 1, dilation=2)),
    "transposed, a row less": behind(nn.ConvTranspose2d(8, 8, 3, 2, 1)),
    "transposed, a row more": behind(nn.ConvTranspose2d(8, 8, 3, 2)),
    "transposed, rows between": behind(nn.ConvTranspose2d(8, 8, 1, (2, 3))),
    "transposed, normed": behind(nn.Sequential(nn.ConvTranspose2d(8, 4, 4, 2, 1), nn.BatchNorm2d(4))),
    "shuffled": made(lambda x: F.relu(F.pixel_shuffle(x, 2)), 12),
    "shuffled there and back": Layers(shuffled_twice, c=conv(), d=nn.Conv2d(8, 3, 1)),
    "group norm": behind(nn.GroupNorm(4, 8)),
    "instance norm": behind(nn.InstanceNorm2d(8, affine=True)),
    "norm of channels": Layers(last_channels, c=conv(), d=nn.LayerNorm(8)),
    "norm of a vector": behind(nn.Sequential(nn.AvgPool2d((6, 8)), nn.Flatten(), nn.LayerNorm(8))),
    "norm of a map": behind(nn.LayerNorm((8, 6, 8), elementwise_affine=False)),
    "deviation": Layers(deviation, c=conv()),
    "root mean square": Layers(root_mean_square, c=conv()),
    "linear on channels": Layers(last_channels, c=conv(), d=nn.Linear(8, 5)),
    "local response norm": behind(nn.LocalResponseNorm(5, alpha=0.3)),
    "even local response norm": behind(nn.LocalResponseNorm(4, alpha=0.3)),
    "channel attention": Layers(
        channel_attention, 0.1, c=conv(), d=nn.Conv1d(1, 1, 3, padding=1, bias=False)
    ),
    "selective kernels": Layers(selective_kernels, 0.1, c=conv(), b=conv(), d=nn.Conv2d(8, 16, 1)),
}


@pytest.mark.parametrize("name", MODELS)
def test_torch_computes_the_same(name: str) -> None:
    """Every map, on three batches (``frontends.proof``)."""
    assert load_module(MODELS[name].eval(), SHAPE).proof.difference < 1e-5


def integers(graph: Graph, act_bits: int = 16) -> tuple[IntegerNetwork, np.ndarray]:
    folded = fold_batchnorm(graph)
    lowered = lower(folded)
    images = np.random.default_rng(0).normal(size=(3, *graph.image)).astype(np.float32)
    return quantise(folded, lowered, images, act_bits), images


@pytest.mark.parametrize(
    "name",
    [
        *("unet", "pyramid", "bilinear", "bilinear, corners", "pooled to other windows"),
        "nearest twice, read twice",
        *("transposed, groups", "transposed, a row more", "transposed, a row less"),
        *("shuffled", "nearest, columns of joined maps"),
    ],
)
def test_integers_are_the_floats(name: str) -> None:
    graph = load_module(MODELS[name].eval(), SHAPE).graph
    net, images = integers(graph)
    assert network_violations(list(net.feature_maps.values()), net.layers, net.image, net.host) == []
    given = quantise_image(net, images)
    found = run_batch(net, given, list(net.feature_maps))
    for own, batch in run_network(net, given[0]).items():
        np.testing.assert_array_equal(found[own][0], batch)
        fm = net.feature_maps[own]
        assert batch.shape == (fm.channels, fm.rows, fm.columns)
    floats = run(graph, images, keep=graph.host.maps)
    for output, real in zip(net.host.outputs, graph.host.outputs, strict=True):
        assert found[output.map].shape == floats[real.map].shape
        wanted = floats[real.map]
        np.testing.assert_allclose(
            dequantise(net, output.map, found[output.map]), wanted, atol=2e-3 * np.abs(wanted).max()
        )


@pytest.mark.parametrize("name", ["unet", "pyramid", "group norm"])
def test_a_module_of_the_graph_computes_the_same(name: str) -> None:
    graph = load_module(MODELS[name].eval(), SHAPE).graph
    images = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
    with torch.no_grad():
        made = GraphModule(fold_affine(graph)).eval()(torch.from_numpy(images))
    wanted = run(graph, images, keep=graph.host.maps)
    found = [made] if isinstance(made, Tensor) else list(made.values())
    for values, expected in zip(found, wanted.values(), strict=True):
        np.testing.assert_allclose(values.numpy(), expected, atol=1e-4 * np.abs(expected).max())


def test_what_makes_the_rows_writes_them_between_others() -> None:
    """No layer moves pixels of a transposed convolution: two write their rows, one spreads columns."""
    graph = load_module(MODELS["transposed 2"].eval(), SHAPE).graph
    layers = lower(fold_batchnorm(graph)).layers
    assert [(item.layer.kernel_rows, item.layer.target_rows, item.layer.target_row) for item in layers] == [
        (3, 1, 0),
        (1, 2, 0),
        (1, 2, 1),
        (1, 1, 0),
    ]
    assert sum(node.kind is OpKind.ROWS for node in graph) == 1


def test_rows_that_cannot_be_are_told() -> None:
    net, _ = integers(load_module(MODELS["transposed 2"].eval(), SHAPE).graph)
    _, first, second, _ = net.layers

    def problems(**changed: Any) -> list[str]:
        layers = [replace(layer, **changed) if layer is second else layer for layer in net.layers]
        return network_violations(list(net.feature_maps.values()), layers, net.image, net.host)

    assert problems() == []
    assert problems(residual=first.source) == [
        f"{second.name}: it writes one of every 2 rows, so it cannot have a residual; "
        "copy the map, or leave that out",
        f"{second.name}: its residual {first.source!r} is 8 x 6 x 8, the layer needs 16 x 6 x 8",
    ]
    assert problems(target_row=2) == [
        f"{second.name}: target_row = 2: must be 0 or more and less than target_rows = 2",
        f"{second.target}: layers write every 2 rows of it; give each row from 0 on one writer",
    ]
    assert problems(target_row=0) == [
        f"{second.name}: writes {second.target!r}, some channels of which {first.name} writes as "
        f"{second.target!r}; give each channel one writer",
        f"{second.target}: layers write every 2 rows of it; give each row from 0 on one writer",
    ]


REFUSED = {
    "bicubic": (
        made(lambda x: F.interpolate(x, scale_factor=2, mode="bicubic")),
        "interpolate: it interpolates: bicubic; take nearest neighbours, or bilinear",
    ),
    "no small number": (
        Layers(lambda net, x: net.c(x).rsqrt(), c=conv()),
        "rsqrt: it takes the power -0.5 of 0; add a small number before",
    ),
    "softmax of three": (
        Layers(
            lambda net, x: torch.softmax(net.c(x).mean((2, 3)).view(len(x), 3, 3), 1).relu(), c=conv(9)
        ),
        "relu: it reads the softmax of a map, which the host computes; use softmax at the end of the "
        "network only",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    model, line = REFUSED[name]
    with pytest.raises(UnsupportedNetwork) as error:
        load_module(model.eval(), SHAPE, name="net")
    assert str(error.value) == f"net: the accelerator cannot run this network\n  - {line}"


# --- ONNX ---------------------------------------------------------------------------------------------------


def onnx_steps() -> dict[str, list[tuple[Any, ...]]]:
    from onnx_files import integers as numbers
    from onnx_files import weights

    start = ("Conv", weights(8, 3, 3, 3))
    scales = np.array([1, 1, 2, 3], np.float32)
    empty = np.zeros(0, np.float32)
    positive = np.abs(weights(8)) + 0.5
    return {
        "resize": [start, ("Resize", empty, scales, {"mode": "nearest"}), ("Conv", weights(4, 8, 3, 3))],
        "resize, floor": [
            start,
            ("Resize", empty, scales,
             {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
        ],
        "resize to sizes": [start, ("Resize", empty, empty, numbers(2, 8, 20, 40), {"mode": "nearest"})],
        "between": [start, ("Resize", empty, scales, {"mode": "linear"}), ("Conv", weights(4, 8, 3, 3))],
        "between, from the first": [
            start,
            ("Resize", empty, scales, {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}),
        ],
        "between corners": [
            start,
            ("Resize", empty, scales, {"mode": "linear", "coordinate_transformation_mode": "align_corners"}),
        ],
        "between, by a part": [
            start, ("Resize", empty, np.array([1, 1, 1.5, 0.5], np.float32), {"mode": "linear"})
        ],
        "transposed to an odd size": [
            start,
            ("ConvTranspose", weights(8, 4, 5, 3), weights(4), {"strides": [3, 2], "pads": [1, 1, 2, 1]}),
            ("Relu",),
        ],
        "transposed": [
            start,
            ("ConvTranspose", weights(8, 4, 4, 4), weights(4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ],
        "depth to space": [start, ("DepthToSpace", {"blocksize": 2}), ("Relu",)],
        "depth to space, by channel": [start, ("DepthToSpace", {"blocksize": 2, "mode": "CRD"}), ("Relu",)],
        "space to depth": [start, ("SpaceToDepth", {"blocksize": 2}), ("Conv", weights(4, 32, 1, 1))],
        "lrn": [start, ("LRN", {"size": 5, "alpha": 0.3}), ("Conv", weights(4, 8, 1, 1))],
        "layer norm": [start, ("Transpose", {"perm": [0, 2, 3, 1]}),
                       ("LayerNormalization", positive, weights(8)),
                       ("Transpose", {"perm": [0, 3, 1, 2]})],
        "instance norm": [start, ("InstanceNormalization", positive, weights(8))],
        "group norm": [start, ("GroupNormalization", positive, weights(8), {"num_groups": 4})],
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        *("resize", "resize, floor", "resize to sizes", "between", "between, from the first"),
        *("between corners", "between, by a part"),
        *("transposed", "transposed to an odd size", "depth to space", "space to depth"),
        *("depth to space, by channel", "lrn", "layer norm", "instance norm", "group norm"),
    ],
)
def test_onnx_computes_the_same(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from onnx_files import saved

    from hotnas_hls.frontends.onnx_import import OnnxModel
    from hotnas_hls.frontends.proof import prove

    shape = (2, 3, 12, 12) if name == "resize to sizes" else ("N", 3, 12, 12)
    model = OnnxModel(saved(tmp_path / "net.onnx", *onnx_steps()[name], shape=shape, opset=21))
    assert prove(model.graph, model).difference < 1e-5
