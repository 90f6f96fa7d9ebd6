"""Tracing: every zoo network and many hand-made modules compute what torch computes; messages in full."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from randomised import randomised
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from hotnas_hls.errors import UnsupportedNetwork
from hotnas_hls.frontends.checkpoint import load_weights
from hotnas_hls.frontends.proof import prove
from hotnas_hls.frontends.source import load_module
from hotnas_hls.frontends.trace import TracedModule, trace
from hotnas_hls.models.architectures.bit import StandardisedConv2d
from hotnas_hls.models.zoo import ZOO, build
from hotnas_hls.network.execute import run
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.graph import Graph, OpKind, Shape

DATA = Path(os.environ.get("HOTNAS_DATA", Path(__file__).parents[3] / "shared" / "data"))

# Smaller inputs than the networks' own where their pooling allows it, to be quick.
QUICK_SHAPES: dict[str, Shape] = {name: (3, 96, 96) for name, entry in ZOO.items() if entry.classes == 1000}
QUICK_SHAPES |= {"alexnet": (3, 224, 224), "vgg16": (3, 224, 224)}
LARGE = {"vgg16", "densenet121", "densenet121_cifar", "resnet34", "resnet50", "bit_r50x1", "bit_cifar"}


def zoo(names: Iterable[str]) -> list[Any]:
    """Networks to trace; the largest wait for ``--whole``."""
    return [pytest.param(name, marks=pytest.mark.whole) if name in LARGE else name for name in names]


def assert_same(model: nn.Module, shape: tuple[int, ...], rtol: float = 1e-4) -> Graph:
    """The traced graph, after checking it and its folded form against the module on random images."""
    model.eval()
    graph = trace(model, shape)
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32))
    with torch.no_grad():
        wanted = [tensor.numpy().reshape(2, -1) for tensor in tree_leaves(model(images.clone()))]
    for candidate in (graph, fold_batchnorm(graph)):
        prepared = graph.host.prepared(images.numpy().reshape(2, *graph.image))
        found = run(candidate, prepared, keep=candidate.host.maps)
        for result, expected in zip(candidate.host.results(found).values(), wanted, strict=True):
            actual = result.reshape(2, -1)
            np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * np.abs(expected).max())
    return graph


@pytest.mark.parametrize("name", zoo(ZOO))
def test_zoo_network_computes_the_same(name: str) -> None:
    shape = QUICK_SHAPES.get(name, ZOO[name].input_shape)
    graph = assert_same(randomised(build(name)), shape)
    assert graph.outputs[0].shape[0] == ZOO[name].classes


@pytest.mark.whole
def test_real_weights_classify_real_images() -> None:
    weights, images = DATA / "weights" / "resnet20-12fca82f.th", DATA / "cifar10" / "cifar10.npz"
    missing = [str(path) for path in (weights, images) if not path.is_file()]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)}; set HOTNAS_DATA")
    model = build("resnet20")
    load_weights(model, weights)
    graph = fold_batchnorm(trace(model, (3, 32, 32)))
    with np.load(images) as data:
        pixels, labels = data["x_test"][:100], data["y_test"][:100]
    normal = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    inputs = normal.transpose(0, 3, 1, 2).astype(np.float32)
    logits = run(graph, inputs, keep=[graph.host.logits])[graph.host.logits]
    assert (logits.reshape(100, 10).argmax(axis=1) == labels).mean() >= 0.88


def test_names_shapes_and_registration() -> None:
    graph = trace(build("resnet18"), (3, 224, 224), name="resnet18")
    assert graph.name == "resnet18"
    assert [node.name for node in graph][:13] == [
        "input",
        "conv1",
        "bn1",
        "relu",
        "maxpool",
        "layer1.0.conv1",
        "layer1.0.bn1",
        "layer1.0.relu",
        "layer1.0.conv2",
        "layer1.0.bn2",
        "layer1.0.add",
        "layer1.0.relu_1",
        "layer1.1.conv1",
    ]
    assert graph["layer2.0.downsample.0"].shape == (128, 28, 28)
    assert graph["layer4.1.conv2"].shape == (512, 7, 7)
    assert graph["conv1"].padding == (3, 3, 3, 3)
    assert graph["avgpool"].kernel == (7, 7)


def test_parameter_free_shortcut_is_one_node() -> None:
    graph = trace(build("resnet20"), (3, 32, 32))
    shortcuts = [node for node in graph if node.kind is OpKind.SUBSAMPLE]
    assert [(node.name, node.stride, node.channel_pad, node.shape) for node in shortcuts] == [
        ("layer2.0.shortcut.pad", (2, 2), (8, 8), (32, 16, 16)),
        ("layer3.0.shortcut.pad", (2, 2), (16, 16), (64, 8, 8)),
    ]


def written_out(x: Tensor) -> Tensor:
    """Activations of timm's and others' own making."""
    x = x * (F.relu6(x + 3) / 6)
    x = x * F.relu6(x + 3) / 6
    x = x.sigmoid() * x
    x = 0.5 * x * (1 + torch.erf(x / 2**0.5))
    return F.relu(x) * x


# --- modules that the zoo does not have ---------------------------------------------------------------------


class Functional(nn.Module):
    """Everything in functional form, with python control flow on shapes and settings."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList(torch.randn(6, channels, 3, 3) * 0.3 for channels in (3, 6, 6))
        self.depthwise = nn.Parameter(torch.randn(6, 1, 5, 5))
        self.head = nn.Parameter(torch.randn(4, 48))

    def forward(self, x: Tensor) -> Tensor:
        for index, weight in enumerate(self.weights):
            y = F.conv2d(x, weight, padding="same")
            x = F.relu6(y) if index % 2 else torch.clamp(y, min=0)
            if x.shape[-1] > 10:
                x = F.max_pool2d(x, 2)
        x += F.hardtanh(F.conv2d(x, self.depthwise, padding=2, groups=6), -2.0, 1.5)
        x = torch.cat([F.avg_pool2d(x, 2), F.adaptive_avg_pool2d(x, (4, 4))], 1)
        x = F.dropout(x, training=self.training)
        x = x.mean(3).unsqueeze(3)
        return F.linear(x.reshape(x.size(0), -1), self.head)


class Layers(nn.Module):
    """A wrapper of any function of the input and of layers given by name."""

    def __init__(self, function, **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


@pytest.mark.parametrize(
    ("forward", "layers"),
    [
        (lambda x: F.max_pool2d(F.pad(F.relu(x), (0, 1, 1, 0)), 2, 1), 0),
        (lambda x: F.max_pool2d(F.pad(x.clamp(0, 1), (1, 1, 1, 1)), 3, 2), 0),
        (lambda x: F.max_pool2d(F.pad(x, (0, 1, 2, 0)), 2, 1), 1),
        (lambda x: F.max_pool2d(F.pad(F.relu(x), (1, 1, 3, 3)), 3, 2), 1),
        (lambda x: F.max_pool2d(F.pad(F.relu(x), (1, 0, 1, 0)), 3, 2, ceil_mode=True), 1),
        (lambda x: F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2), 0),
        (lambda x: F.avg_pool2d(F.pad(x, (1, 0, 0, 0)), 3, 2, 1, count_include_pad=False), 1 + 6),
        (lambda x: F.pad(x, (2, 0, 1, 1)).sigmoid() + 1, 1),
        (lambda x: F.pad(x[:, [3, 0, 1]], (1, 0, 0, 0)) + 2, 1),
        (lambda x: F.pad(F.relu(x), (1, 1)), 1),
    ],
)
def test_zeros_around_a_map_cost_a_layer_where_no_window_takes_them(forward, layers: int) -> None:
    graph = assert_same(Layers(lambda _, x: forward(x)), (8, 12, 12))
    assert sum(node.kind is OpKind.CONV and node.padding != (0, 0, 0, 0) for node in graph) == layers


def test_functional_network_with_control_flow() -> None:
    graph = assert_same(Functional(), (3, 16, 16))
    assert graph["conv2d"].parameters["weight"].shape == (6, 3, 3, 3)
    assert [node.kind for node in graph].count(OpKind.MAXPOOL) == 1


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(StandardisedConv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True)),
        nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))),
        nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 4, 3, stride=2)),
        nn.Sequential(nn.Conv2d(3, 4, (2, 4), padding="same"), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(3, stride=2, ceil_mode=True), nn.Conv2d(3, 2, 1)),
        nn.Sequential(nn.MaxPool2d(2, stride=3, padding=1, ceil_mode=True)),
        nn.Sequential(nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)),
        nn.Sequential(nn.AvgPool2d((3, 2), stride=(1, 2), padding=(1, 0))),
        nn.Sequential(nn.AvgPool2d(2, ceil_mode=True)),
        nn.Sequential(nn.Conv2d(3, 5, (3, 1), stride=(1, 2)), nn.Identity(), nn.Dropout2d(), nn.Flatten()),
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 14 * 14, 6), nn.BatchNorm1d(6), nn.ReLU()),
        nn.DataParallel(nn.Sequential(nn.Conv2d(3, 4, 3))),
        nn.Sequential(nn.BatchNorm2d(3, affine=False), nn.Hardtanh(0, 6)),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Hardswish(True), nn.Conv2d(4, 4, 3), nn.Hardsigmoid()),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(True)),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2), nn.Conv2d(4, 4, 3), nn.ELU(), nn.Tanh()),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.PReLU(4, 0.3), nn.Conv2d(4, 4, 3), nn.PReLU(), nn.RReLU()),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.CELU(0.5), nn.SELU(), nn.Softplus(2), nn.Softsign(), nn.Mish()),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Conv2d(4, 4, 3), nn.GELU("tanh")),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.ReLU()),
        Layers(lambda m, x: written_out(m.conv(x)), conv=nn.Conv2d(3, 4, 3)),
        Layers(lambda _, x: torch.cat([torch.zeros(2, 2, 7, 7), x[..., ::2, ::2]], dim=1)),
        Layers(lambda _, x: F.pad(F.avg_pool2d(x, 1, 2), (0, 0, 0, 0, 1, 2))),
        Layers(lambda _, x: x + x),
        Layers(lambda _, x: 1 - F.relu(x * 2) / torch.tensor([[[1.0]], [[2.0]], [[4.0]]])),
        Layers(lambda _, x: torch.cat(F.relu(x).split(2, 1)[::-1], 1)),
        Layers(lambda _, x: F.relu(x).permute(0, 2, 3, 1).mean((1, 2))),
        Layers(lambda m, x: m.fc(F.relu(x).transpose(1, 3).flatten(1)), fc=nn.Linear(588, 3)),
        Layers(lambda _, x: F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1)),
        Layers(lambda _, x: F.adaptive_avg_pool2d(x, 1)[..., 0, 0]),
        Layers(lambda _, x: x.mean(dim=(-2, -1), keepdim=True)),
        Layers(lambda _, x: F.adaptive_avg_pool2d(x, (7, None)).contiguous().view(2, -1)),
        Layers(lambda m, x: m.act(m.act(m.conv(x)) + m.conv(x)), conv=nn.Conv2d(3, 3, 1), act=nn.ReLU6(True)),
        Layers(lambda _, x: F.relu(x) * x.mean((2, 3), keepdim=True).sigmoid()),
        Layers(lambda m, x: m.fc(x.mean((2, 3))).view(2, 3, 1, 1).expand_as(x) * x + x, fc=nn.Linear(3, 3)),
        Layers(lambda m, x: m.conv(x)[:, [2, 0, 1]] * x.mean((2, 3), True), conv=nn.Conv2d(3, 3, 3)),
        Layers(lambda m, x: m.conv(x).sigmoid() * F.relu(m.conv(x)), conv=nn.Conv2d(3, 3, 3)),
        Layers(lambda m, x: m.conv(x).sigmoid() * F.pad(x, (1, 1)), conv=nn.Conv2d(3, 1, 3, padding=(1, 2))),
        Layers(lambda _, x: F.pad(x, (1, 1)) + x.mean((2, 3), True)),
        Layers(lambda _, x: (x.mean((2, 3), True) * x[:, :1].mean((2, 3), True)).flatten(1)),
    ],
)
def test_module_computes_the_same(model: nn.Module) -> None:
    assert_same(randomised(model), (3, 14, 14))


def test_networks_of_one_row_and_of_vectors() -> None:
    row = nn.Sequential(
        nn.Conv1d(4, 6, 5, padding=2, stride=2), nn.BatchNorm1d(6), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(6, 6, 3, padding="same", groups=6), nn.AvgPool1d(2), nn.Dropout1d(),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, 3),
    )  # fmt: skip
    graph = assert_same(randomised(row), (4, 64))
    assert (graph.input.shape, graph["0"].kernel, graph["0"].stride) == ((4, 1, 64), (1, 5), (1, 2))
    vector = nn.Sequential(nn.Linear(20, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 20))
    assert assert_same(randomised(vector), (20,)).input.shape == (20, 1, 1)


def test_two_steps_of_the_host_of_one_name_are_two() -> None:
    """``(x / 255 - mean) / std``: the proof looks each of them up by its name."""
    model = Layers(lambda m, x: m.conv((x / 255 - 0.5) / 0.25), conv=nn.Conv2d(3, 4, 3))
    loaded = load_module(model.eval(), (3, 8, 8))
    before = loaded.graph.host.preparation
    np.testing.assert_allclose(before.scale, [4 / 255] * 3, rtol=1e-6)
    np.testing.assert_allclose(before.offset, [-2.0] * 3)
    assert loaded.graph.input.name == "div_1"


def test_a_reused_module_gives_a_node_for_each_use() -> None:
    model = Layers(lambda m, x: m.act(m.act(x) + x), act=nn.ReLU())
    assert [node.name for node in trace(model, (1, 4, 4))] == ["input", "act", "add", "act_1"]


def test_several_outputs() -> None:
    def forward(layers: Any, x: Tensor) -> Any:
        features = layers.conv(x)
        boxes = layers.norm(features)
        levels = [F.relu(features), torch.sigmoid(boxes)]
        return {"boxes": boxes, "levels": levels, "class": features.mean((2, 3))}

    model = Layers(forward, conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4))
    graph = assert_same(randomised(model), (3, 8, 8))
    assert [(out.name, out.map, out.answer) for out in graph.host.outputs] == [
        ("boxes", "norm", None),
        ("levels.0", "relu", None),
        ("levels.1", "norm", "sigmoid"),
        ("class", "mean", None),
    ]
    assert prove(graph, TracedModule(model)).images == 7


def test_what_the_output_does_not_need_is_left_out() -> None:
    def forward(model: nn.Module, x: Tensor) -> Tensor:
        model.unused(x)
        return model.used(x)

    model = Layers(forward, unused=nn.Conv2d(1, 1, 1), used=nn.Conv2d(1, 2, 1))
    assert [node.name for node in trace(model, (1, 4, 4))] == ["input", "used"]


def test_the_module_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    model[1].eval()
    graph = trace(model, (3, 8, 8))
    assert (model.training, model[0].training, model[1].training) == (True, True, False)
    assert not model[0]._forward_hooks and not model[0]._forward_pre_hooks
    before = graph["0"].parameters["weight"].copy()
    nn.init.zeros_(model[0].weight)
    np.testing.assert_array_equal(graph["0"].parameters["weight"], before)


# --- messages -----------------------------------------------------------------------------------------------


def message(model: nn.Module, shape: Shape = (8, 12, 12), name: str = "net") -> list[str]:
    """The lines of the error that tracing ends in."""
    with pytest.raises(UnsupportedNetwork) as caught:
        trace(model, shape, name)
    return str(caught.value).split("\n")


def test_everything_unsupported_is_listed_at_once() -> None:
    model = nn.Sequential(
        nn.Sequential(nn.MaxPool2d(3, stride=1, dilation=2), nn.Conv2d(8, 16, 1)),
        nn.GroupNorm(4, 16),
        nn.Tanhshrink(),
        nn.Conv2d(16, 16, 3, padding=1, padding_mode="reflect"),
        nn.BatchNorm2d(16, track_running_stats=False),
        nn.AvgPool2d(3, 2, 1, ceil_mode=True),
        nn.Upsample(scale_factor=4, mode="bicubic"),
        nn.AdaptiveMaxPool2d(7),
        nn.Conv2d(16, 4, 1),
        nn.Hardshrink(),
        nn.Linear(7, 2),
    )
    assert message(model) == [
        "net: the accelerator cannot run this network",
        "  - 0.0: max_pool2d: dilation 2x2; use dilation 1",
        "  - 2: tanhshrink: not an operator of the accelerator; use another activation and fine-tune",
        "  - 3: pad: padding is reflect 0; pad with zeros",
        "  - 4: batch_norm: it uses the statistics of the batch; use BatchNorm2d with running statistics",
        "  - 5: avg_pool2d: ceil_mode adds a partial window that counts padding on one side; "
        "use ceil_mode=False, or do not count the padding",
        "  - 6: interpolate: it interpolates: bicubic; take nearest neighbours, or bilinear",
        "  - 9: hardshrink: not an operator of the accelerator; use another activation and fine-tune",
        "  - 10: linear: it reads a tensor whose axes are not channels, rows and columns of a map; "
        "transpose it back",
    ]


# fmt: off
ONE_VIOLATION = [
    (Layers(lambda _, x: F.relu(x) * x.mean(3, keepdim=True)), "mul: its inputs are 8x12x12 and 8x12x1; "
     "take maps of the same shape, or one value for every channel"),
    (Layers(lambda _, x: F.relu(x) + torch.arange(12.0)), "add: its constants differ from value to value "
     "of a channel; give one value for every channel"),
    (Layers(lambda _, x: F.relu(x / 255 - 1) + x), "add: it reads the image as it is before the host "
     "prepares it; read the prepared image everywhere, or prepare it outside of the network"),
    (Layers(lambda _, x: F.relu(F.softmax(x, 1))), "relu: it reads the softmax of a map, which the host "
     "computes; use softmax at the end of the network only"),
    (Layers(lambda _, x: torch.add(x, x, alpha=2)), "add: alpha=2; add without a factor"),
    (Layers(lambda _, x: F.relu(x) + x.mean(2, keepdim=True)), "add: its inputs are 8x12x12 and 8x1x12; "
     "take maps of the same shape, or one value for every channel"),
    (Layers(lambda _, x: x.clamp(torch.zeros(1), x)), "clamp: its bounds are tensors; use numbers"),
    (Layers(lambda _, x: x.clamp(0, float("nan"))), "clamp: a bound is not a number; give numbers as bounds"),
    (Layers(lambda _, x: torch.cat([x, x], 2)),
     "output: cat: it holds the input itself; return what is computed only"),
    (Layers(lambda _, x: torch.cat([x, torch.ones(2, 1, 12, 12)], 1)),
     "cat: it joins maps with constants; concatenate computed maps, or one map with zeros"),
    (Layers(lambda _, x: x.reshape(1, -1)), "reshape: it mixes the images of a batch; "
     "keep the first axis for the images"),
    (Layers(lambda _, x: x.view(2, 8, 144)), "output: it is the input itself; "
     "there is nothing to accelerate"),
    (Layers(lambda _, x: x.mean((1, 2))),
     "mean: mean over axes [1, 2]; average over rows and columns: axes 2 and 3"),
    (Layers(lambda _, x: F.dropout(x)), "dropout: it drops values in inference too; "
     "pass training=self.training"),
    (Layers(lambda _, x: F.conv2d(x, x[:, :, :3, :3])), "conv2d: its weight is computed from the input; "
     "use a constant"),
    (Layers(lambda _, x: F.conv2d(torch.ones(2, 8, 3, 3), x[:, :, :3, :3], padding="same")),
     "conv2d: its weight is computed from the input; use a constant"),
    (Layers(lambda _, x: F.pad(x, (-1, 0))),
     "output: pad: it holds the input itself; return what is computed only"),
    (Layers(lambda _, x: x), "output: it is the input itself; there is nothing to accelerate"),
    (Layers(lambda _, x: (F.relu(x), x)), "output 1: it is the input itself; there is nothing to accelerate"),
    (Layers(lambda _, x: {"maps": [F.relu(x), None]}), "output maps.1: NoneType: it is no tensor "
     "computed from the input; return what is computed only"),
    (Layers(lambda _, x: torch.ones(2, 3)), "output: Tensor: it is no tensor computed from the input; return "
     "what is computed only"),
    (Layers(lambda _, x: []), "output: the network returns nothing; return what it computes"),
    (Layers(lambda _, x: F.relu(x) if x.sum().item() > 0 else x), "item: the network branches on values; "
     "decide by shapes or settings only"),
    (Layers(lambda _, x: F.relu(x.half()).float()),
     "half: not an operator of the accelerator; build the network from convolution, linear, "
     "batch norm, ReLU and other activations, max and average pooling, addition, multiplication, "
     "concatenation, nearest upsampling, transposed convolution, flatten"),
]
# fmt: on


@pytest.mark.parametrize(("model", "line"), ONE_VIOLATION)
def test_one_violation(model: nn.Module, line: str) -> None:
    assert f"  - {line}" in message(model)


def test_reading_a_tensor_behind_an_in_place_change() -> None:
    def forward(model: nn.Module, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        flat.relu_()
        return model.conv(x)

    assert message(Layers(forward, conv=nn.Conv2d(8, 2, 1))) == [
        "net: the accelerator cannot run this network",
        "  - conv: conv2d: it reads a tensor that another operator changed in place; "
        "do not use inplace=True here",
    ]


def test_a_module_that_does_not_run() -> None:
    with pytest.raises(UnsupportedNetwork) as caught:
        trace(nn.Conv2d(4, 4, 3), (3, 8, 8), "net")
    text = str(caught.value)
    assert text.startswith("net: it does not run on an input of 2x3x8x8: RuntimeError: ")
    assert text.endswith("; check the input shape")


def test_torchscript_is_refused() -> None:
    scripted = torch.jit.trace(nn.ReLU(), torch.zeros(1, 1, 2, 2))
    with pytest.raises(UnsupportedNetwork) as caught:
        trace(scripted, (1, 2, 2), "net")
    assert str(caught.value) == "net: a TorchScript module cannot be traced; pass the python module"
