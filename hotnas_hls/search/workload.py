"""What a compressed network asks of the hardware, without building it: layers in, layers out.

Microseconds instead of a trace, which is what makes a hardware test before any training worth its name.
``tests/search/test_workload.py`` compares it with the layers of the compressed model itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.edits import CutPath


def compressed_layers(
    layers: Sequence[Layer], paths: Mapping[str, CutPath], compression: Compression
) -> tuple[Layer, ...]:
    """``layers`` of the uncompressed network as they are under ``compression``; ``paths`` as in cut_paths."""
    outputs = dict(compression.channels)
    inputs = {}
    for name, keep in compression.channels.items():
        inputs[paths[name].reader] = keep
        for step in paths[name].along:
            inputs[step] = outputs[step] = keep
    return tuple(_compressed(layer, inputs, outputs, compression) for layer in layers)


def _compressed(
    layer: Layer, inputs: Mapping[str, int], outputs: Mapping[str, int], compression: Compression
) -> Layer:
    name, changes = layer.name, {}
    if name in inputs:
        changes["n"] = inputs[name]
    if name in outputs:
        changes["m"] = outputs[name]
    if name in compression.expanded:
        changes["kernel_rows"], changes["kernel_columns"] = layer.kernel_rows + 2, layer.kernel_columns + 2
        changes["pad_top"], changes["pad_left"] = layer.pad_top + 1, layer.pad_left + 1
    if name in compression.patterns:
        changes["pattern_ones"] = compression.patterns[name].ones
    if name in compression.weight_bits and layer.kind is not LayerKind.MAXPOOL:
        changes["weight_bits"] = compression.weight_bits[name]
    return dataclasses.replace(layer, **changes) if changes else layer
