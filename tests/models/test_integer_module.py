"""Integer networks in torch: the reference's outputs bit for bit, gradients, the integers that come back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from randomised import randomised
from torch import Tensor, nn

from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.accel.integers.reference_batch import logits, outputs
from hotnas_hls.accel.layer import IntegerNetwork, LayerKind
from hotnas_hls.explore.arrangement import Arrangement
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.architectures.dense import Detector, UNet
from hotnas_hls.models.architectures.resnet_cifar import CifarResNet
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.models.edits import compress, pattern_masks
from hotnas_hls.models.integer_module import IntegerModule, fixed, is_exact
from hotnas_hls.models.pattern_pruning import kernel_products
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.lower import lower
from hotnas_hls.network.quantise import dequantise, quantise, quantise_image

IMAGE = (3, 16, 16)
UNEDITED = Compression()
TRAINED = ("stem", "depthwise", "inner", "wide", "classes")
IMAGES = np.random.default_rng(0).standard_normal((20, *IMAGE)).astype(np.float32)


class EveryKind(nn.Module):
    """Strided stem, maximum, depthwise, residual, concatenation, subsampling, mean, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, padding=1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.inner = nn.Conv2d(8, 8, 3, padding=1)
        self.wide = nn.Conv2d(16, 16, 5, padding=2)
        self.classes = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.stem(x)), 3, 2, padding=1)
        y = F.relu6(self.norm(self.depthwise(x)))
        y = F.relu(self.inner(y) + x)
        x = F.relu(self.wide(torch.cat([y, x], 1)))[:, :, ::2, ::2]
        return self.classes(x.mean((2, 3)))


def quantised_network(
    stem: Stem = Stem.PLAIN, act_bits: int = 8, compression: Compression = UNEDITED
) -> IntegerNetwork:
    """The network in integers, the same ones whatever ran before."""
    torch.manual_seed(0)
    model = randomised(EveryKind())
    products = kernel_products(model, compression.patterns, torch.from_numpy(IMAGES))
    model = compress(model, trace(model, IMAGE), compression, products)
    graph = fold_batchnorm(trace(model, IMAGE))
    return quantise(
        graph,
        lower(graph, stem, weight_bits=8),
        IMAGES,
        act_bits,
        dict(compression.weight_bits),
        pattern_masks(model),
    )


def answer(module: IntegerModule, images: np.ndarray) -> np.ndarray:
    """Values (B, classes) of the only output."""
    (found,) = module.answers(images)
    return found.flatten(1).numpy()


@pytest.mark.parametrize("stem", Stem)
def test_outputs_are_those_of_the_reference(stem: Stem) -> None:
    net = quantised_network(stem)
    assert {layer.kind for layer in net.layers} == set(LayerKind)
    assert any(layer.residual for layer in net.layers) and is_exact(net)
    integers = logits(net, quantise_image(net, IMAGES))
    assert np.ptp(integers) > 20, "outputs that are all alike would prove nothing"
    for module in (IntegerModule(net), IntegerModule(net, TRAINED)):
        np.testing.assert_array_equal(answer(module, IMAGES), dequantise(net, net.logits, integers))


@pytest.mark.parametrize("stem", Stem)
def test_packed_pixels_change_no_output(stem: Stem) -> None:
    model = randomised(CifarResNet(1))
    images = np.random.default_rng(1).standard_normal((4, 3, 32, 32)).astype(np.float32)
    graph = fold_batchnorm(trace(model, (3, 32, 32)))
    plain = quantise(graph, lower(graph, weight_bits=8), images, 8)
    packed = Arrangement(stem, packed_resolutions=1).network(plain)
    assert packed.layers != plain.layers and is_exact(packed)
    np.testing.assert_array_equal(answer(IntegerModule(packed), images), answer(IntegerModule(plain), images))


def test_sums_beyond_float32_are_not_called_exact() -> None:
    assert not is_exact(quantised_network(act_bits=16))


def test_the_integers_come_back_as_they_were() -> None:
    pruned = Compression(patterns={"inner": PatternChoice(3, 3)}, weight_bits={"wide": 5})
    for net in (quantised_network(Stem.UNFOLDED), quantised_network(compression=pruned)):
        back = IntegerModule(net, TRAINED).integer_network()
        assert back.layers == net.layers and back.feature_maps == net.feature_maps
        for name, numbers in net.numbers.items():
            np.testing.assert_array_equal(back.numbers[name].weights, numbers.weights, name)
            np.testing.assert_array_equal(back.numbers[name].bias, numbers.bias, name)


def test_what_is_pruned_or_beside_the_kernel_stays_zero() -> None:
    pruned = Compression(patterns={"inner": PatternChoice(3, 3)})
    for net in (quantised_network(Stem.SPACE_TO_DEPTH), quantised_network(compression=pruned)):
        module = IntegerModule(net, TRAINED).train()
        optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
        module(torch.from_numpy(IMAGES))[0].square().mean().backward()
        optimiser.step()
        trained = module.integer_network()
        moved = [
            name for name in TRAINED if (trained.numbers[name].weights != net.numbers[name].weights).any()
        ]
        assert len(moved) == len(TRAINED)
        stem, inner = (trained.numbers[name] for name in ("stem", "inner"))
        if net.image_layout is not None:
            assert not stem.weights[:, net.image_layout.kernel_map() < 0].any()
        else:
            assert not inner.weights[inner.patterns[inner.pattern_index] == 0].any()


def test_rounding_passes_the_gradient_inside_the_range_only() -> None:
    values = torch.tensor([-3.0, -0.3, -0.125, 0.124, 0.125, 1.9, 5.0], requires_grad=True)
    rounded = fixed(values, 2, -2, 7)
    assert rounded.tolist() == [-0.5, -0.25, 0.0, 0.0, 0.25, 1.75, 1.75]
    rounded.backward(torch.arange(1.0, 8.0))
    assert values.grad is not None
    assert values.grad.tolist() == [0, 2, 3, 4, 5, 0, 0]


@pytest.mark.parametrize("network", [UNet, Detector])
def test_maps_that_grow_and_several_outputs_are_those_of_the_reference(network: type[nn.Module]) -> None:
    torch.manual_seed(0)
    graph = fold_batchnorm(trace(randomised(network(4)), IMAGE))
    net = quantise(graph, lower(graph, weight_bits=8), IMAGES, 8)
    assert any(layer.target_rows > 1 for layer in net.layers) and is_exact(net)
    integers = outputs(net, quantise_image(net, IMAGES))
    found = IntegerModule(net).answers(IMAGES)
    assert [one.shape for one in found] == [integers[name].shape for name in net.host.maps]
    for name, one in zip(net.host.maps, found, strict=True):
        assert np.ptp(integers[name]) > 20, "outputs that are all alike would prove nothing"
        np.testing.assert_array_equal(one, dequantise(net, name, integers[name]))
