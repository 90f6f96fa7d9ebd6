"""Kernels that reach further than the array's: over blocks of pixels, or as sums of parts."""

from __future__ import annotations

from pathlib import Path

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


PARTED = {  # module, input, parts
    "step of one": (nn.Conv2d(3, 8, 17), (3, 40, 23), 4),
    "zeros that all parts meet": (nn.Conv2d(3, 8, 31, 1, 15), (3, 33, 20), 4),
    "zeros of a map of their own": (nn.Conv2d(3, 4, 40, 2, 20), (3, 25, 31), 9),
    "no whole blocks": (nn.Conv2d(3, 8, (33, 18), (2, 1)), (3, 50, 41), 6),
    "depthwise": (nn.Conv2d(3, 3, 31, 1, 15, groups=3), (3, 36, 33), 4),
    "grouped": (nn.Conv2d(4, 8, 19, 1, 9, groups=2), (4, 21, 24), 4),
    "dilated": (nn.Conv2d(3, 8, 3, 1, 12, 12), (3, 33, 30), 4),
    "dilated, strided": (nn.Conv2d(3, 8, 4, 2, 5, 7), (3, 33, 30), 4),
    "further than a kernel apart": (nn.Conv2d(3, 8, 3, 1, 18, 18), (3, 20, 24), 9),
    "depthwise, dilated": (nn.Conv2d(3, 3, 5, 1, 10, 5, groups=3), (3, 33, 29), 4),
    "along a row": (nn.Conv1d(4, 8, 3, 1, 16, 16), (4, 64), 3),
    "long steps along a row": (nn.Conv1d(1, 8, 80, 4), (1, 400), 5),
}


@pytest.mark.parametrize("name", PARTED)
def test_a_kernel_in_parts_is_proven(name: str) -> None:
    conv, shape, parts = PARTED[name]
    graph = load_module(conv.eval(), shape, name="net").graph
    assert sum(".part" in node.name and node.kind is OpKind.CONV for node in graph) == parts
    assert all(max(node.reach) <= LARGEST_KERNEL for node in graph if node.kind is OpKind.CONV)
    assert PLAIN.violations(PLAIN.lower(graph)) == []


def test_weights_of_zeros_are_no_part() -> None:
    conv = nn.Conv2d(3, 4, 20)
    with torch.no_grad():
        conv.weight[:, :, 10:] = 0
    graph = load_module(conv.eval(), (3, 24, 24), name="net").graph
    assert [node.kind for node in graph] == [OpKind.INPUT, OpKind.CONV, OpKind.CONV, OpKind.ADD]


def test_a_kernel_larger_than_its_map_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from onnx_files import saved, weights

    from hotnas_hls.frontends.onnx_import import import_onnx

    with pytest.raises(UnsupportedNetwork) as error:
        import_onnx(saved(tmp_path / "net.onnx", ("Conv", weights(4, 3, 20, 12))))
    assert str(error.value) == (
        "net: the accelerator cannot run this network\n"
        "  - step0: Conv: its output would be 4x-7x1; use a larger input or less stride"
    )
