"""Equalised channels: the same function to the bit, integers that keep the signal."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.edits import copied
from hotnas_hls.models.equalise import equalised
from hotnas_hls.network.fidelity import Fidelity, fidelity
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.lower import lower
from hotnas_hls.network.quantise import quantise

IMAGES = np.random.default_rng(0).standard_normal((12, 3, 8, 8)).astype(np.float32)


def norm(channels: int) -> nn.BatchNorm2d:
    made = nn.BatchNorm2d(channels)
    nn.init.uniform_(made.weight, 0.5, 2)
    nn.init.normal_(made.bias)
    nn.init.uniform_(made.running_var, 0.5, 2)
    return made


def network(act: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """A convolution with a norm, a depthwise one, a plain one behind a maximum, and a linear layer."""
    torch.manual_seed(1)
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1, bias=False), norm(8), act()),
        *(nn.Conv2d(8, 8, 3, padding=1, groups=8), norm(8), act(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 4)),
    ).eval()


def unbalanced(model: nn.Sequential) -> nn.Sequential:
    """The same function with channels of scales from 2**-20 to 2**20 between its layers."""
    with torch.no_grad():
        for made, read, outputs in ((1, 3, 1), (4, 7, 6), (7, 10, 4)):
            layer, reader = model[made], model[read]
            scale = 2.0 ** torch.randint(-20, 21, layer.bias.shape)
            layer.weight.mul_(scale.reshape(-1, *[1] * (layer.weight.ndim - 1)))
            layer.bias.mul_(scale)
            reader.weight.view(outputs, len(scale), -1).div_(scale[:, None])
    return model


def told(model: nn.Module, bits: int = 16) -> Fidelity:
    graph = fold_batchnorm(trace(model, (3, 8, 8), "net"))
    return fidelity(graph, quantise(graph, lower(graph, weight_bits=bits), IMAGES, bits), IMAGES)


def test_the_function_is_the_same_to_the_bit() -> None:
    model = unbalanced(network())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    balanced = equalised(model, trace(model, (3, 8, 8)))
    images = torch.from_numpy(IMAGES)
    assert torch.equal(balanced(images), model(images))
    assert torch.equal(model(images), network()(images))  # the unbalancing changed nothing either
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_integers_lose_nothing_that_balanced_ones_do_not() -> None:
    model = unbalanced(network())
    assert told(model).losing, "one format does not suit these channels"
    wanted, found = told(network()), told(equalised(model, trace(model, (3, 8, 8))))
    assert found.losing == () and found.agreeing == wanted.agreeing == len(IMAGES)
    for layer, decibels in wanted.signal_to_noise.items():
        assert found.signal_to_noise[layer] > decibels - 6, layer  # a bit: factors are powers of two


class Dense(nn.Module):
    """Pre-activation layers that read all maps before them, a transition, and more of them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.conv0, self.norm0 = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.layers = nn.ModuleList(preactivated(channels, 4) for channels in (8, 12, 8))
        self.transition = preactivated(16, 8, kernel=1)
        self.norm5, self.fc = nn.BatchNorm2d(12), nn.Linear(48, 4)
        with torch.no_grad():
            self.norm0.bias[5] = -100  # a channel that ReLU never lets through

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm0(self.conv0(x)))
        for layer in self.layers[:2]:
            x = torch.cat([x, layer(x)], 1)
        x = nn.functional.avg_pool2d(self.transition(x), 2)
        x = torch.cat([x, self.layers[2](x)], 1)
        return self.fc(nn.functional.max_pool2d(torch.relu(self.norm5(x)), 2).flatten(1))


def preactivated(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), conv)


def dense() -> Dense:
    """With the statistics that its batch norms measure."""
    model = Dense().train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model(torch.from_numpy(IMAGES))
    return model.eval()


def spread(model: Dense) -> Dense:
    """The same function, channels of concatenated maps up to 2**12 times as large: measured anew."""
    with torch.no_grad():
        for module in (model.norm0, model.layers[0][2], model.layers[1][2], model.transition[2]):
            factor = 2.0 ** torch.randint(0, 13, (len(module.weight),))
            for tensor in filter(None.__ne__, (module.weight, module.bias)):
                tensor.mul_(factor.reshape(-1, *[1] * (tensor.ndim - 1)))
        model.train()(torch.from_numpy(IMAGES))
    return model.eval()


def test_a_dead_channel_before_batch_norms_sets_no_format() -> None:
    model = dense()
    gains = model.layers[0][0].weight / torch.sqrt(model.layers[0][0].running_var + 1e-5)
    assert gains[5] > 100 * gains.abs().median()
    found = told(model, bits=8)
    assert found.losing == () and found.agreeing == len(IMAGES)
    assert min(found.signal_to_noise.values()) > 20


def test_channels_are_equalised_through_concatenations_and_batch_norms() -> None:
    wanted, model = told(dense(), bits=8), spread(dense())
    assert told(model, bits=8).losing
    balanced = equalised(model, trace(model, (3, 8, 8)))
    found = told(balanced, bits=8)
    assert found.losing == () and found.agreeing == wanted.agreeing
    for layer, decibels in wanted.signal_to_noise.items():
        assert found.signal_to_noise[layer] > decibels - 6, layer
    images = torch.from_numpy(IMAGES)
    torch.testing.assert_close(balanced(images), model(images), rtol=1e-6, atol=1e-6)
    again = copied(balanced).train()
    with torch.no_grad():
        again(images)  # statistics are measured anew, as in fine-tuning; epsilon is what it was
    torch.testing.assert_close(again.eval()(images), model(images), rtol=1e-3, atol=1e-3)


def kept(model: nn.Module) -> bool:
    """Whether equalising leaves every value of an unbalanced network as it is."""
    twin = equalised(model, trace(model, (3, 8, 8)))
    return all(map(torch.equal, model.state_dict().values(), twin.state_dict().values()))


class Residual(nn.Module):
    """The map between two convolutions is read by an addition too."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.one(x))
        return x + self.two(x)


class Shared(Residual):
    """One convolution is applied twice."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.two(torch.relu(self.two(torch.relu(self.one(x)))))


@pytest.mark.parametrize(
    "model", [network(nn.ReLU6)[:7], Residual(), Shared()], ids=["ReLU6", "addition", "shared"]
)
def test_where_a_factor_would_show_nothing_is_changed(model: nn.Module) -> None:
    with torch.no_grad():
        next(model.parameters())[0].mul_(2.0**-20)
    assert kept(model.eval())
