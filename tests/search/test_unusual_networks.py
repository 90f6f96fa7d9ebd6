"""Networks as people write them, through every step of a candidate: edited, tuned, in integers, answering."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.explore.arrangement import Arrangement
from hotnas_hls.explore.integer_layers import IntegerFormat, lowered_layers, workload_of
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.models.edits import copied
from hotnas_hls.models.task import answers_of, values_of
from hotnas_hls.models.train import answers as float_answers
from hotnas_hls.search.fitting.finetune import Tuning, finetune
from hotnas_hls.search.fitting.integer import answers, quantised_network
from hotnas_hls.search.problem import Problem

FORM = IntegerFormat(calibration_images=32, refit_images=32)


def conv(channels: int = 8, outputs: int = 8) -> nn.Conv2d:
    return nn.Conv2d(channels, outputs, 3, padding=1)


class Unusual(nn.Module):
    """A stem, the forward of a test over parts of its own, the mean of each channel, a classifier."""

    def __init__(
        self, forward: Callable[[Unusual, Tensor], Tensor], width: int = 8, **parts: nn.Module
    ) -> None:
        super().__init__()
        self.stem, self.head, self.middle = conv(1), nn.Linear(width, 10), forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.middle(self, F.relu(self.stem(x))).mean((2, 3)))


def dense(model: Unusual, x: Tensor) -> Tensor:
    x = torch.cat([x, F.relu(model.a(x))], 1)
    return torch.cat([x, F.relu(model.b(x))], 1)


def remembering(model: Unusual, x: Tensor) -> Tensor:
    model.last = model.a(x)
    return model.last


def frozen() -> nn.Module:
    return Unusual(lambda m, x: m.a(x), a=conv()).requires_grad_(False)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "a fully connected network": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)
    ),
    "a dense block": lambda: Unusual(dense, 24, a=conv(), b=conv(16)),
    "a module applied twice": lambda: Unusual(lambda m, x: m.a(F.relu(m.a(x))), a=conv()),
    "a norm applied twice": lambda: Unusual(
        lambda m, x: m.n(m.b(m.n(m.a(x)))), a=conv(), b=conv(), n=nn.BatchNorm2d(8)
    ),
    "a functional convolution": lambda: Unusual(
        lambda m, x: F.conv2d(x, m.w, padding=1), w=nn.Parameter(torch.randn(8, 8, 3, 3) / 8)
    ),
    "an unused norm": lambda: Unusual(lambda m, x: m.a(x), a=conv(), n=nn.BatchNorm2d(5)),
    "a norm after a norm": lambda: Unusual(
        lambda m, x: m.o(m.n(m.a(x))), a=conv(), n=nn.BatchNorm2d(8), o=nn.BatchNorm2d(8)
    ),
    "a norm behind a linear layer": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10)
    ),
    "weight normalisation": lambda: Unusual(lambda m, x: m.a(x), a=parametrizations.weight_norm(conv())),
    "spectral normalisation": lambda: Unusual(lambda m, x: m.a(x), a=parametrizations.spectral_norm(conv())),
    "frozen parameters": frozen,
    "a tensor kept in an attribute": lambda: Unusual(remembering, a=conv()),
    "squeeze and excite": lambda: Unusual(
        lambda m, x: m.a(x) * torch.sigmoid(m.b(m.a(x).mean((2, 3), keepdim=True))), a=conv(), b=conv()
    ),
    "a map of one pixel as output": lambda: nn.Sequential(
        conv(1), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 10, 1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_a_candidate_of(name: str, problem: Problem) -> None:
    torch.manual_seed(0)
    model = NETWORKS[name]().eval()
    graph = trace(model, (1, 8, 8), "unusual")
    unusual = Problem("unusual", model, graph, problem.dataset)
    allowed = workload_of(graph, model, FORM)
    compression = Compression(
        patterns={conv: PatternChoice(3, 3) for conv in allowed.editable if "2" not in conv},
        weight_bits=dict.fromkeys(allowed.weighted, 8),
    )
    assert allowed.takes(compression) and allowed.weighted
    edited = unusual.compressed(compression)
    finetune(edited, model, problem.dataset, Tuning(batches=2, batch_size=32), 0)
    twin = copied(edited)
    network = quantised_network(unusual, twin, compression, FORM)
    assert network.layers == lowered_layers(graph, FORM, compression)
    images = problem.dataset.validation.images
    wanted, found = values_of(float_answers(twin, images)), values_of(answers(network, images))
    assert wanted.shape == found.shape == (len(images), 10)
    assert (found - wanted).abs().max() < 0.15 * wanted.abs().max()


@pytest.mark.parametrize("stem", Stem)
def test_a_linear_layer_reads_an_image_of_any_stem(stem: Stem, problem: Problem) -> None:
    model = NETWORKS["a fully connected network"]().eval()
    form = IntegerFormat(refit_images=0, arrangement=Arrangement(stem))
    unusual = Problem("net", model, trace(model, (1, 8, 8), "net"), problem.dataset)
    images = problem.dataset.validation.images
    wanted = values_of(float_answers(model, images))
    found = values_of(answers(quantised_network(unusual, model, Compression(), form), images))
    np.testing.assert_allclose(found, wanted, atol=1e-2 * float(wanted.abs().max()))


def test_answers_are_maps_whatever_a_network_gives() -> None:
    for name in ("a map of one pixel as output", "a fully connected network"):
        (found,) = answers_of(NETWORKS[name](), torch.zeros(3, 1, 8, 8))
        assert found.shape == (3, 10, 1, 1)
