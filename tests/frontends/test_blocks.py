"""Kernels larger than the array's: over blocks of pixels, as long as they step by whole blocks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hotnas_hls.accel.layer import LARGEST_KERNEL
from hotnas_hls.errors import UnsupportedNetwork
from hotnas_hls.explore.arrangement import PLAIN
from hotnas_hls.frontends.source import load_module
from hotnas_hls.network.graph import OpKind

START = nn.Conv2d(3, 8, 3, padding=1)


class Pooled(nn.Module):
    def __init__(self, *size: int) -> None:
        super().__init__()
        self.start, self.size = nn.Conv2d(3, 8, 3, padding=1), size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.adaptive_avg_pool2d(self.start(x), self.size)


LARGE = {
    "as the map": (nn.Conv2d(3, 8, 17), 1, (17, 17)),
    "patches": (nn.Conv2d(3, 8, 32, 32), 1, (64, 96)),
    "of the image": (nn.Conv2d(3, 8, 17, 4, 8), 1, (33, 40)),
    "of a map": (nn.Conv2d(8, 4, 18, 2, 3), 0, (29, 31)),
    "rows only": (nn.Conv2d(8, 4, (18, 3), (2, 1), (0, 1)), 0, (40, 9)),
    "depthwise": (nn.Conv2d(8, 8, 31, 3, 15, groups=8), 0, (33, 33)),
    "grouped": (nn.Conv2d(8, 16, 17, 2, groups=2), 0, (21, 22)),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_kernel_is_proven(name: str) -> None:
    """As torch computes it: loading compares them."""
    conv, of_image, sides = LARGE[name]
    model = nn.Sequential(*([] if of_image else [START]), conv).eval()
    graph = load_module(model, (3, *sides), name="net").graph
    with torch.no_grad():
        assert graph[graph.host.maps[0]].shape == tuple(model(torch.zeros(1, 3, *sides)).shape[1:])
    assert all(max(node.kernel) <= LARGEST_KERNEL for node in graph if node.kind is OpKind.CONV)
    assert PLAIN.violations(PLAIN.lower(graph)) == []


@pytest.mark.parametrize(("sides", "size"), [((17, 17), (7, 7)), ((17, 30), (7, 4)), ((17, 33), (5, 1))])
def test_maps_are_averaged_to_sizes_that_do_not_divide_them(
    sides: tuple[int, int], size: tuple[int, int]
) -> None:
    graph = load_module(Pooled(*size).eval(), (3, *sides), name="net").graph
    assert graph[graph.host.maps[0]].shape == (8, *size)
    assert PLAIN.violations(PLAIN.lower(graph)) == []
    assert sum(node.name.endswith(".blocks") for node in graph) <= 2  # once a map, whatever reads them


def test_steps_that_are_no_whole_blocks_are_refused() -> None:
    with pytest.raises(UnsupportedNetwork) as error:
        load_module(nn.Conv2d(3, 8, 17).eval(), (3, 40, 40), name="net")
    assert str(error.value) == (
        "net: the accelerator cannot run this network\n"
        "  - conv2d (conv): has a kernel of 17 x 17; use at most 16 x 16, or pool in two steps"
    )
