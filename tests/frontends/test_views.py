"""Outputs that are views of maps: heads of detectors, which the host puts together of what it reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx_files import integers, saved, weights
from torch import Tensor, nn
from torch.nn import functional as F

from hotnas_hls.accel.host_work import Answer
from hotnas_hls.errors import UnsupportedNetwork
from hotnas_hls.frontends.onnx_import import import_onnx
from hotnas_hls.frontends.source import LoadedModel, load_model, load_module
from hotnas_hls.network.execute import run
from hotnas_hls.network.graph import OpKind

SHAPE = (3, 16, 16)


class Detector(nn.Module):
    """Two resolutions with two heads each, of 3 anchors of 7 and 3 of 4 values, put together by ``end``."""

    def __init__(self, end: Callable[[Detector, list[Tensor]], Any]) -> None:
        super().__init__()
        self.near, self.far = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)
        self.scores = nn.ModuleList(nn.Conv2d(8, 21, 1) for _ in range(2))
        self.boxes = nn.ModuleList(nn.Conv2d(8, 12, 1) for _ in range(2))
        self.end = end

    def forward(self, x: Tensor) -> Any:
        near = F.relu(self.near(x))
        return self.end(self, [near, F.relu(self.far(near))])


def yolo5(net: Detector, maps: list[Tensor]) -> Tensor:
    def one(y: Tensor) -> Tensor:
        images, _, rows, columns = y.shape
        return y.view(images, 3, 7, rows, columns).permute(0, 1, 3, 4, 2).reshape(images, -1, 7)

    return torch.cat([one(head(x)) for head, x in zip(net.scores, maps, strict=True)], 1)


def yolo8(net: Detector, maps: list[Tensor]) -> Tensor:
    return torch.cat([head(x).flatten(2) for head, x in zip(net.scores, maps, strict=True)], 2)


def yolox(net: Detector, maps: list[Tensor]) -> Tensor:
    pairs = zip(net.boxes, net.scores, maps, strict=True)
    both = [torch.cat([boxes(x), scores(x).sigmoid()], 1) for boxes, scores, x in pairs]
    return torch.cat([each.flatten(2) for each in both], 2).permute(0, 2, 1)


def ssd(net: Detector, maps: list[Tensor]) -> dict[str, Tensor]:
    def last(heads: nn.ModuleList, count: int) -> Tensor:
        lists = [head(x).permute(0, 2, 3, 1) for head, x in zip(heads, maps, strict=True)]
        return torch.cat([each.reshape(each.shape[0], -1, count) for each in lists], 1)

    return {"scores": F.softmax(last(net.scores, 7), -1), "boxes": last(net.boxes, 4)}


def separate_sigmoids(net: Detector, maps: list[Tensor]) -> Tensor:
    box, scores = yolo8(net, maps).split((5, 16), 1)
    return torch.cat([box, scores.sigmoid()], 1)


HEADS = {
    "yolo5": (yolo5, "puts {0}, {1} together as logits of 240x7", 2),
    "yolo5 sigmoid": (
        lambda net, maps: yolo5(net, maps).sigmoid(),
        "puts {0}, {1} together as logits of 240x7, then takes the sigmoid of the logits",
        2,
    ),
    "yolo8": (yolo8, "puts {0}, {1} together as logits of 21x80", 2),
    "yolox": (yolox, "puts cat, cat_1 together as logits of 80x33", 2),
    "ssd": (
        ssd,
        "puts {0}, {1} together as scores of 240x7, then puts {2}, {3} together as boxes of 240x4, "
        "then takes the softmax of the scores",
        4,
    ),
    "flattened": (
        lambda net, maps: torch.cat([each.flatten(1) for each in maps], 1).softmax(1),
        "puts relu, relu_1 together as logits of 640, then takes the softmax of the logits",
        2,
    ),
    "channels last": (
        lambda net, maps: net.scores[0](maps[0]).permute(0, 2, 3, 1),
        "arranges the logits as 8x8x21",
        1,
    ),
    "classes of pixels": (
        lambda net, maps: net.scores[0](maps[0]).permute(0, 2, 3, 1).argmax(-1),
        "arranges the logits as 8x8x21, then takes the argmax of the logits",
        1,
    ),
    "a part": (lambda net, maps: maps[0][:, :, 1:, 2:5], "arranges the logits as 8x7x3", 1),
    "stacked": (
        lambda net, maps: torch.stack([net.boxes[0](maps[0]), net.scores[0](maps[0])[:, :12]], -1),
        "puts {2}, {0} together as logits of 12x8x8x2",
        2,
    ),
    "a value": (lambda net, maps: maps[0][:, 0, 1, 2], "arranges the logits as 1", 1),
    "a sigmoid of a part": (
        separate_sigmoids,
        "puts {0}, {1}, sigmoid, sigmoid_1 together as logits of 21x80",
        4,
    ),
}
NODES = ("scores.0", "scores.1", "boxes.0", "boxes.1")


def detector(end: Callable[[Detector, list[Tensor]], Any]) -> Detector:
    torch.manual_seed(0)
    return Detector(end).eval()


def proven(net: Detector, way: str, path: Path) -> LoadedModel:
    """As the module, or as the file that it is exported to."""
    if way == "torch":
        return load_module(net, SHAPE)
    image = torch.zeros(1, *SHAPE)
    batch = {"input_names": ["x"], "dynamic_axes": {"x": [0]}}
    torch.onnx.export(net, (image,), path, dynamo=False, opset_version=13, **batch)
    return load_model(str(path))


@pytest.mark.parametrize("way", ["torch", "onnx"])
@pytest.mark.parametrize("name", HEADS)
def test_heads_are_proven_against_what_they_are_read_from(name: str, way: str, tmp_path: Path) -> None:
    end, told, maps = HEADS[name]
    net = detector(end)
    loaded = proven(net, way, tmp_path / "net.onnx")
    graph, host = loaded.graph, loaded.graph.host
    assert loaded.proof is not None and loaded.proof.difference < 1e-5
    assert (len(host.outputs), len(graph.outputs)) == (maps, maps)
    if way == "torch":
        assert str(host) == "the host " + told.format(*NODES)
    images = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
    with torch.no_grad():
        result = net(torch.from_numpy(images))
    wanted = [each.numpy() for each in (result.values() if isinstance(result, dict) else [result])]
    found = host.results(run(graph, images, keep=host.maps))
    for made, expected in zip(found.values(), wanted, strict=True):
        np.testing.assert_allclose(made.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)


def test_two_sigmoids_of_one_map_stay_two() -> None:
    def end(net: Detector, maps: list[Tensor]) -> Tensor:
        boxes = net.boxes[0](maps[0])
        return torch.cat([boxes.sigmoid().flatten(2), boxes.sigmoid().flatten(2)], 2)

    loaded = load_module(detector(end), SHAPE)
    told = "the host puts sigmoid, sigmoid_1 together as logits of 12x128"
    assert (loaded.proof is not None, str(loaded.graph.host)) == (True, told)


@pytest.mark.parametrize("name", ["ssd", "yolo5 sigmoid"])
def test_what_is_searched_of_a_head_is_a_module_of_its_maps(name: str) -> None:
    trainable = load_module(detector(HEADS[name][0]), SHAPE).trainable()
    assert trainable.module is not None and trainable.proof is not None
    maps = trainable.module(torch.zeros(2, *SHAPE))
    shapes = [tuple(each.shape[1:]) for each in maps.values()]
    assert shapes == [node.shape for node in trainable.graph.outputs]


def test_a_file_of_an_old_opset_takes_the_softmax_over_its_last_axis(tmp_path: Path) -> None:
    """Before opset 13 a Softmax is over all axes from its own on: over the last, that is the same."""
    steps = [
        ("Conv", weights(6, 3, 3, 3)),
        ("Transpose", {"perm": [0, 2, 3, 1]}),
        ("Reshape", integers(0, -1, 3)),
    ]
    path = saved(tmp_path / "net.onnx", *steps, ("Softmax", {"axis": 2}), opset=11)
    (view,) = load_model(str(path)).graph.host.views
    assert (view.shape, view.answer, view.axis) == ((200, 3), Answer.SOFTMAX, 1)
    with pytest.raises(UnsupportedNetwork) as caught:
        import_onnx(saved(tmp_path / "over.onnx", *steps, ("Softmax",), opset=11))
    assert str(caught.value) == (
        "over: the accelerator cannot run this network\n"
        "  - step3: Softmax: it is the softmax over all values of a map; take it over the channels"
    )


def test_a_head_that_is_rounded_behind_its_concatenation_keeps_its_integers(tmp_path: Path) -> None:
    """The pair around all of a view is one around each of its maps, which are told from it."""

    def pair(scale: float) -> list[tuple[Any, ...]]:
        return [(name, np.float32(scale), np.int8(0)) for name in ("QuantizeLinear", "DequantizeLinear")]

    weight = np.int8(weights(4, 3, 3, 3) * 40)
    steps = [
        *pair(2**-3),
        ("DequantizeLinear", weight, np.float32(2**-6), {"chained": False}),
        ("Conv", "y1", "y2", {"chained": False}),
        *pair(2**-2),
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Reshape", integers(0, 4, -1)),
        ("Reshape", "y5", integers(0, 4, -1), {"chained": False}),
        ("Concat", "y7", {"axis": 2}),
        *pair(2**-1),
        ("Transpose", {"perm": [0, 2, 1]}),
    ]
    loaded = load_model(str(saved(tmp_path / "net.onnx", *steps)))
    assert str(loaded.graph.host) == "the host puts step11, step11_1 together as logits of 125x4"
    assert loaded.proof is not None
    assert loaded.proof.note.startswith("quantised elsewhere, runs with its own integers: maps of 8 bits")
    assert " within one step of its" in loaded.proof.note


class Joined(Detector):
    """Two resolutions flattened side by side, in an order of their own, before fully connected layers."""

    def __init__(self, order: tuple[int, ...]) -> None:
        def end(net: Detector, maps: list[Tensor]) -> Tensor:
            flat = torch.cat([each.permute(order).flatten(1) for each in maps], 1)
            return net.second(F.relu(net.first(F.relu6(flat))))

        super().__init__(end)
        self.first, self.second = nn.Linear(8 * (64 + 16), 6), nn.Linear(6, 4)


@pytest.mark.parametrize("way", ["torch", "onnx"])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1)], ids=["channels first", "channels last"])
def test_flattened_maps_side_by_side_feed_a_linear_layer(
    order: tuple[int, ...], way: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    loaded = proven(Joined(order).eval(), way, tmp_path / "net.onnx")
    assert loaded.proof is not None and loaded.proof.difference < 1e-5
    kinds = [node.kind for node in loaded.graph]
    assert kinds.count(OpKind.LINEAR) == 3 and kinds.count(OpKind.CONCAT) == 0
    assert str(loaded.graph.host) == "nothing is left to the host"


REFUSED = {
    "decoded": (
        lambda net, maps: yolo8(net, maps) * 2,
        "mul: it reads what cat joins of several maps, which the host puts together; join maps along "
        "channels, or use it at the end or before a linear layer only",
    ),
    "a softmax in the middle": (
        lambda net, maps: yolo8(net, maps).softmax(1).relu(),
        "relu: it reads the softmax of a map, which the host computes; use softmax at the end of the "
        "network only",
    ),
    "a softmax rearranged": (
        lambda net, maps: yolo5(net, maps).softmax(2).permute(0, 2, 1),
        "output: permute: it rearranges the softmax of a map; rearrange before the softmax",
    ),
    "an order of no rule": (
        lambda net, maps: torch.cat([each.flatten(1) for each in maps], 1)[:, ORDER],
        "output: getitem: it is maps as 640 in an order of more than 256 pieces; return the maps "
        "themselves, and reorder what the host reads of them",
    ),
}
ORDER = torch.randperm(640, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_rearrangement_is_refused(name: str) -> None:
    end, line = REFUSED[name]
    with pytest.raises(UnsupportedNetwork) as caught:
        load_module(detector(end), SHAPE, name="net")
    assert str(caught.value) == f"net: the accelerator cannot run this network\n  - {line}"
