"""Cycles no schedule can beat: what the MAC array must compute and each port must move, tile-free."""

from __future__ import annotations

from dataclasses import dataclass

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.plan import ceil_div, entry_count, word_cycles


@dataclass(frozen=True)
class Floors:
    """Least cycles of a layer in each process, whatever its tile."""

    compute: int
    load_ifm: int
    load_wgt: int
    store_ofm: int

    @property
    def cycles(self) -> int:
        """The processes overlap: the largest."""
        return max(vars(self).values())


def layer_floors(layer: Layer, accel: Accelerator) -> Floors:
    """Compute bound and traffic bounds: every input pixel, weight and output pixel once."""
    conv, block = layer.kind is LayerKind.CONV, accel.channel_block
    tiles_m = ceil_div(layer.m, accel.tm if conv else accel.td)
    tiles_n = ceil_div(layer.n, accel.tn) if conv else 1
    pixels = layer.out_rows * layer.out_columns
    last_m = ceil_div(layer.m - (tiles_m - 1) * accel.tm, block) * block
    groups = {
        LayerKind.CONV: (tiles_m - 1) * accel.groups(accel.tm) + accel.groups(last_m),
        LayerKind.DEPTHWISE: tiles_m * accel.groups(accel.taps),
        LayerKind.MAXPOOL: 0,
    }[layer.kind]
    entries, word = entry_count(layer, accel.taps), word_cycles(layer, accel)
    (top, left), in_rows = layer.padding, layer.in_rows - layer.first_pixel[0]
    read = _side(layer.out_rows, layer.kernel_rows, layer.strides[0], in_rows, top)
    read *= _side(layer.out_columns, layer.kernel_columns, layer.stride, layer.read_columns, left)
    return Floors(
        compute=tiles_m * tiles_n * entries * pixels,
        load_ifm=ceil_div(layer.n, block) * read * word.ifm,
        load_wgt=groups * tiles_n * entries * layer.weight_bits * word.wgt,
        store_ofm=ceil_div(layer.m, block) * pixels * word.ofm,
    )


def _side(out: int, kernel: int, stride: int, available: int, pad: int) -> int:
    """Rows or columns of the input that are read; gaps of a stride beyond the kernel count as not read."""
    last = min((out - 1) * stride + kernel - pad, available)
    if stride <= kernel:
        return last
    starts = [at * stride - pad for at in range(out)]
    return sum(max(0, min(start + kernel, available) - max(start, 0)) for start in starts)
