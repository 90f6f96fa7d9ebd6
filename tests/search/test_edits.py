"""Edits: what they keep, what they change, and that they hold through training."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, weight_norm

from hotnas_hls.frontends.proof import prove
from hotnas_hls.frontends.trace import TracedModule, trace
from hotnas_hls.models.architectures.digits import DigitsResNet
from hotnas_hls.models.architectures.mobile import MobileNetV2
from hotnas_hls.models.architectures.resnet_cifar import CifarResNet
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.models.cut_paths import cut_paths
from hotnas_hls.models.edits import (
    compress,
    editable,
    is_editable,
    readers_of,
)
from hotnas_hls.models.edits import pattern_masks as masks_of
from hotnas_hls.models.pattern_pruning import kernel_products
from hotnas_hls.network.fixed_point import weight_frac_bits
from hotnas_hls.network.fold import fold_batchnorm

torch.set_num_threads(1)
LAYER = "layer2.0.conv2"


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    model = DigitsResNet()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2.0)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_()
    return model.eval()


@pytest.fixture
def graph(model):
    return trace(model, (1, 8, 8))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_the_original_is_left_alone(model, graph, images):
    before = model(images)
    pruned(
        model,
        graph,
        images,
        Compression(
            channels={"layer1.0.conv1": 8},
            patterns={LAYER: PatternChoice(3, 3)},
            expanded=("layer3.0.conv1",),
            weight_bits={"fc": 4},
        ),
    )
    assert torch.equal(model(images), before)


def test_expand_keeps_the_function(model, graph, images):
    grown = compress(model, graph, Compression(expanded=("layer2.0.conv1", "layer2.0.downsample.0")))
    assert grown.get_submodule("layer2.0.conv1").weight.shape[2:] == (5, 5)
    assert grown.get_submodule("layer2.0.downsample.0").weight.shape[2:] == (3, 3)
    torch.testing.assert_close(grown(images), model(images), rtol=1e-4, atol=1e-5)


def test_cut_keeps_residual_widths_and_what_the_reader_needs(model, graph, images):
    name = "layer2.0.conv1"
    cut = pruned(model, graph, images, Compression(channels={name: 24}))
    conv, old = cut.get_submodule(name), model.get_submodule(name)
    kept = readers_of(model, graph, [name], images)[name].kept(24)
    assert torch.equal(conv.weight, old.weight[kept])
    assert cut.get_submodule("layer2.0.bn1").num_features == 24
    expected = model.get_submodule("layer2.0.bn1").running_var[kept]
    assert torch.equal(cut.get_submodule("layer2.0.bn1").running_var, expected)
    assert cut.get_submodule(LAYER).weight.shape == (32, 24, 3, 3)
    assert cut(images).shape == (4, 10)
    edited = trace(cut, (1, 8, 8))
    assert edited["layer2.0.conv1"].shape == (24, 4, 4)
    assert edited[LAYER].shape == graph[LAYER].shape


def test_cut_of_silent_channels_keeps_the_function(model, graph, images):
    with torch.no_grad():
        model.get_submodule("layer1.0.conv1").weight[4:] = 0
        model.get_submodule("layer1.0.bn1").running_mean[4:] = 0
        model.get_submodule("layer1.0.bn1").bias[4:] = -1
    cut = pruned(model, graph, images, Compression(channels={"layer1.0.conv1": 4}))
    torch.testing.assert_close(cut(images), model(images), rtol=1e-4, atol=1e-5)


def test_channels_that_are_kept_make_up_for_those_that_are_not(model, graph, images):
    """The sums of the reader, its new bias included, come closer than without what its weights take over."""
    name = "layer2.0.conv1"
    found = pruned(model, graph, images, Compression(channels={name: 20}))
    kept = readers_of(model, graph, [name], images)[name].kept(20)
    bare = pruned(model, graph, images, Compression(channels={name: 20}))
    bare.get_submodule(LAYER).weight = nn.Parameter(model.get_submodule(LAYER).weight[:, kept])
    sums = {}
    for of, net in (("before", model), ("found", found), ("bare", bare)):
        layer = net.get_submodule(LAYER)
        layer.register_forward_hook(lambda *seen, of=of: sums.update({of: seen[2].detach()}))
        net(images)
    error = {of: float((sums[of] - sums["before"]).square().mean()) for of in ("found", "bare")}
    assert error["found"] < 0.5 * error["bare"]


def test_only_inner_widths_can_be_cut(graph):
    assert set(cut_paths(graph)) == {f"layer{stage}.0.conv1" for stage in (1, 2, 3)}
    assert cut_paths(graph)["layer2.0.conv1"].reader == LAYER
    assert cut_paths(trace(CifarResNet(3), (3, 32, 32))).keys() == {
        f"layer{stage}.{block}.conv1" for stage in (1, 2, 3) for block in (0, 1, 2)
    }


def test_channels_of_an_output_are_not_cut():
    class Told(nn.Sequential):
        def forward(self, x):
            first = F.relu(self[0](x))
            return first, self[2](F.relu(self[1](first)))

    module = Told(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(3)))
    assert cut_paths(trace(module, (4, 8, 8))).keys() == {"1"}


def test_a_cut_reaches_through_a_depthwise_convolution():
    torch.manual_seed(0)
    model = MobileNetV2().eval()
    graph = trace(model, (3, 32, 32))
    name, path = next((n, p) for n, p in cut_paths(graph).items() if len(p.along) > 2)
    keep = graph[name].shape[0] // 2
    images = torch.randn(4, 3, 32, 32)
    cut = trace(pruned(model, graph, images, Compression(channels={name: keep})), (3, 32, 32))
    assert all(cut[step].shape[0] == keep for step in path.along)
    assert cut[path.reader].shape == graph[path.reader].shape


def test_a_cut_of_a_shared_width_is_refused(model, graph):
    with pytest.raises(ValueError, match="^conv1: its channels are read by more than one layer"):
        compress(model, graph, Compression(channels={"conv1": 8}))


def pruned(model, graph, images, compression: Compression) -> nn.Module:
    products = kernel_products(model, compression.patterns, images)
    return compress(
        model, graph, compression, products, readers_of(model, graph, compression.channels, images)
    )


def test_pairs_of_channels_share_their_patterns(model, graph, images):
    index, alone = (
        masks_of(pruned(model, graph, images, Compression(patterns={LAYER: PatternChoice(3, 3, rows)})))[
            LAYER
        ][0]
        for rows in (2, 1)
    )
    assert (index[0::2] == index[1::2]).all()
    assert (alone[0::2] != alone[1::2]).any()


def test_weights_that_are_kept_make_up_for_those_that_are_not(model, graph, images):
    """With the statistics of the batch norm as they are, where no weight can move the mean of a sum."""
    edits = Compression(patterns={LAYER: PatternChoice(3, 5)})
    found = pruned(model, graph, images, edits)
    kept = model.get_submodule(LAYER).weight * (found.get_submodule(LAYER).weight != 0)
    assert not torch.allclose(found.get_submodule(LAYER).weight, kept)
    sums, read = [], {}
    model.get_submodule(LAYER).register_forward_pre_hook(lambda _, given: read.update(maps=given[0]))
    model(images)
    for weight in (model.get_submodule(LAYER).weight, found.get_submodule(LAYER).weight, kept):
        weight = weight.detach()
        out = F.conv2d(read["maps"], weight, padding=1)
        sums.append(out - out.mean((0, 2, 3), keepdim=True))
    refitted, bare = (float((one - sums[0]).square().mean()) for one in sums[1:])
    assert refitted < 0.9 * bare


def test_a_pruned_layer_whose_inputs_were_cut_looks_at_those_that_are_left(model, graph, images):
    cut = Compression(channels={"layer2.0.conv1": 24}, patterns={LAYER: PatternChoice(3, 4)})
    narrow = pruned(model, graph, images, Compression(channels=cut.channels))
    kept = readers_of(model, graph, cut.channels, images)["layer2.0.conv1"].kept(24)
    left = {LAYER: kernel_products(model, [LAYER], images)[LAYER][kept]}
    expected = compress(narrow, trace(narrow, (1, 8, 8)), Compression(patterns=cut.patterns), left)
    found = pruned(model, graph, images, cut)
    assert masks_of(found)[LAYER][0].shape == (32, 24)
    torch.testing.assert_close(found.get_submodule(LAYER).weight, expected.get_submodule(LAYER).weight)


def test_masks_survive_training(model, graph, images):
    edited = pruned(model, graph, images, Compression(patterns={LAYER: PatternChoice(3, 3)}))
    conv = edited.get_submodule(LAYER)
    before = conv.weight.detach().clone()
    assert ((before != 0).flatten(2).sum(2) == 6).all()
    optimiser = torch.optim.SGD(edited.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-2)
    for _ in range(3):
        optimiser.zero_grad()
        edited.train()(images).square().sum().backward()
        optimiser.step()
    assert torch.equal(conv.weight == 0, before == 0)
    assert not torch.equal(conv.weight, before)
    index, masks = masks_of(edited)[LAYER]
    assert index.shape == (32, 32) and masks.shape == (4, 3, 3)
    assert (masks[index].astype(bool) == (conv.weight != 0).numpy()).all()


def test_where_there_is_one_pattern_the_hardware_still_gets_four(model, graph, images):
    edited = pruned(model, graph, images, Compression(patterns={LAYER: PatternChoice(3, 8)}))
    index, masks = masks_of(edited)[LAYER]
    assert masks.shape == (4, 3, 3) and masks.sum() == 4 and not index.any()


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_fixed_point_holds_the_folded_weight(model, graph, bits):
    fixed = compress(model, graph, Compression(weight_bits={LAYER: bits}))
    norm = fixed.get_submodule("layer2.0.bn2")
    scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach().reshape(-1, 1, 1, 1)
    folded = (fixed.get_submodule(LAYER).weight.detach() * scale).double().numpy()
    original = (model.get_submodule(LAYER).weight.detach() * scale).double().numpy()
    step = 2.0 ** -weight_frac_bits(original, bits)
    integers = folded / step
    np.testing.assert_allclose(integers, np.round(integers), atol=2e-2)
    assert np.abs(integers).max() <= 2 ** (bits - 1)
    clipped = np.clip(original, -(2 ** (bits - 1)) * step, (2 ** (bits - 1) - 1) * step)
    assert np.abs(folded - clipped).max() <= step / 2 * 1.01


def test_the_gradient_passes_straight_through(model, graph, images):
    fixed = compress(model, graph, Compression(weight_bits={LAYER: 3}))
    fixed(images).square().sum().backward()
    original = fixed.get_submodule(LAYER).parametrizations.weight.original
    assert original.grad.abs().max() > 0


def test_edits_trace_and_copy(model, graph, images):
    edited = pruned(
        model,
        graph,
        images,
        Compression(
            channels={"layer3.0.conv1": 32},
            patterns={"layer3.0.conv1": PatternChoice(3, 4)},
            weight_bits={"layer3.0.conv1": 5, "fc": 8},
        ),
    )
    traced = trace(edited, (1, 8, 8))
    np.testing.assert_array_equal(
        traced["layer3.0.conv1"].parameters["weight"],
        edited.get_submodule("layer3.0.conv1").weight.detach().numpy(),
    )
    again = compress(edited, graph, Compression())
    assert torch.equal(again(images), edited(images))


def test_weight_standardised_convolutions_are_not_edited(model):
    class Standardised(nn.Conv2d):
        pass

    assert is_editable(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1)), "0")
    assert not is_editable(nn.Sequential(Standardised(1, 1, 3, padding=1)), "0")
    assert not is_editable(model, "fc")


# --- what may be edited without changing anything else ------------------------------------------------------


class Odd(nn.Module):
    """Convolutions of which each can be edited but those of ``steps``, which a test replaces."""

    def __init__(self, forward, **steps):
        super().__init__()
        self.stem, self.head = nn.Conv2d(1, 8, 3, padding=1), nn.Linear(8, 10)
        self.steps = forward
        for name, step in steps.items():
            setattr(self, name, step)

    def forward(self, x):
        return self.head(self.steps(self, self.stem(x)).mean((2, 3)))


def conv(**options):
    return nn.Conv2d(8, 8, 3, padding=1, **options)


def tied():
    one, other = conv(), conv()
    other.weight = one.weight
    return {"a": one, "b": other}


@pytest.mark.parametrize(
    ("model", "pruned", "narrowed", "cut"),
    [
        (Odd(lambda m, x: m.b(m.a(x)), a=conv(), b=conv()), {"a", "b"}, {"a", "b"}, {"stem", "a"}),
        (Odd(lambda m, x: m.a(m.a(x).relu()), a=conv()), set(), set(), set()),  # applied twice
        (Odd(lambda m, x: m.bn(m.b(m.bn(m.a(x)))), a=conv(), b=conv(), bn=nn.BatchNorm2d(8)),
         {"a", "b"}, set(), {"stem"}),
        (Odd(lambda m, x: m.b(F.conv2d(x, m.w)), w=nn.Parameter(torch.ones(8, 8, 3, 3)), b=conv()),
         {"b"}, {"b"}, set()),
        (Odd(lambda m, x: m.b(m.a(x)), **tied()), set(), set(), set()),
        *((Odd(lambda m, x: m.b(m.a(x)), a=norm(conv()), b=conv()), {"b"}, {"b"}, set())
          for norm in (parametrizations.weight_norm, parametrizations.spectral_norm, weight_norm)),
    ],
)  # fmt: skip
def test_only_modules_that_alone_make_their_node_are_edited(model, pruned, narrowed, cut):
    graph = trace(model.eval(), (1, 8, 8))
    allowed = editable(model, graph)
    assert allowed.narrowable == narrowed | {"stem", "head"}
    assert allowed.convolutions == pruned | {"stem"}
    assert allowed.paths.keys() == cut


def test_a_linear_layer_with_a_norm_is_narrowed_on_the_grid_of_both(model):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10)).eval()
    nn.init.uniform_(net[2].running_var, 0.5, 2)
    graph = trace(net, (1, 8, 8))
    narrow = compress(net, graph, Compression(weight_bits={"1": 4}))
    folded = fold_batchnorm(trace(narrow, (1, 8, 8)))["1"].parameters["weight"]
    assert len(np.unique(np.round(folded / np.abs(folded)[folded != 0].min(), 3))) <= 16


def test_what_a_channel_shuffle_has_put_in_order_is_not_edited() -> None:
    class Shuffled(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self[1](torch.relu(nn.functional.channel_shuffle(self[0](x), 2)))

    model = Shuffled(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1)).eval()
    graph = trace(model, (3, 8, 8))
    prove(graph, TracedModule(model))
    allowed = editable(model, graph)
    assert (allowed.convolutions, allowed.narrowable, dict(allowed.paths)) == ({"0"}, {"0"}, {})
